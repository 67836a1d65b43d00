//! Handlers of the pages: they fill the view models of `pages` from what the
//! API handlers also answer from, and turn refusals into pages.

pub mod console;
pub mod desk;
pub mod door;
pub mod event;
pub mod invites;
pub mod moving;
pub mod operators;
pub mod orders;
pub mod queue;
pub mod shop;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use usher_base::Timestamp;
use usher_booking::catalog::OnSale;
use usher_booking::operators::Role;

use crate::error::ApiError;
use crate::operators::{Operator, role_too_low};
use crate::pages::{self, AwayPage, ErrorPage, EventHead, Moment};
use crate::state::Edge;

const NEEDS_SCRIPT: &str = "To keep machines out, your browser has to do a little work before you join. \
     Allow scripts on this page, or use another browser, and try again.";

const NEEDS_CHECK: &str = "Before you join, show on the event's page that you are a person. If you see no check there, \
     allow scripts and let the page load what it asks for, or use another network or browser.";
const MOVED_ON: &str = "This place has moved on to another device, or this link was used \
     already; each works once. Go on where the place is now.";
const OVER: &str = "This link or page is too old to be used. Start again from the line.";
const NOT_GENUINE: &str =
    "This link or page is not complete or not from us. Copy the whole link, or start again.";
const NOT_THIS_BROWSER: &str = "This browser does not know that order. Open it in the browser \
     that bought it, or by the link that its shop sent.";

/// Pages answer refusals as pages.
pub type PageResult = Result<Response, PageError>;

/// A refusal on its way to a person.
pub struct PageError {
    error: Box<ApiError>,
    request_id: String,
    way_on: Option<(String, String)>,
}

impl PageError {
    /// Where the page leads on to, instead of to all events.
    pub fn back_to(mut self, path: &str, words: &str) -> Self {
        self.way_on = Some((path.to_owned(), words.to_owned()));
        self
    }
}

/// Turns API refusals into page refusals, with the request's id.
pub trait OnPage<T> {
    fn on_page(self, headers: &HeaderMap) -> Result<T, PageError>;
}

impl<T> OnPage<T> for Result<T, ApiError> {
    fn on_page(self, headers: &HeaderMap) -> Result<T, PageError> {
        self.map_err(|error| PageError {
            error: Box::new(error),
            request_id: request_id(headers),
            way_on: Some(("/".into(), "All events".into())),
        })
    }
}

pub fn request_id(headers: &HeaderMap) -> String {
    let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    id.unwrap_or_default().to_owned()
}

impl axum::response::IntoResponse for PageError {
    fn into_response(self) -> Response {
        let cookie = self.error.cookie().cloned();
        let mut response = self.page();
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl PageError {
    fn page(self) -> Response {
        let status = self.error.status();
        // A check that cannot be had is told; everything else comes back by itself.
        let is_check = self.error.code().starts_with("captcha_");
        if status == StatusCode::SERVICE_UNAVAILABLE && !is_check {
            // Varied a little, so that not everybody comes back at once.
            let retry_after_seconds = 3 + rand::random::<u32>() % 5;
            let page = AwayPage {
                retry_after_seconds,
                request_id: self.request_id,
            };
            let mut response = pages::respond(status, &page);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after_seconds.into());
            return response;
        }
        let headline = match status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::TOO_MANY_REQUESTS => "One moment, please",
            _ => "That did not work",
        };
        let page = ErrorPage {
            headline: headline.to_owned(),
            sentence: for_people(&self.error).to_owned(),
            request_id: self.request_id,
            way_on: self.way_on,
        };
        pages::respond(status, &page)
    }
}

/// What is said to programs, in the words of somebody who never saw a token.
fn for_people(error: &ApiError) -> &str {
    match (error.status(), error.code()) {
        // Only browsers that run no script get here without a solution.
        (StatusCode::PRECONDITION_REQUIRED, "puzzle_required") => NEEDS_SCRIPT,
        (StatusCode::PRECONDITION_REQUIRED, _) => NEEDS_CHECK,
        (_, "token_replaced") => MOVED_ON,
        (_, "token_expired") => OVER,
        (_, "order_token_required") => NOT_THIS_BROWSER,
        (StatusCode::UNAUTHORIZED, code) if code.starts_with("token_") => NOT_GENUINE,
        _ => error.message(),
    }
}

/// Who has signed in, if the role suffices; none for a visitor who has not signed in.
async fn allowed(
    edge: &Edge,
    headers: &HeaderMap,
    least: Role,
) -> Result<Option<Operator>, PageError> {
    match edge.operator(headers).await.on_page(headers)? {
        Some(operator) if operator.role < least => Err(role_too_low(&operator, Some(least)))
            .on_page(headers)
            .map_err(|refused| refused.back_to("/console", "Back to the events")),
        known => Ok(known),
    }
}

pub fn moment(at: Timestamp) -> Moment {
    Moment::from(at.to_datetime())
}

pub fn head(on_sale: &OnSale) -> EventHead {
    let event = &on_sale.event;
    EventHead {
        id: event.id.to_string(),
        title: event.title.name.clone(),
        venue: format!("{}, {}", event.venue.name, event.venue.city),
        starts_at: moment(event.start_time),
    }
}

/// After a form: the browser fetches the next page by GET.
pub fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

//! Moving a place to another device: the picture to scan, and the page that it
//! leads to. Opening that page moves nothing, so that previews of a link do not.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use usher_base::EventId;
use usher_booking::tickets;

use super::queue::to_queue;
use super::{OnPage as _, PageResult, head, moment};
use crate::api::transfer::{TransferForm, cookie_of, offer_place, take_place};
use crate::error::ApiError;
use crate::pages::{self, HerePage, MovePage};
use crate::state::Edge;

pub async fn offer(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let offered = offer_place(&edge, event, &headers).await;
    let offered = offered.on_page(&headers)?;
    let picture = tickets::svg(&offered.url).map_err(ApiError::internal);
    let picture = picture.on_page(&headers)?;
    let page = MovePage {
        head: head(&on_sale),
        // Inside a page the image has no declaration of its own.
        picture: picture
            .trim_start_matches(r#"<?xml version="1.0" standalone="yes"?>"#)
            .to_owned(),
        link: offered.url,
        expires_at: moment(offered.expires_at),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

#[derive(Deserialize)]
pub struct HereQuery {
    code: String,
}

pub async fn ask(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<HereQuery>,
    headers: HeaderMap,
) -> PageResult {
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let page = HerePage {
        head: head(&on_sale),
        code: query.code,
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

pub async fn take(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    Form(form): Form<TransferForm>,
) -> PageResult {
    let token = take_place(&edge, event, &form.code).await;
    let token = token
        .on_page(&headers)
        .map_err(|refused| refused.back_to(&format!("/e/{event}/queue"), "To the line"))?;
    let cookie = cookie_of(&edge, event, &token);
    Ok(([(SET_COOKIE, cookie)], to_queue(event)).into_response())
}

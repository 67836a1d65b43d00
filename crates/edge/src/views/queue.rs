//! The queue page and its forms, which work without a script.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use usher_base::EventId;

use super::event::{order_of, shown};
use super::{OnPage as _, PageError, PageResult, head, moment, see_other};
use crate::answers::{PlaceAnswer, Standing};
use crate::api::queue::{JoinRequest, claim_turn, leave_line, own_place};
use crate::cookies;
use crate::error::ApiResult;
use crate::joining::{self, JoinedPlace, join_line};
use crate::live::EventView;
use crate::pages::{self, Place, QueuePage, SlipReason, WaitInterval};
use crate::state::Edge;

pub async fn join(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    form: Result<Form<JoinForm>, FormRejection>,
) -> PageResult {
    // Browsers without a form's type send an empty one.
    let form = form.map(|Form(form)| form).unwrap_or_default();
    let request = JoinRequest {
        puzzle: form.puzzle,
        captcha: form.captcha,
        ..JoinRequest::again()
    };
    let joined = join_line(&edge, event, peer, &headers, request).await;
    Ok(into_line(event, back_to_event(event, &headers, joined)?))
}

/// What the page's script adds to the form where joining asks for work.
#[derive(Default, Deserialize)]
pub struct JoinForm {
    puzzle: Option<String>,
    captcha: Option<String>,
}

#[derive(Deserialize)]
pub struct CodeForm {
    code: String,
    puzzle: Option<String>,
    captcha: Option<String>,
}

pub async fn join_with_code(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<CodeForm>,
) -> PageResult {
    let again = JoinRequest {
        puzzle: form.puzzle,
        captcha: form.captcha,
        ..JoinRequest::again()
    };
    let joined = joining::join_with_code(&edge, event, peer, &headers, &form.code, again).await;
    Ok(into_line(event, back_to_event(event, &headers, joined)?))
}

/// Whoever is refused finds there what joining asks for.
fn back_to_event(
    event: EventId,
    headers: &HeaderMap,
    joined: ApiResult<JoinedPlace>,
) -> Result<JoinedPlace, PageError> {
    let page = format!("/e/{event}");
    let joined = joined.on_page(headers);
    joined.map_err(|refused| refused.back_to(&page, "Back to the event"))
}

fn into_line(event: EventId, joined: JoinedPlace) -> Response {
    let cookies: HeaderMap = joined.cookies.into_iter().collect();
    (cookies, to_queue(event)).into_response()
}

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let live = edge.live_event(event).on_page(&headers)?;
    let view = edge.view(&live).on_page(&headers)?;
    let place = match edge.queue_claims_of(event, &headers) {
        Ok(claims) => {
            let answer = own_place(&edge, &live, claims).await.on_page(&headers)?;
            place_of(answer)
        }
        // Nobody's place is shown to somebody without a token.
        Err(_) => absent(&view),
    };
    let page = QueuePage {
        head: head(&on_sale),
        order: order_of(view.board().state.ordering),
        opened_as_fifo: opened_as_fifo(&view),
        place,
        now: moment(edge.clock.now()),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

/// Whether some lane's draw was given up.
fn opened_as_fifo(view: &EventView) -> bool {
    let mut lanes = view.board().lanes.iter();
    lanes.any(|of| of.draw.as_ref().is_some_and(|draw| draw.opened_as_fifo))
}

fn place_of(answer: PlaceAnswer) -> Place {
    let wait = answer.estimated_wait_seconds.map(|wait| WaitInterval {
        low: wait.low,
        high: wait.high,
    });
    Place {
        standing: match answer.standing {
            Standing::Waiting => pages::Standing::Waiting,
            Standing::Admitted => pages::Standing::Admitted,
            Standing::Inside => pages::Standing::Inside,
            Standing::Absent => pages::Standing::Absent,
        },
        phase: shown(answer.phase),
        number: answer.number.map(|number| number.0.into()),
        ahead: answer.ahead.map(u64::from),
        estimated_wait_seconds: wait,
        rate_per_minute: answer.rate_per_minute,
        reason: answer.reason.and_then(SlipReason::named),
        message: answer.message,
        opens_at: answer.opens_at.map(moment),
        claim_by: answer.claim_by.map(moment),
    }
}

fn absent(view: &EventView) -> Place {
    Place {
        standing: pages::Standing::Absent,
        phase: shown(view.phase()),
        number: None,
        ahead: None,
        estimated_wait_seconds: None,
        rate_per_minute: None,
        reason: None,
        message: view.message().map(str::to_owned),
        opens_at: None,
        claim_by: None,
    }
}

pub async fn claim(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let claims = edge.queue_claims_of(event, &headers).on_page(&headers)?;
    match claim_turn(&edge, event, &claims).await {
        Ok((_, cookie)) => {
            let to_seats = see_other(&format!("/e/{event}/seats"));
            Ok(([(SET_COOKIE, cookie)], to_seats).into_response())
        }
        // Missed or over: the queue page says how the fan stands now.
        Err(error) if error.status().is_client_error() => Ok(to_queue(event)),
        Err(error) => Err(error).on_page(&headers),
    }
}

pub async fn leave(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let claims = edge.queue_claims_of(event, &headers).on_page(&headers)?;
    leave_line(&edge, event, &claims).await.on_page(&headers)?;
    let cookie = edge.settings.jar.clear(&cookies::queue(event));
    let to_event = see_other(&format!("/e/{event}"));
    Ok(([(SET_COOKIE, cookie)], to_event).into_response())
}

pub fn to_queue(event: EventId) -> Response {
    see_other(&format!("/e/{event}/queue"))
}

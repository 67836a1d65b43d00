//! The operators' pages: sign in, choose an event, steer it.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;
use usher_base::EventId;

use super::event::shown;
use super::{OnPage as _, PageResult, head, moment, see_other};
use crate::api::admin::constants::ConstantShown;
use crate::api::events::phase_of;
use crate::desk::database_unavailable;
use crate::error::ApiError;
use crate::operators::CONSOLE_SECONDS;
use crate::pages::{self, ConsoleEvent, ConsolePage, ControlPage, SignInPage, Tab, Tabs};
use crate::roles;
use crate::state::Edge;

pub async fn home(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> PageResult {
    let Some(operator) = edge.operator(&headers).await.on_page(&headers)? else {
        return Ok(sign_in_page(None));
    };
    let mut events = edge.catalog.all();
    events.sort_by_key(|on_sale| (on_sale.event.start_time, on_sale.event.id));
    let events = events.iter().map(|on_sale| ConsoleEvent {
        head: head(on_sale),
        phase: shown(phase_of(&edge, on_sale.event.id)),
    });
    let page = ConsolePage {
        events: events.collect(),
        is_admin: operator.role >= roles::NAMES_OTHERS,
        looks_up: operator.role >= roles::LOOKS_UP,
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

fn sign_in_page(problem: Option<&str>) -> Response {
    let status = if problem.is_some() {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    let page = SignInPage {
        problem: problem.map(str::to_owned),
    };
    pages::respond(status, &page)
}

#[derive(Deserialize)]
pub struct SignInForm {
    api_key: String,
}

pub async fn sign_in(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> PageResult {
    let signed_in = edge.sign_in(form.api_key.trim()).await.on_page(&headers)?;
    let Some((operator, session)) = signed_in else {
        metrics::counter!("usher_sign_ins_refused_total").increment(1);
        return Ok(sign_in_page(Some("This is not an operator's API key.")));
    };
    tracing::info!(operator = operator.name, "signed in at the console");
    let cookies = edge.settings.jar.sign_in(&session, CONSOLE_SECONDS);
    Ok((AppendHeaders(cookies), see_other("/console")).into_response())
}

pub async fn sign_out(State(edge): State<Arc<Edge>>) -> Response {
    let cookies = edge.settings.jar.sign_out();
    (AppendHeaders(cookies), see_other("/console")).into_response()
}

pub async fn event(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let Some(operator) = edge.operator(&headers).await.on_page(&headers)? else {
        return Ok(see_other("/console"));
    };
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let live = edge.live_event(event).on_page(&headers)?;
    let view = edge.view(&live).on_page(&headers)?;
    let desk = edge.desk().on_page(&headers)?;
    let policy = desk
        .policies
        .get(event)
        .await
        .map_err(ApiError::internal)
        .on_page(&headers)?;
    let constants = desk.constants.get(event).await;
    let constants = constants.map_err(database_unavailable).on_page(&headers)?;
    let page = ControlPage {
        head: head(&on_sale),
        tabs: Tabs::of(operator.role, Tab::Sale),
        phase: shown(view.phase()),
        settings: policy.into(),
        constants: constants.in_force().map(ConstantShown::from).into(),
        can_tune: operator.role >= roles::TUNES,
        message: view.board().state.message.clone(),
        can_control: operator.role >= roles::STEERS,
        now: moment(edge.clock.now()),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

//! What joining asks for, the puzzle of whoever wants to join among it: fetched before the
//! join, or told by a join that came without.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use usher_base::EventId;
use utoipa::{IntoParams, ToSchema};

use crate::api::openapi::Refusal;
use crate::captcha::{Captcha, Wanted};
use crate::error::ApiResult;
use crate::identity;
use crate::puzzle::{Puzzle, Solver};
use crate::state::Edge;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ForWhom {
    /// The same as in the join
    client_join_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PuzzleAnswer {
    /// None while joining asks for none
    puzzle: Option<Puzzle>,
    /// None where joining asks for none
    captcha: Option<Wanted>,
}

#[utoipa::path(
    get,
    operation_id = "queue_puzzle",
    path = "/api/v1/events/{event}/queue/puzzle",
    tag = "line",
    summary = "What a join has to bring: a puzzle solved, as ALTCHA spells it, a CAPTCHA's token",
    params(("event" = String, Path, description = "An event's id"), ForWhom),
    responses((status = 200, description = "Done", body = PuzzleAnswer), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<ForWhom>,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let live = edge.live_event(event)?;
    let (fan, cookie) = match &query.client_join_id {
        Some(join_id) => (identity::fan_of_join_id(event, join_id)?, None),
        None => {
            let (browser, cookie) = edge.browser(&headers);
            (identity::fan_of_browser(event, browser), cookie)
        }
    };
    let (now, hashes) = (edge.clock.now(), edge.join_costs(&live)?);
    let solver = Solver { event, fan };
    let puzzle = (hashes > 0).then(|| solver.puzzle(&edge.keys, hashes, now, &mut rand::rng()));
    let captcha = edge.captcha_of(&live)?.map(Captcha::wanted);
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok((headers, Json(PuzzleAnswer { puzzle, captcha })))
}

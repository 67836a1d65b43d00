//! Invite codes that open a lane: made, listed without their text, taken back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{EventId, Lane, Timestamp};
use usher_queue::pg::{Invite, InviteId, MAX_CODE_BYTES, NewInvites};
use utoipa::{IntoParams, ToSchema};

use super::lines::refusal;
use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;
/// Codes that one call makes.
const MAX_CODES: u32 = 500;
const MAX_USES: u32 = 1_000_000;
/// A shorter word of one's own is guessed too soon.
const MIN_CODE_BYTES: usize = 6;
/// 60 bits: 12 letters that cannot be mistaken for each other.
const CODE_CHARS: usize = 12;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteForm {
    /// Which the codes open
    #[schema(value_type = String)]
    pub lane: Lane,
    /// Fans who may use each code
    pub uses: u32,
    /// Codes to make; one unless given
    pub count: Option<u32>,
    /// A word of your own, of 6 to 64 characters, instead of made ones
    pub code: Option<String>,
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub struct InvitesMade {
    /// Shown this once: only their hashes are kept
    codes: Vec<String>,
}

#[utoipa::path(
    post,
    operation_id = "operators_invites_make",
    path = "/api/v1/admin/events/{event}/invites",
    tag = "operators",
    summary = "Make codes that open a lane",
    params(("event" = String, Path, description = "An event's id")),
    request_body = InviteForm,
    responses((status = 201, description = "Made", body = InvitesMade), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn make(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<InviteForm>,
) -> ApiResult<(StatusCode, Json<InvitesMade>)> {
    let codes = make_codes(&edge, &operator, event, &form).await?;
    Ok((StatusCode::CREATED, Json(InvitesMade { codes })))
}

pub async fn make_codes(
    edge: &Edge,
    operator: &Operator,
    event: EventId,
    form: &InviteForm,
) -> ApiResult<Vec<String>> {
    let lines = &edge.desk()?.lines;
    let row = lines.line(event).await.map_err(refusal)?;
    if !row.lane_names().contains(&form.lane) {
        return Err(ApiError::not_found("lane"));
    }
    let codes = codes_of(form, edge.clock.now())?;
    let invites = NewInvites {
        codes: &codes,
        lane: &form.lane,
        uses: form.uses,
        expires_at: form.expires_at,
    };
    lines.put_invites(event, &invites).await.map_err(refusal)?;
    let details = json!({ "lane": form.lane, "codes": codes.len(), "uses": form.uses });
    edge.note(operator, "invites_made", event.to_string(), details)
        .await;
    Ok(codes)
}

fn codes_of(form: &InviteForm, now: Timestamp) -> ApiResult<Vec<String>> {
    if !(1..=MAX_USES).contains(&form.uses) {
        return Err(ApiError::invalid("`uses` must be 1 to 1000000."));
    }
    if form.expires_at.is_some_and(|end| end <= now) {
        return Err(ApiError::invalid("`expires_at` is over already."));
    }
    match (&form.code, form.count) {
        (Some(code), None) => own_code(code).map(|code| vec![code]),
        (None, count) => {
            let count = count.unwrap_or(1);
            if !(1..=MAX_CODES).contains(&count) {
                return Err(ApiError::invalid("`count` must be 1 to 500."));
            }
            Ok((0..count).map(|_| made_code(&mut rand::rng())).collect())
        }
        (Some(_), Some(_)) => Err(ApiError::invalid(
            "Give `code` for one word of your own, or `count` for codes that are made.",
        )),
    }
}

fn own_code(code: &str) -> ApiResult<String> {
    let code = code.trim();
    let fits = (MIN_CODE_BYTES..=MAX_CODE_BYTES).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| code.to_owned()).ok_or_else(|| {
        ApiError::invalid("A code has 6 to 64 characters: letters, digits and signs, no spaces.")
    })
}

fn made_code(rng: &mut impl rand::Rng) -> String {
    let mut bytes = [0; CODE_CHARS];
    rng.fill_bytes(&mut bytes);
    // 256 is a multiple of 32: no letter is likelier than another.
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
    bytes.iter().map(letter).collect()
}

#[derive(Serialize, ToSchema)]
pub struct InviteAnswer {
    /// Names the code without telling it
    pub id: String,
    #[schema(value_type = String)]
    pub lane: Lane,
    pub uses_left: u32,
    /// Fans who used it
    pub used: u64,
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Timestamp>,
}

impl From<Invite> for InviteAnswer {
    fn from(invite: Invite) -> Self {
        Self {
            id: hex::encode(invite.id),
            lane: invite.lane,
            uses_left: invite.uses_left,
            used: invite.used,
            expires_at: invite.expires_at,
        }
    }
}

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InviteQuery {
    /// `next` of the page before
    pub after: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct InvitePage {
    /// By id
    pub data: Vec<InviteAnswer>,
    /// Where the next page begins; none after the last
    pub next: Option<String>,
}

#[utoipa::path(
    get,
    operation_id = "operators_invites_list",
    path = "/api/v1/admin/events/{event}/invites",
    tag = "operators",
    summary = "The codes that were made, without their text",
    params(("event" = String, Path, description = "An event's id"), InviteQuery),
    responses((status = 200, description = "Done", body = InvitePage), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn list(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<InviteQuery>,
) -> ApiResult<Json<InvitePage>> {
    page_of_codes(&edge, event, query).await.map(Json)
}

pub async fn page_of_codes(
    edge: &Edge,
    event: EventId,
    query: InviteQuery,
) -> ApiResult<InvitePage> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let after = query.after.as_deref().map(|id| {
        invite_id(id).ok_or_else(|| ApiError::invalid("after must be the `next` of a page."))
    });
    let after = after.transpose()?;
    let lines = &edge.desk()?.lines;
    let found = lines.invites(event, after.as_ref(), limit).await;
    let found = found.map_err(refusal)?.into_iter();
    let data: Vec<InviteAnswer> = found.map(Into::into).collect();
    let is_full = data.len() >= limit as usize;
    let next = data.last().filter(|_| is_full).map(|last| last.id.clone());
    Ok(InvitePage { data, next })
}

/// As the list names a code.
fn invite_id(text: &str) -> Option<InviteId> {
    let mut id = InviteId::default();
    hex::decode_to_slice(text, &mut id).ok()?;
    Some(id)
}

#[utoipa::path(
    delete,
    operation_id = "operators_invites_take_back",
    path = "/api/v1/admin/events/{event}/invites/{id}",
    tag = "operators",
    summary = "Take a code back; who used it keeps the place",
    params(("event" = String, Path, description = "An event's id"), ("id" = String, Path, description = "As the list names it")),
    responses((status = 204, description = "Gone"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn take_back(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path((event, id)): Path<(EventId, String)>,
) -> ApiResult<StatusCode> {
    take_code_back(&edge, &operator, event, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn take_code_back(
    edge: &Edge,
    operator: &Operator,
    event: EventId,
    id: &str,
) -> ApiResult<()> {
    let code = invite_id(id).ok_or_else(|| ApiError::not_found("code"))?;
    let taken = edge.desk()?.lines.take_invite_back(event, &code).await;
    if !taken.map_err(refusal)? {
        return Err(ApiError::not_found("code"));
    }
    let details = json!({ "id": id });
    edge.note(operator, "invite_taken_back", event.to_string(), details)
        .await;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn made_codes_are_accepted_as_codes_and_differ() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let first = made_code(&mut rng);
        assert_eq!(own_code(&first).unwrap(), first);
        assert_ne!(first, made_code(&mut rng));
        for refused in ["short", "two words", "ümlaute"] {
            assert!(own_code(refused).is_err(), "{refused}");
        }
    }
}

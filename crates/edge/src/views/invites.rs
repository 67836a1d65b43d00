//! The console's page of an event's invite codes: the same calls as the operators' API,
//! answered as pages.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use time::PrimitiveDateTime;
use time::macros::format_description;
use usher_base::{EventId, Lane, Timestamp};

use super::{OnPage as _, PageResult, allowed, head, moment, see_other};
use crate::api::admin::invites::{
    InviteAnswer, InviteForm, InviteQuery, make_codes, page_of_codes, take_code_back,
};
use crate::api::admin::lines::refusal;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::pages::{self, GivenCode, InvitesPage, MadeCodes, Tab, Tabs};
use crate::roles;
use crate::state::Edge;

/// As a page's form sends it: what is not filled in comes as an empty text.
#[derive(Deserialize)]
pub struct CodesForm {
    lane: Lane,
    count: String,
    uses: u32,
    expires_at: String,
    code: String,
}

impl CodesForm {
    fn read(self) -> ApiResult<InviteForm> {
        let code = Some(self.code.trim().to_owned()).filter(|code| !code.is_empty());
        let count =
            match &code {
                Some(_) => None,
                None => Some(self.count.trim().parse().map_err(|_| {
                    ApiError::invalid("Say how many codes to make, from 1 to 500.")
                })?),
            };
        Ok(InviteForm {
            lane: self.lane,
            uses: self.uses,
            count,
            code,
            expires_at: utc(&self.expires_at)?,
        })
    }
}

/// What a `datetime-local` field says, taken for UTC as the page asks.
fn utc(text: &str) -> ApiResult<Option<Timestamp>> {
    if text.is_empty() {
        return Ok(None);
    }
    let shape = format_description!("[year]-[month]-[day]T[hour]:[minute]");
    let read = PrimitiveDateTime::parse(text, shape);
    let read = read.map_err(|_| ApiError::invalid("Give the end as day and time."))?;
    Ok(Some(Timestamp::from_datetime(read.assume_utc())))
}

pub async fn list(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<InviteQuery>,
    headers: HeaderMap,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::STEERS).await? else {
        return Ok(see_other("/console"));
    };
    let page = page(&edge, &operator, event, query).await;
    Ok(pages::respond(StatusCode::OK, &page.on_page(&headers)?))
}

pub async fn make(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    Form(form): Form<CodesForm>,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::STEERS).await? else {
        return Ok(see_other("/console"));
    };
    let lane = form.lane.to_string();
    let made = match form.read() {
        Ok(form) => make_codes(&edge, &operator, event, &form).await,
        Err(refused) => Err(refused),
    };
    let page = page(&edge, &operator, event, InviteQuery::default()).await;
    let page = page.on_page(&headers)?;
    let (status, page) = match made {
        Ok(codes) => {
            let made = Some(MadeCodes { lane, codes });
            (StatusCode::CREATED, InvitesPage { made, ..page })
        }
        Err(refused) if refused.status().is_client_error() => {
            let problem = Some(refused.message().to_owned());
            (refused.status(), InvitesPage { problem, ..page })
        }
        Err(failed) => return Err(failed).on_page(&headers),
    };
    Ok(pages::respond(status, &page))
}

pub async fn take_back(
    State(edge): State<Arc<Edge>>,
    Path((event, id)): Path<(EventId, String)>,
    headers: HeaderMap,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::STEERS).await? else {
        return Ok(see_other("/console"));
    };
    let home = format!("/console/e/{event}/invites");
    take_code_back(&edge, &operator, event, &id)
        .await
        .on_page(&headers)
        .map_err(|refused| refused.back_to(&home, "Back to the codes"))?;
    Ok(see_other(&home))
}

async fn page(
    edge: &Edge,
    operator: &Operator,
    event: EventId,
    query: InviteQuery,
) -> ApiResult<InvitesPage> {
    let on_sale = edge.on_sale(event)?;
    let row = edge.desk()?.lines.line(event).await.map_err(refusal)?;
    let lanes = row.lanes.iter().filter(|lane| lane.setup.needs_code);
    let codes = page_of_codes(edge, event, query).await?;
    let now = edge.clock.now();
    Ok(InvitesPage {
        head: head(&on_sale),
        tabs: Tabs::of(operator.role, Tab::Invites),
        lanes: lanes.map(|lane| lane.setup.lane.to_string()).collect(),
        given: codes
            .data
            .into_iter()
            .map(|code| given(code, now))
            .collect(),
        next: codes.next,
        made: None,
        problem: None,
    })
}

fn given(code: InviteAnswer, now: Timestamp) -> GivenCode {
    GivenCode {
        id: code.id,
        lane: code.lane.to_string(),
        used: code.used,
        uses_left: code.uses_left.into(),
        expires_at: code.expires_at.map(moment),
        is_over: code.expires_at.is_some_and(|end| end <= now),
    }
}

//! The check-in page: a ticket scanned or typed, answered large. Its script sends the same
//! form and takes the answer out of the page that comes back.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use usher_base::{EventId, Timestamp};
use usher_booking::tickets::{Door, Scan, Use};

use super::{OnPage as _, PageResult, allowed, head, moment, see_other};
use crate::api::admin::door::check_in;
use crate::operators::Operator;
use crate::pages::{self, Arrivals, DoorPage, Tab, Tabs, UsedAt, Verdict};
use crate::roles;
use crate::state::Edge;

/// Until somebody says otherwise.
const DEFAULT_GATE: &str = "Main door";
/// Whoever scans again where the answer was lost does so within this time.
const JUST_NOW: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub struct ScanForm {
    code: String,
    gate: String,
}

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::LOOKS_UP).await? else {
        return Ok(see_other("/console"));
    };
    let page = Shown {
        operator,
        gate: DEFAULT_GATE.to_owned(),
        verdict: None,
        problem: None,
    };
    page.respond(&edge, event, &headers, StatusCode::OK).await
}

pub async fn scan(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    Form(form): Form<ScanForm>,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::LOOKS_UP).await? else {
        return Ok(see_other("/console"));
    };
    edge.on_sale(event).on_page(&headers)?;
    let door = Door {
        staff: operator.name.clone(),
        gate: form.gate.trim().to_owned(),
    };
    let scanned = check_in(&edge, event, &form.code, &door).await;
    let (status, verdict, problem) = match scanned {
        Ok(scan) => (StatusCode::OK, Some(verdict(&edge, scan, &door)), None),
        Err(refused) if refused.status().is_client_error() => {
            (refused.status(), None, Some(refused.message().to_owned()))
        }
        Err(failed) => return Err(failed).on_page(&headers),
    };
    let page = Shown {
        operator,
        gate: door.gate,
        verdict,
        problem,
    };
    page.respond(&edge, event, &headers, status).await
}

fn verdict(edge: &Edge, scan: Scan, door: &Door) -> Verdict {
    let now = edge.clock.now();
    match scan {
        Scan::Valid {
            ticket_number,
            label,
        } => Verdict::Admitted {
            ticket: ticket_number.to_string(),
            place: label,
            at: moment(now),
        },
        Scan::AlreadyUsed {
            ticket_number,
            label,
            first,
        } if is_own(&first, door, now) => Verdict::JustNow {
            ticket: ticket_number.to_string(),
            place: label,
            seconds_ago: now.since(first.at).as_secs(),
        },
        Scan::AlreadyUsed {
            ticket_number,
            label,
            first,
        } => Verdict::Used {
            ticket: ticket_number.to_string(),
            place: label,
            first: UsedAt {
                at: moment(first.at),
                gate: first.gate,
                staff: first.staff,
            },
        },
        Scan::WrongEvent { event_id } => Verdict::OtherEvent {
            title: edge
                .catalog
                .get(event_id)
                .map(|known| known.event.title.name.clone()),
        },
        Scan::Cancelled { ticket_number } => Verdict::Void {
            ticket: ticket_number.to_string(),
        },
        Scan::Forged => Verdict::Unknown,
    }
}

/// The very same door let it in a moment ago, and its answer may never have come.
fn is_own(first: &Use, door: &Door, now: Timestamp) -> bool {
    (&first.staff, &first.gate) == (&door.staff, &door.gate) && now.since(first.at) < JUST_NOW
}

/// What differs from one answer to the next.
struct Shown {
    operator: Operator,
    gate: String,
    verdict: Option<Verdict>,
    problem: Option<String>,
}

impl Shown {
    async fn respond(
        self,
        edge: &Edge,
        event: EventId,
        headers: &HeaderMap,
        status: StatusCode,
    ) -> PageResult {
        let on_sale = edge.on_sale(event).on_page(headers)?;
        let desk = edge.desk().on_page(headers)?;
        let now = edge.clock.now();
        // A ticket may be used by now: no count may stand between it and its verdict.
        let arrivals = desk.arrived.count(&desk.orders, event, now).await;
        let page = DoorPage {
            head: head(&on_sale),
            tabs: Tabs::of(self.operator.role, Tab::Door),
            gate: self.gate,
            verdict: self.verdict,
            problem: self.problem,
            arrivals: arrivals.map(|counted| Arrivals {
                used: counted.used,
                sold: counted.sold,
            }),
        };
        Ok(pages::respond(status, &page))
    }
}

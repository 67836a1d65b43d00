//! What only roles with Postgres have: the booking core's orders and the
//! operators' controls. The edge role runs without and says so.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use usher_admission::signals::PrometheusSources;
use usher_admission::{Calibrations, EventConstants, Policies};
use usher_booking::orders::Orders;
use usher_booking::pg::audit::Entry;
use usher_booking::pg::operators::Operators;
use usher_booking::pg::webhooks::Endpoints;
use usher_booking::webhooks::Targets;
use usher_queue::pg::Store as LineStore;

use crate::arrivals::Arrived;
use crate::code_turns::CodeTurns;
use crate::draws::Draws;
use crate::error::{ApiError, ApiResult};
use crate::events::Events;
use crate::load::Load;
use crate::operators::Operator;
use crate::state::Edge;

pub struct Desk {
    pub policies: Policies,
    pub constants: EventConstants,
    pub calibrations: Calibrations,
    /// Where a Prometheus is set that may be asked how backends are.
    pub prometheus: Option<PrometheusSources>,
    pub lines: LineStore,
    pub code_turns: CodeTurns,
    pub draws: Draws,
    pub orders: Arc<Orders>,
    pub arrived: Arrived,
    pub operators: Operators,
    pub webhooks: Endpoints,
    pub webhook_targets: Targets,
    pub events: Arc<Events>,
    /// Of the webhook's endpoint; empty where Stripe is not used.
    pub stripe_webhook_secret: String,
    pub test_payments: bool,
    pub load: Load,
}

/// Postgres is away for a moment: what was asked may be asked again.
pub fn database_unavailable(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "the database cannot be asked");
    let message = "The database does not answer; try again in a few seconds.";
    ApiError::unavailable("database_unavailable", message, Duration::from_secs(3))
}

impl Edge {
    /// Writes an operator's action into the audit log. The action has taken
    /// effect by then, so a failure here is told to the log, not to the operator.
    pub async fn note(
        &self,
        operator: &Operator,
        action: &'static str,
        subject: String,
        details: serde_json::Value,
    ) {
        tracing::info!(operator = operator.name, action, subject, %details, "an operator acts");
        let Some(desk) = &self.desk else { return };
        let entry = Entry {
            actor: operator.name.clone(),
            action,
            subject,
            details,
        };
        if let Err(error) = desk.orders.log(entry).await {
            tracing::error!(%error, action, "an action is not in the audit log");
        }
    }

    pub fn desk(&self) -> ApiResult<&Desk> {
        self.desk.as_ref().ok_or_else(|| {
            let message = "This is served by the booking role; check the proxy's routes.";
            ApiError::new(StatusCode::NOT_FOUND, "not_served_here", message)
        })
    }
}

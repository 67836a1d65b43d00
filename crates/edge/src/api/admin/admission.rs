//! `GET | PUT .../admission`: who decides the rate, and within which bounds.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_admission::PolicyChangeError;
use usher_admission::control::{Mode, Policy};
use usher_base::{EventId, Timestamp};
use utoipa::ToSchema;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

/// The policy as operators spell it. Rates are people a minute.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmissionForm {
    /// `auto`, `manual` or `paused`
    #[schema(value_type = String)]
    pub mode: Mode,
    #[serde(default)]
    pub rate_per_minute: Option<f64>,
    #[serde(default)]
    pub min_rate_per_minute: Option<f64>,
    #[serde(default)]
    pub max_rate_per_minute: Option<f64>,
    #[serde(default)]
    pub max_inside: Option<u64>,
    #[serde(default)]
    pub target_p99_ms: Option<f64>,
    /// From -3 to 3: higher lets fewer people try for the last seats (1 by default)
    #[serde(default)]
    pub stock_caution: Option<f64>,
    /// When mode and rates end by themselves and auto returns
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Timestamp>,
    /// Auto only shows what it would do
    #[serde(default)]
    pub dry_run: bool,
}

impl From<Policy> for AdmissionForm {
    fn from(policy: Policy) -> Self {
        let expires_at = policy.expires_at_ms.and_then(|ms| i64::try_from(ms).ok());
        Self {
            mode: policy.mode,
            rate_per_minute: policy.rate_per_minute,
            min_rate_per_minute: policy.min_rate_per_minute,
            max_rate_per_minute: policy.max_rate_per_minute,
            max_inside: policy.max_inside,
            target_p99_ms: policy.target_p99_ms,
            stock_caution: policy.stock_caution,
            expires_at: expires_at.map(Timestamp::from_millis),
            dry_run: policy.dry_run,
        }
    }
}

impl From<AdmissionForm> for Policy {
    fn from(form: AdmissionForm) -> Self {
        Self {
            mode: form.mode,
            rate_per_minute: form.rate_per_minute,
            min_rate_per_minute: form.min_rate_per_minute,
            max_rate_per_minute: form.max_rate_per_minute,
            max_inside: form.max_inside,
            target_p99_ms: form.target_p99_ms,
            stock_caution: form.stock_caution,
            expires_at_ms: form
                .expires_at
                .and_then(|at| u64::try_from(at.millis()).ok()),
            dry_run: form.dry_run,
        }
    }
}

#[utoipa::path(
    get,
    operation_id = "operators_admission_show",
    path = "/api/v1/admin/events/{event}/admission",
    tag = "operators",
    summary = "Who decides the rate, and within which bounds",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = AdmissionForm), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<Json<AdmissionForm>> {
    let policy = edge
        .desk()?
        .policies
        .get(event)
        .await
        .map_err(ApiError::internal)?;
    Ok(Json(policy.into()))
}

#[utoipa::path(
    put,
    operation_id = "operators_admission_change",
    path = "/api/v1/admin/events/{event}/admission",
    tag = "operators",
    summary = "Change who decides the rate",
    params(("event" = String, Path, description = "An event's id")),
    request_body = AdmissionForm,
    responses((status = 200, description = "Done", body = AdmissionForm), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn change(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<AdmissionForm>,
) -> ApiResult<Json<AdmissionForm>> {
    edge.live_event(event)?;
    let policy = Policy::from(form);
    let put = edge
        .desk()?
        .policies
        .put(event, &policy, &operator.name)
        .await;
    let before = AdmissionForm::from(put.map_err(refusal)?);
    let now = AdmissionForm::from(policy);
    let details = json!({ "before": before, "after": now });
    edge.note(&operator, "admission_changed", event.to_string(), details)
        .await;
    Ok(Json(now))
}

fn refusal(error: PolicyChangeError) -> ApiError {
    match error {
        PolicyChangeError::Invalid(error) => ApiError::invalid(error.to_string()),
        PolicyChangeError::Redis(error) => error.into(),
        PolicyChangeError::Database(error) => {
            tracing::error!(%error, %error, "a policy is not durable");
            let message = "The change is not durable: the database does not answer. \
                           A pause is in force all the same; repeat the change in a moment.";
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                message,
            )
        }
    }
}

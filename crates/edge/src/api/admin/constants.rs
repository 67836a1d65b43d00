//! `GET | PUT .../admission/constants`: what of the control law is set for an event
//! because its backend or its crowd is not as usual. Names and ranges are the law's.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_admission::ConstantsChangeError;
use usher_admission::control::{Constants, InForce};
use usher_base::EventId;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

/// What is set; what is left out or null is as usual.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConstantsForm(Constants);

impl ToSchema for ConstantsForm {
    fn name() -> Cow<'static, str> {
        "ConstantsForm".into()
    }
}

/// Written out of the law's own list, so that the ranges told are those that hold.
impl PartialSchema for ConstantsForm {
    fn schema() -> RefOr<Schema> {
        let all = Constants::default().in_force();
        let form = all.iter().fold(ObjectBuilder::new(), |form, one| {
            let number = ObjectBuilder::new()
                .schema_type(Type::Number)
                .minimum(Some(one.bounded.low))
                .maximum(Some(one.bounded.high))
                .default(Some(json!(one.default)))
                .description(Some(one.meaning.what));
            form.property(one.meaning.name, number)
        });
        form.into()
    }
}

/// One constant as it is in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConstantShown {
    pub name: &'static str,
    pub value: f64,
    pub default: f64,
    pub least: f64,
    pub most: f64,
    /// What it is, with its unit
    pub what: &'static str,
    /// When one would change it
    pub when: &'static str,
}

impl From<InForce> for ConstantShown {
    fn from(one: InForce) -> Self {
        Self {
            name: one.meaning.name,
            value: one.bounded.value,
            default: one.default,
            least: one.bounded.low,
            most: one.bounded.high,
            what: one.meaning.what,
            when: one.meaning.when,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ConstantsShown {
    /// What is set for this event
    set: ConstantsForm,
    /// All that can be set, with what is in force
    constants: Vec<ConstantShown>,
}

impl From<Constants> for ConstantsShown {
    fn from(set: Constants) -> Self {
        Self {
            set: ConstantsForm(set),
            constants: set.in_force().map(ConstantShown::from).into(),
        }
    }
}

#[utoipa::path(
    get,
    operation_id = "operators_constants_show",
    path = "/api/v1/admin/events/{event}/admission/constants",
    tag = "operators",
    summary = "What of the control law is set for this event",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = ConstantsShown), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<Json<ConstantsShown>> {
    edge.live_event(event)?;
    let set = edge.desk()?.constants.get(event).await;
    Ok(Json(set.map_err(database_unavailable)?.into()))
}

#[utoipa::path(
    put,
    operation_id = "operators_constants_change",
    path = "/api/v1/admin/events/{event}/admission/constants",
    tag = "operators",
    summary = "Set constants of the control law for this event",
    description = "Replaces all that is set. In force within about two seconds, without a cold start.",
    params(("event" = String, Path, description = "An event's id")),
    request_body = ConstantsForm,
    responses((status = 200, description = "Set", body = ConstantsShown), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn change(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(ConstantsForm(set)): JsonBody<ConstantsForm>,
) -> ApiResult<Json<ConstantsShown>> {
    edge.live_event(event)?;
    let put = edge.desk()?.constants.put(event, &set, &operator.name);
    let before = put.await.map_err(refusal)?;
    let details = json!({ "before": before, "after": set });
    edge.note(&operator, "constants_changed", event.to_string(), details)
        .await;
    Ok(Json(set.into()))
}

fn refusal(error: ConstantsChangeError) -> ApiError {
    match error {
        ConstantsChangeError::Invalid(error) => ApiError::invalid(error.to_string()),
        ConstantsChangeError::Database(error) => database_unavailable(error),
    }
}

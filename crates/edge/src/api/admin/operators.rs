//! Who else may steer: operators' keys made, listed and revoked.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_booking::operators::{OperatorKey, Role};
use usher_booking::pg::operators::{Listed, OperatorError};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

const MAX_NAME_CHARS: usize = 64;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorForm {
    /// Stands in the audit log
    name: String,
    /// `viewer`, `staff`, `operator` or `admin`
    #[schema(value_type = String)]
    role: Role,
}

#[derive(Serialize, ToSchema)]
pub struct NewOperator {
    #[schema(value_type = String)]
    id: Uuid,
    name: String,
    #[schema(value_type = String)]
    role: Role,
    /// Shown this once; only its hash is kept
    api_key: String,
}

#[derive(Serialize, ToSchema)]
pub struct OperatorList {
    #[schema(value_type = Vec<Object>)]
    data: Vec<Listed>,
}

#[utoipa::path(
    get,
    operation_id = "operators_operators_list",
    path = "/api/v1/admin/operators",
    tag = "operators",
    summary = "Whose keys are good, beside the first one",
    responses((status = 200, description = "Done", body = OperatorList), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn list(State(edge): State<Arc<Edge>>) -> ApiResult<Json<OperatorList>> {
    let listing = edge.desk()?.operators.list();
    let data = listing.await.map_err(database_unavailable)?;
    Ok(Json(OperatorList { data }))
}

#[utoipa::path(
    post,
    operation_id = "operators_operators_add",
    path = "/api/v1/admin/operators",
    tag = "operators",
    summary = "Make a key for somebody",
    request_body = OperatorForm,
    responses((status = 201, description = "Made", body = NewOperator), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn add(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    JsonBody(form): JsonBody<OperatorForm>,
) -> ApiResult<(StatusCode, Json<NewOperator>)> {
    let key = make_key(&edge, &operator, &form.name, form.role).await?;
    let made = NewOperator {
        id: key.id,
        name: form.name.trim().to_owned(),
        role: form.role,
        api_key: key.text,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// A key for somebody, which is good from now on.
pub async fn make_key(
    edge: &Edge,
    by: &Operator,
    name: &str,
    role: Role,
) -> ApiResult<OperatorKey> {
    let name = name.trim();
    if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
        return Err(ApiError::invalid("A name must have 1 to 64 characters."));
    }
    let key = OperatorKey::random(&mut rand::rng());
    let adding = edge.desk()?.operators.add(&key, name, role, &by.name);
    adding.await.map_err(refusal)?;
    Ok(key)
}

#[utoipa::path(
    delete,
    operation_id = "operators_operators_revoke",
    path = "/api/v1/admin/operators/{id}",
    tag = "operators",
    summary = "Take a key back, and the sessions it opened",
    params(("id" = String, Path, description = "An operator's id")),
    responses((status = 204, description = "Revoked"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn revoke(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    revoke_key(&edge, &operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn revoke_key(edge: &Edge, by: &Operator, id: Uuid) -> ApiResult<()> {
    let revoking = edge.desk()?.operators.revoke(id, &by.name);
    revoking.await.map_err(refusal)
}

fn refusal(error: OperatorError) -> ApiError {
    let message = error.to_string();
    match error {
        OperatorError::NameTaken(_) => ApiError::new(StatusCode::CONFLICT, "name_taken", message),
        OperatorError::TooMany => {
            ApiError::new(StatusCode::CONFLICT, "too_many_operators", message)
        }
        OperatorError::NotFound => ApiError::new(StatusCode::NOT_FOUND, "not_found", message),
        OperatorError::Sql(error) => database_unavailable(error),
    }
}

//! The console's page of operators and their keys, for admins: the same calls as the
//! operators' API, answered as pages.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use usher_booking::operators::Role;
use usher_booking::pg::operators::Listed;
use uuid::Uuid;

use super::{OnPage as _, PageResult, allowed, moment, see_other};
use crate::api::admin::operators::{make_key, revoke_key};
use crate::desk::database_unavailable;
use crate::pages::{self, KeyHolder, MadeKey, OperatorsPage};
use crate::roles;
use crate::state::Edge;

const HOME: &str = "/console/operators";

#[derive(Deserialize)]
pub struct KeyForm {
    name: String,
    role: Role,
}

pub async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> PageResult {
    match allowed(&edge, &headers, roles::NAMES_OTHERS).await? {
        Some(_) => page(&edge, &headers, StatusCode::OK, None, None).await,
        None => Ok(see_other("/console")),
    }
}

pub async fn add(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    Form(form): Form<KeyForm>,
) -> PageResult {
    let Some(admin) = allowed(&edge, &headers, roles::NAMES_OTHERS).await? else {
        return Ok(see_other("/console"));
    };
    match make_key(&edge, &admin, &form.name, form.role).await {
        Ok(key) => {
            let made = MadeKey {
                name: form.name.trim().to_owned(),
                api_key: key.text,
            };
            page(&edge, &headers, StatusCode::CREATED, Some(made), None).await
        }
        Err(refused) if refused.status().is_client_error() => {
            let why = refused.message().to_owned();
            page(&edge, &headers, refused.status(), None, Some(why)).await
        }
        Err(failed) => Err(failed).on_page(&headers),
    }
}

pub async fn revoke(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> PageResult {
    let Some(admin) = allowed(&edge, &headers, roles::NAMES_OTHERS).await? else {
        return Ok(see_other("/console"));
    };
    revoke_key(&edge, &admin, id)
        .await
        .on_page(&headers)
        .map_err(|refused| refused.back_to(HOME, "Back to the keys"))?;
    Ok(see_other(HOME))
}

async fn page(
    edge: &Edge,
    headers: &HeaderMap,
    status: StatusCode,
    made: Option<MadeKey>,
    problem: Option<String>,
) -> PageResult {
    let desk = edge.desk().on_page(headers)?;
    let known = desk.operators.list().await.map_err(database_unavailable);
    let operators = known.on_page(headers)?.into_iter().map(holder).collect();
    let page = OperatorsPage {
        operators,
        made,
        problem,
    };
    let response: Response = pages::respond(status, &page);
    Ok(response)
}

fn holder(known: Listed) -> KeyHolder {
    KeyHolder {
        id: known.id.to_string(),
        name: known.name,
        role: known.role.to_string(),
        made_by: known.created_by,
        made_at: moment(known.created_at),
    }
}

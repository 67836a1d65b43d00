//! The one way to read a JSON body: what is wrong with it is said in the same
//! envelope as every other refusal.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = <Json<T> as FromRequest<S>>::from_request(request, state).await;
        read.map(|Json(body)| Self(body)).map_err(refusal)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let read = <Json<T> as OptionalFromRequest<S>>::from_request(request, state).await;
        let body = read.map_err(refusal)?;
        Ok(body.map(|Json(body)| Self(body)))
    }
}

fn refusal(rejection: JsonRejection) -> ApiError {
    let status = rejection.status();
    let (code, message) = match rejection {
        JsonRejection::JsonDataError(error) => return ApiError::invalid(error.body_text()),
        JsonRejection::JsonSyntaxError(_) => (
            "malformed_json",
            "The body is not JSON; correct it and try again.",
        ),
        JsonRejection::MissingJsonContentType(_) => (
            "unsupported_media_type",
            "Send the body as JSON, with `content-type: application/json`.",
        ),
        _ if status == StatusCode::PAYLOAD_TOO_LARGE => (
            "body_too_large",
            "The body is too large; send less at once.",
        ),
        _ => (
            "unreadable_body",
            "The body could not be read; send it again.",
        ),
    };
    ApiError::new(status, code, message)
}

//! What a refused request hears: a code, one plain sentence, and where waiting
//! helps, for how long. Nothing of the inside shows.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use usher_base::redis::CallError;
use usher_base::signing::TokenError;

/// An error's text as a sentence.
pub fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

/// A refusal on its way to the client.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    details: Map<String, Value>,
    /// Boxed, because refusals travel in every result.
    cookie: Option<Box<HeaderValue>>,
}

pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            details: Map::new(),
            cookie: None,
        }
    }

    /// The request itself is wrong: 422, with what would be right.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", message)
    }

    pub fn not_found(what: &str) -> Self {
        let message = format!("There is no such {what}.");
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// Something usher depends on is away; it comes back by itself.
    pub fn unavailable(code: &'static str, message: &str, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(retry_after)
    }

    /// Our own fault; the reason goes to the log, not to the client.
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!(%reason, "a request failed");
        let message = "Something went wrong on our side. Please try again.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a cookie although it refuses: what is asked for next may be tied to it.
    pub fn with_cookie(mut self, cookie: Option<HeaderValue>) -> Self {
        self.cookie = cookie.map(Box::new).or(self.cookie);
        self
    }

    pub fn cookie(&self) -> Option<&HeaderValue> {
        self.cookie.as_deref()
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        metrics::counter!("usher_http_refusals_total", "code" => self.code).increment(1);
        let mut body = self.details;
        body.insert("error".into(), json!(self.code));
        body.insert("message".into(), json!(self.message));
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cookie) = self.cookie {
            response.headers_mut().append(header::SET_COOKIE, *cookie);
        }
        response
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        let wait = Duration::from_secs(2);
        match error {
            CallError::Stale | CallError::Rebuilding => Self::unavailable(
                "rebuilding",
                "Places are kept; the line is being restored and goes on in a moment.",
                wait,
            ),
            CallError::Unknown(_) => Self::unavailable(
                "store_unavailable",
                "Places are kept; the line cannot be reached for a moment. Try again shortly.",
                wait,
            ),
            CallError::Busy | CallError::OutOfMemory => Self::unavailable(
                "overloaded",
                "More is asked at this moment than can be answered. Try again shortly.",
                wait,
            ),
            CallError::Refused(_) | CallError::Shape(_) => Self::internal(error),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let status = StatusCode::UNAUTHORIZED;
        Self::new(status, error.code(), format!("Not accepted: {error}."))
    }
}

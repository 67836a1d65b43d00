//! Refuses what another site makes a visitor's browser do. Cookies travel with
//! such requests, so a change is taken only from our own pages, or from an API
//! client that shows its token itself.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::ApiError;

/// Middleware for all routes; reading is never refused.
pub async fn refuse(request: Request, next: Next) -> Response {
    if !request.method().is_safe() && is_foreign(request.headers()) {
        return refusal().into_response();
    }
    next.run(request).await
}

/// Also asked before a WebSocket is opened, which is a GET but carries cookies.
pub fn is_foreign(headers: &HeaderMap) -> bool {
    if headers.contains_key(AUTHORIZATION) {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (None, _) => false,
        (Some(origin), Some(host)) => origin.split_once("://").map(|(_, from)| from) != Some(host),
        (Some(_), None) => true,
    }
}

pub fn refusal() -> ApiError {
    let message = "This request came from another site and was not carried out.";
    ApiError::new(StatusCode::FORBIDDEN, "cross_site", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn foreign(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        is_foreign(&headers)
    }

    #[test]
    fn only_our_own_pages_and_token_bearers_pass() {
        let host = ("host", "usher.example");
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("origin", "https://usher.example")]));
        assert!(foreign(&[host, ("origin", "https://evil.example")]));
        assert!(foreign(&[host, ("origin", "null")]));
        assert!(!foreign(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-site")]));
        assert!(!foreign(&[
            ("sec-fetch-site", "cross-site"),
            ("authorization", "Bearer x")
        ]));
    }
}

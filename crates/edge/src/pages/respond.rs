//! Turns a rendered page into a response with the headers every page needs:
//! a strict content policy, no caching (each page is one person's), no sniffing.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::captcha::Sources;

/// Everything comes from usher itself; no inline script or style, no framing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// The same for a page that shows a CAPTCHA: its provider's sources and nothing more.
fn policy_with(sources: &Sources) -> String {
    let widened = [
        ("script-src 'self'", &sources.script),
        ("style-src 'self'", &sources.style),
        ("connect-src 'self'", &sources.connect),
    ];
    let mut policy = CONTENT_SECURITY_POLICY.to_owned();
    for (directive, theirs) in widened.iter().filter(|(_, theirs)| !theirs.is_empty()) {
        policy = policy.replace(directive, &format!("{directive} {theirs}"));
    }
    format!("{policy}; frame-src {}", sources.frame)
}

/// A page that loads a widget from these sources.
pub fn respond_with(page: &impl Template, sources: &Sources) -> Response {
    let mut response = respond(StatusCode::OK, page);
    // What is no header's value would have been refused with the settings; the page then
    // keeps the strict policy and says that the check cannot be loaded.
    if let Ok(policy) = HeaderValue::try_from(policy_with(sources)) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The page as a response with this status.
pub fn respond(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, headers(), html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            let sentence = "This page could not be shown. Please reload it in a moment.";
            (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
        }
    }
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter(
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ]
        .map(|(name, value)| (name, HeaderValue::from_static(value))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captcha::Provider;

    #[test]
    fn a_page_with_a_widget_allows_its_provider_and_keeps_the_rest() {
        assert_eq!(
            policy_with(&Provider::Turnstile.sources()),
            "default-src 'none'; script-src 'self' https://challenges.cloudflare.com; \
             style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'; frame-src https://challenges.cloudflare.com"
        );
        for provider in [Provider::Hcaptcha, Provider::Recaptcha] {
            let policy = policy_with(&provider.sources());
            for weakness in ["'unsafe", " * ", " *;", " https: ", " https:;"] {
                assert!(!policy.contains(weakness), "{policy} has {weakness}");
            }
        }
    }
}

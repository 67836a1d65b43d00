//! The API's description, `/api/openapi.json`: put together from the routes that
//! this process serves and from the types that they take and give.

use axum::Json;
use axum::Router;
use axum::routing::get;
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};

/// What every refused request hears (`ApiError` writes it); some add details.
#[derive(Serialize, ToSchema)]
pub struct Refusal {
    /// A code in snake_case: `in_queue`, `seat_unavailable`, ...
    error: &'static str,
    /// One plain sentence saying what to do
    message: String,
}

/// What the description says besides the routes.
pub fn about() -> OpenApi {
    let info = InfoBuilder::new()
        .title("usher")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A fair line in front of a ticket shop. Times are RFC 3339 in UTC, money is integer \
             minor units with an ISO 4217 currency. A 429 or 503 says in Retry-After when to come \
             back. Send queue, access and order tokens and operators' keys as bearer tokens.",
        ));
    let mut components = Components::new();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
    components
        .schemas
        .insert(Refusal::name().into_owned(), Refusal::schema());
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components))
        .build()
}

/// The route that shows it.
pub fn shown<S: Clone + Send + Sync + 'static>(description: OpenApi) -> Router<S> {
    Router::new().route(
        "/api/openapi.json",
        get(move || std::future::ready(Json(description.clone()))),
    )
}

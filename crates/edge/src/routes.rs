//! Every path of this process, in one place. A role serves the routes of the
//! parts it was given; the rest answer that they are not served here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::{
    admin, draw, events, health, invites, openapi, orders, queue, reservations, seatmap, session,
    stream, tickets, transfer, webhooks,
};
use crate::cross_site;
use crate::error::ApiError;
use crate::limits;
use crate::load;
use crate::operators::admit;
use crate::pages;
use crate::state::Edge;
use crate::views::{self, OnPage as _};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// No request has more to say, apart from an event's layout.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A commit waits up to 12 s for its provider.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

pub fn router(edge: Arc<Edge>) -> Router {
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, RandomId))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn(measure))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            REQUEST_TIMEOUT,
        ))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(cross_site::refuse));
    let (api, description) = api(&edge);
    Router::new()
        .merge(pages_of_fans())
        .merge(console())
        .merge(api)
        .merge(openapi::shown(description))
        .fallback(not_found)
        .layer(layers)
        .with_state(edge)
}

fn pages_of_fans() -> Router<Arc<Edge>> {
    Router::new()
        .route("/", get(views::event::list))
        .route("/e/{event}", get(views::event::show))
        .route("/e/{event}/check", get(views::event::check))
        .route("/e/{event}/join", post(views::queue::join))
        .route("/e/{event}/identify", get(views::event::identify))
        .route("/e/{event}/code", post(views::queue::join_with_code))
        .route("/e/{event}/queue", get(views::queue::show))
        .route("/e/{event}/claim", post(views::queue::claim))
        .route("/e/{event}/leave", post(views::queue::leave))
        .route("/e/{event}/move", post(views::moving::offer))
        .route(
            "/e/{event}/here",
            get(views::moving::ask).post(views::moving::take),
        )
        .route("/e/{event}/seats", get(views::shop::seats))
        .route(
            "/e/{event}/checkout/{reservation}",
            get(views::shop::checkout),
        )
        .route("/orders", get(views::orders::list))
        .route("/orders/{number}", get(views::orders::show))
        .route("/orders/{number}/cancel", post(views::orders::cancel))
        .route("/orders/{number}/done", post(views::orders::done))
        .route(pages::ASSET_ROUTE, get(pages::serve_asset))
}

/// What the API's description lists, as this process serves it.
fn api(edge: &Arc<Edge>) -> (Router<Arc<Edge>>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::about())
        .merge(line())
        .merge(catalog_and_shop(edge))
        .merge(operators(edge))
        .merge(plumbing())
        .split_for_parts()
}

fn line() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(queue::place, queue::join, queue::leave))
        .routes(routes!(queue::claim))
        .routes(routes!(session::finish))
        .routes(routes!(invites::join))
        .routes(routes!(crate::api::puzzle::show))
        .routes(routes!(stream::open))
        .routes(routes!(stream::events))
        .routes(routes!(transfer::offer))
        .routes(routes!(transfer::take))
        .routes(routes!(draw::show))
        .routes(routes!(draw::own_receipt))
}

fn catalog_and_shop(edge: &Arc<Edge>) -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(seatmap::show))
        .routes(routes!(seatmap::stream))
        .routes(routes!(seatmap::seat))
        .routes(routes!(reservations::create))
        .routes(routes!(reservations::show, reservations::release))
        .routes(routes!(reservations::extend))
        .routes(routes!(orders::commit))
        .routes(routes!(orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(orders::cancel))
        .routes(routes!(tickets::svg))
        .routes(routes!(tickets::png))
        .routes(routes!(draw::own_proof))
        .routes(routes!(draw::record))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(edge),
            load::guard,
        ))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(edge),
            limits::per_address,
        ))
}

fn console() -> Router<Arc<Edge>> {
    Router::new()
        .route("/console", get(views::console::home))
        .route("/console/sign-in", post(views::console::sign_in))
        .route("/console/sign-out", post(views::console::sign_out))
        .route("/console/e/{event}", get(views::console::event))
        .route(
            "/console/e/{event}/door",
            get(views::door::show).post(views::door::scan),
        )
        .route(
            "/console/e/{event}/invites",
            get(views::invites::list).post(views::invites::make),
        )
        .route(
            "/console/e/{event}/invites/{id}/take-back",
            post(views::invites::take_back),
        )
        .route("/console/orders", get(views::desk::find))
        .route("/console/orders/{number}", get(views::desk::show))
        .route("/console/orders/{number}/cancel", post(views::desk::cancel))
        .route(
            "/console/operators",
            get(views::operators::list).post(views::operators::add),
        )
        .route(
            "/console/operators/{id}/revoke",
            post(views::operators::revoke),
        )
}

/// All of it only for those whose role suffices (`roles`).
fn operators(edge: &Arc<Edge>) -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .merge(controls())
        .merge(desk())
        .merge(shelf())
        .route_layer(middleware::from_fn_with_state(Arc::clone(edge), admit))
}

#[cfg(test)]
pub fn operators_paths() -> std::collections::BTreeMap<String, utoipa::openapi::PathItem> {
    let (_, description) = OpenApiRouter::<Arc<Edge>>::new()
        .merge(controls())
        .merge(desk())
        .merge(shelf())
        .split_for_parts();
    description.paths.paths.into_iter().collect()
}

fn controls() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(admin::admission::show, admin::admission::change))
        .routes(routes!(admin::constants::show, admin::constants::change))
        .routes(routes!(admin::calibration::show))
        .routes(routes!(admin::lines::change_phase))
        .routes(routes!(admin::lines::change_message))
        .routes(routes!(admin::status::show))
        .routes(routes!(admin::status::stream))
        .routes(routes!(admin::sales::show))
        .routes(routes!(admin::sessions::revoke))
        .routes(routes!(admin::signals::push))
        .routes(routes!(
            admin::prometheus::show,
            admin::prometheus::change,
            admin::prometheus::remove
        ))
        .routes(routes!(admin::operators::list, admin::operators::add))
        .routes(routes!(admin::operators::revoke))
        .routes(routes!(admin::explain::show))
        .routes(routes!(admin::webhooks::list, admin::webhooks::add))
        .routes(routes!(admin::webhooks::remove))
        .routes(routes!(admin::webhooks::dead))
        .routes(routes!(admin::webhooks::redeliver))
        .routes(routes!(admin::invites::list, admin::invites::make))
        .routes(routes!(admin::invites::take_back))
        .routes(routes!(admin::draw::commit))
        .routes(routes!(admin::draw::give_entropy))
        .routes(routes!(admin::draw::open_as_fifo))
}

/// Events made, changed and taken away.
fn shelf() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(admin::events::list, admin::events::create))
        .routes(routes!(
            admin::events::show,
            admin::events::change,
            admin::events::delete
        ))
        .layer(DefaultBodyLimit::max(admin::events::MAX_DRAFT_BYTES))
}

/// What operators and doors ask of the recorded orders.
fn desk() -> OpenApiRouter<Arc<Edge>> {
    let sync = OpenApiRouter::new()
        .routes(routes!(admin::door::sync))
        .layer(DefaultBodyLimit::max(admin::door::MAX_SYNC_BYTES));
    OpenApiRouter::new()
        .routes(routes!(admin::orders::search))
        .routes(routes!(admin::orders::cancel))
        .routes(routes!(admin::orders::export))
        .routes(routes!(admin::records::ledger))
        .routes(routes!(admin::records::audit))
        .routes(routes!(admin::door::list, admin::door::scan))
        .merge(sync)
}

fn plumbing() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(events::jwks))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(webhooks::take))
}

/// A page for people, a code for programs.
async fn not_found(headers: HeaderMap) -> Response {
    let error = ApiError::not_found("page or route");
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        let refused: views::PageResult = Err(error).on_page(&headers);
        return refused.into_response();
    }
    error.into_response()
}

/// Names a request, from this thread's generator: the kernel is not asked each time.
#[derive(Clone, Copy)]
struct RandomId;

impl MakeRequestId for RandomId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let id = HeaderValue::try_from(id.to_string()).ok()?;
        Some(RequestId::new(id))
    }
}

/// A request's span: method, route (never the path with its tokens), id.
fn span(request: &Request) -> tracing::Span {
    let text = |name: &str| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    tracing::info_span!(
        "request",
        method = %request.method(),
        route,
        request_id = text("x-request-id"),
        trace_id = trace_id(&text("traceparent")),
    )
}

/// The trace of W3C's `traceparent: 00-<trace>-<span>-<flags>`, if there is one.
fn trace_id(traceparent: &str) -> String {
    let trace = traceparent.split('-').nth(1).unwrap_or_default();
    let is_id = trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id {
        trace.to_owned()
    } else {
        String::new()
    }
}

async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unknown".to_owned(), |route| route.as_str().to_owned());
    let method = request.method().to_string();
    let began = Instant::now();
    let mut response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::histogram!("usher_http_seconds", "route" => route.clone())
        .record(began.elapsed().as_secs_f64());
    metrics::counter!("usher_http_requests_total", "route" => route, "method" => method, "status" => status)
        .increment(1);
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert("x-content-type-options", nosniff);
    response
}

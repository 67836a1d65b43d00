//! A small shop that is not usher's, with so many workers and no more: each request
//! takes one of them for about a tenth of a second. It says once a second how it
//! fares, as any backend may, over `POST .../signals`; the number of its workers is
//! changed while it runs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Args;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::Semaphore;
use usher_rehearsal::spread::Spread;

use crate::empty;
use crate::stack::{API_KEY, call};

/// A request takes from half of this to one and a half, whatever it asks.
pub const SERVICE: Duration = Duration::from_millis(100);
/// Requests that may wait for a worker; who comes then is turned away.
const MAX_WAITING: u32 = 400;
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Args)]
pub struct WorkersArguments {
    /// Where usher takes the signals
    #[arg(long)]
    usher: String,
    #[arg(long)]
    event: String,
    #[arg(long)]
    workers: u32,
}

struct Shop {
    free: Semaphore,
    workers: AtomicU32,
    waiting: AtomicU32,
    second: Mutex<Second>,
}

#[derive(Default)]
struct Second {
    requests: u32,
    rejects: u32,
    latency: Spread,
}

/// Serves until killed; tells its address on standard output. A number on standard
/// input is the new number of workers.
pub async fn serve(arguments: WorkersArguments) -> anyhow::Result<()> {
    let shop = Arc::new(Shop {
        free: Semaphore::new(arguments.workers as usize),
        workers: AtomicU32::new(arguments.workers),
        waiting: AtomicU32::default(),
        second: Mutex::default(),
    });
    tokio::spawn(tell(Arc::clone(&shop), arguments));
    tokio::spawn(hear(Arc::clone(&shop)));
    let router = Router::new()
        .route("/api/v1/events/{event}/reservations", post(hold))
        .route("/api/v1/reservations/{id}/commit", post(pay))
        .route("/api/v1/orders/{number}", get(order))
        .with_state(shop);
    empty::listen(router).await
}

async fn hear(shop: Arc<Shop>) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(wanted) = line.trim().parse::<u32>() else {
            continue;
        };
        let had = shop.workers.swap(wanted, Ordering::Relaxed);
        if wanted > had {
            shop.free.add_permits((wanted - had) as usize);
        } else if let Ok(sent_home) = shop.free.acquire_many(had - wanted).await {
            sent_home.forget();
        }
    }
}

async fn tell(shop: Arc<Shop>, to: WorkersArguments) {
    let path = format!("/api/v1/admin/events/{}/signals", to.event);
    let mut tick = tokio::time::interval(TELL_EVERY);
    loop {
        tick.tick().await;
        let second = std::mem::take(&mut *shop.lock());
        let completed = second.latency.count();
        let quantile = |q| (completed > 0).then(|| second.latency.quantile_ms(q));
        let signals = json!({
            "node": "workers", "requests": second.requests, "completed": completed,
            "rejects": second.rejects, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
        });
        // A second that is not taken is what a real backend may lose, too.
        let _ = call(&to.usher, "POST", &path, API_KEY, Some(&signals)).await;
    }
}

impl Shop {
    /// Takes a worker for a while, or turns the request away.
    async fn work(&self) -> Result<(), Response> {
        let came = Instant::now();
        self.lock().requests += 1;
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lock().rejects += 1;
            let busy = json!({ "error": "overloaded" }).to_string();
            let head = [(header::RETRY_AFTER, "2")];
            return Err((StatusCode::SERVICE_UNAVAILABLE, head, busy).into_response());
        }
        let worker = self.free.acquire().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        tokio::time::sleep(SERVICE.mul_f64(0.5 + rand::random::<f64>())).await;
        drop(worker);
        self.lock().latency.record(came.elapsed());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Second> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each hold is of a seat of its own: the stock is not what is measured here.
async fn hold(State(shop): State<Arc<Shop>>) -> Result<Response, Response> {
    shop.work().await?;
    let id = uuid::Uuid::new_v4();
    let seat = json!({ "seat_id": id, "label": id });
    let held = json!({ "reservation_id": id, "seats": [seat] }).to_string();
    Ok((StatusCode::CREATED, held).into_response())
}

async fn pay(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Response, Response> {
    shop.work().await?;
    Ok(confirmed(&id).into_response())
}

async fn order(
    State(shop): State<Arc<Shop>>,
    Path(number): Path<String>,
) -> Result<Response, Response> {
    shop.work().await?;
    Ok(confirmed(&number).into_response())
}

fn confirmed(id: &str) -> String {
    let tickets = json!([{ "label": id }]);
    json!({ "order_number": id, "status": "confirmed", "tickets": tickets }).to_string()
}

//! The plain design that tutorials use, as simply as they have it, to compare
//! with: one `SET NX PX` a seat, one Postgres transaction an order, one `ZRANK`
//! for each waiting fan and tick. No fence, no fair release, no recovery.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::{empty, pg};

const HOLD_MS: u64 = 600_000;
/// As many as usher's process may open.
const CONNECTIONS: u32 = 16;

#[derive(Clone)]
struct Plain {
    redis: MultiplexedConnection,
    pool: PgPool,
}

#[derive(Deserialize)]
struct Wish {
    fan: String,
    seat: String,
}

#[derive(Serialize)]
struct Done {
    status: &'static str,
}

#[derive(Serialize)]
struct Place {
    ahead: u64,
}

/// Serves until killed; tells its address on standard output.
pub async fn serve(redis_url: &str, database_url: &str) -> anyhow::Result<()> {
    let client = redis::Client::open(redis_url)?;
    let options = PgPoolOptions::new().max_connections(CONNECTIONS);
    let plain = Plain {
        redis: client.get_multiplexed_async_connection().await?,
        pool: options.connect(database_url).await?,
    };
    pg::create_plain_orders(&plain.pool).await?;
    let router = Router::new()
        .route("/join/{fan}", post(join))
        .route("/place/{fan}", get(place))
        .route("/holds", post(hold))
        .route("/orders", post(order))
        .with_state(Arc::new(plain));
    empty::listen(router).await
}

fn broken<E>(_: E) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

async fn join(
    State(plain): State<Arc<Plain>>,
    Path(fan): Path<String>,
) -> Result<Json<Place>, StatusCode> {
    let mut redis = plain.redis.clone();
    let number: u64 = redis::cmd("INCR")
        .arg("plain:next")
        .query_async(&mut redis)
        .await
        .map_err(broken)?;
    let mut add = redis::cmd("ZADD");
    add.arg("plain:line").arg("NX").arg(number).arg(&fan);
    let () = add.query_async(&mut redis).await.map_err(broken)?;
    Ok(Json(Place { ahead: number }))
}

async fn place(
    State(plain): State<Arc<Plain>>,
    Path(fan): Path<String>,
) -> Result<Json<Place>, StatusCode> {
    let mut redis = plain.redis.clone();
    let mut rank = redis::cmd("ZRANK");
    rank.arg("plain:line").arg(&fan);
    let ahead: Option<u64> = rank.query_async(&mut redis).await.map_err(broken)?;
    let ahead = ahead.ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Place { ahead }))
}

async fn hold(
    State(plain): State<Arc<Plain>>,
    Json(wish): Json<Wish>,
) -> Result<Json<Done>, StatusCode> {
    let mut redis = plain.redis.clone();
    let mut set = redis::cmd("SET");
    set.arg(format!("plain:seat:{}", wish.seat)).arg(&wish.fan);
    set.arg("NX").arg("PX").arg(HOLD_MS);
    let taken: Option<String> = set.query_async(&mut redis).await.map_err(broken)?;
    match taken {
        Some(_) => Ok(Json(Done { status: "held" })),
        None => Err(StatusCode::CONFLICT),
    }
}

async fn order(
    State(plain): State<Arc<Plain>>,
    Json(wish): Json<Wish>,
) -> Result<Json<Done>, StatusCode> {
    let mut redis = plain.redis.clone();
    let mut holder = redis::cmd("GET");
    holder.arg(format!("plain:seat:{}", wish.seat));
    let holder: Option<String> = holder.query_async(&mut redis).await.map_err(broken)?;
    if holder.as_ref() != Some(&wish.fan) {
        return Err(StatusCode::GONE);
    }
    let made = pg::insert_plain_order(&plain.pool, &wish.fan, &wish.seat).await;
    match made.map_err(broken)? {
        true => Ok(Json(Done {
            status: "confirmed",
        })),
        false => Err(StatusCode::CONFLICT),
    }
}

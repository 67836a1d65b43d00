//! The ceiling of everything that speaks HTTP: a handler of the same shape as
//! usher's, JSON in and JSON out, that does nothing between.

use anyhow::Context as _;
use axum::extract::Path;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Question {
    client_join_id: String,
}

#[derive(Serialize)]
struct Answer {
    standing: &'static str,
    echo: String,
}

/// Serves until killed; tells its address on standard output.
pub async fn serve() -> anyhow::Result<()> {
    let router = Router::new().route("/api/v1/events/{event}/queue", post(answer));
    listen(router).await
}

/// Any free port, told as one line once it is open.
pub async fn listen(router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.context("no port is free")?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn answer(Path(_event): Path<String>, Json(question): Json<Question>) -> Json<Answer> {
    Json(Answer {
        standing: "waiting",
        echo: question.client_join_id,
    })
}

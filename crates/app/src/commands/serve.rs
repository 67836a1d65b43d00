//! `usher serve`: settings, telemetry, connections, listeners, ready; then the
//! drain. The same path serves `usher demo`.

use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::lifecycle::{self, Ending, Lifecycle};
use crate::role::Role;
use crate::telemetry;
use crate::wiring::{self, Parts};

/// Histograms grow until they are rendered; nobody may be scraping.
const UPKEEP_EVERY: Duration = Duration::from_secs(15);

/// A process that answers requests.
pub struct Serving {
    pub parts: Parts,
    pub address: SocketAddr,
    pub metrics_address: SocketAddr,
    life: Lifecycle,
    drain: Duration,
    listeners: TaskTracker,
}

pub async fn run(config: Config, role: Role) -> anyhow::Result<ExitCode> {
    telemetry::start_logs(config.log_format, &config.log_filter)?;
    let serving = start(&config, role).await?;
    tracing::info!(?role, address = %serving.address, metrics = %serving.metrics_address, "ready");
    serving.until_signal().await?;
    Ok(ExitCode::SUCCESS)
}

/// Everything up to "ready".
pub async fn start(config: &Config, role: Role) -> anyhow::Result<Serving> {
    lifecycle::raise_file_limit();
    let metrics = telemetry::start_metrics()?;
    let life = Lifecycle::default();
    // Bound first: a port in use is told before anything was opened.
    let listener = lifecycle::bind(config.listen, "listen").await?;
    let metrics_listener = lifecycle::bind(config.metrics_listen, "metrics_listen").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| lifecycle::prepare(stream));
    let metrics_address = metrics_listener.local_addr()?;
    let parts = wiring::assemble(config, role, &life).await?;
    let listeners = TaskTracker::new();
    let router = usher_edge::router(parts.edge.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let closing = life.closing.clone();
    let serve = axum::serve(listener, service)
        .with_graceful_shutdown(async move { closing.cancelled().await });
    listeners.spawn(report(serve.into_future()));
    listeners.spawn(serve_metrics(metrics_listener, metrics, life.clone()));
    Ok(Serving {
        parts,
        address,
        metrics_address,
        drain: Duration::from_secs(config.drain_seconds),
        life,
        listeners,
    })
}

impl Serving {
    /// Serves until a signal, then drains: not ready, streams sent elsewhere,
    /// what is in flight finished, all within the bound.
    pub async fn until_signal(self) -> anyhow::Result<()> {
        let Ending::Within(left) = self.life.run_until_signal(self.drain).await? else {
            tracing::warn!("ending at once");
            return Ok(());
        };
        self.parts.tasks.close();
        self.listeners.close();
        let finish = async {
            self.listeners.wait().await;
            self.parts.tasks.wait().await;
        };
        tokio::select! {
            finished = tokio::time::timeout(left, finish) => {
                if finished.is_err() {
                    tracing::warn!("the drain took too long; ending all the same");
                }
            }
            again = lifecycle::next_signal() => {
                again?;
                tracing::warn!("ending at once");
            }
        }
        Ok(())
    }
}

async fn report(serve: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = serve.await {
        tracing::error!(%error, "the listener failed");
    }
}

async fn serve_metrics(listener: TcpListener, metrics: PrometheusHandle, life: Lifecycle) {
    let upkeep = metrics.clone();
    let draining = life.closing.clone();
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(UPKEEP_EVERY);
        loop {
            tokio::select! {
                _ = interval.tick() => upkeep.run_upkeep(),
                () = draining.cancelled() => return,
            }
        }
    });
    let render = move || std::future::ready(metrics.render());
    let router = Router::new().route("/metrics", get(render));
    let closing = life.closing.clone();
    let serve = axum::serve(listener, router)
        .with_graceful_shutdown(async move { closing.cancelled().await });
    report(serve.into_future()).await;
}

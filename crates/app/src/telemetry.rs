//! Logs and metrics of this process. Logs go to standard error, so that what a
//! command prints on standard output stays its own.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Buckets around the objectives: a verification takes milliseconds, ...
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// ... a wait in the line takes seconds to hours.
const WAIT_SECONDS: &[f64] = &[
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 3600.0, 7200.0, 14400.0,
];
/// Calls in a pipeline, orders in a batch.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Relative errors: the goal for waits is a median of 0.1.
const RATIOS: &[f64] = &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0];
/// The table that people read is also what Prometheus is told of each metric.
const TABLE: &str = include_str!("../../../docs/metrics.md");

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the setting `log_filter` is not usable: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logs are already set up in this process")]
    Twice,
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

pub fn start_logs(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Pretty => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| TelemetryError::Twice)
}

pub fn start_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("wait_seconds".into()), WAIT_SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_calls".into()), COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_jobs".into()), COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_ratio".into()), RATIOS)?
        .install_recorder()?;
    describe(TABLE);
    metrics::gauge!("usher_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Gives each metric of the table its meaning as help text.
fn describe(table: &'static str) {
    for row in table.lines().filter(|line| line.starts_with("| `usher_")) {
        let cells: Vec<&'static str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, .., meaning] = cells[..] else {
            continue;
        };
        let name = name.trim_matches('`');
        match kind {
            "counter" => metrics::describe_counter!(name, meaning),
            "gauge" => metrics::describe_gauge!(name, meaning),
            _ => metrics::describe_histogram!(name, meaning),
        }
    }
}

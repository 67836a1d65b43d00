//! Asks the deployment's Prometheus once a second how the backends of events are that
//! are not usher's own, and reports it as they would themselves. What does not answer
//! in time tells nothing, and the law soon sees its signals lost.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_admission::signals::{
    PROMETHEUS_NODE, PrometheusQueries, PrometheusSources, number, report,
};
use usher_base::redis::Redis;
use usher_base::{Clock as _, EventId, SystemClock};

use crate::background::{each_second, every};
use crate::fetch::Fetcher;

/// All queries of an event within this, or that second is not seen.
const ANSWER_WITHIN: Duration = Duration::from_millis(900);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Events that are asked about at once.
const AT_ONCE: usize = 8;
/// How often the operators' queries are read.
const READ_EVERY: Duration = Duration::from_secs(5);

pub struct PrometheusWatch {
    /// Begins with http:// or https://, without a slash at its end.
    pub url: String,
    pub sources: PrometheusSources,
    pub redis: Redis,
    pub fetcher: Fetcher,
    known: RwLock<Vec<(EventId, PrometheusQueries)>>,
}

impl PrometheusWatch {
    pub fn new(url: String, sources: PrometheusSources, redis: Redis) -> Self {
        Self {
            url,
            sources,
            redis,
            fetcher: Fetcher::new(),
            known: RwLock::default(),
        }
    }

    pub fn run(self, tasks: &TaskTracker, stop: &CancellationToken) {
        let watch = Arc::new(self);
        let reading = Arc::clone(&watch);
        tasks.spawn(every(READ_EVERY, stop.clone(), move || {
            Arc::clone(&reading).read()
        }));
        tasks.spawn(each_second(stop.clone(), move || Arc::clone(&watch).look()));
    }

    /// Those known are asked about on without Postgres.
    async fn read(self: Arc<Self>) {
        match self.sources.all().await {
            Ok(all) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = all,
            Err(error) => tracing::debug!(%error, "the queries for Prometheus are not read"),
        }
    }

    async fn look(self: Arc<Self>) {
        let known = self.known.read();
        let known = known.unwrap_or_else(PoisonError::into_inner).clone();
        let looks = futures::stream::iter(&known).for_each_concurrent(AT_ONCE, |(event, queries)| {
            let (watch, event) = (&self, *event);
            async move {
                let asked = tokio::time::timeout(ANSWER_WITHIN, watch.ask(event, queries));
                match asked.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%event, error = format!("{error:#}"), "Prometheus tells nothing");
                    }
                    Err(_) => tracing::warn!(%event, "Prometheus did not answer in time"),
                }
            }
        });
        looks.await;
    }

    async fn ask(&self, event: EventId, queries: &PrometheusQueries) -> anyhow::Result<()> {
        let asking = queries.named().map(|(_, query)| self.number_of(query));
        let numbers = futures::future::try_join_all(asking).await?;
        let numbers = std::array::from_fn(|at| numbers[at]);
        if let Some(report) = report(numbers, SystemClock.now())? {
            let told = report.publish(&self.redis, event, PROMETHEUS_NODE);
            told.await?;
        }
        Ok(())
    }

    async fn number_of(&self, query: Option<&str>) -> anyhow::Result<Option<f64>> {
        let Some(query) = query else {
            return Ok(None);
        };
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let url = format!("{}/api/v1/query?query={query}", self.url);
        let answer = self
            .fetcher
            .get_as_configured(&url, MAX_ANSWER_BYTES, ANSWER_WITHIN)
            .await?;
        Ok(number(&answer)?)
    }
}

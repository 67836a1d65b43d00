//! Fetches the drand round that a draw waits for, from one server after another,
//! and hands it over. Servers need not be trusted: the round's signature is
//! checked with the network's own key before it is stored.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use usher_base::{Clock as _, SystemClock};
use usher_queue::Phase;
use usher_queue::draw::{Beacon, Due, EntropyRule, Evidence, MAX_BEACON_JSON_BYTES};
use usher_queue::pg::{DrawRow, Store};

use crate::fetch::Fetcher;

/// Until it has come; a round is public within a second or two.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub struct BeaconWatch {
    pub store: Store,
    pub servers: Vec<String>,
    pub fetcher: Fetcher,
}

impl BeaconWatch {
    pub async fn run(self, stop: CancellationToken) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                looked = self.look() => if let Err(error) = looked {
                    tracing::warn!(error = format!("{error:#}"), "no beacon this time");
                },
                () = stop.cancelled() => return,
            }
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        for row in self.store.live_lines().await? {
            if row.phase != Phase::Drawing {
                continue;
            }
            for lane in row.lane_names() {
                let Some(draw) = self.store.draw(row.event, &lane).await? else {
                    continue;
                };
                // One draw that cannot go on must not keep the others waiting.
                if let Err(error) = self.decide(&draw).await {
                    let (event, error) = (draw.event, format!("{error:#}"));
                    tracing::warn!(%event, %lane, error, "this draw waits");
                }
            }
        }
        Ok(())
    }

    async fn decide(&self, draw: &DrawRow) -> anyhow::Result<()> {
        let (EntropyRule::Drand { chain, .. }, Some(root)) = (&draw.rule, &draw.root) else {
            return Ok(());
        };
        let is_open = draw.evidence.is_none() && !draw.opened_as_fifo;
        let Due::Round { round, at } = draw.rule.due(root.root_published_at)? else {
            return Ok(());
        };
        if !is_open || SystemClock.now() < at {
            return Ok(());
        }
        let path = format!("{}/public/{round}", hex::encode(chain.hash));
        for server in &self.servers {
            let url = format!("{}/{path}", server.trim_end_matches('/'));
            match self.take(draw, &url).await {
                Ok(()) => {
                    tracing::info!(event = %draw.event, lane = %draw.lane, round, "the draw is decided");
                    return Ok(());
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(error, server, round, "the next drand server is asked");
                }
            }
        }
        Ok(())
    }

    async fn take(&self, draw: &DrawRow, url: &str) -> anyhow::Result<()> {
        let body = self.fetcher.get(url, MAX_BEACON_JSON_BYTES, ANSWER_WITHIN);
        let beacon = Beacon::from_api_json(&body.await?)?;
        let evidence = Evidence::Drand { beacon };
        let now = SystemClock.now();
        let given = self
            .store
            .give_entropy(draw.event, &draw.lane, &evidence, now);
        given.await.context("the round is not taken")
    }
}

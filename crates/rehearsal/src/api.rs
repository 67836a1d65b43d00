//! One fan's calls to usher: builds the request, measures it, counts how it ended
//! and reads the answer. Nothing here decides what a fan does next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::HttpError;
use crate::http::pool::{Pool, Reply};
use crate::http::request::Request;
use crate::http::stream::{Refused, Stream};
use crate::tally::{Call, Outcome};
use crate::wire::{self, Refusal};
use crate::world::World;

/// Most bytes of an ordinary answer that are kept and parsed.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of a seat map that are parsed.
const MAP_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest reason that is counted as a code of its own, in bytes.
const CODE_BYTES_MAX: usize = 120;

/// Why a call brought nothing.
#[derive(Debug, Clone)]
pub struct No {
    /// 0 when there was no HTTP answer at all.
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub refusal: Refusal,
}

#[derive(Debug, Clone)]
pub struct Api {
    world: Arc<World>,
    /// The address that the fan pretends to come from, if it does.
    from: Option<String>,
    edge: usize,
}

impl Api {
    pub fn new(world: Arc<World>, fan: u32) -> Self {
        let from = world.spoofs_addresses.then(|| {
            let [_, b, c, d] = fan.to_be_bytes();
            format!("10.{b}.{c}.{d}")
        });
        let edge = fan as usize % world.edges.len();
        Self { world, from, edge }
    }

    /// Turns to the next edge, as a load balancer would after a failure.
    pub fn try_next_edge(&mut self) {
        self.edge = (self.edge + 1) % self.world.edges.len();
    }

    fn edge(&self) -> &Pool {
        &self.world.edges[self.edge]
    }

    pub async fn join(&self, client_join_id: &str, token: Option<&str>) -> Result<wire::Place, No> {
        let body = to_json(&wire::JoinBody { client_join_id });
        let path = wire::queue_path(&self.world.event);
        let request = self.request("POST", &path, token, Some(&body));
        self.ask(Call::Join, self.edge(), request, ANSWER_BYTES_MAX)
            .await
            .map(|(_, place)| place)
    }

    pub async fn place(&self, token: &str) -> Result<wire::Place, No> {
        let path = wire::queue_path(&self.world.event);
        let request = self.request("GET", &path, Some(token), None);
        self.ask(Call::Place, self.edge(), request, ANSWER_BYTES_MAX)
            .await
            .map(|(_, place)| place)
    }

    pub async fn leave(&self, token: &str) -> Result<(), No> {
        let path = wire::queue_path(&self.world.event);
        self.tell(
            Call::Leave,
            self.edge(),
            self.request("DELETE", &path, Some(token), None),
        )
        .await
    }

    pub async fn claim(&self, token: &str) -> Result<wire::Claimed, No> {
        let path = wire::claim_path(&self.world.event);
        let request = self.request("POST", &path, Some(token), None);
        self.ask(Call::Claim, self.edge(), request, ANSWER_BYTES_MAX)
            .await
            .map(|(_, claimed)| claimed)
    }

    /// Gives the place inside back.
    pub async fn finish(&self, token: &str) -> Result<(), No> {
        let path = wire::session_path(&self.world.event);
        let request = self.request("DELETE", &path, Some(token), None);
        self.tell(Call::Finish, self.edge(), request).await
    }

    /// Loads the map as a page would, and forgets it.
    pub async fn load_map(&self) -> Result<(), No> {
        let path = wire::seatmap_path(&self.world.event);
        self.tell(
            Call::SeatMap,
            self.edge(),
            self.request("GET", &path, None, None),
        )
        .await
    }

    pub async fn read_map(&self) -> Result<wire::SeatMap, No> {
        let path = wire::seatmap_path(&self.world.event);
        let request = self.request("GET", &path, None, None);
        self.ask(Call::SeatMap, self.edge(), request, MAP_BYTES_MAX)
            .await
            .map(|(_, map)| map)
    }

    pub async fn hold(
        &self,
        token: &str,
        body: &wire::HoldBody<'_>,
    ) -> Result<wire::Reservation, No> {
        let (path, body) = (wire::reservations_path(&self.world.event), to_json(body));
        let request = self.request("POST", &path, Some(token), Some(&body));
        self.ask(Call::Hold, &self.world.booking, request, ANSWER_BYTES_MAX)
            .await
            .map(|(_, held)| held)
    }

    pub async fn give_back(&self, token: &str, reservation: &str) -> Result<(), No> {
        let path = wire::reservation_path(reservation);
        let request = self.request("DELETE", &path, Some(token), None);
        self.tell(Call::GiveBack, &self.world.booking, request)
            .await
    }

    /// Pays; a 202 says that the outcome is still open.
    pub async fn commit(
        &self,
        token: &str,
        reservation: &str,
        body: &wire::CommitBody<'_>,
        is_slow: bool,
    ) -> Result<(u16, wire::Order), No> {
        let (path, body) = (wire::commit_path(reservation), to_json(body));
        let request = self.request("POST", &path, Some(token), Some(&body));
        let call = if is_slow {
            Call::SlowCommit
        } else {
            Call::Commit
        };
        self.ask(call, &self.world.booking, request, ANSWER_BYTES_MAX)
            .await
    }

    pub async fn order(&self, token: &str, order_number: &str) -> Result<wire::Order, No> {
        let path = wire::order_path(order_number);
        let request = self.request("GET", &path, Some(token), None);
        self.ask(Call::Order, &self.world.booking, request, ANSWER_BYTES_MAX)
            .await
            .map(|(_, order)| order)
    }

    pub async fn open_stream(&self, token: &str) -> Result<Stream, No> {
        let started = Instant::now();
        let path = wire::stream_path(&self.world.event);
        let opened = {
            let _turn = self.world.handshakes.acquire().await;
            Stream::open(&self.edge().origin, &path, token, self.from.as_deref()).await
        };
        match opened {
            Ok(stream) => {
                self.count(Call::Stream, Outcome::Good, started.elapsed(), None);
                Ok(stream)
            }
            Err(Refused::Status {
                status,
                retry_after_seconds,
                body,
            }) => Err(self.refused(
                Call::Stream,
                started.elapsed(),
                status,
                retry_after_seconds,
                &body,
            )),
            Err(Refused::Failed(error)) => {
                Err(self.failed(Call::Stream, started.elapsed(), &error))
            }
        }
    }

    fn request<'a>(
        &'a self,
        method: &'a str,
        path: &'a str,
        bearer: Option<&'a str>,
        json: Option<&'a [u8]>,
    ) -> Request<'a> {
        Request {
            method,
            path,
            host: "",
            bearer,
            from: self.from.as_deref(),
            json,
        }
    }

    /// Sends the request and counts it unless it is good; the caller counts those.
    async fn send(
        &self,
        call: Call,
        pool: &Pool,
        request: Request<'_>,
        keep: usize,
    ) -> Result<(Reply, Duration), No> {
        let mut bytes = Vec::with_capacity(1024);
        Request {
            host: &pool.authority,
            ..request
        }
        .write(&mut bytes);
        let started = Instant::now();
        let reply = pool
            .send(&bytes, keep)
            .await
            .map_err(|error| self.failed(call, started.elapsed(), &error))?;
        let took = started.elapsed();
        self.world
            .meter
            .with(|tally, _| tally.slot_wait.record(reply.waited_for_slot));
        if !(200..300).contains(&reply.status) {
            return Err(self.refused(
                call,
                took,
                reply.status,
                reply.retry_after_seconds,
                &reply.body,
            ));
        }
        Ok((reply, took))
    }

    /// A call whose answer has a body that must be understood.
    async fn ask<T: DeserializeOwned>(
        &self,
        call: Call,
        pool: &Pool,
        request: Request<'_>,
        keep: usize,
    ) -> Result<(u16, T), No> {
        let (reply, took) = self.send(call, pool, request, keep).await?;
        match serde_json::from_slice(&reply.body) {
            Ok(parsed) => {
                self.count(call, Outcome::Good, took, None);
                Ok((reply.status, parsed))
            }
            Err(error) => Err(self.garbled(call, took, reply.status, &error)),
        }
    }

    /// A call of which only success matters.
    async fn tell(&self, call: Call, pool: &Pool, request: Request<'_>) -> Result<(), No> {
        let (_, took) = self.send(call, pool, request, 0).await?;
        self.count(call, Outcome::Good, took, None);
        Ok(())
    }

    fn failed(&self, call: Call, took: Duration, error: &HttpError) -> No {
        self.count(
            call,
            Outcome::Failed,
            took,
            Some(format!("{} - {}", call.name(), error.code())),
        );
        No {
            status: 0,
            retry_after: None,
            refusal: Refusal::default(),
        }
    }

    /// An answer that is not the contract's: what was wrong goes into the report.
    fn garbled(&self, call: Call, took: Duration, status: u16, error: &serde_json::Error) -> No {
        let mut why = format!("{} {status} not understood: {}", call.name(), reason(error));
        why.truncate(why.floor_char_boundary(CODE_BYTES_MAX));
        self.count(call, Outcome::Failed, took, Some(why));
        No {
            status: 0,
            retry_after: None,
            refusal: Refusal::default(),
        }
    }

    fn refused(
        &self,
        call: Call,
        took: Duration,
        status: u16,
        retry_after: Option<u32>,
        body: &[u8],
    ) -> No {
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let outcome = match status {
            429 if refusal.error == wire::IN_QUEUE => Outcome::Answered,
            429 => Outcome::Refused,
            503 if retry_after.is_some() => Outcome::Refused,
            500.. => Outcome::Failed,
            _ => Outcome::Answered,
        };
        self.count(
            call,
            outcome,
            took,
            Some(format!("{} {status} {}", call.name(), refusal.error)),
        );
        No {
            status,
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
            refusal,
        }
    }

    fn count(&self, call: Call, outcome: Outcome, took: Duration, code: Option<String>) {
        let now_ms = self.world.clock.now_ms();
        self.world.meter.with(|tally, live| {
            tally.call(now_ms, call, outcome, took);
            live.failed += u64::from(outcome == Outcome::Failed);
            if let Some(code) = code {
                tally.code(code);
            }
        });
    }
}

/// What was wrong without where and with which value, so that equal faults count
/// as one; the name of a missing field stays.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    match what.starts_with("invalid") {
        true => what.split('`').step_by(2).collect(),
        false => what.to_owned(),
    }
}

fn to_json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("our own bodies are plain strings and numbers")
}

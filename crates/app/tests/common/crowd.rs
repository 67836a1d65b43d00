//! Fans who wait on real streams. Who is cut off comes back as the queue page does,
//! after a random part of an ever longer delay, and through the next edge.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::pool::Pool;
use usher_rehearsal::http::request::Request;
use usher_rehearsal::http::stream::{Heard, Stream};
use usher_rehearsal::wire::{self, Frame, Place};

use super::http::Target;

/// As in the page's backoff.ts: the first delay, the longest, and the least part of one.
const FIRST_DELAY: Duration = Duration::from_secs(3);
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);
const SHORTEST_SHARE: f64 = 0.1;
const MAX_DOUBLINGS: u32 = 10;
const AT_ONCE: usize = 64;
const ANSWER_BYTES: usize = 16 * 1024;

pub struct Crowd {
    fans: Vec<Arc<Fan>>,
}

struct Fan {
    /// Where it asks, the first edge first.
    edges: Vec<Arc<Pool>>,
    event: String,
    address: String,
    token: String,
    seen: Mutex<Seen>,
}

/// What a fan has been told.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// One, unless the place was lost.
    pub numbers: BTreeSet<u64>,
    pub ahead: Option<u64>,
    pub message: Option<String>,
    /// Frames since the last `Crowd::listen_anew`.
    pub frames: u64,
    pub admitted: u32,
    lost_at: Option<Instant>,
    /// From the last loss of the stream to the next frame.
    pub came_back_after: Option<Duration>,
}

impl Seen {
    fn take_in(&mut self, frame: &Frame) {
        if let Some(lost_at) = self.lost_at.take() {
            self.came_back_after = Some(lost_at.elapsed());
        }
        match frame {
            Frame::Place(place) => {
                self.numbers.extend(place.number);
                self.ahead = place.ahead;
                self.message.clone_from(&place.message);
                self.frames += 1;
            }
            Frame::Admitted { .. } => self.admitted += 1,
            _ => {}
        }
    }
}

impl Crowd {
    /// So many join, spread over the edges, each from an address of its own, and open
    /// their streams.
    pub async fn join(edges: &[Target], event: &str, fans: u32) -> Self {
        let mut pools = Vec::new();
        for edge in edges {
            let origin = Origin::resolve(&format!("http://{}", edge.0))
                .await
                .unwrap();
            pools.push(Arc::new(Pool::new(origin, AT_ONCE)));
        }
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut joining = JoinSet::new();
        for who in 0..fans {
            let mut edges = pools.clone();
            edges.rotate_left(who as usize % pools.len());
            let (event, slots) = (event.to_owned(), Arc::clone(&slots));
            joining.spawn(async move {
                let _slot = slots.acquire().await.unwrap();
                Fan::join(edges, event, who).await
            });
        }
        let fans: Vec<_> = joining.join_all().await.into_iter().map(Arc::new).collect();
        for fan in &fans {
            tokio::spawn(Arc::clone(fan).follow());
        }
        Self { fans }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.fans.iter().map(|fan| fan.seen().clone()).collect()
    }

    /// Forgets which frames came.
    pub fn listen_anew(&self) {
        for fan in &self.fans {
            let mut seen = fan.seen();
            (seen.frames, seen.came_back_after) = (0, None);
        }
    }
}

impl Fan {
    async fn join(edges: Vec<Arc<Pool>>, event: String, who: u32) -> Self {
        let [_, b, c, d] = who.to_be_bytes();
        let address = format!("10.{b}.{c}.{d}");
        let body = json!({ "client_join_id": format!("fan-of-a-crowd-{who:010}") }).to_string();
        let mut bytes = Vec::new();
        Request {
            method: "POST",
            path: &wire::queue_path(&event),
            host: &edges[0].authority,
            from: Some(&address),
            json: Some(body.as_bytes()),
            ..Request::default()
        }
        .write(&mut bytes);
        let reply = edges[0].send(&bytes, ANSWER_BYTES).await.unwrap();
        assert_eq!(
            reply.status,
            201,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        let place: Place = serde_json::from_slice(&reply.body).unwrap();
        Self {
            edges,
            event,
            address,
            token: place.queue_token.clone().unwrap(),
            seen: Mutex::new(Seen {
                numbers: place.number.into_iter().collect(),
                ..Seen::default()
            }),
        }
    }

    /// Goes in, so that the turn is not missed and given back.
    async fn claim(&self, edge: &Pool) {
        let mut bytes = Vec::new();
        Request {
            method: "POST",
            path: &wire::claim_path(&self.event),
            host: &edge.authority,
            bearer: Some(&self.token),
            from: Some(&self.address),
            ..Request::default()
        }
        .write(&mut bytes);
        let reply = edge.send(&bytes, ANSWER_BYTES).await.unwrap();
        assert_eq!(
            reply.status,
            200,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
    }

    /// Until it is let in.
    async fn follow(self: Arc<Self>) {
        let mut attempt = 0;
        for edge in self.edges.iter().cycle() {
            let path = wire::stream_path(&self.event);
            let opened = Stream::open(&edge.origin, &path, &self.token, Some(&self.address)).await;
            if let Ok(mut stream) = opened {
                attempt = 0;
                while let Heard::Frame(frame) = stream.hear().await {
                    self.seen().take_in(&frame);
                    if matches!(frame, Frame::Admitted { .. }) {
                        return self.claim(edge).await;
                    }
                }
                self.seen().lost_at = Some(Instant::now());
            }
            tokio::time::sleep(backoff(attempt)).await;
            attempt += 1;
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn backoff(attempt: u32) -> Duration {
    let ceiling = FIRST_DELAY * 2_u32.pow(attempt.min(MAX_DOUBLINGS));
    let share = SHORTEST_SHARE + (1.0 - SHORTEST_SHARE) * rand::random::<f64>();
    ceiling.min(LONGEST_DELAY).mul_f64(share)
}

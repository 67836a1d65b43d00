//! What all fans of one process share: the target, the clock, the meter and one
//! recent copy of the seat map, so that thousands of fans do not parse it each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::clock::RunClock;
use crate::http::pool::Pool;
use crate::tally::Meter;
use crate::wire;

/// Most streams that are being opened at one time; more would only overflow the
/// server's accept queue, and the wait is measured anyway.
pub const HANDSHAKES_MAX: usize = 256;
/// How old the shared seat map may be before a fan who needs it reads it anew.
const MAP_AGE_MAX: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct World {
    pub event: String,
    pub edges: Vec<Pool>,
    pub booking: Pool,
    pub clock: RunClock,
    pub meter: Meter,
    pub seats: SeatBook,
    pub handshakes: Semaphore,
    pub spoofs_addresses: bool,
    pub stop: CancellationToken,
}

/// Free seats and tiers as last seen by anybody of this process.
#[derive(Debug, Default)]
pub struct Free {
    pub seats: Vec<String>,
    pub tiers: Vec<String>,
}

#[derive(Debug, Default)]
pub struct SeatBook(Mutex<Option<(Instant, Arc<Free>)>>);

impl SeatBook {
    /// The free seats, at most a few seconds old; one fan reads for all.
    pub async fn current(&self, api: &Api) -> Arc<Free> {
        let mut book = self.0.lock().await;
        if let Some((read_at, free)) = &*book
            && read_at.elapsed() < MAP_AGE_MAX
        {
            return Arc::clone(free);
        }
        let free = match api.read_map().await {
            Ok(map) => Arc::new(free_of(map)),
            // Go on with what is known: the holds will tell what is taken.
            Err(_) => book
                .as_ref()
                .map(|(_, free)| Arc::clone(free))
                .unwrap_or_default(),
        };
        *book = Some((Instant::now(), Arc::clone(&free)));
        free
    }
}

fn free_of(map: wire::SeatMap) -> Free {
    let rows = map.sections.into_iter().flat_map(|section| section.rows);
    let seats = rows
        .flat_map(|row| row.seats)
        .filter(|seat| seat.status == "available")
        .map(|seat| seat.id)
        .collect();
    Free {
        seats,
        tiers: map.tiers.into_iter().map(|tier| tier.id).collect(),
    }
}

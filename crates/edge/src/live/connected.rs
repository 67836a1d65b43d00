//! Whom this edge has connected: streams as long as they are open, polls for a
//! while after each. Told to the leader every two seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use usher_base::{Lane, Number, Timestamp};
use usher_queue::Bitmap;

/// A poll counts as presence this long: longer than until the next one.
pub const POLL_COUNTS_FOR: Duration = Duration::from_secs(45);

#[derive(Default)]
pub struct Connected {
    lanes: Mutex<HashMap<Lane, OfLane>>,
}

#[derive(Default)]
struct OfLane {
    /// Streams open per number: a second tab must not end the first's presence.
    streams: HashMap<Number, u32>,
    /// When each poller was seen last.
    polls: HashMap<Number, Timestamp>,
}

impl Connected {
    /// Counts a stream until the returned guard is dropped.
    pub fn open(self: &Arc<Self>, lane: &Lane, number: Number) -> Connection {
        let mut lanes = self.lock();
        let of_lane = lanes.entry(lane.clone()).or_default();
        *of_lane.streams.entry(number).or_default() += 1;
        Connection {
            connected: Arc::clone(self),
            lane: lane.clone(),
            number,
        }
    }

    pub fn polled(&self, lane: &Lane, number: Number, now: Timestamp) {
        let mut lanes = self.lock();
        lanes
            .entry(lane.clone())
            .or_default()
            .polls
            .insert(number, now);
    }

    /// Fans who asked lately, of all lanes.
    pub fn pollers(&self) -> usize {
        self.lock()
            .values()
            .map(|of_lane| of_lane.polls.len())
            .sum()
    }

    /// Who is here, of each of these lanes. Polls that are too old are forgotten.
    pub fn here(&self, lanes: &[Lane], now: Timestamp) -> Vec<(Lane, Bitmap)> {
        let mut known = self.lock();
        let here_in = |lane: &Lane| {
            let Some(of_lane) = known.get_mut(lane) else {
                return (lane.clone(), Bitmap::default());
            };
            of_lane
                .polls
                .retain(|_, at| now.since(*at) <= POLL_COUNTS_FOR);
            let streams = of_lane.streams.keys();
            let here = streams.chain(of_lane.polls.keys()).copied().collect();
            (lane.clone(), here)
        };
        lanes.iter().map(here_in).collect()
    }

    fn close(&self, lane: &Lane, number: Number) {
        let mut lanes = self.lock();
        let Some(of_lane) = lanes.get_mut(lane) else {
            return;
        };
        if let Some(count) = of_lane.streams.get_mut(&number) {
            *count -= 1;
            if *count == 0 {
                of_lane.streams.remove(&number);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Lane, OfLane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open stream of one number.
pub struct Connection {
    connected: Arc<Connected>,
    lane: Lane,
    number: Number,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connected.close(&self.lane, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn here(connected: &Connected, second: u64) -> Vec<u32> {
        let now = START.plus(Duration::from_secs(second));
        let here = connected.here(&[Lane::main()], now);
        here[0].1.iter().map(|number| number.0).collect()
    }

    #[test]
    fn a_second_tab_closing_does_not_end_the_first_ones_presence() {
        let connected = Arc::new(Connected::default());
        let first = connected.open(&Lane::main(), Number(7));
        let second = connected.open(&Lane::main(), Number(7));
        drop(second);
        assert_eq!(here(&connected, 0), [7]);
        drop(first);
        assert!(here(&connected, 0).is_empty());
    }

    #[test]
    fn a_poll_counts_for_a_while() {
        let connected = Arc::new(Connected::default());
        connected.polled(&Lane::main(), Number(9), START);
        assert_eq!(here(&connected, 45), [9]);
        assert!(here(&connected, 46).is_empty());
    }
}

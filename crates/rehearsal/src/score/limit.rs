//! Where was the limit? The first second that was strained, and the load in it;
//! if none was, the busiest second, so that the report says what was borne.

use serde::{Deserialize, Serialize};

use crate::tally::Second;

/// A second is strained when more than this share of its requests was slow,
/// refused or failed ...
const STRAINED_SHARE: f64 = 0.02;
/// ... among at least this many, so that one bad request of three is no limit.
const REQUESTS_MIN: u64 = 20;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub at_second: u64,
    pub requests: u64,
    pub joins: u64,
    pub streams_open: u64,
    pub slow: u64,
    pub refused: u64,
    pub failed: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    pub first_strained: Option<Load>,
    pub strained_seconds: u64,
    pub busiest: Load,
}

pub fn find(seconds: &[Second]) -> Limit {
    let mut limit = Limit::default();
    for (index, second) in seconds.iter().enumerate() {
        let load = load(index, second);
        if load.requests > limit.busiest.requests {
            limit.busiest = load;
        }
        if is_strained(second) {
            limit.strained_seconds += 1;
            limit.first_strained.get_or_insert(load);
        }
    }
    limit
}

fn is_strained(second: &Second) -> bool {
    let bad = (second.slow + second.refused + second.failed) as f64;
    second.requests >= REQUESTS_MIN && bad > second.requests as f64 * STRAINED_SHARE
}

fn load(index: usize, second: &Second) -> Load {
    Load {
        at_second: index as u64,
        requests: second.requests,
        joins: second.joins,
        streams_open: second.streams_open,
        slow: second.slow,
        refused: second.refused,
        failed: second.failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(requests: u64, slow: u64) -> Second {
        Second {
            requests,
            slow,
            ..Second::default()
        }
    }

    #[test]
    fn the_first_strained_second_is_the_limit() {
        let limit = find(&[
            second(100, 0),
            second(900, 10),
            second(1500, 400),
            second(1400, 500),
            second(3, 3),
        ]);
        assert_eq!(limit.first_strained.map(|load| load.at_second), Some(2));
        assert_eq!((limit.strained_seconds, limit.busiest.requests), (2, 1500));
    }

    #[test]
    fn without_strain_the_busiest_second_says_what_was_borne() {
        let limit = find(&[second(100, 0), second(900, 1)]);
        assert_eq!((limit.first_strained, limit.busiest.at_second), (None, 1));
    }
}

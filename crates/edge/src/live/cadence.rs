//! How often a stream is told its place: at once on what changes for everybody,
//! each tick near the front, every ten seconds for all. Pure.

use std::time::Duration;

use usher_base::Timestamp;
use usher_queue::Phase;

/// So near the front every tick is told.
const FRONT: u32 = 1_000;
/// Everybody hears at least this often, which also keeps the connection alive.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// Of the silence, so that the tick before the bound is taken, not the one after.
const TICK: Duration = Duration::from_secs(1);

/// What a stream was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub at: Timestamp,
    pub ahead: Option<u32>,
    pub phase: Option<Phase>,
    pub message: Option<String>,
}

/// Decides for one stream; `offset` spreads the far ones over the ten ticks.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    offset: Duration,
}

impl Cadence {
    /// `seed` is anything evenly spread over fans, such as their number.
    pub fn new(seed: u32) -> Self {
        let ticks = LONGEST_SILENCE.as_secs() as u32;
        Self {
            offset: TICK * (seed % ticks),
        }
    }

    /// Whether to tell the place now.
    pub fn is_due(
        self,
        sent: &Sent,
        now: Timestamp,
        ahead: Option<u32>,
        phase: Phase,
        message: Option<&str>,
    ) -> bool {
        if sent.phase != Some(phase) || sent.message.as_deref() != message {
            return true;
        }
        let near = ahead.is_some_and(|ahead| ahead < FRONT);
        if near && sent.ahead != ahead {
            return true;
        }
        let silence = now.since(sent.at);
        if silence + TICK > LONGEST_SILENCE {
            return true;
        }
        // A far stream's own tick of every ten, so that they do not all fall on one.
        let slot = now.millis().div_euclid(TICK.as_millis() as i64);
        let ours = (self.offset.as_secs()) as i64;
        sent.ahead != ahead && slot.rem_euclid(LONGEST_SILENCE.as_secs() as i64) == ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn told(ahead: u32) -> Sent {
        Sent {
            at: START,
            ahead: Some(ahead),
            phase: Some(Phase::Open),
            message: None,
        }
    }

    fn due_after(seconds: u64, sent: &Sent, ahead: u32) -> bool {
        let now = START.plus(Duration::from_secs(seconds));
        Cadence::new(3).is_due(sent, now, Some(ahead), Phase::Open, None)
    }

    #[test]
    fn the_front_hears_every_change_at_once() {
        assert!(due_after(1, &told(500), 499));
        assert!(!due_after(1, &told(500), 500));
    }

    #[test]
    fn everybody_hears_within_ten_seconds_and_not_every_tick() {
        let told = told(50_000);
        let heard = (1..=9)
            .filter(|second| due_after(*second, &told, 49_000))
            .count();
        assert!(heard <= 2, "heard {heard} times in nine ticks");
        assert!(due_after(10, &told, 50_000));
    }

    #[test]
    fn a_change_of_phase_or_message_is_told_at_once() {
        let cadence = Cadence::new(0);
        let ahead = Some(90_000);
        assert!(cadence.is_due(&told(90_000), START, ahead, Phase::Paused, None));
        assert!(cadence.is_due(&told(90_000), START, ahead, Phase::Open, Some("hello")));
    }
}

//! What one fan saw and did, kept small: it is all the evidence that the scores
//! are judged from, and with many processes it travels as one JSON line.

use serde::{Deserialize, Serialize};

use crate::plan::Cheat;

/// Most waits kept of one fan; when full, every second one is dropped and from
/// then on only every second one is taken, so that they span the whole wait.
pub const WAITS_MAX: usize = 16;
/// Most presence spans kept of one fan; what comes after is not judged.
pub const PRESENCE_SPANS_MAX: usize = 32;
/// Most times kept of one fan in which no wait was shown; the last one goes on.
pub const UNTOLD_SPANS_MAX: usize = 16;
/// Most findings kept of one fan: a server gone wrong repeats itself.
pub const FINDINGS_MAX: usize = 8;
/// Shortest time between two waits that are kept, in milliseconds.
const WAIT_STRIDE_FIRST_MS: u64 = 1_000;

/// A wait that was shown: when, and the interval in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WaitSeen {
    pub at_ms: u64,
    /// 0 where only the other two are told.
    #[serde(default)]
    pub soonest_s: f64,
    pub low_s: f64,
    pub high_s: f64,
    /// The rate that was shown with it.
    #[serde(default)]
    pub rate_per_minute: Option<f64>,
}

impl WaitSeen {
    /// From the likely wait to the one that nine in ten keep.
    pub fn new(at_ms: u64, low_s: f64, high_s: f64) -> Self {
        Self {
            at_ms,
            soonest_s: 0.0,
            low_s,
            high_s,
            rate_per_minute: None,
        }
    }
}

/// When the fan was connected; open-ended while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Bought,
    PaymentFailed,
    /// The outcome of the payment was still open when the fan stopped asking.
    PaymentOpen,
    GaveHoldBack,
    FoundNothing,
    SoldOut,
    LeftTheLine,
    NoShow,
    /// Refused or failed so often that the fan gave up.
    TurnedAway,
    /// The rehearsal ended first.
    RunEnded,
}

impl Ending {
    pub fn words(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::PaymentFailed => "payment failed or hold ran out",
            Self::PaymentOpen => "payment still open",
            Self::GaveHoldBack => "gave the hold back",
            Self::FoundNothing => "found nothing to buy",
            Self::SoldOut => "were told that it is over",
            Self::LeftTheLine => "left the line",
            Self::NoShow => "were let in and did not come",
            Self::TurnedAway => "turned away for good",
            Self::RunEnded => "still there when the rehearsal ended",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSeen {
    pub order_number: String,
    pub seats: Vec<String>,
    pub tiers: Vec<String>,
}

/// Something that must never happen, seen by one fan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Finding {
    CheatGotThrough { cheat: Cheat },
    NumberChanged { from: u64, to: u64 },
    TwoOrdersForOneKey { first: String, second: String },
    ConfirmedOrderVanished { order_number: String },
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FanRecord {
    pub fan: u32,
    pub lane: Option<String>,
    pub number: Option<u64>,
    pub joined_ms: Option<u64>,
    /// The last time the fan heard that it is still waiting.
    pub still_waiting_ms: Option<u64>,
    pub admitted_ms: Option<u64>,
    pub waits: Vec<WaitSeen>,
    /// When the fan was in line and shown no wait, each until one was shown.
    #[serde(default)]
    pub untold: Vec<Span>,
    pub present: Vec<Span>,
    pub cheated: Option<Cheat>,
    pub orders: Vec<OrderSeen>,
    pub findings: Vec<Finding>,
    pub ending: Option<Ending>,
    pub ended_ms: u64,
    #[serde(skip)]
    is_present: bool,
    #[serde(skip)]
    number_is_final: bool,
    #[serde(skip)]
    wait_stride_ms: u64,
    #[serde(skip)]
    is_untold: bool,
}

impl FanRecord {
    pub fn new(fan: u32) -> Self {
        Self {
            fan,
            wait_stride_ms: WAIT_STRIDE_FIRST_MS,
            ..Self::default()
        }
    }

    /// The fan is connected from now on.
    pub fn arrive(&mut self, now_ms: u64) {
        if !self.is_present && self.present.len() < PRESENCE_SPANS_MAX {
            self.present.push(Span {
                from_ms: now_ms,
                to_ms: now_ms,
            });
            self.is_present = true;
        }
    }

    /// The connection ended (or the fan stops counting as present).
    pub fn depart(&mut self, now_ms: u64) {
        if let Some(span) = self.present.last_mut().filter(|_| self.is_present) {
            span.to_ms = now_ms;
        }
        self.is_present = false;
    }

    /// In line, and no wait is shown.
    pub fn see_no_wait(&mut self, now_ms: u64) {
        if !self.is_untold && self.untold.len() < UNTOLD_SPANS_MAX {
            self.untold.push(Span {
                from_ms: now_ms,
                to_ms: now_ms,
            });
        }
        self.is_untold = true;
        self.end_untold(now_ms);
    }

    fn end_untold(&mut self, now_ms: u64) {
        if let Some(span) = self.untold.last_mut().filter(|_| self.is_untold) {
            span.to_ms = now_ms;
        }
    }

    pub fn was_untold(&self, at_ms: u64) -> bool {
        let has = |span: &Span| (span.from_ms..span.to_ms).contains(&at_ms);
        self.untold.iter().any(has)
    }

    pub fn see_wait(&mut self, wait: WaitSeen) {
        self.end_untold(wait.at_ms);
        self.is_untold = false;
        let due = self
            .waits
            .last()
            .is_none_or(|last| wait.at_ms >= last.at_ms + self.wait_stride_ms);
        if !due {
            return;
        }
        if self.waits.len() == WAITS_MAX {
            let mut index = 0;
            self.waits.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.wait_stride_ms *= 2;
        }
        self.waits.push(wait);
    }

    /// Numbers are final once the event serves; a later change is a finding.
    pub fn see_number(&mut self, number: u64, is_final: bool) {
        if let Some(from) = self
            .number
            .filter(|known| *known != number && self.number_is_final)
        {
            self.find(Finding::NumberChanged { from, to: number });
        }
        self.number = Some(number);
        self.number_is_final |= is_final;
    }

    pub fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    pub fn end(&mut self, ending: Ending, now_ms: u64) {
        self.depart(now_ms);
        self.ending = Some(ending);
        self.ended_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_thinned_but_span_the_whole_time() {
        let mut record = FanRecord::new(1);
        for second in 0..600 {
            record.see_wait(WaitSeen::new(second * 1000, 1.0, 2.0));
        }
        assert!(record.waits.len() <= WAITS_MAX && record.waits.len() > WAITS_MAX / 2);
        assert_eq!(record.waits[0].at_ms, 0);
        assert!(
            record
                .waits
                .last()
                .is_some_and(|last| last.at_ms >= 500_000)
        );
    }

    #[test]
    fn what_was_not_shown_is_kept_until_something_is() {
        let mut record = FanRecord::new(1);
        record.see_wait(WaitSeen::new(0, 1.0, 2.0));
        for at_ms in [1_000, 5_000, 9_000] {
            record.see_no_wait(at_ms);
        }
        record.see_wait(WaitSeen::new(12_000, 1.0, 2.0));
        let untold = [500, 1_000, 11_000, 12_000].map(|at_ms| record.was_untold(at_ms));
        assert_eq!(untold, [false, true, true, false]);
    }

    #[test]
    fn presence_is_kept_as_spans() {
        let mut record = FanRecord::new(1);
        record.arrive(10);
        record.arrive(20);
        record.depart(30);
        record.depart(40);
        record.arrive(50);
        record.end(Ending::RunEnded, 60);
        assert_eq!(
            record.present,
            [
                Span {
                    from_ms: 10,
                    to_ms: 30
                },
                Span {
                    from_ms: 50,
                    to_ms: 60
                }
            ]
        );
    }

    #[test]
    fn a_final_number_that_changes_is_a_finding() {
        let mut record = FanRecord::new(1);
        record.see_number(5, false);
        record.see_number(9, true);
        assert!(record.findings.is_empty(), "the draw may still change it");
        record.see_number(9, true);
        record.see_number(10, true);
        assert_eq!(
            record.findings,
            [Finding::NumberChanged { from: 9, to: 10 }]
        );
    }
}

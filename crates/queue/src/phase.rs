//! The phases of an event and which may follow which. Pure: who changes a phase
//! (operator, schedule, draw, sell-out) asks here first.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use usher_base::{InvalidId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being prepared; fans do not see it.
    Draft,
    /// Announced; the line does not exist yet.
    Scheduled,
    /// Fans may come; nobody is released.
    Gathering,
    /// The list is fixed and the numbers are being drawn.
    Drawing,
    Open,
    /// The line stands and keeps its places; nobody is released.
    Paused,
    SoldOut,
    Closed,
}

/// How those who gather get their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    Fifo,
    Lottery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event that is {from} cannot become {to}")]
pub struct PhaseRefused {
    pub from: Phase,
    pub to: Phase,
}

impl Phase {
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::Scheduled,
        Self::Gathering,
        Self::Drawing,
        Self::Open,
        Self::Paused,
        Self::SoldOut,
        Self::Closed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Gathering => "gathering",
            Self::Drawing => "drawing",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::SoldOut => "sold_out",
            Self::Closed => "closed",
        }
    }

    /// Whether fans may join.
    pub const fn takes_fans(self) -> bool {
        matches!(
            self,
            Self::Gathering | Self::Drawing | Self::Open | Self::Paused
        )
    }

    /// Judges a change. To the phase it already has is no change and allowed.
    ///
    /// A lottery must pass through the draw; a fifo line cannot. `SoldOut` may
    /// open again, because holds expire and orders are cancelled; `Closed` is final.
    pub fn change_to(self, to: Self, ordering: Ordering) -> Result<Self, PhaseRefused> {
        use Phase::{Closed, Draft, Drawing, Gathering, Open, Paused, Scheduled, SoldOut};
        let lottery = ordering == Ordering::Lottery;
        let allowed = match (self, to) {
            (from, to) if from == to => true,
            (Draft, Scheduled) | (Scheduled, Draft) | (Draft | Scheduled, Gathering) => true,
            (Draft | Scheduled | Gathering, Open) => !lottery,
            (Gathering, Drawing) => lottery,
            // Redis was lost before the root was published: the list is gathered anew.
            (Drawing, Gathering | Open) => lottery,
            (Open, Paused | SoldOut) | (Paused, Open | SoldOut) | (SoldOut, Open) => true,
            (_, Closed) => true,
            _ => false,
        };
        if allowed {
            Ok(to)
        } else {
            Err(PhaseRefused { from: self, to })
        }
    }
}

/// When an event changes its phase by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub gathers_at: Option<Timestamp>,
    pub opens_at: Option<Timestamp>,
    pub closes_at: Option<Timestamp>,
}

impl Schedule {
    /// The change that is due now, if any. An operator's pause or sell-out is not
    /// undone by the clock; a draft waits until it is announced.
    pub fn due(&self, phase: Phase, ordering: Ordering, now: Timestamp) -> Option<Phase> {
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if matches!(phase, Phase::Draft | Phase::Closed) {
            return None;
        }
        if passed(self.closes_at) {
            return Some(Phase::Closed);
        }
        match (phase, ordering) {
            (Phase::Scheduled | Phase::Gathering, Ordering::Fifo) if passed(self.opens_at) => {
                Some(Phase::Open)
            }
            (Phase::Gathering, Ordering::Lottery) if passed(self.opens_at) => Some(Phase::Drawing),
            // A lottery that begins late still gathers first.
            (Phase::Scheduled, _) if passed(self.gathers_at.or(self.opens_at)) => {
                Some(Phase::Gathering)
            }
            _ => None,
        }
    }
}

impl Ordering {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Lottery => "lottery",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let found = Self::ALL.into_iter().find(|phase| phase.as_str() == text);
        found.ok_or(InvalidId("phase"))
    }
}

impl FromStr for Ordering {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "fifo" => Ok(Self::Fifo),
            "lottery" => Ok(Self::Lottery),
            _ => Err(InvalidId("ordering")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_survive() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse::<Phase>().unwrap(), phase);
            let json = serde_json::to_string(&phase).unwrap();
            assert_eq!(json, format!("\"{phase}\""));
        }
        assert!("opened".parse::<Phase>().is_err());
    }

    #[test]
    fn closed_is_final_and_always_reachable() {
        for ordering in [Ordering::Fifo, Ordering::Lottery] {
            for phase in Phase::ALL {
                assert!(phase.change_to(Phase::Closed, ordering).is_ok());
                let reopened = Phase::Closed.change_to(phase, ordering).is_ok();
                assert_eq!(reopened, phase == Phase::Closed);
            }
        }
    }

    #[test]
    fn the_schedule_only_makes_allowed_changes() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        for ordering in [Ordering::Fifo, Ordering::Lottery] {
            for gathers_at in [None, Some(at(10))] {
                let schedule = Schedule {
                    gathers_at,
                    opens_at: Some(at(20)),
                    closes_at: Some(at(30)),
                };
                for (phase, now) in Phase::ALL
                    .iter()
                    .flat_map(|p| (0..40).map(move |n| (*p, n)))
                {
                    if let Some(to) = schedule.due(phase, ordering, at(now)) {
                        assert_eq!(phase.change_to(to, ordering), Ok(to));
                        assert_ne!(phase, to);
                    }
                }
                let gathering = schedule.due(Phase::Gathering, ordering, at(20));
                let next = match ordering {
                    Ordering::Fifo => Phase::Open,
                    Ordering::Lottery => Phase::Drawing,
                };
                assert_eq!(gathering, Some(next));
                assert_eq!(schedule.due(Phase::Paused, ordering, at(25)), None);
                let end = schedule.due(Phase::Paused, ordering, at(30));
                assert_eq!(end, Some(Phase::Closed));
            }
        }
    }

    #[test]
    fn a_lottery_cannot_skip_its_draw() {
        let open = |from: Phase, ordering| from.change_to(Phase::Open, ordering).is_ok();
        assert!(open(Phase::Gathering, Ordering::Fifo));
        assert!(!open(Phase::Gathering, Ordering::Lottery));
        assert!(!open(Phase::Scheduled, Ordering::Lottery));
        assert!(open(Phase::Drawing, Ordering::Lottery));
        let draw = Phase::Gathering.change_to(Phase::Drawing, Ordering::Fifo);
        assert!(draw.is_err());
    }
}

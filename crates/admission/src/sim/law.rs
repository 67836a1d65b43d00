//! The laws that can steer the simulated door: usher's, and those it is compared with. The others are given what
//! usher has to find out (no-show share, requests of a session), so the contrast is generous to them.

use crate::control::{Controller, Policy, Room, Signals, Tuning, TuningError};

use super::plant::Plant;

/// Which law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LawKind {
    /// usher's.
    Usher,
    /// usher's, its people let in all at once every so many seconds.
    Batched(u32),
    /// A rate set once: this multiple of the perfect guess.
    Fixed(f64),
    /// Additive increase, multiplicative decrease of the rate.
    Aimd,
    /// A gradient law on the number of people inside.
    Gradient,
    /// Knows capacity, no-shows, who is on the way and who will want how many seats: as quick as can be without
    /// anybody finding nothing.
    Oracle,
}

impl LawKind {
    /// As tables name it.
    pub fn name(self) -> String {
        match self {
            Self::Usher => "usher".into(),
            Self::Batched(seconds) => format!("usher, batched {seconds} s"),
            Self::Fixed(factor) => format!("fixed rate x {factor}"),
            Self::Aimd => "AIMD".into(),
            Self::Gradient => "gradient".into(),
            Self::Oracle => "oracle".into(),
        }
    }
}

/// What a law says for the coming second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answer {
    pub(super) release: u32,
    pub(super) rate_per_s: f64,
    pub(super) wanted_inside: f64,
    pub(super) alarm: bool,
    /// As the law says it; the others know nothing of stock.
    pub(super) reach: Option<f64>,
    pub(super) ends_the_line: bool,
}

/// What laws are asked with: the measurements, and for the oracle the truth.
pub(super) struct Asked<'a> {
    pub(super) now_s: u32,
    pub(super) signals: Option<&'a Signals>,
    pub(super) room: &'a Room,
    pub(super) policy: &'a Policy,
    pub(super) coming: u64,
    pub(super) true_inside: f64,
}

pub(super) enum Law {
    Usher {
        controller: Box<Controller>,
        batch_s: u32,
        owed: u32,
    },
    Rate {
        rate: f64,
        carry: f64,
        aimd: Option<Aimd>,
    },
    Gradient {
        inside: f64,
        service_ms: f64,
        come: f64,
    },
    Oracle {
        come: f64,
    },
}

pub(super) struct Aimd {
    step: f64,
    quiet_until_s: u32,
}

impl Law {
    pub(super) fn new(kind: LawKind, plant: &Plant, tuning: &Tuning) -> Result<Self, TuningError> {
        let come = 1.0 - plant.no_show;
        let started = tuning.start_requests_per_s / plant.capacity();
        let rate = |factor: f64| factor * plant.perfect_rate();
        Ok(match kind {
            LawKind::Usher => Self::usher(tuning, 1)?,
            LawKind::Batched(seconds) => Self::usher(tuning, seconds.max(1))?,
            LawKind::Fixed(factor) => Self::Rate {
                rate: rate(factor),
                carry: 0.0,
                aimd: None,
            },
            LawKind::Aimd => {
                let aimd = Aimd {
                    step: rate(0.005),
                    quiet_until_s: 0,
                };
                Self::Rate {
                    rate: rate(started),
                    carry: 0.0,
                    aimd: Some(aimd),
                }
            }
            LawKind::Gradient => Self::Gradient {
                inside: started * plant.perfect_inside(),
                service_ms: tuning.service_ms,
                come,
            },
            LawKind::Oracle => Self::Oracle { come },
        })
    }

    fn usher(tuning: &Tuning, batch_s: u32) -> Result<Self, TuningError> {
        let controller = Box::new(Controller::new(tuning.clone())?);
        Ok(Self::Usher {
            controller,
            batch_s,
            owed: 0,
        })
    }

    pub(super) fn decide(&mut self, asked: &Asked<'_>) -> Answer {
        match self {
            Self::Usher {
                controller,
                batch_s,
                owed,
            } => {
                let now_ms = u64::from(asked.now_s) * 1_000;
                let decision = controller.tick(now_ms, asked.signals, asked.room, asked.policy);
                *owed += decision.release;
                let due = asked.now_s.is_multiple_of(*batch_s);
                Answer {
                    release: if due { std::mem::take(owed) } else { 0 },
                    rate_per_s: decision.rate_per_s,
                    wanted_inside: decision.state.wanted_inside,
                    alarm: decision.state.alarm,
                    reach: decision.reach,
                    ends_the_line: decision.clause.ends_the_line(),
                }
            }
            Self::Rate { rate, carry, aimd } => {
                if let (Some(aimd), Some(signals)) = (aimd, asked.signals) {
                    *rate = aimd.next(*rate, signals, asked.now_s);
                }
                *carry += *rate;
                let release = carry.floor();
                *carry -= release;
                Answer {
                    release: release as u32,
                    rate_per_s: *rate,
                    ..Answer::default()
                }
            }
            Self::Gradient {
                inside,
                service_ms,
                come,
            } => {
                if let Some(p50_ms) = asked.signals.and_then(|s| s.p50_ms) {
                    let gradient = (2.0 * *service_ms / p50_ms).clamp(0.5, 1.0);
                    *inside = 0.8 * *inside + 0.2 * (gradient * *inside + inside.sqrt());
                }
                let missing = (*inside - asked.room.inside as f64) / *come;
                level(missing, *inside)
            }
            Self::Oracle { come } => {
                let gap = asked.true_inside - asked.room.inside as f64 - asked.coming as f64;
                level(
                    (0.1 * gap + f64::from(asked.room.ends)) / *come,
                    asked.true_inside,
                )
            }
        }
    }
}

fn level(rate_per_s: f64, wanted_inside: f64) -> Answer {
    let rate_per_s = rate_per_s.max(0.0);
    Answer {
        release: rate_per_s.round() as u32,
        rate_per_s,
        wanted_inside,
        ..Answer::default()
    }
}

impl Aimd {
    fn next(&mut self, rate: f64, signals: &Signals, now_s: u32) -> f64 {
        let bad = signals.p99_ms.unwrap_or(0.0) > 600.0 || signals.refused_share() > 0.03;
        if !bad {
            return rate + self.step;
        }
        if now_s < self.quiet_until_s {
            return rate;
        }
        self.quiet_until_s = now_s + 10;
        rate * 0.7
    }
}

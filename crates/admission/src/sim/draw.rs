//! Random draws for the simulated world. Seeded with a generator whose stream is fixed by its specification, so
//! that the figures in the docs can be repeated.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// A seeded source of draws.
pub(super) struct Draw {
    rng: Xoshiro256PlusPlus,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    /// Even in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        self.rng.random::<f64>()
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Even whole number, both ends included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + (self.unit() * f64::from(high - low + 1)) as u32
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub(super) fn from(&mut self, spread: &Spread) -> f64 {
        match *spread {
            Spread::Exponential { mean } => self.exponential(mean),
            Spread::Lognormal { mean, cv } => {
                let variance = (1.0 + cv * cv).ln();
                mean * (self.normal() * variance.sqrt() - variance / 2.0).exp()
            }
            Spread::TwoKinds {
                mean,
                slow_share,
                slow_by,
            } => {
                let quick = quick_kind(mean, slow_share, slow_by);
                let middle = if self.chance(slow_share) {
                    quick * slow_by
                } else {
                    quick
                };
                middle * (0.7 + 0.6 * self.unit())
            }
        }
    }
}

/// A distribution, named by what it looks like.
#[derive(Debug, Clone, Copy)]
pub enum Spread {
    /// Memoryless.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// One hump with a tail.
    Lognormal {
        /// Mean.
        mean: f64,
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Most are quick, some are slow, each within 30 % either way.
    TwoKinds {
        /// Mean over both kinds.
        mean: f64,
        /// Share of the slow kind.
        slow_share: f64,
        /// How many times slower it is.
        slow_by: f64,
    },
}

impl Spread {
    /// The mean.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Exponential { mean }
            | Self::Lognormal { mean, .. }
            | Self::TwoKinds { mean, .. } => mean,
        }
    }

    /// The median, which is what calibration tells of a service time.
    pub fn median(&self) -> f64 {
        match *self {
            Self::Exponential { mean } => mean * std::f64::consts::LN_2,
            Self::Lognormal { mean, cv } => mean / (1.0 + cv * cv).sqrt(),
            // Below the middle of the quick kind lie half of the quick ones; the slow ones push the median up a little.
            Self::TwoKinds {
                mean,
                slow_share,
                slow_by,
            } => quick_kind(mean, slow_share, slow_by) * (0.7 + 0.3 / (1.0 - slow_share)),
        }
    }
}

fn quick_kind(mean: f64, slow_share: f64, slow_by: f64) -> f64 {
    mean / (1.0 - slow_share + slow_share * slow_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spread_has_the_mean_it_says() {
        let spreads = [
            Spread::Exponential { mean: 10.0 },
            Spread::Lognormal {
                mean: 10.0,
                cv: 0.7,
            },
            Spread::TwoKinds {
                mean: 10.0,
                slow_share: 0.1,
                slow_by: 3.0,
            },
        ];
        let mut draw = Draw::new(1);
        for spread in spreads {
            let sum: f64 = (0..40_000).map(|_| draw.from(&spread)).sum();
            assert!(
                (sum / 40_000.0 - spread.mean()).abs() < 0.2,
                "{spread:?}: {sum}"
            );
        }
    }
}

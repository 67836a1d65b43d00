//! Flying blind: what to do when the backend's signals stop. Half the last rate, fading, then nobody; and a ramp
//! when they come back, because the backend may have changed meanwhile.

use serde::{Deserialize, Serialize};

use super::tuning::Tuning;

/// How well the backend is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Signals are there.
    Clear,
    /// This second's are late, which is no loss yet: at most the last rate.
    Late,
    /// They are late and had only just begun: this share of the rate.
    Start(f64),
    /// They are back after a loss: this share of the rate.
    Ramp(f64),
    /// They are lost: this share of the last rate. 0 in the end, and before the first signal ever.
    Blind(f64),
}

/// Remembers when signals were last seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalWatch {
    #[serde(default)]
    first_ms: Option<u64>,
    last_ms: Option<u64>,
    back_ms: Option<u64>,
}

impl SignalWatch {
    /// Looks at one tick.
    pub fn look(&mut self, now_ms: u64, signals_here: bool, tuning: &Tuning) -> Sight {
        let age_s = self.last_ms.map(|at| seconds_since(at, now_ms));
        if signals_here {
            if age_s.is_some_and(|age| age > tuning.lost_after_s) {
                self.back_ms = Some(now_ms);
            }
            self.first_ms.get_or_insert(now_ms);
            self.last_ms = Some(now_ms);
            return self.after_loss(now_ms, tuning);
        }
        match age_s {
            None => Sight::Blind(0.0),
            Some(age) if age > tuning.blind_end_s => Sight::Blind(0.0),
            Some(age) if age > tuning.lost_after_s => {
                let faded = ((tuning.lost_after_s - age) / tuning.blind_fade_s).exp();
                Sight::Blind(tuning.blind_share * faded)
            }
            Some(_) => self.late(now_ms, tuning),
        }
    }

    /// Late right after the first signals: there is no steady rate yet that could go on.
    fn late(&self, now_ms: u64, tuning: &Tuning) -> Sight {
        let known_s = self.first_ms.map(|at| seconds_since(at, now_ms));
        match known_s.map(|known| known / tuning.ramp_s) {
            Some(share) if share < 1.0 => Sight::Start(share),
            _ => Sight::Late,
        }
    }

    fn after_loss(&mut self, now_ms: u64, tuning: &Tuning) -> Sight {
        let Some(back_ms) = self.back_ms else {
            return Sight::Clear;
        };
        let share = seconds_since(back_ms, now_ms) / tuning.ramp_s;
        if share >= 1.0 {
            self.back_ms = None;
            return Sight::Clear;
        }
        Sight::Ramp(share)
    }
}

fn seconds_since(at_ms: u64, now_ms: u64) -> f64 {
    now_ms.saturating_sub(at_ms) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_fade_end_and_ramp_back() {
        let tuning = Tuning::default();
        let mut watch = SignalWatch::default();
        assert_eq!(watch.look(0, false, &tuning), Sight::Blind(0.0));
        assert_eq!(watch.look(1_000, true, &tuning), Sight::Clear);
        assert_eq!(watch.look(4_000, false, &tuning), Sight::Start(0.3));
        let Sight::Blind(share) = watch.look(24_000, false, &tuning) else {
            panic!("signals are lost");
        };
        assert!((share - 0.5 * (-1.0_f64).exp()).abs() < 1e-9);
        assert_eq!(watch.look(31_001, false, &tuning), Sight::Blind(0.0));
        assert_eq!(watch.look(40_000, true, &tuning), Sight::Ramp(0.0));
        for s in 41..45 {
            watch.look(s * 1_000, true, &tuning);
        }
        assert_eq!(watch.look(45_000, true, &tuning), Sight::Ramp(0.5));
        for s in 46..50 {
            watch.look(s * 1_000, true, &tuning);
        }
        assert_eq!(watch.look(50_000, true, &tuning), Sight::Clear);
        assert_eq!(watch.look(51_000, false, &tuning), Sight::Late);
    }
}

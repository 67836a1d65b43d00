//! How fast the whole event lets people in from now on. An operator's rate is known
//! the moment it is set. The law's stops and goes: it will be for a while as it was in
//! the last seconds, and then as it was in the last minutes. Both remember how much
//! they changed, which is how far they may change again.

use usher_base::Timestamp;

use super::fading::Fading;

/// Time constants of following the law, closely and from afar.
const CLOSELY_S: f64 = 10.0;
const AFAR_S: f64 = 60.0;
/// What the last seconds had more or less than the last minutes fades over this.
const SURPLUS_FADES_S: f64 = 30.0;
/// Changes are looked at over this span, and remembered over that.
const CHANGE_SPAN_S: f64 = 10.0;
const CHANGE_MEMORY_S: f64 = 600.0;
/// Before anything was seen: the rate moves by about 5 % in such a span.
const FIRST_CHANGE: f64 = 0.05;
/// The first guess counts as this many spans.
const FIRST_SPANS: f64 = 6.0;
/// One change counts at most as a doubling or halving: from a standstill to a pace
/// is a beginning, not a change.
const MOST_CHANGE: f64 = 0.7;

/// What is to be released from now on, people a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// An operator's word, or a mean already: followed at once.
    Set(f64),
    /// The law's word of one second.
    Law(f64),
    /// What is left to sell binds: it ends the line, and says nothing of its rate.
    Unchanged,
}

#[derive(Debug)]
pub struct Rate {
    /// Of the last seconds and of the last minutes, people a second.
    close: f64,
    afar: f64,
    observed_at: Option<Timestamp>,
    /// Logarithm of the rate when changes were looked at last.
    compared: Option<(Timestamp, f64)>,
    /// Mean square of the change in a span.
    change: Fading,
}

/// What the rate has more (or less) now than it will have in the long run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Surplus(f64);

impl Surplus {
    /// The rate after so many seconds, as a share of the one of the long run.
    pub fn factor(self, second: f64) -> f64 {
        1.0 + self.0 * (-second / SURPLUS_FADES_S).exp()
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            close: 0.0,
            afar: 0.0,
            observed_at: None,
            compared: None,
            change: Fading::guess(
                FIRST_SPANS * FIRST_CHANGE * FIRST_CHANGE,
                FIRST_SPANS,
                CHANGE_MEMORY_S,
            ),
        }
    }
}

impl Rate {
    pub fn observe(&mut self, aim: Aim, now: Timestamp) {
        let elapsed_s = self
            .observed_at
            .replace(now)
            .map(|before| now.since(before).as_secs_f64());
        match (aim, elapsed_s) {
            (Aim::Unchanged, _) => return,
            (Aim::Law(per_second), Some(elapsed_s)) if self.afar > 0.0 => {
                let follow = |level: &mut f64, over_s: f64| {
                    *level += (1.0 - (-elapsed_s / over_s).exp()) * (per_second - *level);
                };
                follow(&mut self.close, CLOSELY_S);
                follow(&mut self.afar, AFAR_S);
            }
            (Aim::Set(per_second) | Aim::Law(per_second), _) => {
                (self.close, self.afar) = (per_second, per_second);
            }
        }
        self.observe_change(now);
    }

    fn observe_change(&mut self, now: Timestamp) {
        if self.afar <= 0.0 {
            self.compared = None;
            return;
        }
        let level = self.afar.ln();
        let Some((then, before)) = self.compared else {
            self.compared = Some((now, level));
            return;
        };
        let span_s = now.since(then).as_secs_f64();
        if span_s >= CHANGE_SPAN_S {
            let moved = (level - before).clamp(-MOST_CHANGE, MOST_CHANGE);
            self.change
                .count(moved * moved, span_s / CHANGE_SPAN_S, span_s);
            self.compared = Some((now, level));
        }
    }

    /// Nobody is let in for now, and that is no rate.
    pub fn interrupt(&mut self) {
        (self.close, self.afar) = (0.0, 0.0);
        (self.observed_at, self.compared) = (None, None);
    }

    /// In the long run.
    pub fn per_second(&self) -> f64 {
        self.afar
    }

    pub(super) fn surplus(&self) -> Surplus {
        if self.afar > 0.0 {
            Surplus(self.close / self.afar - 1.0)
        } else {
            Surplus::default()
        }
    }

    /// Relative variance of the mean rate over the next so many seconds, if the rate
    /// goes on wandering as it did.
    pub fn variance_over(&self, seconds: f64) -> f64 {
        self.change.get() * seconds / CHANGE_SPAN_S / 3.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn follow(rate: &mut Rate, from: u64, to: u64, aim: impl Fn(u64) -> Aim) {
        for second in from..to {
            let now = Timestamp::default().plus(Duration::from_secs(second));
            rate.observe(aim(second), now);
        }
    }

    #[test]
    fn an_operators_rate_counts_at_once_and_the_laws_over_some_seconds() {
        let mut rate = Rate::default();
        follow(&mut rate, 0, 60, |_| Aim::Set(5.0));
        follow(&mut rate, 60, 61, |_| Aim::Set(10.0));
        assert!((rate.per_second() - 10.0).abs() < 1e-9);
        follow(&mut rate, 61, 64, |_| Aim::Law(0.0));
        assert!(rate.per_second() > 9.5, "a brake of 3 s");
        let now = rate.surplus().factor(0.0);
        assert!((0.6..0.9).contains(&now), "{now}");
        assert!((rate.surplus().factor(300.0) - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_rate_that_changed_may_change_again() {
        let (mut steady, mut stepped) = (Rate::default(), Rate::default());
        follow(&mut steady, 0, 300, |_| Aim::Set(5.0));
        follow(&mut stepped, 0, 300, |second| {
            Aim::Set(if second % 100 < 50 { 5.0 } else { 8.0 })
        });
        let (calm, wild) = (steady.variance_over(60.0), stepped.variance_over(60.0));
        assert!(wild > 10.0 * calm, "{calm} {wild}");
    }

    #[test]
    fn a_pause_is_no_change_of_the_rate() {
        let mut rate = Rate::default();
        follow(&mut rate, 0, 100, |_| Aim::Set(5.0));
        let before = rate.variance_over(60.0);
        rate.interrupt();
        follow(&mut rate, 400, 500, |_| Aim::Set(5.0));
        assert!(rate.variance_over(60.0) <= before);
    }

    #[test]
    fn an_empty_shop_is_no_slow_rate() {
        let mut rate = Rate::default();
        follow(&mut rate, 0, 100, |_| Aim::Law(5.0));
        follow(&mut rate, 100, 400, |_| Aim::Unchanged);
        assert!((rate.per_second() - 5.0).abs() < 1e-9);
        follow(&mut rate, 400, 401, |_| Aim::Law(0.0));
        assert!(rate.per_second() > 4.9, "one second counts as one");
    }
}

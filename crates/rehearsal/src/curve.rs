//! When fans arrive: named curves, open model. A fan comes when the curve says so,
//! whether or not the server keeps up, as people at a real on-sale do. Pure: the
//! same curve, number and seed always give the same instants.

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// How much of the crowd comes within the first second of the `bots` curve.
pub const BOT_SHARE: f64 = 0.4;
/// The mean of the flash's decay, as a part of the window.
const FLASH_MEAN: f64 = 1.0 / 8.0;
/// Middle and half width of each wave, as parts of the window.
const WAVES: [(f64, f64); 2] = [(0.15, 0.15), (0.75, 0.15)];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Nearly everybody at once, then a thinning tail.
    Flash,
    /// Ever more, up to the end of the window.
    Ramp,
    /// Two humps: presale and general sale.
    Waves,
    /// 40 % bots in the first second, the others as in a flash.
    Bots,
}

impl Curve {
    /// Whether fan `index` of `fans` is a bot: the first to come are.
    pub fn is_bot(self, index: u32, fans: u32) -> bool {
        self == Self::Bots && f64::from(index) < f64::from(fans) * BOT_SHARE
    }
}

/// One instant a fan in milliseconds after the start, ascending, all within
/// `window_ms`. Fans are spread over the curve's own quantiles with a jitter,
/// so that the shape is exact and the instants are still irregular.
pub fn arrivals_ms(curve: Curve, fans: u32, window_ms: u32, seed: u64) -> Vec<u32> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut arrivals: Vec<u32> = (0..fans)
        .map(|index| {
            let quantile = (f64::from(index) + random.random::<f64>()) / f64::from(fans);
            instant_ms(curve, quantile, window_ms)
        })
        .collect();
    arrivals.sort_unstable();
    arrivals
}

fn instant_ms(curve: Curve, quantile: f64, window_ms: u32) -> u32 {
    let window = f64::from(window_ms);
    let instant = match curve {
        Curve::Flash => flash(quantile) * window,
        Curve::Ramp => quantile.sqrt() * window,
        Curve::Waves => waves(quantile) * window,
        Curve::Bots if quantile < BOT_SHARE => quantile / BOT_SHARE * window.min(1000.0),
        Curve::Bots => flash((quantile - BOT_SHARE) / (1.0 - BOT_SHARE)) * window,
    };
    // Within the window by construction; the cast drops the fraction of a millisecond.
    instant.clamp(0.0, window) as u32
}

/// Quantile of an exponential cut off at the end of the window.
fn flash(quantile: f64) -> f64 {
    let whole = 1.0 - (-1.0 / FLASH_MEAN).exp();
    -FLASH_MEAN * (1.0 - quantile * whole).ln()
}

/// Quantile of two triangles of equal weight.
fn waves(quantile: f64) -> f64 {
    let second = quantile >= 0.5;
    let (middle, half_width) = WAVES[usize::from(second)];
    let within = if second {
        quantile * 2.0 - 1.0
    } else {
        quantile * 2.0
    };
    let offset = if within < 0.5 {
        (2.0 * within).sqrt() - 1.0
    } else {
        1.0 - (2.0 * (1.0 - within)).sqrt()
    };
    middle + half_width * offset
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CURVES: [Curve; 4] = [Curve::Flash, Curve::Ramp, Curve::Waves, Curve::Bots];

    proptest! {
        #[test]
        fn everybody_comes_once_in_order_within_the_window(
            fans in 0u32..3000, window in 1u32..600_000, seed: u64, which in 0usize..4,
        ) {
            let arrivals = arrivals_ms(CURVES[which], fans, window, seed);
            prop_assert_eq!(arrivals.len(), fans as usize);
            prop_assert!(arrivals.is_sorted());
            prop_assert!(arrivals.iter().all(|at| *at <= window));
            prop_assert_eq!(arrivals, arrivals_ms(CURVES[which], fans, window, seed));
        }
    }

    fn share_before(arrivals: &[u32], at: u32) -> f64 {
        arrivals.partition_point(|arrival| *arrival < at) as f64 / arrivals.len() as f64
    }

    #[test]
    fn each_curve_has_the_shape_of_its_name() {
        let of = |curve| arrivals_ms(curve, 10_000, 100_000, 1);
        assert!(share_before(&of(Curve::Flash), 12_500) > 0.6);
        assert!((share_before(&of(Curve::Ramp), 50_000) - 0.25).abs() < 0.01);
        let waves = of(Curve::Waves);
        assert!((share_before(&waves, 30_000) - 0.5).abs() < 0.01);
        assert!(
            (share_before(&waves, 60_000) - 0.5).abs() < 0.01,
            "the middle is not quiet"
        );
        assert!((share_before(&of(Curve::Bots), 1000) - BOT_SHARE).abs() < 0.06);
    }
}

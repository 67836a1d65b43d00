//! Sharing a release among lanes by weight, without starving a small lane and
//! without wasting the share of an empty one. Pure.

/// One lane's side of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub weight: u32,
    /// Fans who could be released now.
    pub releasable: u32,
}

/// Remembers what each lane is still owed, so that shares come out right over
/// many small releases.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    owed: Vec<f64>,
}

/// A lane that had nobody for long does not come back with an old debt.
const MOST_OWED: f64 = 1.0;

impl Shares {
    /// How many of `total` each lane gets; together as many as can be given.
    pub fn split(&mut self, total: u32, lanes: &[Share]) -> Vec<u32> {
        self.owed.resize(lanes.len(), 0.0);
        let mut given = vec![0_u32; lanes.len()];
        for _ in 0..total {
            let open = |lane: usize| given[lane] < lanes[lane].releasable;
            let weights: u32 = (0..lanes.len())
                .filter(|lane| open(*lane))
                .map(|lane| lanes[lane].weight)
                .sum();
            if weights == 0 {
                break;
            }
            let mut chosen = None;
            for (lane, share) in lanes.iter().enumerate() {
                if !open(lane) {
                    self.owed[lane] = self.owed[lane].min(MOST_OWED);
                    continue;
                }
                self.owed[lane] += f64::from(share.weight) / f64::from(weights);
                if chosen.is_none_or(|best: usize| self.owed[lane] > self.owed[best]) {
                    chosen = Some(lane);
                }
            }
            let Some(lane) = chosen else { break };
            self.owed[lane] -= 1.0;
            given[lane] += 1;
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(weight: u32, releasable: u32) -> Share {
        Share { weight, releasable }
    }

    #[test]
    fn small_releases_add_up_to_the_weights() {
        let mut shares = Shares::default();
        let mut sums = [0, 0];
        for _ in 0..100 {
            let given = shares.split(1, &[share(3, 1_000), share(1, 1_000)]);
            sums = [sums[0] + given[0], sums[1] + given[1]];
        }
        assert_eq!(sums, [75, 25]);
    }

    #[test]
    fn an_empty_lanes_share_goes_to_the_others() {
        let mut shares = Shares::default();
        assert_eq!(shares.split(10, &[share(9, 0), share(1, 100)]), [0, 10]);
        assert_eq!(shares.split(10, &[share(9, 2), share(1, 100)]), [2, 8]);
    }

    proptest! {
        #[test]
        fn nothing_is_wasted_and_nobody_gets_more_than_there_is(
            total in 0_u32..300,
            lanes in proptest::collection::vec((1_u32..20, 0_u32..200), 1..6),
        ) {
            let lanes: Vec<_> = lanes.into_iter().map(|(w, r)| share(w, r)).collect();
            let given = Shares::default().split(total, &lanes);
            let there: u32 = lanes.iter().map(|c| c.releasable).sum();
            prop_assert_eq!(given.iter().sum::<u32>(), total.min(there));
            prop_assert!(given.iter().zip(&lanes).all(|(g, c)| *g <= c.releasable));
        }

        #[test]
        fn no_waiting_lane_starves(weight in 1_u32..50) {
            let mut shares = Shares::default();
            let mut small = 0;
            for _ in 0..=weight {
                small += shares.split(1, &[share(weight, 1_000), share(1, 1_000)])[1];
            }
            prop_assert_eq!(small, 1);
        }
    }
}

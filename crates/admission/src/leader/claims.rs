//! How long fans take from being called to coming in. The line tells how many
//! claimed; at which age is seen on a sample of those called, looked up once a
//! second, because reading everybody called would cost Redis more than it tells.

use std::collections::{BTreeMap, BTreeSet};

use usher_base::redis::CallError;
use usher_base::{EventId, FanId, Lane, Timestamp};
use usher_queue::{EndReason, Line, Place, ReleasedFan};

use crate::control::AgeCount;

/// Called fans followed at once; while fewer are called, all are.
const MAX_FOLLOWED: usize = 300;

struct Followed {
    fan: FanId,
    lane: Lane,
    called_at: Timestamp,
    /// Called fans that this one stands for.
    stands_for: u64,
}

#[derive(Default)]
pub(super) struct ClaimAges {
    followed: Vec<Followed>,
    called: u64,
    /// Seen and not yet accounted for: age in seconds -> people.
    seen: BTreeMap<u32, u64>,
}

impl ClaimAges {
    /// Follows one in so many of those just called; `admitted` are called by now.
    pub fn called(&mut self, lane: &Lane, fans: &[ReleasedFan], at: Timestamp, admitted: u64) {
        let one_in = admitted / MAX_FOLLOWED as u64 + 1;
        for one in fans {
            self.called = self.called.wrapping_add(1);
            if self.called.is_multiple_of(one_in) && self.followed.len() < MAX_FOLLOWED {
                self.followed.push(Followed {
                    fan: one.fan,
                    lane: lane.clone(),
                    called_at: at,
                    stands_for: one_in,
                });
            }
        }
    }

    /// Looks up where those followed are now; whoever is not called any more is
    /// followed no longer.
    pub async fn look(
        &mut self,
        line: &Line,
        event: EventId,
        now: Timestamp,
    ) -> Result<(), CallError> {
        for lane in self.lanes() {
            let (of_lane, others) = std::mem::take(&mut self.followed)
                .into_iter()
                .partition::<Vec<_>, _>(|one| one.lane == lane);
            self.followed = others;
            let fans: Vec<FanId> = of_lane.iter().map(|one| one.fan).collect();
            let places = line.places(event, &lane, &fans).await?;
            for (one, place) in of_lane.into_iter().zip(places) {
                self.was_seen(one, &place, now);
            }
        }
        Ok(())
    }

    /// Each once: a look asks once a lane, however the calls of lanes alternated.
    fn lanes(&self) -> BTreeSet<Lane> {
        self.followed.iter().map(|one| one.lane.clone()).collect()
    }

    fn was_seen(&mut self, one: Followed, place: &Place, now: Timestamp) {
        match place {
            Place::Admitted { .. } => self.followed.push(one),
            Place::Active(_)
            | Place::Ended(EndReason::Finished | EndReason::Expired | EndReason::Revoked) => {
                let age_s = now.since(one.called_at).as_secs();
                let age_s = u32::try_from(age_s).unwrap_or(u32::MAX);
                *self.seen.entry(age_s).or_default() += one.stands_for;
            }
            _ => {}
        }
    }

    /// So many claimed: by age, in the proportions of the sample. Without one (the
    /// fans were called by an earlier leader) all at the usual age.
    pub fn by_age(&mut self, claimed: u32, usual_age_s: f64) -> Vec<AgeCount> {
        if claimed == 0 {
            return Vec::new();
        }
        let seen = std::mem::take(&mut self.seen);
        if seen.is_empty() {
            let age_s = usual_age_s.clamp(0.0, 3_600.0) as u32;
            return vec![AgeCount {
                age_s,
                count: claimed,
            }];
        }
        in_proportion(claimed, &seen)
    }
}

/// Splits a count so that the parts add up: each sum so far is rounded.
fn in_proportion(count: u32, seen: &BTreeMap<u32, u64>) -> Vec<AgeCount> {
    let all: u64 = seen.values().sum();
    let (mut before, mut given) = (0, 0);
    let mut parts = Vec::with_capacity(seen.len());
    for (age_s, people) in seen {
        before += people;
        let until = (u128::from(count) * u128::from(before) / u128::from(all)) as u32;
        if until > given {
            parts.push(AgeCount {
                age_s: *age_s,
                count: until - given,
            });
            given = until;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use usher_base::Number;

    use super::*;

    fn fan(index: u32) -> ReleasedFan {
        let mut bytes = [1; 16];
        bytes[..4].copy_from_slice(&index.to_be_bytes());
        ReleasedFan {
            number: Number(index),
            fan: FanId::from_bytes(bytes),
        }
    }

    fn call(ages: &mut ClaimAges, from: u32, count: u32, admitted: u64) {
        let fans: Vec<_> = (from..from + count).map(fan).collect();
        let at = Timestamp::from_millis(i64::from(from));
        ages.called(&Lane::main(), &fans, at, admitted);
    }

    #[test]
    fn few_are_all_followed_and_many_are_sampled_evenly() {
        let mut ages = ClaimAges::default();
        call(&mut ages, 0, 50, 0);
        assert_eq!(ages.followed.len(), 50);
        let mut ages = ClaimAges::default();
        for second in 0..40 {
            call(&mut ages, second * 100, 100, 3_000);
        }
        assert!((300..=MAX_FOLLOWED).contains(&ages.followed.len()));
        assert!(ages.followed.iter().all(|one| one.stands_for == 11));
    }

    #[test]
    fn lanes_that_are_called_in_turns_are_asked_about_once() {
        let mut ages = ClaimAges::default();
        let lanes: [Lane; 2] = [Lane::main(), "presale".parse().unwrap()];
        for index in 0..20 {
            let lane = &lanes[index as usize % 2];
            ages.called(lane, &[fan(index)], Timestamp::default(), 20);
        }
        assert_eq!(ages.followed.len(), 20);
        assert_eq!(ages.lanes(), BTreeSet::from(lanes));
    }

    #[test]
    fn claims_without_a_sample_have_the_usual_age_and_ages_wait_for_their_claims() {
        let mut ages = ClaimAges::default();
        let usual = AgeCount { age_s: 8, count: 3 };
        assert_eq!(ages.by_age(3, 8.4), [usual]);
        ages.seen.insert(2, 11);
        assert_eq!(ages.by_age(0, 8.4), []);
        assert_eq!(ages.by_age(1, 8.4), [AgeCount { age_s: 2, count: 1 }]);
    }

    proptest! {
        #[test]
        fn nobody_is_lost_in_the_proportions(
            count in 1_u32..10_000,
            seen in proptest::collection::btree_map(0_u32..90, 1_u64..500, 1..90),
        ) {
            let parts = in_proportion(count, &seen);
            prop_assert_eq!(parts.iter().map(|part| part.count).sum::<u32>(), count);
            prop_assert!(parts.iter().all(|part| seen.contains_key(&part.age_s)));
        }
    }
}

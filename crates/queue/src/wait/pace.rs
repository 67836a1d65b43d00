//! One lane's part of the rate, now and later: when another lane has run empty,
//! its share goes to the others, and that can be foreseen.

/// What a lane asks of the common rate.
#[derive(Clone, Copy, Debug)]
pub struct LaneDemand {
    pub weight: u32,
    /// Who could be let in now.
    pub present: u32,
}

/// People a second, from so many seconds on; at least one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    steps: Vec<(f64, f64)>,
}

impl Pace {
    pub fn steady(per_second: f64) -> Self {
        Self {
            steps: vec![(0.0, per_second)],
        }
    }

    /// The common rate, by weight among the lanes where somebody is left.
    pub fn of_lanes(per_second: f64, lanes: &[LaneDemand]) -> Vec<Self> {
        let mut left: Vec<f64> = lanes.iter().map(|of| f64::from(of.present)).collect();
        let rate = |index: usize, left: &[f64]| {
            let asking = lanes.iter().zip(left).enumerate();
            let weights = asking
                .filter(|(other, (_, left))| *other == index || **left > 0.0)
                .map(|(_, (of, _))| f64::from(of.weight));
            per_second * f64::from(lanes[index].weight) / weights.sum::<f64>().max(1.0)
        };
        let mut paces: Vec<Self> = (0..lanes.len())
            .map(|index| Self::steady(rate(index, &left)))
            .collect();
        let mut from_s = 0.0;
        // Each round empties a lane.
        for _ in 1..lanes.len() {
            let rates: Vec<f64> = (0..lanes.len()).map(|index| rate(index, &left)).collect();
            let emptied = left.iter().zip(&rates).filter(|(left, _)| **left > 0.0);
            let span = emptied
                .map(|(left, rate)| left / rate)
                .fold(f64::INFINITY, f64::min);
            if !span.is_finite() {
                break;
            }
            from_s += span;
            for (left, rate) in left.iter_mut().zip(&rates) {
                // What a rounding leaves over is nobody.
                *left = if *left - rate * span < 1e-6 {
                    0.0
                } else {
                    *left - rate * span
                };
            }
            for (index, pace) in paces.iter_mut().enumerate() {
                if left[index] > 0.0 {
                    pace.steps.push((from_s, rate(index, &left)));
                }
            }
        }
        paces
    }

    /// So many people, divided among the lanes as they will be called.
    pub fn shared(people: Option<f64>, lanes: &[LaneDemand]) -> Vec<Option<f64>> {
        let Some(people) = people else {
            return vec![None; lanes.len()];
        };
        let as_if_in_a_second = Self::of_lanes(people, lanes);
        let shares = as_if_in_a_second.iter().map(|pace| pace.people_in(1.0));
        shares.map(Some).collect()
    }

    pub fn now(&self) -> f64 {
        self.at(0.0)
    }

    /// People in the next so many seconds.
    pub fn people_in(&self, seconds: f64) -> f64 {
        let ends = self.steps.iter().skip(1).map(|step| step.0);
        let ends = ends.chain([f64::INFINITY]);
        let steps = self.steps.iter().zip(ends);
        steps
            .map(|(step, end)| step.1 * (end.min(seconds) - step.0).max(0.0))
            .sum()
    }

    pub fn at(&self, second: f64) -> f64 {
        let begun = self.steps.partition_point(|step| step.0 <= second);
        self.steps[begun.max(1) - 1].1
    }

    /// The same, with only a share of it carried out.
    pub fn times(mut self, share: f64) -> Self {
        for step in &mut self.steps {
            step.1 *= share;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(weight: u32, present: u32) -> LaneDemand {
        LaneDemand { weight, present }
    }

    #[test]
    fn an_emptied_lanes_share_goes_to_the_others() {
        let paces = Pace::of_lanes(8.0, &[lane(3, 60), lane(1, 100)]);
        assert_eq!(paces[0].steps, [(0.0, 6.0)]);
        assert_eq!(paces[1].steps, [(0.0, 2.0), (10.0, 8.0)]);
        assert!((paces[1].people_in(12.0) - 36.0).abs() < 1e-9);
        assert!((paces[1].at(9.9) - 2.0).abs() < 1e-9 && (paces[1].at(10.0) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_left_is_divided_as_people_are_called() {
        let lanes = [lane(3, 60), lane(1, 100)];
        assert_eq!(Pace::shared(None, &lanes), [None, None]);
        let shared = |people| {
            let shares = Pace::shared(Some(people), &lanes).into_iter();
            shares
                .map(|of| of.unwrap_or(f64::NAN).round())
                .collect::<Vec<f64>>()
        };
        assert_eq!(shared(40.0), [30.0, 10.0]);
        assert_eq!(shared(0.0), [0.0, 0.0]);
        // 60 and 20 while both are asked for, then all to the second.
        assert_eq!(shared(120.0)[1], 60.0);
    }

    #[test]
    fn who_is_alone_has_all_of_it_and_an_empty_lane_its_share() {
        let paces = Pace::of_lanes(8.0, &[lane(3, 0), lane(1, 100)]);
        assert!((paces[1].now() - 8.0).abs() < 1e-9);
        assert!((paces[0].now() - 6.0).abs() < 1e-9, "of who comes next");
        assert!(Pace::of_lanes(0.0, &[lane(1, 5), lane(1, 9)])[0].now() < 1e-9);
    }
}

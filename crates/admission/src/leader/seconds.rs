//! The releases of the last minute, second by second: what waiting times are
//! estimated from. Pure.

use std::collections::VecDeque;

use crate::status::Flow;

const SECONDS: usize = 60;

#[derive(Debug, Default)]
pub struct Seconds {
    released: VecDeque<u32>,
}

impl Seconds {
    /// Takes in one second.
    pub fn push(&mut self, released: u32) {
        self.released.push_back(released);
        if self.released.len() > SECONDS {
            self.released.pop_front();
        }
    }

    pub fn flow(&self) -> Flow {
        let count = self.released.len();
        if count == 0 {
            return Flow::default();
        }
        let mean = self.released.iter().map(|n| f64::from(*n)).sum::<f64>() / count as f64;
        let squares = self.released.iter().map(|n| (f64::from(*n) - mean).powi(2));
        Flow {
            per_second: mean,
            variance: squares.sum::<f64>() / count as f64,
            seconds: count as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flow_is_that_of_the_last_minute() {
        let mut seconds = Seconds::default();
        for _ in 0..100 {
            seconds.push(50);
        }
        for _ in 0..30 {
            seconds.push(8);
            seconds.push(12);
        }
        let flow = seconds.flow();
        assert_eq!(
            (flow.per_second, flow.variance, flow.seconds),
            (10.0, 4.0, 60)
        );
    }
}

//! A ratio of two counts of which the older part fades.

/// Sum of what was counted over the sum of what it is counted against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fading {
    counted: f64,
    against: f64,
    memory_s: f64,
}

impl Fading {
    /// Begins with a guess that weighs as much as this.
    pub fn guess(counted: f64, against: f64, memory_s: f64) -> Self {
        Self {
            counted,
            against,
            memory_s,
        }
    }

    pub fn count(&mut self, counted: f64, against: f64, elapsed_s: f64) {
        let keep = (-elapsed_s / self.memory_s).exp();
        self.counted = self.counted * keep + counted;
        self.against = self.against * keep + against;
    }

    /// Drawn towards 1 as if that had been counted so many times.
    pub fn believed(&self, times: f64) -> f64 {
        (self.counted + times) / (self.against + times)
    }

    pub fn get(&self) -> f64 {
        if self.against > 0.0 {
            self.counted / self.against
        } else {
            0.0
        }
    }
}

//! What is left of a batch that could not be written as a whole. The same bound for
//! all that a node writes: of rows that somebody keeps locked a batch waits for a few,
//! and what is left then is given up, so that those behind it go on.

/// Locks that a batch waits for in vain.
const MAX_LOCK_WAITS: usize = 4;

/// Jobs by their position in the batch, in parts that are written one by one.
pub(super) struct Parts {
    left: Vec<Vec<usize>>,
    lock_waits: usize,
}

impl Parts {
    /// The whole batch is the first part.
    pub fn of(jobs: usize) -> Self {
        Self {
            left: vec![(0..jobs).collect()],
            lock_waits: 0,
        }
    }

    pub fn next_part(&mut self) -> Option<Vec<usize>> {
        self.left.pop()
    }

    pub fn again(&mut self, part: Vec<usize>) {
        self.left.push(part);
    }

    pub fn halve(&mut self, part: &[usize]) {
        let (front, back) = part.split_at(part.len() / 2);
        self.left.extend([back.to_vec(), front.to_vec()]);
    }

    /// Somebody keeps rows of this part: its jobs go on singly, since halves would wait
    /// as long again each. Returns those that are given up.
    pub fn kept_locked(&mut self, part: Vec<usize>) -> Vec<usize> {
        tracing::warn!(jobs = part.len(), "somebody keeps rows locked");
        self.lock_waits += 1;
        let mut given_up = Vec::new();
        match part[..] {
            [_] => given_up = part,
            _ => self.left.extend(part.into_iter().map(|at| vec![at])),
        }
        if self.lock_waits >= MAX_LOCK_WAITS {
            given_up.extend(self.left.drain(..).flatten());
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_up_what_is_left_after_so_many_locks() {
        let mut parts = Parts::of(10);
        let mut waits = 0;
        let mut given_up = Vec::new();
        while let Some(part) = parts.next_part() {
            waits += 1;
            given_up.extend(parts.kept_locked(part));
        }
        given_up.sort_unstable();
        assert_eq!(waits, MAX_LOCK_WAITS);
        assert_eq!(given_up, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn one_locked_row_costs_its_own_job_alone() {
        let mut parts = Parts::of(4);
        let mut done = Vec::new();
        let mut given_up = Vec::new();
        while let Some(part) = parts.next_part() {
            match part.contains(&2) {
                true => given_up.extend(parts.kept_locked(part)),
                false => done.extend(part),
            }
        }
        done.sort_unstable();
        assert_eq!((done, given_up), (vec![0, 1, 3], vec![2]));
    }
}

//! A crowd in line, in a loop of seconds: who comes when, who is away, who leaves,
//! who is let in. Knows nothing of forecasts; a seed gives the same crowd every time.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use usher_base::Number;
use usher_queue::{Bitmap, Board};

/// Edges tell the leader of a connection within so many seconds.
const SEEN_AFTER_S: u32 = 3;

/// How fans behave.
#[derive(Clone, Copy)]
pub struct Habits {
    pub fans: u32,
    /// All of them come within so many seconds.
    pub arrive_s: u32,
    /// Of those present, who goes away in a second.
    pub goes_away: f64,
    /// Of those away, who comes back in a second.
    pub comes_back: f64,
    /// Of all, who gives up in a second.
    pub gives_up: f64,
}

pub struct Fan {
    pub number: Number,
    pub came: u32,
    pub left: bool,
    /// In seconds, by the slice of the second.
    pub admitted: Option<f64>,
    /// Was away when the turn came, and served on return: no wait to be foreseen.
    pub was_passed_over: bool,
    present: bool,
}

impl Fan {
    pub fn waits(&self) -> bool {
        !self.left && self.admitted.is_none()
    }
}

/// One lane's crowd.
pub struct Crowd {
    pub fans: Vec<Fan>,
    habits: Habits,
    rng: StdRng,
    /// The largest number let in.
    front: Number,
    /// Everybody before has left or was let in.
    first: usize,
}

impl Crowd {
    pub fn new(habits: Habits, seed: u64) -> Self {
        Self {
            fans: Vec::new(),
            habits,
            rng: StdRng::seed_from_u64(seed),
            front: Number(0),
            first: 0,
        }
    }

    /// Comes, goes and gives up; how many gave up.
    pub fn second(&mut self, now: u32) -> u32 {
        let Habits { fans, arrive_s, .. } = self.habits;
        let come = (u64::from(fans) * u64::from(now + 1) / u64::from(arrive_s)) as usize;
        while self.fans.len() < come.min(fans as usize) {
            self.fans.push(Fan {
                number: Number(self.fans.len() as u32 + 1),
                came: now,
                left: false,
                admitted: None,
                was_passed_over: false,
                present: true,
            });
        }
        let mut left = 0;
        for fan in self.fans[self.first..].iter_mut().filter(|fan| fan.waits()) {
            fan.left = self.rng.random_bool(self.habits.gives_up);
            left += u32::from(fan.left);
            let turns = if fan.present {
                self.habits.goes_away
            } else {
                self.habits.comes_back
            };
            if self.rng.random_bool(turns) {
                fan.present = !fan.present;
            }
        }
        left
    }

    /// Lets in the first so many who are seen; who they are.
    pub fn let_in(&mut self, count: u32, now: u32) -> Vec<Number> {
        let from = self.first;
        let seen = |fan: &&mut Fan| fan.waits() && fan.present && fan.came + SEEN_AFTER_S <= now;
        let called = self.fans[from..]
            .iter_mut()
            .filter(seen)
            .take(count as usize)
            .enumerate()
            .map(|(index, fan)| {
                // A second is released in four slices.
                let slice = index as u32 * 4 / count;
                fan.admitted = Some(f64::from(now) + 0.25 * f64::from(slice));
                fan.was_passed_over = fan.number < self.front;
                self.front = self.front.max(fan.number);
                fan.number
            });
        let called: Vec<Number> = called.collect();
        let done = self.fans[from..].iter().take_while(|fan| !fan.waits());
        self.first += done.count();
        called
    }

    pub fn board(&self) -> Board {
        Board::new(self.numbers(|_| true))
    }

    pub fn here(&self, now: u32) -> Bitmap {
        self.numbers(|fan| fan.present && fan.came + SEEN_AFTER_S <= now)
    }

    pub fn is_over(&self) -> bool {
        self.fans.len() == self.habits.fans as usize && self.first == self.fans.len()
    }

    /// Those who wait, are present and may be told something.
    pub fn listening(&self) -> impl Iterator<Item = &Fan> {
        self.fans[self.first..]
            .iter()
            .filter(|fan| fan.waits() && fan.present)
    }

    fn numbers(&self, which: impl Fn(&Fan) -> bool) -> Bitmap {
        let waiting = self.fans[self.first..].iter().filter(|fan| fan.waits());
        waiting
            .filter(|fan| which(fan))
            .map(|fan| fan.number)
            .collect()
    }
}

//! What the simulated world measures of itself each second: the signals and the room that a law is shown, and the
//! row of truth that judgement and pictures are made from.

use super::backend::{Counted, quantile_ms};
use super::fans::Seats;
use super::law::Answer;
use crate::control::{AgeCount, Room, Signals, Stock};

/// One second of a run.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Requests/s the backend could do.
    pub capacity: f64,
    pub goodput: f64,
    pub refused: f64,
    pub p99_ms: f64,
    pub inside: u64,
    pub wanted_inside: f64,
    /// Decided rate, people/s.
    pub rate_per_s: f64,
    pub released: u32,
    pub alarm: bool,
    /// Fans who gave up for being refused, so far.
    pub gave_up: u64,
    /// People in line whom the stock was believed to serve, and whether it bound.
    pub reach: Option<f64>,
    pub ends_the_line: bool,
}

#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) rows: Vec<Row>,
    pub(super) admitted: u64,
    pub(super) found_nothing: u64,
    pub(super) gave_up: u64,
    pub(super) first_attempts: u32,
    pub(super) released: u32,
    inside: u64,
    ends: u32,
    claims: Vec<AgeCount>,
    first_holds: Vec<AgeCount>,
}

impl Meter {
    pub(super) fn claimed(&mut self, age_s: u64) {
        self.admitted += 1;
        self.inside += 1;
        count(&mut self.claims, age_s);
    }

    pub(super) fn held(&mut self, age_s: u64) {
        count(&mut self.first_holds, age_s);
    }

    pub(super) fn ended(&mut self) {
        self.inside -= 1;
        self.ends += 1;
    }

    pub(super) fn signals(&self, counted: &mut Counted) -> Signals {
        let counted = std::mem::take(counted);
        let mut latencies_us = counted.latencies_us;
        Signals {
            requests: f64::from(self.first_attempts),
            completed: latencies_us.len() as f64,
            rejects: f64::from(counted.rejects),
            errors: f64::from(counted.errors),
            p50_ms: quantile_ms(&mut latencies_us, 0.5),
            p99_ms: quantile_ms(&mut latencies_us, 0.99),
            ..Signals::default()
        }
    }

    pub(super) fn room(&self, waiting: u64, seats: Option<Seats>) -> Room {
        Room {
            waiting,
            inside: self.inside,
            ends: self.ends,
            released: self.released,
            claims: self.claims.clone(),
            stock: seats.map(|seats| Stock {
                free_seats: seats.free,
                seats_per_order: seats.seats_per_order(),
                orders: seats.orders,
                first_holds: self.first_holds.clone(),
            }),
        }
    }

    pub(super) fn write_row(&mut self, capacity: f64, signals: &Signals, answer: &Answer) {
        self.rows.push(Row {
            capacity,
            goodput: signals.completed,
            refused: signals.rejects + signals.errors,
            p99_ms: signals.p99_ms.unwrap_or(0.0),
            inside: self.inside,
            wanted_inside: answer.wanted_inside,
            rate_per_s: answer.rate_per_s,
            released: self.released,
            alarm: answer.alarm,
            gave_up: self.gave_up,
            reach: answer.reach,
            ends_the_line: answer.ends_the_line,
        });
    }

    pub(super) fn next_second(&mut self) {
        self.first_attempts = 0;
        self.released = 0;
        self.ends = 0;
        self.claims.clear();
        self.first_holds.clear();
    }
}

fn count(ages: &mut Vec<AgeCount>, age_s: u64) {
    let age_s = age_s as u32;
    match ages.iter_mut().find(|a| a.age_s == age_s) {
        Some(age) => age.count += 1,
        None => ages.push(AgeCount { age_s, count: 1 }),
    }
}

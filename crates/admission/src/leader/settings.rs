//! What an event's law is set to: its calibration, the constants that an admin set,
//! its claim window. Postgres has the word; what it said last holds while it is away.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use sqlx::PgPool;
use usher_base::EventId;

use crate::control::{Constants, Tuning};
use crate::pg::law_settings as table;

/// The first reading of a start without Postgres is not held up for longer.
const READ_WITHIN: Duration = Duration::from_millis(300);
/// A claim at the very end of its window is seen so much later.
const CLAIM_SEEN_WITHIN_S: u64 = 2;
/// Windows that the law follows claims over. Longer ones are for those who are called
/// by mail; what comes so late is little, and the law's memory grows with it.
const CLAIM_WINDOWS_S: std::ops::RangeInclusive<u64> = 5..=900;

/// What is set for one event.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LawSettings {
    /// What its backend was measured to bear.
    pub requests_per_s: Option<f64>,
    pub constants: Constants,
}

impl LawSettings {
    /// The law of an event whose fans may take so long to claim.
    pub fn tuning(&self, claim_window: Duration) -> Tuning {
        let mut tuning = self.constants.over(Tuning::default());
        if let Some(requests_per_s) = self.requests_per_s {
            tuning.start_requests_per_s = requests_per_s;
        }
        let (least, most) = CLAIM_WINDOWS_S.into_inner();
        let window_s = claim_window.as_secs() + CLAIM_SEEN_WITHIN_S;
        // Fits: it is a quarter of an hour at most.
        tuning.claims.window_s = window_s.clamp(least, most) as u32;
        tuning
    }
}

/// Of all events, as Postgres had it last.
#[derive(Default)]
pub(super) struct SettingsOfAll {
    known: RwLock<Option<HashMap<EventId, LawSettings>>>,
}

impl SettingsOfAll {
    /// What was known stays without Postgres.
    pub async fn refresh(&self, pool: &PgPool) {
        if let Ok(Ok(read)) = tokio::time::timeout(READ_WITHIN, table::all(pool)).await {
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(read);
        }
    }

    /// `None` before the first reading: then nobody knows whether anything is set.
    pub fn of(&self, event: EventId) -> Option<LawSettings> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let settings = known.as_ref()?.get(&event);
        Some(settings.copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cache;
    use crate::control::{AgeCount, Controller, Policy, Room, Signals, Stock};

    #[test]
    fn the_law_follows_the_claim_window_and_every_window_makes_a_legal_law() {
        let set = LawSettings::default();
        let window = |seconds| {
            let tuning = set.tuning(Duration::from_secs(seconds));
            tuning.validate().unwrap();
            tuning.claims.window_s
        };
        assert_eq!([10, 90, 3_600].map(window), [12, 92, 900]);
    }

    /// The law's memory must fit into what is read back (`cache`), whatever the window.
    #[test]
    fn with_the_longest_window_the_laws_memory_can_still_be_read() {
        let tuning = LawSettings::default().tuning(Duration::from_secs(3_600));
        let mut law = Controller::new(tuning).unwrap();
        let age = |s: u64| AgeCount {
            age_s: (s % 900) as u32,
            count: 7,
        };
        for s in 0..2_000 {
            let stock = Stock {
                free_seats: 50_000,
                seats_per_order: 2.3,
                orders: s,
                first_holds: vec![age(s)],
            };
            let room = Room {
                released: 13,
                claims: vec![age(s)],
                stock: Some(stock),
                ..Room::default()
            };
            let (at_ms, policy) = (1_795_255_200_000 + s * 997, Policy::default());
            law.tick(at_ms, Some(&Signals::default()), &room, &policy);
        }
        let text = cache::to_json(&law);
        println!("{} bytes", text.len());
        assert_eq!(cache::from_json::<Controller>(&text), Some(law));
    }

    #[test]
    fn calibration_and_constants_are_in_the_law() {
        let constants = Constants {
            brake_p99: Some(1.5),
            ..Constants::default()
        };
        let set = LawSettings {
            requests_per_s: Some(320.0),
            constants,
        };
        let tuning = set.tuning(Duration::from_secs(90));
        assert_eq!(tuning.start_requests_per_s, 320.0);
        assert_eq!(tuning.brake_p99, 1.5);
    }
}

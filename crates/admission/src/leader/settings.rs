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
    known: RwLock<HashMap<EventId, LawSettings>>,
}

impl SettingsOfAll {
    /// What was known stays without Postgres.
    pub async fn refresh(&self, pool: &PgPool) {
        match tokio::time::timeout(READ_WITHIN, table::all(pool)).await {
            Ok(Ok(read)) => {
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = read;
            }
            Ok(Err(error)) => tracing::warn!(%error, "what the laws are set to cannot be read"),
            Err(_) => tracing::warn!("what the laws are set to was not read in time"),
        }
    }

    /// `None` for an event that the last reading lacks, such as one that is newer: then
    /// nobody knows whether anything is set.
    pub fn of(&self, event: EventId) -> Option<LawSettings> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&event).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use usher_base::Timestamp;
    use usher_queue::pg::{NewLine, Store};
    use usher_queue::{LaneSetup, LineSettings, Schedule, Setup};
    use usher_sandbox::Sandbox;

    use super::*;
    use crate::cache;
    use crate::control::{AgeCount, Controller, Policy, Room, Signals, Stock};
    use crate::leader::{Kept, tally::Tally};

    #[tokio::test]
    async fn nothing_set_is_known_only_of_an_event_that_was_read() {
        let sandbox = Sandbox::start().await.unwrap();
        let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
        let settings = SettingsOfAll::default();
        settings.refresh(&pool).await;
        let event = EventId::new(Timestamp::from_millis(1_795_255_200_000));
        let lane = LaneSetup {
            lane: "main".parse().unwrap(),
            weight: 1,
            needs_code: false,
        };
        let setup = Setup {
            settings: LineSettings::default(),
            schedule: Schedule::default(),
            lanes: vec![lane],
        };
        let new = NewLine { event, setup };
        Store::new(pool.clone()).create_line(&new).await.unwrap();
        assert_eq!(settings.of(event), None, "it is newer than the reading");
        until_read(&settings, &pool, event).await;
        assert_eq!(settings.of(event), Some(LawSettings::default()));
        pool.close().await;
        settings.refresh(&pool).await;
        assert_eq!(settings.of(event), Some(LawSettings::default()));
    }

    /// On a busy machine a reading may not be done in time.
    async fn until_read(settings: &SettingsOfAll, pool: &PgPool, event: EventId) {
        for _ in 0..50 {
            settings.refresh(pool).await;
            if settings.of(event).is_some() {
                return;
            }
        }
        panic!("the event is never read");
    }

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
        let kept = Kept {
            at: Timestamp::from_millis(1_795_255_200_000),
            law,
            counted: Tally::default(),
            stock: None,
        };
        let text = cache::to_json(&kept);
        println!("{} bytes", text.len());
        let read: Kept = cache::from_json(&text).unwrap();
        assert_eq!(read.law, kept.law);
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

//! What the law is set to for each event that is led: one reading for all, because
//! the leader does it each second.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgPool;
use usher_base::EventId;
use uuid::Uuid;

use super::constants::legal;
use crate::leader::LawSettings;

/// More events than that are not led at once; the law of others stays as it is.
const MAX_EVENTS: i64 = 10_000;

/// Each event that is led; one that is not there is unknown.
pub(crate) async fn all(pool: &PgPool) -> Result<HashMap<EventId, LawSettings>, sqlx::Error> {
    let rows: Vec<(Uuid, Option<f64>, Option<Value>)> = sqlx::query_as(
        "SELECT event_id, requests_per_s, constants
         FROM lines LEFT JOIN admission_calibrations USING (event_id)
         LEFT JOIN admission_constants USING (event_id)
         WHERE phase <> 'closed' ORDER BY event_id LIMIT $1",
    )
    .bind(MAX_EVENTS)
    .fetch_all(pool)
    .await?;
    let settings = rows.into_iter().map(|(event, requests_per_s, constants)| {
        let event = EventId::from_uuid(event);
        let constants = constants.and_then(|set| legal(event, set));
        let settings = LawSettings {
            requests_per_s,
            constants: constants.unwrap_or_default(),
        };
        (event, settings)
    });
    Ok(settings.collect())
}

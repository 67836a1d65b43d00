//! What the law is set to for each event that is led: one reading for all, because
//! the leader does it each second.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgPool;
use usher_base::EventId;
use uuid::Uuid;

use super::constants::legal;
use crate::leader::LawSettings;

/// More events than that are not led at once.
const MAX_EVENTS: i64 = 10_000;

/// Events of which nothing is set are left out.
pub(crate) async fn all(pool: &PgPool) -> Result<HashMap<EventId, LawSettings>, sqlx::Error> {
    let rows: Vec<(Uuid, Option<f64>, Option<Value>)> = sqlx::query_as(
        "SELECT event_id, requests_per_s, constants
         FROM admission_calibrations FULL JOIN admission_constants USING (event_id)
         JOIN lines USING (event_id)
         WHERE lines.phase <> 'closed' LIMIT $1",
    )
    .bind(MAX_EVENTS)
    .fetch_all(pool)
    .await?;
    let settings = rows.into_iter().map(|(event, requests_per_s, constants)| {
        let settings = LawSettings {
            requests_per_s,
            constants: constants.and_then(legal).unwrap_or_default(),
        };
        (EventId::from_uuid(event), settings)
    });
    Ok(settings.collect())
}

//! Check-in at the door: once only, whoever scans and however often.

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use usher_base::signing::SigningKeys;
use usher_base::{EventId, Timestamp};

use super::{TicketClaim, TicketNumber};
use crate::pg::tickets::{self, TicketRow};

/// Who lets people in, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    pub staff: String,
    pub gate: String,
}

/// A ticket was used: when, by whom, where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    pub at: Timestamp,
    pub staff: String,
    pub gate: String,
}

/// What the person at the door sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Scan {
    Valid {
        ticket_number: TicketNumber,
        label: String,
    },
    AlreadyUsed {
        ticket_number: TicketNumber,
        label: String,
        first: Use,
    },
    WrongEvent {
        event_id: EventId,
    },
    Cancelled {
        ticket_number: TicketNumber,
    },
    Forged,
}

/// A scan made while the door had no network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfflineScan {
    pub code: String,
    pub at: Timestamp,
    #[serde(flatten)]
    pub door: Door,
}

/// Scans that one call may bring in later.
pub const MAX_OFFLINE_SCANS: usize = 1_000;

pub struct CheckIn<'a> {
    pub pool: &'a PgPool,
    pub keys: &'a SigningKeys,
    pub event: EventId,
}

impl CheckIn<'_> {
    /// Scans a code, or takes a number. Of many scans at once exactly one hears "valid".
    pub async fn scan(&self, code: &str, door: &Door, at: Timestamp) -> Result<Scan, sqlx::Error> {
        let Some(claim) = self.claim(code).await? else {
            return Ok(Scan::Forged);
        };
        if claim.event != self.event {
            return Ok(Scan::WrongEvent {
                event_id: claim.event,
            });
        }
        if let Some(label) = tickets::use_once(self.pool, &claim, door, at).await? {
            return Ok(Scan::Valid {
                ticket_number: claim.number,
                label,
            });
        }
        let found = tickets::find(self.pool, &claim.number).await?;
        Ok(judge(claim.number, found))
    }

    /// What a code says. A ticket's number, typed because its picture cannot be scanned,
    /// is as good as the picture: nobody can guess one.
    async fn claim(&self, code: &str) -> Result<Option<TicketClaim>, sqlx::Error> {
        if let Ok(claim) = TicketClaim::verify(self.keys, code) {
            return Ok(Some(claim));
        }
        let Ok(number) = code.trim().parse() else {
            return Ok(None);
        };
        let found = tickets::find(self.pool, &number).await?;
        Ok(found.map(|ticket| TicketClaim {
            event: ticket.event,
            number,
        }))
    }

    /// Brings in what a door scanned offline, in the given order. Whatever is
    /// not `Valid` here is a conflict that the door let in.
    pub async fn bring_in(&self, scans: &[OfflineScan]) -> Result<Vec<Scan>, sqlx::Error> {
        let mut results = Vec::with_capacity(scans.len().min(MAX_OFFLINE_SCANS));
        for scan in scans.iter().take(MAX_OFFLINE_SCANS) {
            results.push(self.scan(&scan.code, &scan.door, scan.at).await?);
        }
        Ok(results)
    }
}

/// Why a genuine ticket could not be used.
fn judge(ticket_number: TicketNumber, found: Option<TicketRow>) -> Scan {
    match found {
        Some(TicketRow {
            label,
            used: Some(first),
            ..
        }) => Scan::AlreadyUsed {
            ticket_number,
            label,
            first,
        },
        Some(_) => Scan::Cancelled { ticket_number },
        // Signed by us and unknown to us: the database is older than the ticket.
        None => Scan::Forged,
    }
}

//! Invite codes that open a lane: bounded uses, an end, counted durably. Only
//! hashes are stored, because a code is worth a ticket.

use ring::digest::{SHA256, digest};
use usher_base::{EventId, FanId, Lane, Timestamp};

use super::{Store, StoreError};

/// A longer text is no code of ours.
pub const MAX_CODE_BYTES: usize = 64;

#[derive(Clone, Debug)]
pub struct NewInvite<'a> {
    pub code: &'a str,
    pub lane: &'a Lane,
    pub uses: u32,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    #[error("this code does not open this event")]
    Unknown,
    #[error("this code has expired")]
    Expired,
    #[error("this code was used as often as it could be")]
    UsedUp,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InviteError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "invite_unknown",
            Self::Expired => "invite_expired",
            Self::UsedUp => "invite_used_up",
            Self::Store(_) => "line_unavailable",
        }
    }
}

impl Store {
    /// Adds a code, or sets what it may still do.
    pub async fn put_invite(
        &self,
        event: EventId,
        invite: &NewInvite<'_>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO invites (event_id, code_hash, lane, uses_left, expires_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (event_id, code_hash) DO UPDATE SET lane = excluded.lane,
                 uses_left = excluded.uses_left, expires_at = excluded.expires_at",
        )
        .bind(event.uuid())
        .bind(hash(event, invite.code))
        .bind(invite.lane.as_str())
        .bind(super::columns::to_count(invite.uses))
        .bind(invite.expires_at.map(Timestamp::to_datetime))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Uses the code for this fan and says which lane it opens. The same fan
    /// again uses nothing up, also when the code has none left by then.
    pub async fn use_invite(
        &self,
        event: EventId,
        code: &str,
        fan: FanId,
        now: Timestamp,
    ) -> Result<Lane, InviteError> {
        if code.len() > MAX_CODE_BYTES {
            return Err(InviteError::Unknown);
        }
        let code = hash(event, code);
        let used = self.use_hashed(event, &code, fan, now).await;
        used.map_err(StoreError::from)?
    }

    async fn use_hashed(
        &self,
        event: EventId,
        code: &[u8],
        fan: FanId,
        now: Timestamp,
    ) -> Result<Result<Lane, InviteError>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        // The row lock lets two uses of one code come one after the other.
        let found: Option<(String, i32, Option<time::OffsetDateTime>)> = sqlx::query_as(
            "SELECT lane, uses_left, expires_at FROM invites
             WHERE event_id = $1 AND code_hash = $2 FOR UPDATE",
        )
        .bind(event.uuid())
        .bind(code)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((lane, uses_left, expires_at)) = found else {
            return Ok(Err(InviteError::Unknown));
        };
        let lane = lane
            .parse::<Lane>()
            .map_err(|_| InviteError::Store(StoreError::Corrupt("invites.lane")));
        let first_use = sqlx::query(
            "INSERT INTO invite_uses (event_id, code_hash, fan_id) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(event.uuid())
        .bind(code)
        .bind(&fan.bytes()[..])
        .execute(&mut *transaction)
        .await?;
        if first_use.rows_affected() == 0 {
            return Ok(lane);
        }
        if expires_at.is_some_and(|end| Timestamp::from_datetime(end) <= now) {
            return Ok(Err(InviteError::Expired));
        }
        if uses_left == 0 {
            return Ok(Err(InviteError::UsedUp));
        }
        sqlx::query(
            "UPDATE invites SET uses_left = uses_left - 1 WHERE event_id = $1 AND code_hash = $2",
        )
        .bind(event.uuid())
        .bind(code)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(lane)
    }
}

/// Bound to the event, so that the same word at two events shows nowhere.
fn hash(event: EventId, code: &str) -> Vec<u8> {
    let text = format!("usher-invite-1 {event} {}", code.trim());
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

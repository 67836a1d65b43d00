//! Invite codes that open a lane: bounded uses, an end, counted durably. Only
//! hashes are stored, because a code is worth a ticket.

use ring::digest::{SHA256, digest};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use usher_base::{EventId, FanId, Lane, Timestamp};

use super::columns::{count, maybe_time, text};
use super::{Store, StoreError};

/// A longer text is no code of ours.
pub const MAX_CODE_BYTES: usize = 64;
/// Codes of one event. More people are invited by codes that open for more than one.
pub const MAX_INVITES: i64 = 100_000;

/// Codes that open the same lane on the same terms.
#[derive(Clone, Debug)]
pub struct NewInvites<'a> {
    pub codes: &'a [String],
    pub lane: &'a Lane,
    /// Fans who may use each.
    pub uses: u32,
    pub expires_at: Option<Timestamp>,
}

/// Names a code without telling it.
pub type InviteId = [u8; 32];

/// What is known of a code that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    pub lane: Lane,
    pub uses_left: u32,
    /// Fans who used it.
    pub used: u64,
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    #[error("this code opens nothing here; check it for typing errors")]
    Unknown,
    #[error("this code has expired; ask whoever gave it to you for another")]
    Expired,
    #[error("this code was used as often as it could be; ask whoever gave it to you for another")]
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
    /// Adds codes, or sets what they may still do: all of them, or none when the event
    /// would have too many.
    pub async fn put_invites(
        &self,
        event: EventId,
        invites: &NewInvites<'_>,
    ) -> Result<(), StoreError> {
        let ids: Vec<Vec<u8>> = invites
            .codes
            .iter()
            .map(|code| hash(event, code).to_vec())
            .collect();
        let mut transaction = self.pool.begin().await?;
        // Two operators at once are counted one after the other.
        sqlx::query("SELECT FROM lines WHERE event_id = $1 FOR UPDATE")
            .bind(event.uuid())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO invites (event_id, code_hash, lane, uses_left, expires_at)
             SELECT $1, code_hash, $3, $4, $5 FROM unnest($2::bytea[]) AS code_hash
             ON CONFLICT (event_id, code_hash) DO UPDATE SET lane = excluded.lane,
                 uses_left = excluded.uses_left, expires_at = excluded.expires_at",
        )
        .bind(event.uuid())
        .bind(&ids)
        .bind(invites.lane.as_str())
        .bind(super::columns::to_count(invites.uses))
        .bind(invites.expires_at.map(Timestamp::to_datetime))
        .execute(&mut *transaction)
        .await?;
        let count =
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM invites WHERE event_id = $1")
                .bind(event.uuid())
                .fetch_one(&mut *transaction)
                .await?;
        if count > MAX_INVITES {
            return Err(StoreError::TooManyInvites);
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The codes of an event without their text, by id: at most `limit` after this one.
    pub async fn invites(
        &self,
        event: EventId,
        after: Option<&InviteId>,
        limit: u32,
    ) -> Result<Vec<Invite>, StoreError> {
        let rows = sqlx::query(
            "SELECT code_hash, lane, uses_left, expires_at,
                 (SELECT count(*) FROM invite_uses u
                  WHERE u.event_id = i.event_id AND u.code_hash = i.code_hash) AS used
             FROM invites i WHERE event_id = $1 AND code_hash > $2 ORDER BY code_hash LIMIT $3",
        )
        .bind(event.uuid())
        .bind(after.map_or(&[][..], |id| &id[..]))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let read = |row| -> Result<_, StoreError> {
            let id: &[u8] = PgRow::try_get(row, "code_hash")?;
            let used: i64 = row.try_get("used")?;
            Ok(Invite {
                id: id
                    .try_into()
                    .map_err(|_| StoreError::Corrupt("code_hash"))?,
                lane: text(row, "lane")?,
                uses_left: count(row, "uses_left")?,
                used: used.cast_unsigned(),
                expires_at: maybe_time(row, "expires_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Takes a code back; who used it stays where they are. False when there is none.
    pub async fn take_invite_back(
        &self,
        event: EventId,
        id: &InviteId,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM invites WHERE event_id = $1 AND code_hash = $2")
            .bind(event.uuid())
            .bind(&id[..])
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
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
fn hash(event: EventId, code: &str) -> InviteId {
    let text = format!("usher-invite-1 {event} {}", code.trim());
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

//! A draw's row: what was committed to, the list and its root, the entropy. It
//! is filled in step by step and never replaced (a trigger refuses), so whoever
//! leads next finishes the same draw.

use rand::Rng as _;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use usher_base::signing::SigningKeys;
use usher_base::{EventId, FanId, Lane, Timestamp};

use super::columns::{maybe_time, time};
use super::{Store, StoreError};
use crate::draw::{
    Announcement, DrawSecret, EntropyError, EntropyRule, Evidence, FanList, Hash, RecordFormat,
    RecordHeader, RootNotice, Signed, SignedRoot, commitment, seed, serving_order,
};
use crate::phase::Ordering;

const FAN_BYTES: usize = 16;

/// A draw as far as it has come; the list itself is read apart.
#[derive(Clone, Debug)]
pub struct DrawRow {
    pub event: EventId,
    pub lane: Lane,
    pub rule: EntropyRule,
    pub commitment: Hash,
    /// Public from now on: the root of the final list.
    pub root: Option<RootNotice>,
    pub evidence: Option<Evidence>,
    pub opened_as_fifo: bool,
    pub finished_at: Option<Timestamp>,
    /// The key that signed the root's notice, and its signature.
    pub(super) signed: Option<([u8; 32], [u8; 64])>,
    pub(super) secret: DrawSecret,
    pub(super) seed: Option<Hash>,
    pub(super) numbered: u32,
}

impl DrawRow {
    /// What everybody may know of the draw at this moment.
    pub fn announcement(&self) -> Announcement {
        let notice = self.root.clone().zip(self.signed);
        Announcement {
            rule: self.rule.clone(),
            commitment: self.commitment,
            root: notice.map(|(notice, (signed_by, signature))| SignedRoot {
                notice,
                signed_by,
                signature,
            }),
            entropy: self.evidence.clone(),
            opened_as_fifo: self.opened_as_fifo,
            is_finished: self.finished_at.is_some(),
        }
    }
}

/// Why entropy was not taken.
#[derive(Debug, thiserror::Error)]
pub enum GiveEntropyError {
    #[error("the draw has no root yet, so nothing can decide it")]
    NoRoot,
    #[error("the rule names a value that is not known before {}", not_before.to_rfc3339())]
    TooEarly { not_before: Timestamp },
    #[error("this entropy is not what the draw's rule names: {0}")]
    Entropy(#[from] EntropyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Binds the operator before anybody gathers, and returns the commitment to
    /// publish. A draw that is committed already keeps its commitment.
    pub async fn commit_draw(
        &self,
        event: EventId,
        lane: &Lane,
        rule: &EntropyRule,
        secret: &DrawSecret,
    ) -> Result<Hash, StoreError> {
        let hash = commitment(event, lane, rule, secret);
        sqlx::query(
            "INSERT INTO draws (event_id, lane, rule, secret, commitment)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .bind(Json(rule))
        .bind(&secret.reveal()[..])
        .bind(&hash[..])
        .execute(&self.pool)
        .await?;
        let draw = self.draw(event, lane).await?;
        draw.map(|draw| draw.commitment).ok_or(StoreError::NoLine)
    }

    /// Binds the operator for each lane of a lottery that has no commitment yet, by
    /// the default rule: gathering never begins without.
    pub(super) async fn commit_missing(&self, event: EventId) -> Result<(), StoreError> {
        let row = self.line(event).await?;
        if row.settings.ordering != Ordering::Lottery {
            return Ok(());
        }
        for lane in row.lane_names() {
            let mut secret = [0; 32];
            rand::rng().fill_bytes(&mut secret);
            let secret = DrawSecret::from_bytes(secret);
            let rule = EntropyRule::default_drand();
            self.commit_draw(event, &lane, &rule, &secret).await?;
        }
        Ok(())
    }

    pub async fn draw(&self, event: EventId, lane: &Lane) -> Result<Option<DrawRow>, StoreError> {
        let row = sqlx::query(
            "SELECT rule, secret, commitment, root, root_published_at, evidence, seed,
                 signed_by, signature, opened_as_fifo, numbered, finished_at,
                 octet_length(fans) / 16 AS fans
             FROM draws WHERE event_id = $1 AND lane = $2",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| draw_row(event, lane, &row)).transpose()
    }

    /// Takes the entropy that the rule names, once; checked before it is stored.
    pub async fn give_entropy(
        &self,
        event: EventId,
        lane: &Lane,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Result<(), GiveEntropyError> {
        let draw = self.draw(event, lane).await?.ok_or(StoreError::NoLine)?;
        let root = draw.root.as_ref().ok_or(GiveEntropyError::NoRoot)?;
        let randomness = draw.rule.randomness(evidence, root.root_published_at)?;
        // A beacon's round cannot be signed before its time; a value can be made up.
        if let EntropyRule::PublicValue { not_before, .. } = draw.rule
            && now < not_before
        {
            return Err(GiveEntropyError::TooEarly { not_before });
        }
        let seed = seed(&draw.secret, &root.root, &randomness);
        sqlx::query(
            "UPDATE draws SET evidence = $3, seed = $4
             WHERE event_id = $1 AND lane = $2 AND seed IS NULL AND NOT opened_as_fifo",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .bind(Json(evidence))
        .bind(&seed[..])
        .execute(&self.pool)
        .await
        .map_err(StoreError::from)?;
        Ok(())
    }

    /// No entropy came: the numbers follow the order of arrival, and the record
    /// says so for ever. False when the entropy came first, or there is no root.
    pub async fn open_draw_as_fifo(&self, event: EventId, lane: &Lane) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE draws SET opened_as_fifo = true
             WHERE event_id = $1 AND lane = $2 AND seed IS NULL AND root IS NOT NULL",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The final list in the order of arrival.
    pub async fn draw_list(&self, event: EventId, lane: &Lane) -> Result<Vec<FanId>, StoreError> {
        let query = "SELECT fans FROM draws WHERE event_id = $1 AND lane = $2";
        let bytes: Option<Vec<u8>> = sqlx::query_scalar(query)
            .bind(event.uuid())
            .bind(lane.as_str())
            .fetch_one(&self.pool)
            .await?;
        let bytes = bytes.unwrap_or_default();
        let (fans, _) = bytes.as_chunks::<FAN_BYTES>();
        Ok(fans.iter().map(|fan| FanId::from_bytes(*fan)).collect())
    }

    /// The fans from number 1 on, once it is decided how.
    pub(super) async fn draw_order(
        &self,
        draw: &DrawRow,
    ) -> Result<Option<Vec<FanId>>, StoreError> {
        if draw.seed.is_none() && !draw.opened_as_fifo {
            return Ok(None);
        }
        let fans = self.draw_list(draw.event, &draw.lane).await?;
        let Some(seed) = draw.seed else {
            return Ok(Some(fans));
        };
        // Hashing and sorting a million fans takes a second of a core.
        let ordered = tokio::task::spawn_blocking(move || {
            let list = FanList::new(fans).map_err(|_| StoreError::Corrupt("draws.fans"))?;
            Ok(serving_order(&seed, &list))
        });
        let ordered: Result<_, StoreError> = ordered
            .await
            .map_err(|_| StoreError::Corrupt("draws.fans"))?;
        ordered.map(Some)
    }

    /// The public record of a draw that was decided by entropy: its first line
    /// and the fans by number. `None` before that, or after `open_draw_as_fifo`.
    pub async fn draw_record(
        &self,
        event: EventId,
        lane: &Lane,
    ) -> Result<Option<(RecordHeader, Vec<FanId>)>, StoreError> {
        let Some(draw) = self.draw(event, lane).await? else {
            return Ok(None);
        };
        let (Some(root), Some((signed_by, signature)), Some(entropy), Some(seed)) = (
            draw.root.clone(),
            draw.signed,
            draw.evidence.clone(),
            draw.seed,
        ) else {
            return Ok(None);
        };
        let header = RecordHeader {
            format: RecordFormat::Version1,
            event,
            lane: lane.clone(),
            fans: root.fans,
            rule: draw.rule.clone(),
            commitment: draw.commitment,
            secret: *draw.secret.reveal(),
            root: root.root,
            root_published_at: root.root_published_at,
            entropy,
            seed,
            signed_by,
            signature,
        };
        let order = self.draw_order(&draw).await?;
        Ok(order.map(|order| (header, order)))
    }

    /// Fixes the lists of all lanes at once, signed: after this they are public.
    pub(super) async fn publish_roots(
        &self,
        keys: &SigningKeys,
        lists: Vec<(DrawRow, Vec<FanId>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        for (draw, fans) in lists {
            let bytes: Vec<u8> = fans.iter().flat_map(|fan| *fan.bytes()).collect();
            let list = FanList::new(fans).map_err(|_| StoreError::Corrupt("gathered fans"))?;
            let notice = RootNotice {
                event: draw.event,
                lane: draw.lane,
                commitment: draw.commitment,
                fans: u32::try_from(list.as_slice().len()).unwrap_or(u32::MAX),
                root: list.root(),
                root_published_at: now,
            };
            let signed = Signed::new(notice, |bytes| keys.sign_bytes(bytes));
            let signed_by = keys.public_key(&signed.kid);
            sqlx::query(
                "UPDATE draws SET fans = $3, root = $4, root_published_at = $5, signed_by = $6,
                     signature = $7
                 WHERE event_id = $1 AND lane = $2 AND root IS NULL",
            )
            .bind(signed.statement.event.uuid())
            .bind(signed.statement.lane.as_str())
            .bind(bytes)
            .bind(&signed.statement.root[..])
            .bind(now.to_datetime())
            .bind(&signed_by.ok_or(StoreError::Corrupt("the signing key"))?[..])
            .bind(&signed.signature[..])
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    pub(super) async fn note_numbered(
        &self,
        draw: &DrawRow,
        numbered: usize,
        finished_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE draws SET numbered = greatest(numbered, $3),
                 finished_at = coalesce(finished_at, $4)
             WHERE event_id = $1 AND lane = $2",
        )
        .bind(draw.event.uuid())
        .bind(draw.lane.as_str())
        .bind(i64::try_from(numbered).unwrap_or(i64::MAX))
        .bind(finished_at.map(Timestamp::to_datetime))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn draw_row(event: EventId, lane: &Lane, row: &PgRow) -> Result<DrawRow, StoreError> {
    let Json(rule) = row.try_get("rule")?;
    let evidence: Option<Json<Evidence>> = row.try_get("evidence")?;
    let (root, seed): (Option<&[u8]>, Option<&[u8]>) = (row.try_get("root")?, row.try_get("seed")?);
    let commitment = fixed(row, "commitment")?;
    let numbered: i64 = row.try_get("numbered")?;
    let notice = |_| -> Result<_, StoreError> {
        let fans: i32 = row.try_get("fans")?;
        Ok(RootNotice {
            event,
            lane: lane.clone(),
            commitment,
            fans: u32::try_from(fans).map_err(|_| StoreError::Corrupt("fans"))?,
            root: fixed(row, "root")?,
            root_published_at: time(row, "root_published_at")?,
        })
    };
    let signed =
        |_| -> Result<_, StoreError> { Ok((fixed(row, "signed_by")?, fixed(row, "signature")?)) };
    Ok(DrawRow {
        event,
        lane: lane.clone(),
        signed: root.map(signed).transpose()?,
        rule,
        commitment,
        root: root.map(notice).transpose()?,
        evidence: evidence.map(|Json(evidence)| evidence),
        opened_as_fifo: row.try_get("opened_as_fifo")?,
        finished_at: maybe_time(row, "finished_at")?,
        secret: DrawSecret::from_bytes(fixed(row, "secret")?),
        seed: seed.map(|_| fixed(row, "seed")).transpose()?,
        numbered: u32::try_from(numbered).map_err(|_| StoreError::Corrupt("numbered"))?,
    })
}

fn fixed<const N: usize>(row: &PgRow, column: &'static str) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt(column))
}

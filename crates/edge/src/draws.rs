//! Lists and records of draws, kept after the first time they were asked for:
//! they never change, and making one of a million fans takes a second of a core.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use tokio::sync::Mutex;
use usher_base::{EventId, FanId, Lane};
use usher_queue::draw::{FanList, InclusionProof, MerkleTree, write_record};
use usher_queue::pg::{Store, StoreError};

use crate::api::admin::lines::refusal;
use crate::error::{ApiError, ApiResult};

type Of<T> = Mutex<Option<((EventId, Lane), T)>>;

/// The newest of each only: a million fans take 40 MB as a record, 80 MB as a
/// list with its tree. The lock is held while one is made, so one is made at a time.
#[derive(Default)]
pub struct Draws {
    list: Of<Arc<List>>,
    record: Of<Published>,
}

/// The final list with all hashes of its tree.
pub struct List {
    fans: FanList,
    tree: MerkleTree,
}

impl List {
    pub fn proof(&self, fan: &FanId) -> Option<InclusionProof> {
        self.tree.proof(self.fans.index_of(fan)?)
    }
}

/// A record's bytes.
#[derive(Clone)]
pub struct Published(pub Bytes);

impl Draws {
    pub async fn list(&self, store: &Store, event: EventId, lane: &Lane) -> ApiResult<Arc<List>> {
        let mut kept = self.list.lock().await;
        if let Some((of, list)) = kept.as_ref()
            && (of.0, &of.1) == (event, lane)
        {
            return Ok(Arc::clone(list));
        }
        let draw = store.draw(event, lane).await.map_err(refusal)?;
        if draw.is_none_or(|draw| draw.root.is_none()) {
            return Err(not_yet(
                "The list is not final yet; ask again once the root is out.",
            ));
        }
        let fans = store.draw_list(event, lane).await.map_err(refusal)?;
        let made = tokio::task::spawn_blocking(move || {
            let fans = FanList::new(fans).map_err(|_| StoreError::Corrupt("draws.fans"))?;
            let tree = MerkleTree::new(&fans);
            Ok(Arc::new(List { fans, tree }))
        });
        let made: Result<_, StoreError> = made.await.map_err(ApiError::internal)?;
        let list = made.map_err(refusal)?;
        *kept = Some(((event, lane.clone()), Arc::clone(&list)));
        Ok(list)
    }

    pub async fn record(&self, store: &Store, event: EventId, lane: &Lane) -> ApiResult<Published> {
        let mut kept = self.record.lock().await;
        if let Some((of, record)) = kept.as_ref()
            && (of.0, &of.1) == (event, lane)
        {
            return Ok(record.clone());
        }
        let record = store.draw_record(event, lane).await.map_err(refusal)?;
        let (header, order) = record.ok_or_else(|| {
            not_yet("There is no record yet; it is published once the numbers are drawn.")
        })?;
        let mut bytes = Vec::new();
        write_record(&mut bytes, &header, &order).map_err(ApiError::internal)?;
        let record = Published(bytes.into());
        *kept = Some(((event, lane.clone()), record.clone()));
        Ok(record)
    }
}

fn not_yet(message: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "draw_not_public", message)
}

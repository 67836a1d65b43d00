//! The catalog's door to Postgres: thin calls, so that who keeps events whole
//! knows no SQL.

use sqlx::PgPool;
use usher_base::EventId;

use super::pg::{self, CatalogError, Found, Search};
use super::{Draft, Event, EventPatch, PatchedEvent};
use crate::holds::LiveOrder;
use crate::layout::Layout;
use crate::pg::totals::{self, Totals};
use crate::pg::{InventoryError, inventory_state};

#[derive(Clone)]
pub struct CatalogStore {
    pool: PgPool,
}

impl CatalogStore {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub async fn create(&self, draft: &Draft) -> Result<(), CatalogError> {
        pg::create(&self.pool, draft).await
    }

    pub async fn get(&self, event: EventId) -> Result<Event, CatalogError> {
        pg::get(&self.pool, event).await
    }

    pub async fn all(&self) -> Result<Vec<Event>, CatalogError> {
        pg::all(&self.pool).await
    }

    pub async fn search(&self, wanted: &Search) -> Result<Found, CatalogError> {
        pg::search(&self.pool, wanted).await
    }

    pub async fn patch(
        &self,
        event: EventId,
        patch: EventPatch,
    ) -> Result<PatchedEvent, CatalogError> {
        pg::patch(&self.pool, event, patch).await
    }

    pub async fn delete(&self, event: EventId) -> Result<(), CatalogError> {
        pg::delete(&self.pool, event).await
    }

    pub async fn layout_of(&self, event: &Event) -> Result<Option<Layout>, CatalogError> {
        match &event.layout_version {
            Some(version) => pg::layout(&self.pool, version).await,
            None => Ok(None),
        }
    }

    /// What is sold or being paid, as the inventory is rebuilt from it.
    pub async fn orders(&self, event: EventId) -> Result<Vec<LiveOrder>, InventoryError> {
        inventory_state(&self.pool, event).await
    }

    pub async fn sold(&self, event: EventId) -> Result<Totals, CatalogError> {
        Ok(totals::read(&self.pool, event).await?)
    }
}

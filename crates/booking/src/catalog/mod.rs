//! What is for sale: events with their title, venue, layout, prices, standing
//! tiers, limits and sale window. Postgres keeps it (`pg`); Redis shows it to
//! roles that have no Postgres (`published`).

mod draft;
mod model;
mod on_sale;
mod patch;
pub mod pg;
mod published;
mod store;
pub(crate) mod words;

pub use draft::{Draft, DraftError, EventDraft, TierDraft, VenueDraft};
pub use model::{Event, Rules, Tier, Title, Venue};
pub use on_sale::{OnSale, Price, TierView};
pub use patch::{EventPatch, PatchError, PatchedEvent};
pub use published::{Catalog, MAX_PUBLISHED_EVENTS};
pub use store::CatalogStore;
pub use words::has_words;

//! Holds: seats and standing places set aside for one fan for a limited time,
//! pinned by a commit, ended by settle, release or time. The truth about them
//! is in Redis, changed only by the scripts of `lua/booking`; here are their
//! typed calls (`store`, `pins`, `rebuild`), the trail they leave, and the
//! pure rules of what a hold may become (`state`).

mod error;
mod model;
mod pins;
mod rebuild;
mod record;
mod reserve;
mod state;
mod store;
mod trail;

pub use error::HoldError;
pub use model::{Hold, HoldRequest, HoldRules, HoldTag};
pub use pins::{Pinned, PinnedOrder, Settled, SoldOrder, Unpin, Unpinned};
pub use rebuild::{LiveOrder, LiveOrderState, RebuildError, Rebuilt, Stock};
pub use reserve::{Alternatives, BestAvailable, ReserveError, ReserveRequest, TierCount};
pub use state::{HoldChange, ReservationStatus};
pub use store::{Holds, Swept};
pub use trail::{TrailEntry, TrailKind};

/// Orders of one event that may be between commit and settle; past that a
/// commit is refused at once, because Postgres is evidently behind.
pub const MAX_COMMITTING: usize = 20_000;
/// The commit of one hold whose failure no longer earns it new time; those
/// before it do.
pub const MAX_EARNING_ATTEMPTS: u32 = 3;

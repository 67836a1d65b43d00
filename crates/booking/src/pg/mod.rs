//! Everything that the booking core says to Postgres, which has the last word.
//! No other module of the crate knows SQL (the catalog has its own `pg`).

pub mod audit;
pub mod close;
mod columns;
pub mod decide;
pub mod deliveries;
pub mod epoch;
mod fault;
mod group_commit;
mod insert;
mod inventory;
pub mod notices;
pub mod operators;
pub mod outbox;
pub mod paid;
mod parts;
pub mod read;
mod record;
pub mod store;
pub mod sync;
pub mod test_ledger;
pub mod tickets;
pub mod totals;
pub mod views;
pub mod webhooks;
pub mod words;
mod writer;

pub use group_commit::{GroupCommit, MAX_BATCH_JOBS, NotDone};
pub use inventory::{InventoryError, inventory_state};
pub use record::{Recorded, record};
pub use writer::{WRITER_CONNECTIONS, Writer};

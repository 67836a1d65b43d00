//! Orders: what they are made of and how they live (`model`, `state`,
//! `number`), how one comes about (`commit`), and how whatever was left
//! unfinished is finished (`reconcile`).

mod model;
mod number;
mod state;

pub use model::{Item, Limits, NewOrder, Order, Payment, Place, Refusal, seats_of, tiers_of};
pub use number::{InvalidOrderNumber, OrderNumber, order_id};
pub(crate) use number::{base32, readable_letters};
pub use state::{OrderChange, OrderState, UnknownState};

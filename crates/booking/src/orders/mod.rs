//! Orders: what they are made of and how they live (`model`, `state`,
//! `number`), how one comes about (`commit`, `drive`, `tell`), how it is given
//! back (`cancel`), what operators and doors ask (`office`, `wanted`), and how whatever was left unfinished is finished
//! (`reconcile`).

mod cancel;
mod commit;
mod drive;
mod lookup;
mod model;
mod number;
mod office;
mod receipt;
mod reconcile;
mod state;
mod tell;
mod wanted;

use std::sync::Arc;

use sqlx::PgPool;
use usher_base::Clock;
use usher_base::redis::Redis;

use crate::holds::Holds;
use crate::payments::GuardedProvider;
use crate::pg::Writer;

pub use cancel::CancelError;
pub use commit::{CommitError, CommitOutcome, CommitRequest, Priced};
pub use lookup::TicketRow;
pub use model::{Item, Limits, NewOrder, Order, Payment, Place, Refusal, seats_of, tiers_of};
pub use number::{InvalidOrderNumber, OrderNumber, order_id};
pub(crate) use number::{base32, readable_letters};
pub use receipt::{OrderClaims, Receipt, TicketView, order_token, verify_order_token};
pub use reconcile::{MAX_ORDERS_A_ROUND, Round};
pub use state::{OrderChange, OrderState, UnknownState};
pub use wanted::{Bill, Wanted};

/// Everything that the life of an order needs. One a node, shared.
pub struct Orders {
    redis: Redis,
    holds: Holds,
    /// For reading and for what is rare.
    pool: PgPool,
    writer: Writer,
    provider: GuardedProvider,
    clock: Arc<dyn Clock>,
}

impl Orders {
    /// `pool` is shared with others; the writer's should be its own.
    pub fn new(
        redis: Redis,
        pool: PgPool,
        writer: Writer,
        provider: GuardedProvider,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            holds: Holds::new(redis.clone()),
            redis,
            pool,
            writer,
            provider,
            clock,
        })
    }
}

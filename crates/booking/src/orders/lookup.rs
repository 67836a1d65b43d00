//! Reading orders and tickets, for those who may see them.

use super::{Order, OrderNumber, Orders};
use crate::pg::{audit, close, read, tickets};
use crate::tickets::TicketNumber;
use usher_base::{FanId, OrderId};

pub use crate::pg::tickets::TicketRow;

impl Orders {
    pub async fn find(&self, number: &OrderNumber) -> Result<Option<Order>, sqlx::Error> {
        read::by_number(&self.pool, number).await
    }

    /// The newest of one person's orders.
    pub async fn of_fans(&self, fans: &[FanId]) -> Result<Vec<Order>, sqlx::Error> {
        read::of_fans(&self.pool, fans).await
    }

    /// Who gave the order back, as the audit log has it.
    pub async fn cancelled_by(&self, number: &OrderNumber) -> Result<Option<String>, sqlx::Error> {
        audit::last_actor(&self.pool, number.as_str(), close::CANCELLED).await
    }

    pub async fn find_by_id(&self, id: OrderId) -> Result<Option<Order>, sqlx::Error> {
        read::order(&self.pool, id).await
    }

    pub async fn ticket(&self, number: &TicketNumber) -> Result<Option<TicketRow>, sqlx::Error> {
        tickets::find(&self.pool, number).await
    }

    pub async fn tickets_of(&self, order: OrderId) -> Result<Vec<TicketRow>, sqlx::Error> {
        tickets::of_order(&self.pool, order).await
    }
}

//! Reading one order or ticket, for those who may see it.

use super::{Order, OrderNumber, Orders};
use crate::pg::{read, tickets};
use crate::tickets::TicketNumber;
use usher_base::OrderId;

pub use crate::pg::tickets::TicketRow;

impl Orders {
    pub async fn find(&self, number: &OrderNumber) -> Result<Option<Order>, sqlx::Error> {
        read::by_number(&self.pool, number).await
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

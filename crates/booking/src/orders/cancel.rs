//! Giving a paid order back: tickets void and seats on sale at once, the money
//! as soon as the provider has done it.

use super::{Order, OrderNumber, Orders, Receipt};
use crate::failpoints::{Point, reach};
use crate::pg::close::{self, Cancelled};
use crate::pg::read;

#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error("There is no such order.")]
    NotFound,
    #[error("A ticket of this order was used already, so it cannot be cancelled.")]
    Used,
    #[error("This order is not paid, so there is nothing to cancel.")]
    NotPaid,
    #[error("Orders cannot be changed right now. Try again in a few seconds.")]
    Database(#[from] sqlx::Error),
}

impl Orders {
    /// Whether the event allows it and who may ask is the caller's to judge;
    /// `actor` is written into the audit log. A repeated call tells how far it is.
    pub async fn cancel(&self, number: &OrderNumber, actor: &str) -> Result<Receipt, CancelError> {
        let order = self.read(number).await?;
        reach(Point::BeforeCancel);
        let cancelled = close::cancel(&self.pool, &order, actor).await?;
        reach(Point::AfterCancel);
        let order = self.read(number).await?;
        match cancelled {
            Cancelled::Now => {}
            Cancelled::Used => return Err(CancelError::Used),
            Cancelled::NotPaid if order.is_given_back() => {
                return Ok(self.receipt(&order).await?);
            }
            Cancelled::NotPaid => return Err(CancelError::NotPaid),
        }
        self.tell(&order).await;
        // What the provider does not answer now, the reconciler asks again.
        self.drive(&order).await?;
        let order = self.read(number).await?;
        Ok(self.receipt(&order).await?)
    }

    async fn read(&self, number: &OrderNumber) -> Result<Order, CancelError> {
        let order = read::by_number(&self.pool, number).await?;
        order.ok_or(CancelError::NotFound)
    }
}

//! Commit: from a hold to a paid order, step by step (DESIGN section 5). Each
//! step is idempotent by order id and recorded before the next begins, so that
//! the reconciler can finish it after a crash anywhere.
//!
//! The flow runs in a task of its own: a fan who closes the page does not stop
//! it half-way, and a fan who waits longer than `PATIENCE` is told 202.

use std::sync::Arc;
use std::time::Duration;

use usher_base::{EventId, FanId, OrderId, ReservationId};

use super::drive::Driven;
use super::number::hash;
use super::{Item, Limits, NewOrder, Order, OrderState, Orders, Receipt, Refusal, order_id};
use crate::failpoints::{Point, reach};
use crate::holds::HoldError;
use crate::inventory::Selection;
use crate::payments::{Money, PaymentState};
use crate::pg::{NotDone, Recorded, read, tickets};

/// The longest a fan waits for an answer; then the page follows the order.
const PATIENCE: Duration = Duration::from_secs(12);
/// The time to pay, from the commit on.
const PAY_WITHIN: Duration = Duration::from_secs(15 * 60);

/// What a fan asks for, already known to be the holder of a live session.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    pub event: EventId,
    pub fan: FanId,
    pub reservation: ReservationId,
    /// The provider's word for the card; never card data.
    pub method: String,
    pub idempotency_key: String,
    pub billing: serde_json::Value,
}

impl CommitRequest {
    /// Equal requests, equal hashes: JSON objects are kept sorted by key.
    fn hash(&self) -> [u8; 32] {
        let (reservation, billing) = (self.reservation.uuid(), self.billing.to_string());
        let parts = [
            reservation.as_bytes().as_slice(),
            self.method.as_bytes(),
            billing.as_bytes(),
        ];
        hash("usher-commit-1", &parts)
    }

    pub fn order(&self) -> OrderId {
        order_id(self.event, self.fan, &self.idempotency_key)
    }
}

/// What a selection costs and what it is held against; from the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    pub items: Vec<Item>,
    pub currency: String,
    pub limits: Limits,
}

/// What a fan is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Durable, and only then said.
    Confirmed(Box<Receipt>),
    /// Nothing was paid; the hold is the fan's again, if its time is not over.
    PaymentFailed { order: OrderId, reason: String },
    /// Nothing was paid, and this attempt can never succeed.
    Refused { order: OrderId, refusal: Refusal },
    /// The fan has to confirm with this secret; the page follows the order.
    NeedsFan {
        order: OrderId,
        client_secret: String,
    },
    /// Not known yet; the page follows the order.
    InProgress { order: OrderId },
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("This idempotency key was used for another request. Use a new one.")]
    KeyReused,
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error("Payments are interrupted. Your tickets are kept; try again in a minute.")]
    ProviderDown { retry_after: Duration },
    #[error("Too many people are paying right now. Try again in a few seconds.")]
    Busy,
    #[error("The prices of this event are not known yet. Try again in a few seconds.")]
    NoPrice,
    #[error("Orders cannot be read right now. Try again in a few seconds.")]
    Database(#[from] sqlx::Error),
}

impl Orders {
    /// The whole of a commit. `price` is asked once the hold is pinned.
    pub async fn commit<P>(
        self: &Arc<Self>,
        request: CommitRequest,
        price: P,
    ) -> Result<CommitOutcome, CommitError>
    where
        P: FnOnce(&Selection) -> Option<Priced> + Send + 'static,
    {
        let (orders, order) = (Arc::clone(self), request.order());
        let flow = tokio::spawn(async move { orders.flow(&request, price).await });
        match tokio::time::timeout(PATIENCE, flow).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Ok(CommitOutcome::InProgress { order }),
        }
    }

    async fn flow<P>(&self, request: &CommitRequest, price: P) -> Result<CommitOutcome, CommitError>
    where
        P: FnOnce(&Selection) -> Option<Priced>,
    {
        if let Some(retry_after) = self.provider.out_of_order_for() {
            let replay = self.replay(request).await?;
            return replay.ok_or(CommitError::ProviderDown { retry_after });
        }
        let (new, repeated) = match self.pin(request, price).await {
            Ok(pinned) => pinned,
            Err(error) => {
                // The hold is gone or taken: perhaps by this very order, before.
                let replay = self.replay(request).await?;
                return replay.ok_or(error);
            }
        };
        let order = new.to_order(self.clock.now());
        match self.record(new).await? {
            Recorded::New => self.pay(order).await,
            Recorded::Known { same_request, .. } => {
                if !repeated {
                    self.undo_second_pin(&order).await?;
                }
                if same_request {
                    self.follow(order.id).await
                } else {
                    Err(CommitError::KeyReused)
                }
            }
            Recorded::Refused(refusal) => {
                let order = order.failed(refusal.code());
                self.tell(&order).await;
                let order = order.id;
                Ok(CommitOutcome::Refused { order, refusal })
            }
            // The hold stays pinned, as when the queue is full.
            Recorded::Locked => Err(CommitError::Busy),
            Recorded::Unknown => Ok(CommitOutcome::InProgress { order: order.id }),
        }
    }

    /// Step 1: the hold is pinned to the order, atomically with the judgement
    /// that its time is not over.
    async fn pin<P>(
        &self,
        request: &CommitRequest,
        price: P,
    ) -> Result<(NewOrder, bool), CommitError>
    where
        P: FnOnce(&Selection) -> Option<Priced>,
    {
        // Read before the call: if it is raised meanwhile, Postgres refuses.
        let epoch = self.redis.epoch();
        let id = request.order();
        reach(Point::BeforePin);
        let pinned = self
            .holds
            .commit(request.event, request.reservation, request.fan, id)
            .await?;
        reach(Point::AfterPin);
        // Without a price the reconciler gives the hold back.
        let priced = price(&pinned.hold.selection).ok_or(CommitError::NoPrice)?;
        let new = NewOrder {
            id,
            request_hash: request.hash(),
            event: request.event,
            fan: request.fan,
            reservation: request.reservation,
            money: Money {
                amount: priced.items.iter().map(|item| item.price).sum(),
                currency: priced.currency,
            },
            items: priced.items,
            provider: self.provider.name(),
            method: request.method.clone(),
            billing: request.billing.clone(),
            limits: priced.limits,
            epoch,
            pay_by: self.clock.now().plus(PAY_WITHIN),
        };
        Ok((new, pinned.repeated))
    }

    /// Step 2: durable, before any money moves.
    async fn record(&self, new: NewOrder) -> Result<Recorded, CommitError> {
        reach(Point::BeforeRecord);
        let recorded = self.writer.record(new).await;
        reach(Point::AfterRecord);
        match recorded {
            Ok(recorded) => Ok(recorded),
            // The hold stays pinned until the reconciler has closed the order:
            // a duplicate of this request may have got in on another node.
            Err(NotDone::Full) => Err(CommitError::Busy),
            Err(NotDone::Unknown) => Ok(Recorded::Unknown),
        }
    }

    /// Steps 3 to 5, of an order that was recorded just now.
    async fn pay(&self, mut order: Order) -> Result<CommitOutcome, CommitError> {
        let id = order.id;
        match self.drive(&order).await? {
            Driven::Paid { tickets } => {
                order.paid(self.clock.now());
                self.tell(&order).await;
                let tickets = tickets.into_iter().map(|n| (n, "active".to_owned()));
                let receipt = Receipt::of(&order, tickets);
                Ok(CommitOutcome::Confirmed(Box::new(receipt)))
            }
            Driven::Failed { reason } => {
                let failed = order.failed(&reason);
                self.tell(&failed).await;
                Ok(CommitOutcome::PaymentFailed { order: id, reason })
            }
            Driven::AwaitsFan { client_secret } => Ok(CommitOutcome::NeedsFan {
                order: id,
                client_secret,
            }),
            Driven::Elsewhere | Driven::Refunded | Driven::Waits | Driven::Done => {
                Ok(CommitOutcome::InProgress { order: id })
            }
        }
    }

    /// The request is a repeated one and yet it pinned a hold: another one than
    /// its order's, or one that came back after its order had failed.
    async fn undo_second_pin(&self, pinned: &Order) -> Result<(), CommitError> {
        let known = read::order(&self.pool, pinned.id).await?;
        let is_its_own = known.is_some_and(|known| {
            known.reservation == pinned.reservation && known.state.keeps_seats()
        });
        if !is_its_own {
            self.unpin(pinned.event, pinned.id, pinned.reservation)
                .await;
        }
        Ok(())
    }

    /// The answer that this very request was given before, if it was.
    async fn replay(&self, request: &CommitRequest) -> Result<Option<CommitOutcome>, CommitError> {
        let Some(order) = read::order(&self.pool, request.order()).await? else {
            return Ok(None);
        };
        if order
            .request_hash
            .is_some_and(|hash| hash != request.hash())
        {
            return Err(CommitError::KeyReused);
        }
        self.outcome_of(order).await.map(Some)
    }

    /// Where an order stands, for the page that follows it. An order that is
    /// not recorded yet is in progress.
    pub async fn follow(&self, order: OrderId) -> Result<CommitOutcome, CommitError> {
        match read::order(&self.pool, order).await? {
            Some(order) => self.outcome_of(order).await,
            None => Ok(CommitOutcome::InProgress { order }),
        }
    }

    async fn outcome_of(&self, order: Order) -> Result<CommitOutcome, CommitError> {
        let id = order.id;
        match order.state {
            OrderState::Pending => {
                let state = order.payment.as_ref().map(|payment| payment.state);
                match state {
                    // The fan may have confirmed just now: go on from there.
                    Some(PaymentState::RequiresAction) => self.pay(order).await,
                    _ => Ok(CommitOutcome::InProgress { order: id }),
                }
            }
            OrderState::Failed => {
                let reason = order.failure.unwrap_or_default();
                Ok(match Refusal::from_code(&reason) {
                    Some(refusal) => CommitOutcome::Refused { order: id, refusal },
                    None => CommitOutcome::PaymentFailed { order: id, reason },
                })
            }
            OrderState::Paid | OrderState::Cancelled | OrderState::Refunded => {
                let receipt = self.receipt(&order).await?;
                Ok(CommitOutcome::Confirmed(Box::new(receipt)))
            }
        }
    }

    /// An order with its tickets, as they are now.
    pub async fn receipt(&self, order: &Order) -> Result<Receipt, sqlx::Error> {
        let tickets = tickets::of_order(&self.pool, order.id).await?;
        let tickets = tickets
            .into_iter()
            .map(|ticket| (ticket.number, ticket.state));
        Ok(Receipt::of(order, tickets))
    }
}

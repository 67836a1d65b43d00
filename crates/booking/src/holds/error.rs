//! Why a hold could not be had, kept, prolonged or committed.

use usher_base::Timestamp;
use usher_base::redis::CallError;

use super::Hold;
use crate::inventory::{SeatIndex, TierIndex};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    #[error("Somebody else was faster; choose other tickets.")]
    Unavailable {
        seats: Vec<SeatIndex>,
        tiers: Vec<TierIndex>,
    },
    #[error("One order can have at most {limit} tickets here.")]
    OrderLimit { limit: u32 },
    #[error("One fan can have at most {limit} tickets here, and you have {has} already.")]
    FanLimit { limit: u32, has: u32 },
    #[error("This reservation id was used for another request; choose a new one.")]
    AnotherRequest,
    #[error("There is no such reservation.")]
    NotFound,
    #[error("This reservation has ended; choose your tickets again.")]
    Ended(Box<Hold>),
    #[error("This reservation is being paid; wait for the outcome.")]
    Committing(Box<Hold>),
    #[error("This reservation cannot be extended again.")]
    NoExtensionLeft(Box<Hold>),
    /// The order is decided already: this is a duplicate that came late.
    #[error("This payment attempt is over; start a new one.")]
    OrderOver(Box<Hold>),
    #[error("Too many orders are being paid right now; try again in a moment.")]
    TooManyCommitting,
    #[error(transparent)]
    Call(#[from] CallError),
}

impl HoldError {
    /// When the hold ended, for a 410 that says so.
    pub fn expired_at(&self) -> Option<Timestamp> {
        match self {
            Self::Ended(hold) => Some(hold.expires_at),
            _ => None,
        }
    }
}

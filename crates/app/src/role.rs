//! The roles a process can take. Each opens only what it needs.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything in one process
    All,
    /// Pages, line, streams, gate; needs Redis only
    Edge,
    /// The leader: phases, draw, release; needs Redis and Postgres
    Admission,
    /// Holds, orders, tickets, webhooks, operators' API and console; needs both
    Booking,
}

impl Role {
    pub fn needs_postgres(self) -> bool {
        self != Self::Edge
    }

    pub fn leads(self) -> bool {
        matches!(self, Self::All | Self::Admission)
    }

    pub fn books(self) -> bool {
        matches!(self, Self::All | Self::Booking)
    }

    pub fn serves_operators(self) -> bool {
        self.books()
    }
}

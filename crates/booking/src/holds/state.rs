//! What a reservation can become: every transition, in one table. The scripts
//! carry it out; their tests compare them with this.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationStatus {
    Held,
    Committing,
    Confirmed,
    Expired,
    Cancelled,
    Released,
}

/// What can happen to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldChange {
    Extend,
    /// Its fan gives it back.
    Release,
    /// Somebody else ends it: an operator, or a paid order with its seats.
    Cancel,
    DeadlinePasses,
    Commit,
    Settle,
    /// Its order failed and it goes back to its fan.
    Unpin,
    /// Its order failed and it had its time already.
    UnpinTooLate,
    /// Its order failed, or was cancelled before it was settled.
    UnpinAndFree,
}

impl ReservationStatus {
    pub const ALL: [Self; 6] = [
        Self::Held,
        Self::Committing,
        Self::Confirmed,
        Self::Expired,
        Self::Cancelled,
        Self::Released,
    ];

    /// `None`: that cannot happen to a reservation in this state.
    pub fn after(self, change: HoldChange) -> Option<Self> {
        use HoldChange as Change;
        match (self, change) {
            (Self::Held, Change::Extend) => Some(Self::Held),
            (Self::Held, Change::Release) => Some(Self::Released),
            (Self::Held, Change::Cancel) => Some(Self::Cancelled),
            (Self::Held, Change::DeadlinePasses) => Some(Self::Expired),
            (Self::Held, Change::Commit) => Some(Self::Committing),
            // Paid although it was unpinned: Postgres has the last word.
            (Self::Held | Self::Committing, Change::Settle) => Some(Self::Confirmed),
            (Self::Committing, Change::Unpin) => Some(Self::Held),
            (Self::Committing, Change::UnpinTooLate) => Some(Self::Expired),
            (Self::Committing, Change::UnpinAndFree) => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// Whether its seats are set aside.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Held | Self::Committing)
    }

    pub(super) fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "h" => Some(Self::Held),
            "c" => Some(Self::Committing),
            "b" => Some(Self::Confirmed),
            "e" => Some(Self::Expired),
            "x" => Some(Self::Cancelled),
            "r" => Some(Self::Released),
            _ => None,
        }
    }
}

impl HoldChange {
    pub const ALL: [Self; 9] = [
        Self::Extend,
        Self::Release,
        Self::Cancel,
        Self::DeadlinePasses,
        Self::Commit,
        Self::Settle,
        Self::Unpin,
        Self::UnpinTooLate,
        Self::UnpinAndFree,
    ];
}

#[cfg(test)]
mod tests {
    use super::HoldChange as Change;
    use super::ReservationStatus as Status;

    /// The table once more, as a person would draw it; everything that is not
    /// in it must be impossible.
    const POSSIBLE: [(Status, Change, Status); 10] = [
        (Status::Held, Change::Extend, Status::Held),
        (Status::Held, Change::Release, Status::Released),
        (Status::Held, Change::Cancel, Status::Cancelled),
        (Status::Held, Change::DeadlinePasses, Status::Expired),
        (Status::Held, Change::Commit, Status::Committing),
        (Status::Held, Change::Settle, Status::Confirmed),
        (Status::Committing, Change::Settle, Status::Confirmed),
        (Status::Committing, Change::Unpin, Status::Held),
        (Status::Committing, Change::UnpinTooLate, Status::Expired),
        (Status::Committing, Change::UnpinAndFree, Status::Cancelled),
    ];

    #[test]
    fn only_the_listed_transitions_exist() {
        for from in Status::ALL {
            for change in Change::ALL {
                let listed = POSSIBLE.iter().find(|row| (row.0, row.1) == (from, change));
                assert_eq!(
                    from.after(change),
                    listed.map(|row| row.2),
                    "{from:?} {change:?}"
                );
            }
        }
    }

    #[test]
    fn a_committing_hold_knows_no_deadline() {
        assert_eq!(Status::Committing.after(Change::DeadlinePasses), None);
        assert_eq!(Status::Committing.after(Change::Release), None);
    }

    #[test]
    fn what_has_ended_stays_ended() {
        for ended in Status::ALL.into_iter().filter(|status| !status.is_live()) {
            assert!(Change::ALL.iter().all(|c| ended.after(*c).is_none()));
        }
    }
}

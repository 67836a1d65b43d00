//! Ticket numbers: 80 random bits in letters that can be read out. Pure.

use std::fmt;
use std::str::FromStr;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::orders::{base32, readable_letters};

const BYTES: usize = 10;
const LETTERS: usize = BYTES * 8 / 5;

/// `7K3M9QXT4BZH0V2C`: names a ticket; nobody can guess one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketNumber(String);

/// Why a text is no ticket number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a ticket number; it has 16 letters and digits")]
pub struct InvalidTicketNumber;

impl TicketNumber {
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut bytes = [0; BYTES];
        rng.fill_bytes(&mut bytes);
        Self(base32(&bytes).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TicketNumber {
    type Err = InvalidTicketNumber;

    fn from_str(text: &str) -> Result<Self, InvalidTicketNumber> {
        let letters = readable_letters(text, LETTERS).ok_or(InvalidTicketNumber)?;
        Ok(Self(letters.into_iter().collect()))
    }
}

impl TryFrom<String> for TicketNumber {
    type Error = InvalidTicketNumber;

    fn try_from(text: String) -> Result<Self, InvalidTicketNumber> {
        text.parse()
    }
}

impl From<TicketNumber> for String {
    fn from(number: TicketNumber) -> Self {
        number.0
    }
}

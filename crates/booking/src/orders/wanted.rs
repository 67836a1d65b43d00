//! What somebody at the desk types to find an order: its number, a ticket's number,
//! words of the name on the bill, or how its address begins. Twelve letters may be all of
//! these at once, so an order matches by any. Pure.

use super::OrderNumber;
use crate::catalog::words::as_tsquery;
use crate::tickets::TicketNumber;

/// Letters of a word or an address that may go on: fewer begin a large part of all.
const SHORTEST_BEGINNING: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub(crate) order: Option<OrderNumber>,
    pub(crate) ticket: Option<TicketNumber>,
    /// For Postgres's full text.
    pub(crate) words: String,
    /// The same for an address, of which the beginning is enough.
    pub(crate) address: Option<String>,
}

impl Wanted {
    /// `None` without a letter or digit, and with a zero byte, which Postgres takes in no text.
    pub fn read(text: &str) -> Option<Self> {
        if text.contains('\0') {
            return None;
        }
        Some(Self {
            words: as_tsquery(text, SHORTEST_BEGINNING)?,
            address: as_address(text.trim()),
            order: text.parse().ok(),
            ticket: text.parse().ok(),
        })
    }
}

/// As Postgres reads a word literally: quoted, with quotes and backslashes doubled.
fn as_address(text: &str) -> Option<String> {
    let is_long_enough = text.chars().count() >= SHORTEST_BEGINNING;
    let is_beginning = is_long_enough && !text.contains(char::is_whitespace);
    let literal = text.replace('\\', "\\\\").replace('\'', "''");
    is_beginning.then(|| format!("'{literal}':*"))
}

/// Who an order was billed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    pub name: String,
    pub email: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_of_twelve_letters_is_a_number_and_a_name() {
        let wanted = Wanted::read("Anne Bergmann").unwrap();
        assert_eq!(wanted.order.unwrap().as_str(), "ANNE-BERG-MANN");
        assert_eq!(wanted.words, "Anne & Bergmann:*");
        assert_eq!((wanted.ticket, wanted.address), (None, None));
        let typed = Wanted::read("7k3m-9qxt-4bzh-0v2c").unwrap();
        assert_eq!(typed.ticket.unwrap().as_str(), "7K3M9QXT4BZH0V2C");
        assert_eq!(Wanted::read(" -@ "), None);
        let hostile = Wanted::read(r"O'B\@Example").unwrap();
        assert_eq!(hostile.address.unwrap(), r"'O''B\\@Example':*");
    }

    #[test]
    fn few_letters_are_a_whole_word_and_no_beginning() {
        let li = Wanted::read("Li").unwrap();
        assert_eq!((li.words.as_str(), li.address), ("Li", None));
        assert_eq!(Wanted::read("anne be").unwrap().words, "anne & be");
        assert_eq!(Wanted::read("ann").unwrap().words, "ann:*");
        assert_eq!(Wanted::read("\0anne"), None);
    }
}

//! What somebody at the desk types to find an order: its number, a ticket's number,
//! words of the name on the bill, or how its address begins. Twelve letters may be all of these at once,
//! so an order matches by any. Pure.

use super::OrderNumber;
use crate::catalog::words::as_tsquery;
use crate::tickets::TicketNumber;

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
    /// `None` without a letter or digit.
    pub fn read(text: &str) -> Option<Self> {
        Some(Self {
            words: as_tsquery(text)?,
            address: as_address(text.trim()),
            order: text.parse().ok(),
            ticket: text.parse().ok(),
        })
    }
}

/// As Postgres reads a word literally: quoted, with quotes and backslashes doubled.
fn as_address(text: &str) -> Option<String> {
    let is_one_word = !text.contains(char::is_whitespace);
    let literal = text
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('\'', "''");
    is_one_word.then(|| format!("'{literal}':*"))
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
        assert_eq!(hostile.address.unwrap(), r"'o''b\\@example':*");
    }
}

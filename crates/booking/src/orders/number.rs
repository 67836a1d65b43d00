//! Order ids and the numbers that people read out on the phone.
//!
//! The id of an order is the hash of who pays and of the key that names the
//! attempt, so a request that is repeated, on whatever node, is the same order
//! without anybody having to look first. The number is derived from the id:
//! 60 bits in letters that cannot be mistaken for one another. Pure.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};
use serde::Serialize;
use usher_base::{EventId, FanId, OrderId};
use uuid::Builder;

/// Crockford's base 32: no I, L, O or U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUPS: usize = 3;
const LETTERS_PER_GROUP: usize = 4;

/// The order that `fan` means by `idempotency_key` at this event.
pub fn order_id(event: EventId, fan: FanId, idempotency_key: &str) -> OrderId {
    let event = event.uuid();
    let parts = [
        event.as_bytes().as_slice(),
        fan.bytes(),
        idempotency_key.as_bytes(),
    ];
    let hash = hash("usher-order-1", &parts);
    OrderId::from_uuid(Builder::from_custom_bytes(first(hash)).into_uuid())
}

/// `7K3M-9QXT-4BZH`: names an order among people. No secret: seeing the order
/// also takes its token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct OrderNumber(String);

/// Why a text is no order number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an order number; it looks like 7K3M-9QXT-4BZH")]
pub struct InvalidOrderNumber;

impl OrderNumber {
    pub fn of(order: OrderId) -> Self {
        let hash = hash("usher-order-number-1", &[order.uuid().as_bytes()]);
        let groups: Vec<String> = base32(&hash)
            .take(GROUPS * LETTERS_PER_GROUP)
            .collect::<Vec<_>>()
            .chunks(LETTERS_PER_GROUP)
            .map(String::from_iter)
            .collect();
        Self(groups.join("-"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrderNumber {
    type Err = InvalidOrderNumber;

    /// Forgives small letters, missing dashes, and O for 0, I or L for 1.
    fn from_str(text: &str) -> Result<Self, InvalidOrderNumber> {
        let letters = readable_letters(text, GROUPS * LETTERS_PER_GROUP);
        let letters = letters.ok_or(InvalidOrderNumber)?;
        let groups: Vec<String> = letters
            .chunks(LETTERS_PER_GROUP)
            .map(String::from_iter)
            .collect();
        Ok(Self(groups.join("-")))
    }
}

/// Exactly `wanted` letters of the alphabet, as a person may have typed them.
pub(crate) fn readable_letters(text: &str, wanted: usize) -> Option<Vec<char>> {
    if text.len() > 2 * wanted {
        return None;
    }
    let letters: Option<Vec<char>> = text
        .chars()
        .filter(|c| *c != '-' && *c != ' ')
        .map(|c| match c.to_ascii_uppercase() {
            'O' => Some('0'),
            'I' | 'L' => Some('1'),
            c if c.is_ascii() && LETTERS.contains(&(c as u8)) => Some(c),
            _ => None,
        })
        .collect();
    letters.filter(|letters| letters.len() == wanted)
}

/// Five bits a letter, from the front.
pub(crate) fn base32(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    (0..bytes.len() * 8 / 5).map(|letter| {
        let value = (0..5).fold(0usize, |value, offset| {
            let bit = letter * 5 + offset;
            value << 1 | usize::from(bytes[bit / 8] >> (7 - bit % 8) & 1)
        });
        char::from(LETTERS[value])
    })
}

/// Each part behind its length, so that no two lists of parts hash alike.
pub(crate) fn hash(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [&[label.as_bytes()], parts].concat() {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn first<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;
    use usher_base::Timestamp;
    use uuid::Uuid;

    #[test]
    fn the_same_key_of_the_same_fan_is_the_same_order() {
        let event = EventId::new(Timestamp::from_millis(1));
        let other = EventId::new(Timestamp::from_millis(2));
        let (a, b) = (FanId::from_bytes([1; 16]), FanId::from_bytes([2; 16]));
        let id = order_id(event, a, "k1");
        assert_eq!(id, order_id(event, a, "k1"));
        let others = [
            order_id(event, a, "k2"),
            order_id(event, b, "k1"),
            order_id(other, a, "k1"),
        ];
        assert!(!others.contains(&id));
    }

    #[test]
    fn numbers_can_be_read_out_and_typed_in() {
        let id = order_id(
            EventId::new(Timestamp::from_millis(1)),
            FanId::from_bytes([1; 16]),
            "k",
        );
        let number = OrderNumber::of(id);
        assert_eq!(number.as_str().len(), 14);
        let typed = number.as_str().to_lowercase().replace('-', " ");
        assert_eq!(typed.parse::<OrderNumber>().unwrap(), number);
        assert_eq!(
            "oil0-0000-0000".parse::<OrderNumber>().unwrap().as_str(),
            "0110-0000-0000"
        );
        for bad in ["", "7K3M-9QXT", "7K3M-9QXT-4BZU", &"0".repeat(99)] {
            assert!(bad.parse::<OrderNumber>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn numbers_spread() {
        let numbers: HashSet<_> = (0..10_000u128)
            .map(|i| OrderNumber::of(OrderId::from_uuid(Uuid::from_u128(i))))
            .collect();
        assert_eq!(numbers.len(), 10_000);
    }
}

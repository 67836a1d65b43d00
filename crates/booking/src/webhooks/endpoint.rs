//! Who is told what: an address, the kinds of happenings that it wants, and the
//! secret that signs what it gets.

use std::fmt;

use rand::Rng;
use uuid::Uuid;

use crate::pg::store::Kind;

const PREFIX: &str = "whsec_";

/// What a turn needs to know of an endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub id: Uuid,
    pub url: String,
    pub secret: Secret,
}

/// Shown once to who made the endpoint, and never written anywhere else.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(format!("{PREFIX}{}", hex::encode(bytes)))
    }

    pub fn known(text: String) -> Self {
        Self(text)
    }

    pub fn shown(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

/// The kinds that an endpoint hears; none named: all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds(Vec<&'static str>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of happening; there are {all}.", all = all_kinds())]
pub struct UnknownKind(String);

impl Kinds {
    pub fn parse(names: &[String]) -> Result<Self, UnknownKind> {
        let mut kinds = names
            .iter()
            .map(|name| {
                let known = Kind::ALL.map(Kind::as_str).into_iter();
                let mut named = known.filter(|kind| kind == name);
                named.next().ok_or_else(|| UnknownKind(name.clone()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(kinds))
    }

    pub fn names(&self) -> &[&'static str] {
        &self.0
    }
}

fn all_kinds() -> String {
    Kind::ALL.map(Kind::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::random(&mut rand::rng());
        assert_eq!(format!("{secret:?}"), "whsec_***");
        assert_eq!(secret.shown().len(), PREFIX.len() + 64);
    }

    #[test]
    fn only_kinds_that_there_are_can_be_wanted() {
        let names = ["TicketUsed".to_owned(), "TicketUsed".to_owned()];
        assert_eq!(Kinds::parse(&names).unwrap().names(), ["TicketUsed"]);
        let error = Kinds::parse(&["Everything".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("BookingConfirmed"));
    }
}

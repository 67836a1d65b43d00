//! Reads a script's answer element by element, so that each becomes a typed
//! value at once and anything unexpected is `CallError::Shape`.

use redis::{FromRedisValue, ParsingError, Value};
use usher_base::redis::CallError;
use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use crate::place::{EndReason, Place, Session, SessionId};

/// What is left to read of an array.
pub(crate) struct Reply(std::vec::IntoIter<Value>);

impl FromRedisValue for Reply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        match value {
            Value::Array(items) => Ok(Self(items.into_iter())),
            other => Err(format!("expected an array, not {other:?}").into()),
        }
    }
}

pub(crate) type Read<T> = Result<T, CallError>;

impl Reply {
    fn next<T: FromRedisValue>(&mut self, what: &str) -> Read<T> {
        let value = self.0.next();
        let value = value.ok_or_else(|| CallError::Shape(format!("{what} is missing")))?;
        redis::from_redis_value(value).map_err(|e| CallError::Shape(format!("{what}: {e}")))
    }

    pub fn is_done(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    pub fn word(&mut self) -> Read<String> {
        self.next("a word")
    }

    pub fn list(&mut self) -> Read<Self> {
        self.next("a list")
    }

    pub fn bytes(&mut self) -> Read<Vec<u8>> {
        self.next("bytes")
    }

    pub fn integer(&mut self) -> Read<i64> {
        self.next("an integer")
    }

    pub fn count(&mut self) -> Read<u64> {
        self.next("a count")
    }

    pub fn flag(&mut self) -> Read<bool> {
        Ok(self.integer()? != 0)
    }

    pub fn time(&mut self) -> Read<Timestamp> {
        self.integer().map(Timestamp::from_millis)
    }

    pub fn number(&mut self) -> Read<Number> {
        self.next("a number").map(Number)
    }

    pub fn lane(&mut self) -> Read<Lane> {
        parsed(&self.word()?)
    }

    pub fn reason(&mut self) -> Read<EndReason> {
        parsed(&self.word()?)
    }

    pub fn fan(&mut self) -> Read<FanId> {
        fan_of(&self.bytes()?)
    }

    /// A place as `places.lua` describes it.
    pub fn place(&mut self, event: EventId) -> Read<Place> {
        let mut of = self.list()?;
        let word = of.word()?;
        Ok(match word.as_str() {
            "waiting" => Place::Waiting {
                number: of.number()?,
            },
            "gathering" => Place::Gathering { index: of.count()? },
            "admitted" => {
                let (claim_by, number) = (of.time()?, of.number()?);
                Place::Admitted {
                    claim_by,
                    number,
                    lane: of.lane()?,
                }
            }
            "active" => Place::Active(of.session(event)?),
            "ended" => Place::Ended(of.reason()?),
            "unknown" => Place::Unknown,
            other => return Err(unexpected(other)),
        })
    }

    /// `ends_at, number, lane`.
    pub fn session(&mut self, event: EventId) -> Read<Session> {
        let (ends_at, number, lane) = (self.time()?, self.number()?, self.lane()?);
        Ok(Session {
            id: SessionId::of(event, &lane, number),
            lane,
            number,
            ends_at,
        })
    }
}

pub(crate) fn unexpected(word: &str) -> CallError {
    CallError::Shape(format!("unexpected word {word:?}"))
}

pub(crate) fn fan_of(bytes: &[u8]) -> Read<FanId> {
    let bytes = bytes.try_into();
    bytes
        .map(FanId::from_bytes)
        .map_err(|_| CallError::Shape("a fan of other than 16 bytes".to_owned()))
}

pub(crate) fn parsed<T: std::str::FromStr>(text: &str) -> Read<T> {
    text.parse()
        .map_err(|_| CallError::Shape(format!("unreadable text {text:?}")))
}

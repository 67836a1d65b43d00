//! What the leader mirrors from Postgres into the event's meta, and what an
//! operator writes there first because it must bite at once (pausing).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_base::{EventId, InvalidId, Lane, Number};

use super::Line;
use crate::phase::{Ordering, Phase};
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;

macro_rules! worded {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$of:meta])* $variant:ident = $word:literal),*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant),*
        }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(InvalidId($what)),
                }
            }
        }
    };
}

worded!(
    /// Whether the event has a waiting room at all.
    Room,
    "room setting",
    On = "on",
    /// Everybody is admitted at once.
    Off = "off"
);

worded!(
    /// Who sets the rate; what counts here is only whether it is paused.
    Mode,
    "admission mode",
    Auto = "auto",
    Manual = "manual",
    Paused = "paused"
);

worded!(
    /// Whether fans have to be known to the shop.
    Identity,
    "identity setting",
    Off = "off",
    /// Who brings the shop's word is known by it, everybody else may come too.
    Optional = "optional",
    Required = "required"
);

/// An event's line as its operator set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineSettings {
    pub ordering: Ordering,
    pub room: Room,
    /// How long an admitted fan may take to claim.
    pub claim_window: Duration,
    pub session: Duration,
    /// How long an absent fan keeps the place.
    pub grace: Duration,
    /// Fans that the line takes, all lanes together.
    pub max_waiting: u32,
    /// What the operator says to everybody in line.
    pub message: Option<String>,
    pub identity: Identity,
    /// The shop's public keys: a JWK set, a JWK or PEM.
    pub shop_keys: Option<String>,
    /// Hashes that a join costs on average; 0 asks for none.
    pub puzzle: u32,
    /// Whether a join has to come from a person, as a CAPTCHA's provider judges it.
    pub captcha: bool,
}

impl Default for LineSettings {
    fn default() -> Self {
        Self {
            ordering: Ordering::Fifo,
            room: Room::On,
            claim_window: Duration::from_secs(90),
            session: Duration::from_secs(900),
            grace: Duration::from_secs(600),
            max_waiting: 5_000_000,
            message: None,
            identity: Identity::Off,
            shop_keys: None,
            puzzle: 0,
            captcha: false,
        }
    }
}

impl Line {
    pub async fn set_phase(&self, event: EventId, phase: Phase) -> Read<()> {
        let fields = vec![("phase".to_owned(), phase.to_string())];
        self.configure(event, None, fields).await.map(drop)
    }

    pub async fn set_mode(&self, event: EventId, mode: Mode) -> Read<()> {
        let fields = vec![("mode".to_owned(), mode.to_string())];
        self.configure(event, None, fields).await.map(drop)
    }

    pub async fn set_settings(&self, event: EventId, settings: &LineSettings) -> Read<()> {
        let fields = settings.to_fields();
        self.configure(event, None, fields).await.map(drop)
    }

    /// Numbers up to `last` may be handed out in this lane. Only ever rises.
    pub async fn set_block(&self, event: EventId, lane: &Lane, last: Number) -> Read<()> {
        let fields = vec![(format!("block:{lane}"), last.to_string())];
        self.configure(event, None, fields).await.map(drop)
    }

    /// False when Redis has the settings of a newer revision already.
    pub(crate) async fn configure(
        &self,
        event: EventId,
        revision: Option<u64>,
        fields: Vec<(String, String)>,
    ) -> Read<bool> {
        let revision = revision.map(|revision| revision.to_string());
        let mut call = self
            .call(&scripts::CONFIGURE, event)
            .arg(revision.unwrap_or_default());
        for (field, value) in fields {
            call = call.arg(field).arg(value);
        }
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "configured" => Ok(true),
            "outdated" => Ok(false),
            other => Err(unexpected(other)),
        }
    }
}

impl LineSettings {
    /// As fields of the event's meta.
    pub(crate) fn to_fields(&self) -> Vec<(String, String)> {
        let millis = |span: Duration| span.as_millis().to_string();
        [
            ("ordering", self.ordering.as_str().to_owned()),
            ("room", self.room.to_string()),
            ("claim_ms", millis(self.claim_window)),
            ("session_ms", millis(self.session)),
            ("grace_ms", millis(self.grace)),
            ("max_waiting", self.max_waiting.to_string()),
            ("message", self.message.clone().unwrap_or_default()),
            ("identity", self.identity.to_string()),
            ("shop_keys", self.shop_keys.clone().unwrap_or_default()),
            ("puzzle", self.puzzle.to_string()),
            ("captcha", u8::from(self.captcha).to_string()),
        ]
        .map(|(field, value)| (field.to_owned(), value))
        .into()
    }
}

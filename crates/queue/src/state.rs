//! The event as a whole, as its meta in Redis tells it: for edges, which have no
//! Postgres, this is all there is to know.

use std::collections::HashMap;
use std::time::Duration;

use usher_base::redis::CallError;
use usher_base::{EventId, Lane, Timestamp};

use crate::draw::Announcement;
use crate::keys;
use crate::line::{Identity, Line, Mode, Room};
use crate::phase::{Ordering, Phase, Schedule};
use crate::reply::{Read, Reply, parsed};
use crate::scripts;

const LANES: &str = "lanes";
const CODE_MARK: &str = "!";

/// What is true of the event as a whole, as Redis has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventState {
    pub phase: Phase,
    pub mode: Mode,
    pub ordering: Ordering,
    pub room: Room,
    pub grace: Duration,
    /// What the operator says to everybody in line.
    pub message: Option<String>,
    /// No release before this, because fans are still coming back after a rebuild.
    pub settle_until: Option<Timestamp>,
    pub release_sequence: u64,
    pub schedule: Schedule,
    /// The first is the one that fans get without asking for another.
    pub lanes: Vec<LaneDoor>,
    pub totals: Totals,
    pub identity: IdentityRule,
    /// Hashes that a join costs on average; 0 asks for none.
    pub puzzle: u32,
    /// Whether a join has to come from a person.
    pub captcha: bool,
}

/// Whether and how fans are known to the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRule {
    pub mode: Identity,
    /// The shop's public keys.
    pub keys: Option<String>,
    /// Hashed with each subject.
    pub secret: String,
}

/// A lane as a fan meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDoor {
    pub lane: Lane,
    /// Only fans with an invite code may join.
    pub needs_code: bool,
}

/// Since the event's memory was last rebuilt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub released: u64,
    pub claimed: u64,
    /// Sessions and admissions that are over.
    pub ended: u64,
    /// Missed claims that went back to their number.
    pub put_back: u64,
    /// Gave up their place while waiting.
    pub left: u64,
    /// Were given up after a long absence.
    pub absent: u64,
}

impl Line {
    /// The event's state without its positions: which lanes there are to ask for.
    pub async fn state(&self, event: EventId) -> Read<EventState> {
        let call = self.redis().script(&scripts::STATE).key(keys::meta(event));
        let reply: Reply = call.run().await?;
        event_state(&read_meta(reply)?)
    }
}

pub(crate) type Meta = HashMap<String, String>;

pub(crate) fn read_meta(mut list: Reply) -> Read<Meta> {
    let mut meta = Meta::new();
    while !list.is_done() {
        meta.insert(list.word()?, list.word()?);
    }
    Ok(meta)
}

pub(crate) fn field<T: std::str::FromStr>(meta: &Meta, name: &str) -> Read<Option<T>> {
    let text = meta.get(name).filter(|text| !text.is_empty());
    text.map(|text| parsed(text)).transpose()
}

pub(crate) fn draw(meta: &Meta, lane: &Lane) -> Read<Option<Announcement>> {
    let json = meta.get(&format!("draw:{lane}"));
    let announcement = json.map(|json| serde_json::from_str(json)).transpose();
    announcement.map_err(|_| CallError::Shape("an unreadable draw".to_owned()))
}

pub(crate) fn event_state(meta: &Meta) -> Read<EventState> {
    let count = |name: &str| Ok(field(meta, name)?.unwrap_or(0));
    let time = |name: &str| Ok(field(meta, name)?.map(Timestamp::from_millis));
    Ok(EventState {
        phase: field(meta, "phase")?.unwrap_or(Phase::Draft),
        mode: field(meta, "mode")?.unwrap_or(Mode::Auto),
        ordering: field(meta, "ordering")?.unwrap_or(Ordering::Fifo),
        room: field(meta, "room")?.unwrap_or(Room::On),
        grace: Duration::from_millis(count("grace_ms")?),
        message: meta.get("message").filter(|text| !text.is_empty()).cloned(),
        settle_until: time("settle_until")?,
        release_sequence: count("release_seq")?,
        schedule: Schedule {
            gathers_at: time("gathers_at")?,
            opens_at: time("opens_at")?,
            closes_at: time("closes_at")?,
        },
        lanes: lane_doors(meta)?,
        totals: Totals {
            released: count("released")?,
            claimed: count("claimed")?,
            ended: count("ended")?,
            put_back: count("put_back")?,
            left: count("left")?,
            absent: count("absent")?,
        },
        identity: IdentityRule {
            mode: field(meta, "identity")?.unwrap_or(Identity::Off),
            keys: field(meta, "shop_keys")?,
            secret: field(meta, "identity_secret")?.unwrap_or_default(),
        },
        puzzle: field(meta, "puzzle")?.unwrap_or(0),
        captcha: field::<u8>(meta, "captcha")? == Some(1),
    })
}

fn lane_doors(meta: &Meta) -> Read<Vec<LaneDoor>> {
    let text = meta.get(LANES).map_or("", String::as_str);
    let doors = text.split_whitespace().map(|word| {
        let name = word.strip_suffix(CODE_MARK);
        Ok(LaneDoor {
            lane: parsed(name.unwrap_or(word))?,
            needs_code: name.is_some(),
        })
    });
    doors.collect()
}

/// The fields that schedule and lanes become.
pub(crate) fn setup_fields(schedule: &Schedule, doors: &[LaneDoor]) -> Vec<(String, String)> {
    let words = doors.iter().map(|door| {
        let mark = if door.needs_code { CODE_MARK } else { "" };
        format!("{}{mark}", door.lane)
    });
    let mut fields = vec![(LANES.to_owned(), words.collect::<Vec<_>>().join(" "))];
    for (name, at) in [
        ("gathers_at", schedule.gathers_at),
        ("opens_at", schedule.opens_at),
        ("closes_at", schedule.closes_at),
    ] {
        let millis = at.map(|at| at.millis().to_string());
        fields.push((name.to_owned(), millis.unwrap_or_default()));
    }
    fields
}

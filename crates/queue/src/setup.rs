//! How an event's line is set up by its operator: what a change may say, and what
//! may no longer change once people gather. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use usher_base::signing::{ShopKeyError, ShopKeys};
use usher_base::{Lane, Timestamp};

use crate::line::{Identity, LineSettings, MAX_LANES, Room};
use crate::phase::{Ordering, Phase, Schedule};

const MAX_WEIGHT: u32 = 1_000;
const MAX_LINE_FANS: u32 = 50_000_000;
const MAX_SHOP_KEYS_BYTES: usize = 8_192;
/// A phone of some years ago takes half a minute for so many hashes.
const MAX_PUZZLE: u32 = 5_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSetup {
    pub lane: Lane,
    /// Its share of the rate, against the other lanes' weights.
    #[serde(default = "one")]
    pub weight: u32,
    /// Only fans with an invite code may join.
    #[serde(default)]
    pub needs_code: bool,
}

impl LaneSetup {
    pub fn main() -> Self {
        Self {
            lane: Lane::main(),
            weight: one(),
            needs_code: false,
        }
    }
}

const fn one() -> u32 {
    1
}

/// Everything that an operator sets, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    pub settings: LineSettings,
    pub schedule: Schedule,
    /// At least one; the first is the one that fans get without a code.
    pub lanes: Vec<LaneSetup>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            settings: LineSettings::default(),
            schedule: Schedule::default(),
            lanes: vec![LaneSetup::main()],
        }
    }
}

/// What is given is changed; the rest stays. A time is taken back by `null`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SetupPatch {
    pub ordering: Option<Ordering>,
    pub room: Option<Room>,
    #[serde(deserialize_with = "given")]
    pub gathers_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "given")]
    pub opens_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "given")]
    pub closes_at: Option<Option<Timestamp>>,
    pub claim_seconds: Option<u32>,
    pub session_seconds: Option<u32>,
    pub grace_seconds: Option<u32>,
    pub max_waiting: Option<u32>,
    /// All lanes there shall be, `main` among them.
    pub lanes: Option<Vec<LaneSetup>>,
    pub identity: Option<Identity>,
    /// A JWK set or a JWK, or a text with one of them or PEM.
    #[serde(deserialize_with = "given")]
    pub shop_keys: Option<Option<Value>>,
    pub puzzle: Option<u32>,
    pub captcha: Option<bool>,
}

fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

/// What is settled already and limits a change.
#[derive(Clone, Debug)]
pub struct Settled {
    pub phase: Phase,
    /// Lanes whose draw is bound to a published commitment.
    pub drawn: BTreeSet<Lane>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupRefused {
    #[error("{what} must be {least} to {most}")]
    Range {
        what: &'static str,
        least: u32,
        most: u32,
    },
    #[error("gathering must not begin after the opening, and the opening must be before the end")]
    Schedule,
    #[error("an event has 1 to {MAX_LANES} lanes, each named once and `main` among them")]
    Lanes,
    #[error(
        "once people may come, the order of the line is settled; it can change while the event is a draft or scheduled"
    )]
    OrderingSettled,
    #[error("{0}")]
    ShopKeys(#[from] ShopKeyError),
    #[error("fans can be known by the shop's word only once `shop_keys` are given")]
    NoShopKeys,
    #[error("once people may come, whom the shop must vouch for can be eased and not tightened")]
    IdentitySettled,
    #[error("once people may come, no lane can be taken away, and a lottery gets no new one")]
    LanesSettled,
    #[error("the draw of lane {0} is bound to its commitment, which is public and stays")]
    DrawBound(Lane),
}

impl SetupRefused {
    /// Whether the change itself is at fault, whatever the event has come to.
    pub const fn is_invalid(&self) -> bool {
        matches!(
            self,
            Self::Range { .. }
                | Self::Schedule
                | Self::Lanes
                | Self::ShopKeys(_)
                | Self::NoShopKeys
        )
    }
}

impl SetupPatch {
    /// The changed setup, if it holds together and nothing settled changes.
    pub fn apply(self, known: &Setup, settled: &Settled) -> Result<Setup, SetupRefused> {
        let mut new = known.clone();
        self.times(&mut new.settings)?;
        new.settings.ordering = self.ordering.unwrap_or(new.settings.ordering);
        new.settings.room = self.room.unwrap_or(new.settings.room);
        new.settings.captcha = self.captcha.unwrap_or(new.settings.captcha);
        let schedule = &mut new.schedule;
        schedule.gathers_at = self.gathers_at.unwrap_or(schedule.gathers_at);
        schedule.opens_at = self.opens_at.unwrap_or(schedule.opens_at);
        schedule.closes_at = self.closes_at.unwrap_or(schedule.closes_at);
        new.settings.identity = self.identity.unwrap_or(new.settings.identity);
        if let Some(keys) = self.shop_keys {
            new.settings.shop_keys = keys.map(sound_keys).transpose()?;
        }
        if new.settings.identity != Identity::Off && new.settings.shop_keys.is_none() {
            return Err(SetupRefused::NoShopKeys);
        }
        if let Some(lanes) = self.lanes {
            new.lanes = sound_lanes(lanes)?;
        }
        if !is_in_order(&new.schedule) {
            return Err(SetupRefused::Schedule);
        }
        settled.permits(known, &new)?;
        Ok(new)
    }

    fn times(&self, settings: &mut LineSettings) -> Result<(), SetupRefused> {
        let spans = [
            (
                "claim_seconds",
                self.claim_seconds,
                10,
                3_600,
                &mut settings.claim_window,
            ),
            (
                "session_seconds",
                self.session_seconds,
                30,
                14_400,
                &mut settings.session,
            ),
            (
                "grace_seconds",
                self.grace_seconds,
                0,
                3_600,
                &mut settings.grace,
            ),
        ];
        for (what, wanted, least, most, span) in spans {
            if let Some(seconds) = wanted {
                let seconds = within(what, seconds, least, most)?;
                *span = Duration::from_secs(seconds.into());
            }
        }
        if let Some(fans) = self.max_waiting {
            settings.max_waiting = within("max_waiting", fans, 1, MAX_LINE_FANS)?;
        }
        if let Some(hashes) = self.puzzle {
            settings.puzzle = within("puzzle", hashes, 0, MAX_PUZZLE)?;
        }
        Ok(())
    }
}

impl Settled {
    fn permits(&self, known: &Setup, new: &Setup) -> Result<(), SetupRefused> {
        let is_open_to_change = matches!(self.phase, Phase::Draft | Phase::Scheduled);
        let ordering = (known.settings.ordering, new.settings.ordering);
        if ordering.0 != ordering.1 && !is_open_to_change {
            return Err(SetupRefused::OrderingSettled);
        }
        if ordering == (Ordering::Lottery, Ordering::Fifo)
            && let Some(bound) = self.drawn.first()
        {
            return Err(SetupRefused::DrawBound(bound.clone()));
        }
        let tightens = strictness(new.settings.identity) > strictness(known.settings.identity);
        if tightens && !is_open_to_change {
            return Err(SetupRefused::IdentitySettled);
        }
        let (before, after) = (names(&known.lanes), names(&new.lanes));
        if let Some(bound) = self.drawn.difference(&after).next() {
            return Err(SetupRefused::DrawBound(bound.clone()));
        }
        let grows_lottery = new.settings.ordering == Ordering::Lottery && !after.is_subset(&before);
        if !is_open_to_change && (grows_lottery || !before.is_subset(&after)) {
            return Err(SetupRefused::LanesSettled);
        }
        Ok(())
    }
}

/// In line already, nobody can be asked anew who they are.
const fn strictness(identity: Identity) -> u8 {
    match identity {
        Identity::Off => 0,
        Identity::Optional => 1,
        Identity::Required => 2,
    }
}

/// The keys' text, if they can be used.
fn sound_keys(keys: Value) -> Result<String, SetupRefused> {
    let text = match keys {
        Value::String(text) => text,
        json => json.to_string(),
    };
    if text.len() > MAX_SHOP_KEYS_BYTES {
        return Err(ShopKeyError::Count.into());
    }
    ShopKeys::parse(&text)?;
    Ok(text)
}

fn names(lanes: &[LaneSetup]) -> BTreeSet<Lane> {
    lanes.iter().map(|setup| setup.lane.clone()).collect()
}

fn sound_lanes(mut lanes: Vec<LaneSetup>) -> Result<Vec<LaneSetup>, SetupRefused> {
    let named = names(&lanes);
    if named.len() != lanes.len() || lanes.len() > MAX_LANES || !named.contains(&Lane::main()) {
        return Err(SetupRefused::Lanes);
    }
    for setup in &lanes {
        within("a lane's weight", setup.weight, 1, MAX_WEIGHT)?;
    }
    // One order everywhere: the main lane first, then by name.
    lanes.sort_by_key(|setup| (setup.lane != Lane::main(), setup.lane.clone()));
    Ok(lanes)
}

fn within(what: &'static str, given: u32, least: u32, most: u32) -> Result<u32, SetupRefused> {
    let fits = (least..=most).contains(&given);
    fits.then_some(given)
        .ok_or(SetupRefused::Range { what, least, most })
}

fn is_in_order(schedule: &Schedule) -> bool {
    let before = |earlier: Option<Timestamp>, later: Option<Timestamp>| {
        earlier
            .zip(later)
            .is_none_or(|(earlier, later)| earlier < later)
    };
    let gathers_late = schedule.gathers_at.zip(schedule.opens_at);
    gathers_late.is_none_or(|(gathers, opens)| gathers <= opens)
        && before(schedule.opens_at, schedule.closes_at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn settled(phase: Phase, drawn: &[&str]) -> Settled {
        Settled {
            phase,
            drawn: drawn.iter().map(|lane| lane.parse().unwrap()).collect(),
        }
    }

    fn change(known: &Setup, settled: &Settled, patch: Value) -> Result<Setup, SetupRefused> {
        let patch: SetupPatch = serde_json::from_value(patch).unwrap();
        patch.apply(known, settled)
    }

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        let before = settled(Phase::Scheduled, &[]);
        let patch = json!({
            "ordering": "lottery", "room": "off", "session_seconds": 600,
            "opens_at": "2027-05-14T10:00:00Z",
            "lanes": [{ "lane": "presale", "weight": 3, "needs_code": true }, { "lane": "main" }],
        });
        let first = change(&Setup::default(), &before, patch).unwrap();
        assert_eq!(first.settings.ordering, Ordering::Lottery);
        assert_eq!(first.settings.claim_window, Duration::from_secs(90));
        assert_eq!(first.lanes[0], LaneSetup::main());
        assert_eq!(
            (first.lanes[1].weight, first.lanes[1].needs_code),
            (3, true)
        );
        let second = change(&first, &before, json!({ "opens_at": null })).unwrap();
        assert_eq!(second.schedule, Schedule::default());
        assert_eq!(
            (second.settings, second.lanes),
            (first.settings, first.lanes)
        );
    }

    #[test]
    fn what_cannot_be_is_refused_as_invalid() {
        for patch in [
            json!({ "claim_seconds": 9 }),
            json!({ "max_waiting": 0 }),
            json!({ "opens_at": "2027-05-14T10:00:00Z", "closes_at": "2027-05-14T10:00:00Z" }),
            json!({ "gathers_at": "2027-05-14T11:00:00Z", "opens_at": "2027-05-14T10:00:00Z" }),
            json!({ "lanes": [] }),
            json!({ "lanes": [{ "lane": "presale" }] }),
            json!({ "lanes": [{ "lane": "main" }, { "lane": "main" }] }),
            json!({ "lanes": [{ "lane": "main", "weight": 1_001 }] }),
            json!({ "identity": "optional" }),
            json!({ "shop_keys": { "kty": "oct", "k": "c2VjcmV0" } }),
            json!({ "shop_keys": "-----BEGIN PUBLIC KEY-----" }),
            json!({ "puzzle": 5_000_001 }),
        ] {
            let refused = change(
                &Setup::default(),
                &settled(Phase::Draft, &[]),
                patch.clone(),
            );
            assert!(refused.unwrap_err().is_invalid(), "{patch}");
        }
    }

    #[test]
    fn once_people_may_come_only_weights_doors_and_new_fifo_lanes_change() {
        let open = settled(Phase::Open, &[]);
        let two = json!({ "lanes": [{ "lane": "main" }, { "lane": "presale", "weight": 4 }] });
        let known = change(&Setup::default(), &open, two).unwrap();
        let weighed = json!({ "lanes": [{ "lane": "main", "weight": 2 }, { "lane": "presale" }] });
        assert!(change(&known, &open, weighed).is_ok());
        let fewer = json!({ "lanes": [{ "lane": "main" }] });
        assert_eq!(
            change(&known, &open, fewer),
            Err(SetupRefused::LanesSettled)
        );
        let lottery = json!({ "ordering": "lottery" });
        assert_eq!(
            change(&known, &open, lottery),
            Err(SetupRefused::OrderingSettled)
        );
    }

    #[test]
    fn whom_the_shop_must_vouch_for_is_only_eased_once_people_may_come() {
        let key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": key }] });
        let draft = settled(Phase::Draft, &[]);
        let required = json!({ "identity": "required", "shop_keys": keys });
        let known = change(&Setup::default(), &draft, required).unwrap();
        let open = settled(Phase::Open, &[]);
        let eased = change(&known, &open, json!({ "identity": "optional" })).unwrap();
        let back = change(&eased, &open, json!({ "identity": "required" }));
        assert_eq!(back, Err(SetupRefused::IdentitySettled));
        let keyless = change(&eased, &open, json!({ "shop_keys": null }));
        assert_eq!(keyless, Err(SetupRefused::NoShopKeys));
    }

    #[test]
    fn a_bound_draw_keeps_its_lane_and_its_event_a_lottery() {
        let bound = settled(Phase::Scheduled, &["presale"]);
        let mut known = Setup::default();
        known.settings.ordering = Ordering::Lottery;
        known.lanes.push(LaneSetup {
            lane: "presale".parse().unwrap(),
            ..LaneSetup::main()
        });
        for patch in [
            json!({ "ordering": "fifo" }),
            json!({ "lanes": [{ "lane": "main" }] }),
        ] {
            let refused = change(&known, &bound, patch).unwrap_err();
            assert!(matches!(refused, SetupRefused::DrawBound(_)), "{refused}");
        }
        let gathering = settled(Phase::Gathering, &[]);
        let third =
            json!({ "lanes": [{ "lane": "main" }, { "lane": "presale" }, { "lane": "vip" }] });
        assert_eq!(
            change(&known, &gathering, third),
            Err(SetupRefused::LanesSettled)
        );
    }
}

//! What each fan is going to do, drawn from a named mix before the run starts.
//! Pure and by index, so that one process or ten rehearse the same crowd.

use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// Hesitations longer than this many means are cut off.
const HESITATION_MEANS_MAX: f64 = 4.0;
/// How long a fan stays away after losing the connection, in milliseconds.
const AWAY_MS: std::ops::Range<u64> = 2_000..20_000;
/// When fans lose patience or connection after they came, in milliseconds.
const TROUBLE_AFTER_MS: std::ops::Range<u64> = 3_000..60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// A usual crowd: some lose the connection, leave, never come, pay badly or cheat.
    Usual,
    /// Everybody waits, buys and pays.
    Calm,
    /// Bad networks: many lose the connection, poll, lose replies.
    Rough,
    /// Many cheats and no-shows.
    Hostile,
}

/// Shares of the crowd; what they leave over is patient and honest.
#[derive(Debug, Clone, Copy)]
struct Mix {
    poll: f64,
    loses_connection: f64,
    leaves: f64,
    no_show: f64,
    cheats: f64,
    gives_hold_back: f64,
    loses_commit_reply: f64,
    pays_badly: f64,
}

impl Profile {
    fn mix(self) -> Mix {
        let usual = Mix {
            poll: 0.10,
            loses_connection: 0.10,
            leaves: 0.04,
            no_show: 0.10,
            cheats: 0.03,
            gives_hold_back: 0.08,
            loses_commit_reply: 0.02,
            pays_badly: 0.10,
        };
        match self {
            Self::Usual => usual,
            Self::Calm => Mix {
                poll: 0.0,
                loses_connection: 0.0,
                leaves: 0.0,
                no_show: 0.0,
                cheats: 0.0,
                gives_hold_back: 0.0,
                loses_commit_reply: 0.0,
                pays_badly: 0.0,
            },
            Self::Rough => Mix {
                poll: 0.3,
                loses_connection: 0.4,
                loses_commit_reply: 0.1,
                ..usual
            },
            Self::Hostile => Mix {
                cheats: 0.3,
                no_show: 0.3,
                ..usual
            },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cheat {
    /// Asks for a place with a token whose signature was touched.
    TamperedToken,
    /// Shows the queue token where an access token is wanted.
    QueueTokenAsAccess,
    /// Joins twice at once with one `client_join_id`, hoping for two places.
    DoubleJoin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Seats chosen on the map.
    Seats,
    /// The best seats that are left.
    Best,
    /// Standing room.
    Tier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    Success,
    /// Declined once, then another card.
    DeclinedOnce,
    Declined,
    NeedsAction,
    Slow,
    Timeout,
    LostReply,
}

impl Payment {
    pub fn method_id(self) -> &'static str {
        match self {
            Self::Success => "pm_test_success",
            Self::DeclinedOnce | Self::Declined => "pm_test_declined",
            Self::NeedsAction => "pm_test_action",
            Self::Slow => "pm_test_slow",
            Self::Timeout => "pm_test_timeout",
            Self::LostReply => "pm_test_lost_reply",
        }
    }

    /// Whether the time it takes is the test provider's, by design.
    pub fn is_slow(self) -> bool {
        matches!(self, Self::Slow | Self::Timeout | Self::LostReply)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostConnection {
    pub after: Duration,
    pub away: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FanPlan {
    pub index: u32,
    pub is_bot: bool,
    pub polls: bool,
    pub loses_connection: Option<LostConnection>,
    pub leaves_after: Option<Duration>,
    pub is_no_show: bool,
    pub cheat: Option<Cheat>,
    pub tickets: u32,
    pub pick: Pick,
    /// Between being let in and the hold.
    pub browses_for: Duration,
    /// Whether the whole seat map is loaded while browsing.
    pub loads_map: bool,
    /// Between the hold and the payment.
    pub hesitates_for: Duration,
    pub gives_hold_back: bool,
    pub payment: Payment,
    /// Drops the connection while paying and asks again with the same key.
    pub loses_commit_reply: bool,
}

/// What the operator of the rehearsal chose about the crowd.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub profile: Profile,
    pub seed: u64,
    /// Mean of each of a fan's two hesitations.
    pub hesitation: Duration,
    pub map_share: f64,
}

impl FanPlan {
    /// The plan of fan `index`, independent of every other fan's.
    pub fn draw(crowd: &Crowd, index: u32, is_bot: bool) -> Self {
        // The odd constant spreads neighbouring indexes over the seed space.
        let mixed = crowd.seed
            ^ u64::from(index)
                .wrapping_add(1)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = &mut StdRng::seed_from_u64(mixed);
        let mix = crowd.profile.mix();
        let pause = if is_bot {
            Duration::ZERO
        } else {
            crowd.hesitation
        };
        Self {
            index,
            is_bot,
            polls: random.random_bool(mix.poll),
            loses_connection: random
                .random_bool(mix.loses_connection)
                .then(|| LostConnection {
                    after: Duration::from_millis(random.random_range(TROUBLE_AFTER_MS)),
                    away: Duration::from_millis(random.random_range(AWAY_MS)),
                }),
            leaves_after: random
                .random_bool(mix.leaves)
                .then(|| Duration::from_millis(random.random_range(TROUBLE_AFTER_MS))),
            is_no_show: random.random_bool(mix.no_show),
            cheat: random.random_bool(mix.cheats).then(|| draw_cheat(random)),
            tickets: random.random_range(1..=4),
            pick: draw_pick(random),
            browses_for: hesitation(random, pause),
            loads_map: random.random_bool(crowd.map_share.clamp(0.0, 1.0)),
            hesitates_for: hesitation(random, pause),
            gives_hold_back: random.random_bool(mix.gives_hold_back),
            payment: draw_payment(random, mix.pays_badly),
            loses_commit_reply: random.random_bool(mix.loses_commit_reply),
        }
    }
}

fn hesitation(random: &mut StdRng, mean: Duration) -> Duration {
    let means = -(1.0 - random.random::<f64>()).ln();
    mean.mul_f64(means.min(HESITATION_MEANS_MAX))
}

fn draw_cheat(random: &mut StdRng) -> Cheat {
    let cheats = [
        Cheat::TamperedToken,
        Cheat::QueueTokenAsAccess,
        Cheat::DoubleJoin,
    ];
    cheats[random.random_range(0..cheats.len())]
}

fn draw_pick(random: &mut StdRng) -> Pick {
    match random.random_range(0..10) {
        0..5 => Pick::Seats,
        5..9 => Pick::Best,
        _ => Pick::Tier,
    }
}

fn draw_payment(random: &mut StdRng, badly: f64) -> Payment {
    if !random.random_bool(badly) {
        return Payment::Success;
    }
    match random.random_range(0..10) {
        0..3 => Payment::DeclinedOnce,
        3..5 => Payment::Declined,
        5..7 => Payment::Slow,
        7 => Payment::NeedsAction,
        8 => Payment::Timeout,
        _ => Payment::LostReply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(profile: Profile) -> Crowd {
        Crowd {
            profile,
            seed: 7,
            hesitation: Duration::from_secs(6),
            map_share: 0.3,
        }
    }

    #[test]
    fn a_plan_depends_on_seed_and_index_alone() {
        let usual = crowd(Profile::Usual);
        assert_eq!(
            FanPlan::draw(&usual, 41, false),
            FanPlan::draw(&usual, 41, false)
        );
        let other = Crowd { seed: 8, ..usual };
        let differs =
            (0..50).any(|i| FanPlan::draw(&usual, i, false) != FanPlan::draw(&other, i, false));
        assert!(differs);
    }

    #[test]
    fn the_crowd_has_the_shares_of_its_profile() {
        let share = |profile, test: fn(&FanPlan) -> bool| {
            let count = (0..5000)
                .filter(|index| test(&FanPlan::draw(&crowd(profile), *index, false)))
                .count();
            count as f64 / 5000.0
        };
        assert_eq!(
            share(Profile::Calm, |plan| plan.is_no_show
                || plan.cheat.is_some()),
            0.0
        );
        assert_eq!(
            share(Profile::Calm, |plan| plan.payment != Payment::Success),
            0.0
        );
        assert!((share(Profile::Hostile, |plan| plan.cheat.is_some()) - 0.3).abs() < 0.03);
        assert!((share(Profile::Rough, |plan| plan.loses_connection.is_some()) - 0.4).abs() < 0.03);
        assert!((share(Profile::Usual, |plan| plan.polls) - 0.1).abs() < 0.02);
    }

    #[test]
    fn bots_do_not_hesitate() {
        let bot = FanPlan::draw(&crowd(Profile::Usual), 3, true);
        assert_eq!(
            (bot.browses_for, bot.hesitates_for),
            (Duration::ZERO, Duration::ZERO)
        );
    }
}

//! How good the waiting times are that fans are told: lines of fans under changing
//! rates, played with the code that leaders run, judged at half-way and by tenths of
//! the wait. `--no-capture` prints the table that docs/rehearse.md shows.

mod crowd;
mod play;
mod profiles;
mod teller;

use play::{Judged, Outcome};
use profiles::{Expected, Profile};

const SEEDS: [u64; 2] = [1, 2];
/// What is to be reached where the rate stays.
const LEAST_HELD: f64 = 0.8;
const MOST_ERROR: f64 = 0.1;
/// Beyond the error of one who knows the present rate and the present crowd exactly.
const MOST_BEYOND_ORACLE: f64 = 0.05;
/// Of the fans whom a sell-out lets in: told no wait half-way.
const MOST_UNTOLD: f64 = 0.33;
/// Of those whom it does not: told a wait that passed.
const MOST_IN_VAIN: f64 = 0.1;
/// Slips of more than two seconds without a reason, a fan. None is wanted; a few come
/// where the points change between which a fan is told the wait.
const MOST_UNEXPLAINED: f64 = 0.5;

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn error(judged: &[Judged]) -> f64 {
    median(judged.iter().map(|one| one.error.abs()))
}

fn oracle(judged: &[Judged]) -> f64 {
    median(judged.iter().map(|one| one.oracle_error.abs()))
}

fn held(judged: &[Judged]) -> f64 {
    let held = judged.iter().filter(|one| one.held);
    held.count() as f64 / judged.len() as f64
}

fn played(profile: &Profile) -> Outcome {
    let mut all = Outcome::default();
    for seed in SEEDS {
        all.add(play::play(profile, seed));
    }
    print(profile, &all);
    all
}

/// Held, error, its middle with its sign, and the oracle's error at half-way; how many
/// heard the same rate from then on and their error; slips a fan; then held and error by
/// tenths of the wait. Held-out profiles have a star.
fn print(profile: &Profile, all: &Outcome) {
    let (half, same) = (&all.half_way, &all.half_way_same_rate);
    println!(
        "| {}{} | {} | {:.0} % | {:.1} % | {:+.1} % | {:.1} % | {:.0} % | {:.1} % | {:.1} | {:.2} |",
        profile.name,
        if profile.is_held_out { " *" } else { "" },
        half.len(),
        100.0 * held(half),
        100.0 * error(half),
        100.0 * median(half.iter().map(|one| one.error)),
        100.0 * oracle(half),
        100.0 * same.len() as f64 / half.len() as f64,
        100.0 * error(same),
        all.slips as f64 / all.fans as f64,
        all.unexplained as f64 / all.fans as f64,
    );
    let row = |of: fn(&[Judged]) -> f64| -> String {
        let tenths = all.tenths.iter().map(|tenth| format!(" {:.2}", of(tenth)));
        tenths.collect()
    };
    println!("    held{}\n    error{}", row(held), row(error));
    println!(
        "    let in untold {} of {}, left out in vain {} of {}",
        all.untold, all.fans, all.in_vain, all.left_out
    );
}

fn plays(profile: &Profile) {
    let all = played(profile);
    let (name, half) = (profile.name, &all.half_way);
    if matches!(profile.expected, Expected::Nothing) {
        return;
    }
    assert!(
        all.unexplained as f64 <= MOST_UNEXPLAINED * all.fans as f64,
        "{name}: {} slips without a reason",
        all.unexplained
    );
    let within = |judged: &[Judged], most: f64| {
        assert!(error(judged) <= most, "{name}: {} of {most}", error(judged));
    };
    match profile.expected {
        Expected::Goal => {
            assert!(held(half) >= LEAST_HELD, "{name}: {}", held(half));
            within(half, MOST_ERROR);
        }
        Expected::SellOut => {
            let most = |share: f64, of: usize| (share * of as f64) as usize;
            assert!(held(half) >= LEAST_HELD, "{name}: {}", held(half));
            assert!(all.untold <= most(MOST_UNTOLD, all.fans), "{name}");
            assert!(all.in_vain <= most(MOST_IN_VAIN, all.left_out), "{name}");
        }
        Expected::GoalAtSameRate => within(&all.half_way_same_rate, MOST_ERROR),
        Expected::LikeOracle => within(half, oracle(half) + MOST_BEYOND_ORACLE),
        Expected::Nothing => unreachable!("returned above"),
    }
}

#[test]
fn known_profiles() {
    profiles::known().iter().for_each(plays);
}

#[test]
fn held_out_profiles() {
    profiles::held_out().iter().for_each(plays);
}

//! The law passes its scenarios: five seeds each, on the plant its defaults were found on (A) and on one that nothing
//! was tuned on (B). One test a scenario and plant, so that they run side by side.

#![allow(clippy::unwrap_used)]

use usher_admission::sim::{LawKind, Plant, Rule, Scenario, run, summarise};

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

fn plays(scenario: &str, plant: &Plant) {
    let scenario = Scenario::named(scenario).unwrap();
    let reports: Vec<_> = SEEDS
        .iter()
        .map(|&seed| run(plant, &scenario, LawKind::Usher, seed).unwrap())
        .collect();
    for (index, summary) in summarise(&reports).into_iter().enumerate() {
        let measure = &reports[0].measures[index];
        let value = if measure.rule == Rule::Median {
            summary.median
        } else {
            summary.worst
        };
        let bound = measure.bound;
        let kept = if measure.at_most {
            value <= bound
        } else {
            value >= bound
        };
        assert!(
            kept,
            "{} on {}: {} is {value}, bound {bound}",
            scenario.name, plant.name, summary.what
        );
    }
}

macro_rules! scenarios {
    ($($name:ident: $scenario:literal;)*) => {
        mod on_the_plant_of_the_defaults {
            $(#[test] fn $name() { super::plays($scenario, &super::Plant::a()); })*
        }
        mod on_a_plant_never_tuned_on {
            $(#[test] fn $name() { super::plays($scenario, &super::Plant::b()); })*
        }
        #[test]
        fn none_is_left_out() {
            let tested = [$($scenario),*];
            let all: Vec<_> = Scenario::all().iter().map(|s| s.name).collect();
            assert_eq!(tested.as_slice(), all.as_slice());
        }
    };
}

scenarios! {
    cold_start_at_half: "cold-50";
    cold_start_at_a_tenth: "cold-10";
    capacity_halves: "halves";
    capacity_doubles: "doubles";
    service_time_doubles: "slow";
    capacity_drifts: "drift";
    no_shows_become_few: "no-show";
    think_time_halves: "think";
    most_leave_silently: "silent";
    a_flood_after_a_quiet_phase: "flood";
    blind_while_capacity_halves: "blind";
    pause_and_resume: "pause";
    stalls: "stalls";
    outage: "outage";
    stock_runs_out: "stock";
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let scenario = Scenario::named("halves").unwrap();
    let picture = || {
        run(&Plant::a(), &scenario, LawKind::Usher, 7)
            .unwrap()
            .picture("twice")
    };
    assert_eq!(picture(), picture());
}

#[test]
fn people_let_in_lumps_are_refused_more_often() {
    let scenario = Scenario::named("no-show").unwrap();
    let refused = |law| -> f64 {
        SEEDS
            .iter()
            .map(|&s| run(&Plant::a(), &scenario, law, s).unwrap().refused)
            .sum()
    };
    let (paced, ten, thirty) = (
        refused(LawKind::Usher),
        refused(LawKind::Batched(10)),
        refused(LawKind::Batched(30)),
    );
    assert!(
        paced < ten && ten < thirty,
        "paced {paced}, 10 s {ten}, 30 s {thirty}"
    );
}

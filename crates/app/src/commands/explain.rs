//! `usher explain`: one fan's way through a line as a plain story, from what the
//! operators' route tells too: the record of releases and where the fan stands.

use std::process::ExitCode;

use clap::Args;
use usher_admission::control::Clause;
use usher_base::{EventId, FanId, Lane, Number, Timestamp};
use usher_queue::pg::{Explanation, LetIn, PassedOver, Store};
use usher_queue::{Line, Place};

use crate::config::Config;
use crate::postgres::open_postgres;
use crate::wiring;

#[derive(Args)]
pub struct ExplainArguments {
    /// The event's id, as in its address
    #[arg(long, value_name = "ID")]
    event: EventId,
    /// As the answer to a join or a draw's record names it
    #[arg(long, value_name = "ID")]
    fan: FanId,
}

/// Where the fan is now, as far as Redis tells.
enum Now {
    Waits(Lane, Number),
    Elsewhere,
    Unknown,
}

pub async fn run(config: &Config, arguments: ExplainArguments) -> anyhow::Result<ExitCode> {
    let ExplainArguments { event, fan } = arguments;
    let store = Store::new(open_postgres(config).await?);
    let lanes = store.line(event).await?.lane_names();
    let now = now(config, event, &lanes, fan).await;
    let standing = match &now {
        Now::Waits(lane, number) => Some((lane.clone(), *number)),
        Now::Elsewhere | Now::Unknown => None,
    };
    let found = store.explain(event, fan, standing).await?;
    for sentence in story(&found, &now) {
        println!("{sentence}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The record can be told without Redis.
async fn now(config: &Config, event: EventId, lanes: &[Lane], fan: FanId) -> Now {
    let Ok(redis) = wiring::open_redis(config).await else {
        return Now::Unknown;
    };
    if redis.follow_epoch().await.is_err() {
        return Now::Unknown;
    }
    let line = Line::new(redis);
    for lane in lanes {
        match line.place(event, lane, fan).await {
            Ok(Place::Waiting { number }) => return Now::Waits(lane.clone(), number),
            Ok(_) => {}
            Err(_) => return Now::Unknown,
        }
    }
    Now::Elsewhere
}

fn story(found: &Explanation, now: &Now) -> Vec<String> {
    let mut told: Vec<(Timestamp, String)> = Vec::new();
    if let (Some(first), Some(last)) = (found.passed_over.first(), found.passed_over.last()) {
        told.push((first.at, passed(&found.passed_over, last)));
    }
    told.extend(found.let_in.iter().map(|one| (one.at, let_in(one))));
    for (at, end) in &found.ended {
        told.push((
            *at,
            format!(
                "It was over for number {} of lane {}: {}.",
                end.number,
                end.lane,
                end.reason.as_str()
            ),
        ));
    }
    told.sort_by_key(|(at, _)| *at);
    let dated = |(at, text): (Timestamp, String)| format!("{}  {text}", at.to_rfc3339());
    let mut sentences: Vec<String> = told.into_iter().map(dated).collect();
    if sentences.is_empty() {
        sentences.push("No release and no end is on record of this fan.".to_owned());
    }
    sentences.push(match now {
        Now::Waits(lane, number) => format!("Now: waits in lane {lane} with number {number}."),
        Now::Elsewhere => "Now: waits in no lane with a number.".to_owned(),
        Now::Unknown => {
            "Now: Redis does not answer, so where the fan stands is not known.".to_owned()
        }
    });
    sentences
}

fn passed(releases: &[PassedOver], last: &PassedOver) -> String {
    let count = releases.len();
    let up_to = releases
        .iter()
        .map(|one| one.up_to)
        .max()
        .unwrap_or(last.up_to);
    format!(
        "From here to {}, {count} release(s) went past this fan, up to number {up_to}: the fan was \
         absent then, or had just missed a claim.",
        last.at.to_rfc3339()
    )
}

fn let_in(one: &LetIn) -> String {
    let LetIn {
        lane,
        number,
        let_in_before,
        ..
    } = one;
    let together = match one.reason["release"].as_u64() {
        Some(1) => "1 was".to_owned(),
        Some(count) => format!("{count} were"),
        None => "Some were".to_owned(),
    };
    let why = serde_json::from_value::<Clause>(one.reason["clause"].clone());
    let why = why.map_or("", Clause::sentence);
    format!(
        "Let in from lane {lane} with number {number}, after {let_in_before} others of that lane. \
         {together} to be let in that second: {why}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn a_story_is_told_in_the_order_of_time() {
        let found = Explanation {
            let_in: vec![LetIn {
                at: at(30),
                sequence: 3,
                lane: Lane::main(),
                number: Number(7),
                leader: "a".to_owned(),
                reason: json!({ "release": 20, "clause": "manual" }),
                let_in_before: 40,
            }],
            passed_over: [10, 20]
                .map(|second| PassedOver {
                    at: at(second),
                    sequence: 1,
                    up_to: Number(u32::try_from(second).unwrap()),
                })
                .to_vec(),
            ended: Vec::new(),
        };
        let told = story(&found, &Now::Elsewhere);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("2 release(s)") && told[0].contains("up to number 20"));
        assert!(told[1].contains("number 7, after 40 others") && told[1].contains("20 were to be"));
        assert!(told[1].contains(Clause::Manual.sentence()), "{told:?}");
        let nothing = story(&Explanation::default(), &Now::Unknown);
        assert!(nothing[0].starts_with("No release") && nothing[1].contains("Redis"));
    }
}

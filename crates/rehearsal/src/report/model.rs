//! Everything a report says, as plain data: `report.json` is this, the page and
//! the terminal are views of it. Built from evidence by pure functions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answers::{self, Answer};
use super::checks::{self, Check};
use crate::objectives::Objectives;
use crate::record::{Ending, FanRecord, Finding};
use crate::score::limit::{self, Limit};
use crate::score::order::{self, Order};
use crate::score::pace::{self, Pace};
use crate::score::stock::{self, Facts, Stock};
use crate::score::waits::{self, Waits};
use crate::spread::Summary;
use crate::tally::{Second, Tally};
use crate::wire::Status;

/// What was rehearsed, for the head of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub targets: Vec<String>,
    pub event: String,
    pub fans: u32,
    pub curve: String,
    pub profile: String,
    pub arrive_seconds: u32,
    pub max_seconds: u32,
    pub seed: u64,
    pub processes: u32,
    pub push_interval_ms: u64,
    pub wait_tolerance_s: f64,
    pub started_at: String,
    pub version: String,
}

/// A reading of the operators' status during the rehearsal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusSeen {
    pub at_ms: u64,
    #[serde(flatten)]
    pub status: Status,
}

/// All that a rehearsal brought home.
#[derive(Debug)]
pub struct Evidence {
    pub setting: Setting,
    pub records: Vec<FanRecord>,
    pub tally: Tally,
    pub facts: Facts,
    pub statuses: Vec<StatusSeen>,
    pub ran_ms: u64,
    /// Processes of the tool that ended before they had told everything.
    pub processes_lost: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    pub call: String,
    pub good: u64,
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
    pub latency: Summary,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cheats {
    pub tried: u64,
    pub got_through: u64,
    pub which: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// How late fans were sent off, against the curve.
    pub start_lag: Summary,
    pub sample_lag: Summary,
    /// How long requests waited for a connection of the tool's own.
    pub slot_wait: Summary,
    pub processes_lost: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub go: bool,
    pub answers: Vec<Answer>,
    pub checks: Vec<Check>,
    pub setting: Setting,
    pub ran_s: f64,
    pub joined: u64,
    pub endings: BTreeMap<Ending, u64>,
    pub calls: Vec<CallRow>,
    pub codes: BTreeMap<String, u64>,
    pub waits: Waits,
    pub order: Order,
    pub stock: Stock,
    /// Whether the operators' status could be read after the last fan; `None` without a key.
    pub answered_at_end: Option<bool>,
    pub pace: Pace,
    pub limit: Limit,
    pub cheats: Cheats,
    pub push_lag: Summary,
    pub frames: u64,
    pub frames_garbled: u64,
    /// How often fans in an open line were shown a wait, and why not how often.
    pub waits_shown: u64,
    pub waits_not_shown: BTreeMap<String, u64>,
    pub streams_lost: u64,
    pub tool: Tool,
    pub seconds: Vec<Second>,
    pub statuses: Vec<StatusSeen>,
}

impl Report {
    pub fn build(evidence: Evidence, objectives: &Objectives) -> Self {
        let Evidence {
            setting,
            records,
            tally,
            facts,
            statuses,
            ran_ms,
            processes_lost,
        } = evidence;
        let before = statuses.first().map(|seen| &seen.status);
        // An earlier reading would accuse usher of orders that came after it.
        let last = statuses.last().filter(|seen| seen.at_ms >= ran_ms);
        let after = last.map(|seen| &seen.status);
        let answered_at_end = (!statuses.is_empty()).then_some(last.is_some());
        let mut report = Self {
            go: false,
            answers: Vec::new(),
            checks: Vec::new(),
            ran_s: ran_ms as f64 / 1000.0,
            answered_at_end,
            joined: records
                .iter()
                .filter(|record| record.joined_ms.is_some())
                .count() as u64,
            endings: endings(&records),
            calls: calls(&tally),
            waits: waits::score(&records, setting.wait_tolerance_s),
            order: order::score(&records, setting.push_interval_ms),
            stock: stock::score(&records, &facts, before, after),
            pace: pace::score(&tally.seconds),
            limit: limit::find(&tally.seconds),
            cheats: cheats(&records),
            push_lag: tally.push_lag.summary(),
            frames: tally.frames,
            frames_garbled: tally.frames_garbled,
            waits_shown: tally.waits_shown,
            waits_not_shown: tally.waits_not_shown,
            streams_lost: tally.streams_lost,
            tool: Tool {
                start_lag: tally.start_lag.summary(),
                sample_lag: tally.sample_lag.summary(),
                slot_wait: tally.slot_wait.summary(),
                processes_lost,
            },
            codes: tally.codes,
            seconds: tally.seconds,
            statuses,
            setting,
        };
        report.checks = checks::check(&report, objectives);
        report.answers = answers::answer(&report);
        report.go = report
            .checks
            .iter()
            .all(|check| check.passed != Some(false));
        report
    }

    pub fn call(&self, name: &str) -> Option<&CallRow> {
        self.calls.iter().find(|row| row.call == name)
    }

    pub fn ended(&self, ending: Ending) -> u64 {
        self.endings.get(&ending).copied().unwrap_or_default()
    }
}

fn endings(records: &[FanRecord]) -> BTreeMap<Ending, u64> {
    let mut endings = BTreeMap::new();
    for ending in records.iter().filter_map(|record| record.ending) {
        *endings.entry(ending).or_default() += 1;
    }
    endings
}

fn calls(tally: &Tally) -> Vec<CallRow> {
    tally
        .calls
        .iter()
        .map(|(call, counted)| CallRow {
            call: call.name().to_owned(),
            good: counted.good,
            answered: counted.answered,
            refused: counted.refused,
            failed: counted.failed,
            latency: counted.spread.summary(),
        })
        .collect()
}

fn cheats(records: &[FanRecord]) -> Cheats {
    let mut cheats = Cheats::default();
    for record in records {
        cheats.tried += u64::from(record.cheated.is_some());
        for finding in &record.findings {
            if let Finding::CheatGotThrough { cheat } = finding {
                cheats.got_through += 1;
                *cheats.which.entry(format!("{cheat:?}")).or_default() += 1;
            }
        }
    }
    cheats
}

//! The leader's side of signals: all nodes' reports once a second. What counts as
//! fresh is what changed since the last reading, by the leader's own clock, so
//! that a node whose clock is wrong is heard like any other.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use usher_base::redis::{CallError, Redis};
use usher_base::{EventId, Timestamp};

use super::Report;
use crate::cache::from_json;
use crate::control::{AgeCount, NodeBoard, Signals};
use crate::keys;

/// Nodes that are heard, and kept in Redis; a node that is gone makes room.
const MAX_NODES: usize = 256;
/// A node that says nothing new for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// The first report that a new leader finds of a node may be so old at most.
const FRESH_AT_FIRST: Duration = Duration::from_secs(5);

/// What came with one reading, beside the signals.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    pub first_holds: Vec<AgeCount>,
}

#[derive(Default)]
pub(crate) struct Sources {
    board: NodeBoard,
    nodes: HashMap<String, Heard>,
}

struct Heard {
    /// The time in the report, by the node's clock.
    said_at: Timestamp,
    /// When that was new, by the leader's.
    heard_at: Timestamp,
    first_holds: BTreeMap<u32, u64>,
}

impl Sources {
    /// Reads all nodes' reports, and takes out those of nodes long gone.
    pub async fn read(
        &mut self,
        redis: &Redis,
        event: EventId,
        now: Timestamp,
    ) -> Result<Incoming, CallError> {
        let key = keys::signals(event);
        let mut read = ::redis::cmd("HGETALL");
        read.arg(&key);
        let reports: HashMap<String, Vec<u8>> = redis.command(read).await?;
        let mut first_holds = BTreeMap::new();
        let gone = self.hear_all(reports, now, &mut first_holds);
        if !gone.is_empty() {
            let mut forget = ::redis::cmd("HDEL");
            forget.arg(&key).arg(gone);
            redis.command::<i64>(forget).await?;
        }
        let first_holds = first_holds
            .into_iter()
            .map(|(age_s, count)| AgeCount { age_s, count })
            .collect();
        Ok(Incoming { first_holds })
    }

    /// Returns the nodes that are gone, or are more than may be.
    fn hear_all(
        &mut self,
        reports: HashMap<String, Vec<u8>>,
        now: Timestamp,
        first_holds: &mut BTreeMap<u32, u32>,
    ) -> Vec<String> {
        let mut gone = Vec::new();
        for (node, text) in reports {
            let has_room = self.nodes.len() < MAX_NODES || self.nodes.contains_key(&node);
            let report: Option<Report> = from_json(&text).filter(|_| has_room);
            let is_there = report.is_some_and(|said| self.hear(&node, said, now, first_holds));
            if !is_there {
                self.nodes.remove(&node);
                gone.push(node);
            }
        }
        // Redis may have forgotten some, too.
        self.nodes
            .retain(|_, heard| now.since(heard.heard_at) <= GONE_AFTER);
        gone
    }

    /// The backend's last second; `None` when nobody told of it.
    pub fn merged(&mut self, now: Timestamp) -> Option<Signals> {
        self.board.merged(millis(now))
    }

    /// False when the node is gone.
    fn hear(
        &mut self,
        node: &str,
        report: Report,
        now: Timestamp,
        first_holds: &mut BTreeMap<u32, u32>,
    ) -> bool {
        let Some(known) = self.nodes.get_mut(node) else {
            let age = now.since(report.at).max(report.at.since(now));
            if age <= FRESH_AT_FIRST {
                self.board.put(node, millis(now), report.signals);
            }
            let heard = Heard {
                said_at: report.at,
                heard_at: now,
                first_holds: report.first_holds,
            };
            self.nodes.insert(node.to_owned(), heard);
            return true;
        };
        if known.said_at == report.at {
            return now.since(known.heard_at) <= GONE_AFTER;
        }
        self.board.put(node, millis(now), report.signals);
        for (age_s, total) in &report.first_holds {
            let before = known.first_holds.get(age_s).copied().unwrap_or(0);
            // A total that fell is of a node that began anew.
            let new = if *total < before {
                *total
            } else {
                total - before
            };
            if new > 0 {
                let new = u32::try_from(new).unwrap_or(u32::MAX);
                let sum: &mut u32 = first_holds.entry(*age_s).or_default();
                *sum = sum.saturating_add(new);
            }
        }
        known.first_holds = report.first_holds;
        (known.said_at, known.heard_at) = (report.at, now);
        true
    }
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(NOW.millis() + second * 1_000)
    }

    fn report(at: Timestamp, completed: f64) -> Report {
        let signals = Signals {
            completed,
            ..Signals::default()
        };
        Report::new(at, signals)
    }

    fn hear(sources: &mut Sources, report: Report, now: Timestamp) -> BTreeMap<u32, u32> {
        let mut holds = BTreeMap::new();
        assert!(sources.hear("a", report, now, &mut holds));
        holds
    }

    #[test]
    fn a_node_with_a_wrong_clock_is_heard_once_it_says_something_new() {
        let mut sources = Sources::default();
        let wrong = |second: i64| at(second - 3_600);
        hear(&mut sources, report(wrong(0), 5.0), at(0));
        assert_eq!(sources.merged(at(0)), None, "it may be an hour old");
        hear(&mut sources, report(wrong(1), 6.0), at(1));
        assert_eq!(sources.merged(at(1)).unwrap().completed, 6.0);
        hear(&mut sources, report(wrong(1), 6.0), at(3));
        assert_eq!(sources.merged(at(3)), None, "nothing new for two seconds");
    }

    #[test]
    fn a_silent_node_is_gone_after_a_minute() {
        let mut sources = Sources::default();
        hear(&mut sources, report(at(0), 5.0), at(0));
        let mut holds = BTreeMap::new();
        assert!(sources.hear("a", report(at(0), 5.0), at(60), &mut holds));
        assert!(!sources.hear("a", report(at(0), 5.0), at(61), &mut holds));
    }

    #[test]
    fn nodes_beyond_the_bound_are_taken_out_and_those_known_stay() {
        let mut sources = Sources::default();
        let mut holds = BTreeMap::new();
        let said = |names: std::ops::Range<usize>| {
            let text = crate::cache::to_json(&report(NOW, 5.0));
            let named = names.map(|name| (name.to_string(), text.clone()));
            named.collect::<HashMap<_, _>>()
        };
        let gone = sources.hear_all(said(0..MAX_NODES), NOW, &mut holds);
        assert!(gone.is_empty());
        let mut gone = sources.hear_all(said(0..MAX_NODES + 2), NOW, &mut holds);
        gone.sort();
        assert_eq!(gone, [MAX_NODES, MAX_NODES + 1].map(|n| n.to_string()));
        assert_eq!(sources.nodes.len(), MAX_NODES);
        sources.hear_all(HashMap::new(), at(60), &mut holds);
        assert_eq!(sources.nodes.len(), MAX_NODES, "Redis may be back");
        sources.hear_all(HashMap::new(), at(61), &mut holds);
        assert!(sources.nodes.is_empty());
    }

    #[test]
    fn first_holds_are_counted_once_whatever_was_missed() {
        let mut sources = Sources::default();
        let with = |second, holds: &[(u32, u64)]| Report {
            first_holds: holds.iter().copied().collect(),
            ..report(at(second), 1.0)
        };
        let counts = |holds: &[(u32, u32)]| holds.iter().copied().collect::<BTreeMap<_, _>>();
        let before_us = hear(&mut sources, with(0, &[(20, 100)]), at(0));
        assert_eq!(before_us, counts(&[]));
        let holds = hear(&mut sources, with(1, &[(20, 103), (31, 1)]), at(1));
        assert_eq!(holds, counts(&[(20, 3), (31, 1)]));
        let again = hear(&mut sources, with(1, &[(20, 103), (31, 1)]), at(2));
        assert_eq!(again, counts(&[]));
        let restarted = hear(&mut sources, with(3, &[(20, 2)]), at(3));
        assert_eq!(restarted, counts(&[(20, 2)]));
    }
}

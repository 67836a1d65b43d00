//! Lua scripts and the fence around them.
//!
//! A script's full text is its `#!lua` line, `local EPOCH = '<n>'`, the shared
//! prelude, and its body. The epoch changes the text and so the SHA, and usher
//! never falls back from EVALSHA to EVAL: a Redis that restarted, was promoted
//! or lags an epoch behind answers NOSCRIPT, which is `CallError::Stale`.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use arc_swap::ArcSwap;
use redis::{Cmd, FromRedisValue, ToRedisArgs};

use super::{CallError, Redis};
use crate::Epoch;

const PRELUDE: &str = include_str!("../../../../lua/prelude.lua");
const TEST_CLOCK: &str = include_str!("../../../../lua/prelude_test_clock.lua");

/// A script as it stands in `lua/`, known by its file's name.
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    pub body: &'static str,
}

impl Script {
    pub const fn new(name: &'static str, body: &'static str) -> Self {
        Self { name, body }
    }

    fn text(&self, epoch: Epoch, time: TimeSource) -> String {
        let (shebang, rest) = self.body.split_once('\n').unwrap_or((self.body, ""));
        let clock = match time {
            TimeSource::Server => "",
            TimeSource::Test => TEST_CLOCK,
        };
        format!("{shebang}\nlocal EPOCH = '{epoch}'\n{PRELUDE}{clock}{rest}")
    }
}

/// Where a script takes the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// Redis's own clock: one clock for all nodes.
    Server,
    /// A field in the event's meta that a test moves by hand.
    Test,
}

/// The scripts of one handle, with their SHAs for the epoch in force.
pub(super) struct Loaded {
    scripts: Vec<&'static Script>,
    time: TimeSource,
    current: ArcSwap<Shas>,
}

struct Shas {
    epoch: Epoch,
    by_name: HashMap<&'static str, String>,
}

impl Loaded {
    pub fn new(scripts: &[&'static Script], time: TimeSource) -> Self {
        let names: HashSet<_> = scripts.iter().map(|script| script.name).collect();
        // One would be called in the other's place, whatever crates they are of.
        assert_eq!(names.len(), scripts.len(), "two scripts share a name");
        // Epoch 0 was never published: until one is adopted, all calls answer Stale.
        let none = Shas {
            epoch: Epoch(0),
            by_name: HashMap::new(),
        };
        Self {
            scripts: scripts.to_vec(),
            time,
            current: ArcSwap::from_pointee(none),
        }
    }

    pub fn epoch(&self) -> Epoch {
        self.current.load().epoch
    }

    pub fn texts(&self, epoch: Epoch) -> impl Iterator<Item = String> + '_ {
        self.scripts.iter().map(move |s| s.text(epoch, self.time))
    }

    pub fn adopt(&self, epoch: Epoch) {
        if self.epoch() == epoch {
            return;
        }
        let sha = |s: &&'static Script| {
            let text = s.text(epoch, self.time);
            (s.name, redis::Script::new(&text).get_hash().to_owned())
        };
        let by_name = self.scripts.iter().map(sha).collect();
        self.current
            .store(std::sync::Arc::new(Shas { epoch, by_name }));
    }

    fn sha(&self, name: &str) -> Option<String> {
        self.current.load().by_name.get(name).cloned()
    }
}

/// One call of a script, being put together.
pub struct Invocation<'a> {
    redis: &'a Redis,
    script: &'static Script,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
}

impl<'a> Invocation<'a> {
    pub(super) fn new(redis: &'a Redis, script: &'static Script) -> Self {
        Self {
            redis,
            script,
            keys: Vec::new(),
            args: Vec::new(),
        }
    }

    /// Adds a key (or several).
    pub fn key(mut self, key: impl ToRedisArgs) -> Self {
        self.keys.extend(key.to_redis_args());
        self
    }

    /// Adds an argument (or several).
    pub fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.args.extend(arg.to_redis_args());
        self
    }

    pub async fn run<T: FromRedisValue>(self) -> Result<T, CallError> {
        let name = self.script.name;
        let started = Instant::now();
        let result = self.send().await;
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::histogram!("usher_redis_script_seconds", "script" => name, "outcome" => outcome)
            .record(started.elapsed().as_secs_f64());
        result
    }

    async fn send<T: FromRedisValue>(self) -> Result<T, CallError> {
        let sha = self.redis.scripts.sha(self.script.name);
        let mut call = Cmd::new();
        call.arg("EVALSHA")
            .arg(sha.ok_or(CallError::Stale)?)
            .arg(self.keys.len())
            .arg(self.keys)
            .arg(self.args);
        self.redis.command(call).await
    }
}

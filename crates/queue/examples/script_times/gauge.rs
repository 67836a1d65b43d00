//! Scripts that say of themselves how much processor time each call took. Redis tells
//! the time of its main thread to the microsecond, also to a script (`INFO cpu`): what
//! else the machine does meanwhile does not count, and calls may come at once. The wall
//! clock stands beside it, from Redis's slow log. Asking twice costs a call some 10 us,
//! which are part of what is told.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use redis::{Cmd, FromRedisValue, Value, cmd};
use usher_base::redis::{Redis, Script};
use usher_queue::SCRIPTS;
use usher_sandbox::SlowScript;

/// What a script may take at most, as docs/draw.md has it.
const BOUND: Duration = Duration::from_micros(2_500);
const SLOW_LOG_ENTRIES: usize = 4_096;
/// Of the calls over the bound so many are told of.
const MAX_TOLD: usize = 10_000;
/// Above what a command inside a script takes: the slow log tells of those too,
/// and telling of each would itself be what is measured.
const LOGGED_FROM: Duration = Duration::from_micros(500);

const LONGEST: &str = "measured:longest";
const TOTAL: &str = "measured:total";
const CALLS: &str = "measured:calls";
const OVER: &str = "measured:over";

/// The line's scripts, each between two looks at the clock.
pub fn measured_scripts() -> Vec<&'static Script> {
    let measured = |script: &&'static Script| -> &'static Script {
        let body: &'static str = measured_text(script).leak();
        Box::leak(Box::new(Script::new(script.name, body)))
    };
    SCRIPTS.iter().map(measured).collect()
}

fn measured_text(script: &Script) -> String {
    let (first_line, rest) = script.body.split_once('\n').unwrap_or((script.body, ""));
    let (name, bound) = (script.name, BOUND.as_micros());
    format!(
        "{first_line}
local function main_thread_us()
  local told = redis.call('INFO', 'cpu')
  local user = string.match(told, 'used_cpu_user_main_thread:([%d.]+)')
  local system = string.match(told, 'used_cpu_sys_main_thread:([%d.]+)')
  return (user + system) * 1000000
end
local began_us = main_thread_us()
local function measured()
{rest}
end
local result = measured()
local took_us = math.floor(main_thread_us() - began_us + 0.5)
redis.call('ZADD', '{LONGEST}', 'GT', took_us, '{name}')
redis.call('HINCRBY', '{TOTAL}', '{name}', took_us)
local nth = redis.call('HINCRBY', '{CALLS}', '{name}', 1)
if took_us > {bound} then redis.call('RPUSH', '{OVER}', '{name} call ' .. nth .. ': ' .. took_us .. ' us') end
return result
"
    )
}

pub struct Gauge {
    redis: Redis,
    over: usize,
}

impl Gauge {
    /// Prints the table's head; `end` prints its lines.
    pub async fn open(redis: &Redis) -> Result<Self> {
        let gauge = Self {
            redis: redis.clone(),
            over: 0,
        };
        for (name, value) in [
            ("slowlog-log-slower-than", LOGGED_FROM.as_micros()),
            ("slowlog-max-len", SLOW_LOG_ENTRIES as u128),
        ] {
            let value = value.to_string();
            gauge
                .ask::<Value>(cmd("CONFIG").arg("SET").arg(name).arg(value))
                .await?;
        }
        println!(
            "| while | script | calls | mean us | longest us | over {} us | longest by the wall clock |",
            BOUND.as_micros()
        );
        println!("| --- | --- | --: | --: | --: | --: | --: |");
        Ok(gauge)
    }

    pub async fn begin(&self) -> Result<()> {
        let kept = [LONGEST, TOTAL, CALLS, OVER];
        self.ask::<Value>(cmd("DEL").arg(&kept[..])).await?;
        self.ask::<Value>(cmd("SLOWLOG").arg("RESET")).await?;
        Ok(())
    }

    /// What was called since `begin`.
    pub async fn end(&mut self, doing: &str) -> Result<()> {
        let longest: Vec<(String, u64)> = self
            .ask(cmd("ZRANGE").arg(LONGEST).arg(0).arg(-1).arg("WITHSCORES"))
            .await?;
        ensure!(!longest.is_empty(), "no script was called");
        let total: BTreeMap<String, u64> = self.ask(cmd("HGETALL").arg(TOTAL)).await?;
        let calls: BTreeMap<String, u64> = self.ask(cmd("HGETALL").arg(CALLS)).await?;
        let over: Vec<String> = self
            .ask(cmd("LRANGE").arg(OVER).arg(0).arg(MAX_TOLD))
            .await?;
        let wall = self.longest_by_wall_clock().await?;
        for (name, longest) in &longest {
            let calls = calls.get(name).context("each call was counted")?;
            let mean = total.get(name).copied().unwrap_or_default() / calls;
            let over = over
                .iter()
                .filter(|told| told.starts_with(&format!("{name} ")))
                .count();
            println!("| {doing} | `{name}` | {calls} | {mean} | {longest} | {over} | {wall} |");
        }
        for told in &over {
            eprintln!("too long: {told}");
        }
        self.over += over.len();
        Ok(())
    }

    pub fn is_within_bound(&self) -> bool {
        self.over == 0
    }

    /// Of whichever script it was.
    async fn longest_by_wall_clock(&self) -> Result<String> {
        let entries: Vec<Value> = self
            .ask(cmd("SLOWLOG").arg("GET").arg(SLOW_LOG_ENTRIES))
            .await?;
        let scripts = entries.iter().filter_map(SlowScript::of);
        let longest = scripts.map(|script| script.took).max();
        Ok(match longest {
            Some(longest) => longest.as_micros().to_string(),
            None => format!("< {}", LOGGED_FROM.as_micros()),
        })
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        Ok(self.redis.command(command.clone()).await?)
    }
}

//! How long scripts hold Redis in a run by usher's own processes, by two clocks: the wall
//! clock of its slow log, and the processor time of its main thread. Every millisecond a
//! thread looks at both, so whoever was slow lies between two looks, and Redis cannot have
//! worked longer on it than it worked between them. What the script took besides, the
//! machine, or its host, had given to something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::{Cmd, Connection, Value, cmd};
use usher_sandbox::{Redis, SlowScript, held_up};

const LOOK_EVERY: Duration = Duration::from_millis(1);
const SLOW_LOG_ENTRIES: usize = 16_384;
const MAX_TOLD: usize = 10;

/// What is known of Redis so far.
#[derive(Clone, Copy)]
struct Look {
    /// Processor time of the main thread (Linux; elsewhere of all threads).
    worked: Duration,
    /// The main thread was ready and something else ran (Linux; elsewhere nothing).
    waited: Duration,
    scripts: u64,
    /// Entries of the slow log.
    logged: usize,
}

/// A script of the slow log, and all that Redis did between the looks around it.
#[derive(Clone)]
struct Slow {
    script: SlowScript,
    worked: Duration,
    waited: Duration,
    scripts: u64,
}

impl Slow {
    /// Redis worked no longer on it.
    fn worked_at_most(&self) -> Duration {
        self.script.took.min(self.worked)
    }
}

/// Of a whole watch.
pub struct Seen {
    pub scripts: u64,
    slow: Vec<Slow>,
    waited: Duration,
}

/// Looks until it is asked what it saw.
pub struct Watch {
    connection: Connection,
    pid: u32,
    is_over: Arc<AtomicBool>,
    looking: JoinHandle<Vec<Look>>,
}

impl Watch {
    /// Of the scripts that take longer than `logged_from` by the wall clock. What comes
    /// after this returns and before `end` lies between two looks.
    pub fn begin(redis: &Redis, logged_from: Duration) -> Self {
        let (client, pid) = (redis::Client::open(redis.url()).unwrap(), redis.pid());
        let mut connection = client.get_connection().unwrap();
        for (name, value) in [
            ("slowlog-log-slower-than", logged_from.as_micros()),
            ("slowlog-max-len", SLOW_LOG_ENTRIES as u128),
        ] {
            let value = value.to_string();
            run(
                cmd("CONFIG").arg("SET").arg(name).arg(value),
                &mut connection,
            );
        }
        run(cmd("CONFIG").arg("RESETSTAT"), &mut connection);
        run(cmd("SLOWLOG").arg("RESET"), &mut connection);
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, mut own) = (Arc::clone(&is_over), client.get_connection().unwrap());
        let mut looks = vec![Look::take(&mut own, pid)];
        let looking = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
                looks.push(Look::take(&mut own, pid));
            }
            looks
        });
        Self {
            connection,
            pid,
            is_over,
            looking,
        }
    }

    pub fn end(mut self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        let mut looks = self.looking.join().unwrap();
        looks.push(Look::take(&mut self.connection, self.pid));
        let mut get = cmd("SLOWLOG");
        get.arg("GET").arg(SLOW_LOG_ENTRIES);
        let mut entries: Vec<Value> = get.query(&mut self.connection).unwrap();
        assert!(
            entries.len() < SLOW_LOG_ENTRIES,
            "the slow log may have lost some"
        );
        entries.reverse(); // The newest came first.
        let (first, last) = (looks[0], looks[looks.len() - 1]);
        let slow =
            (first.logged..last.logged).filter_map(|nth| slow_script(nth, &entries[nth], &looks));
        Seen {
            scripts: last.scripts,
            slow: slow.collect(),
            waited: last.waited.saturating_sub(first.waited),
        }
    }
}

fn run(command: &Cmd, redis: &mut Connection) {
    command.exec(redis).unwrap();
}

impl Look {
    fn take(redis: &mut Connection, pid: u32) -> Self {
        let (told, logged): (String, usize) = redis::pipe()
            .add_command(cmd("INFO").arg("cpu").arg("commandstats").clone())
            .add_command(cmd("SLOWLOG").arg("LEN").clone())
            .query(redis)
            .unwrap();
        let after = |name: &str| told.lines().find_map(|line| line.strip_prefix(name));
        let worked = ["user", "sys"].map(|kind| {
            let main_thread = after(&format!("used_cpu_{kind}_main_thread:"));
            let seconds = main_thread.or_else(|| after(&format!("used_cpu_{kind}:")));
            Duration::from_secs_f64(seconds.unwrap().parse().unwrap())
        });
        let scripts = after("cmdstat_evalsha:calls=").and_then(|stats| stats.split(',').next());
        Self {
            worked: worked[0] + worked[1],
            waited: held_up(pid).unwrap_or_default(),
            scripts: scripts.map_or(0, |calls| calls.parse().unwrap()),
            logged,
        }
    }
}

/// The `nth` entry of the slow log, which came between the first look and the last, if it
/// is a script.
fn slow_script(nth: usize, entry: &Value, looks: &[Look]) -> Option<Slow> {
    let script = SlowScript::of(entry)?;
    let after = looks.partition_point(|look| look.logged <= nth);
    let (before, after) = (&looks[after - 1], &looks[after]);
    Some(Slow {
        script,
        worked: after.worked.saturating_sub(before.worked),
        waited: after.waited.saturating_sub(before.waited),
        scripts: after.scripts.saturating_sub(before.scripts),
    })
}

impl Seen {
    /// Redis worked longer on no script (of those that it logged).
    pub fn longest_worked(&self) -> Duration {
        self.longest(Slow::worked_at_most)
    }

    fn longest(&self, time: fn(&Slow) -> Duration) -> Duration {
        self.slow.iter().map(time).max().unwrap_or_default()
    }

    /// Those that held Redis longest by the wall clock.
    pub fn tell(&self, bound: Duration) {
        let over = |time: fn(&Slow) -> Duration| {
            let longer = self.slow.iter().filter(|one| time(one) > bound);
            longer.count()
        };
        let wall = |one: &Slow| one.script.took;
        println!("| {} scripts | longest | above {bound:?} |", self.scripts);
        println!("| --- | --: | --: |");
        println!(
            "| by the wall clock | {:?} | {} |",
            self.longest(wall),
            over(wall)
        );
        println!(
            "| that Redis worked, at most | {:?} | {} |",
            self.longest_worked(),
            over(Slow::worked_at_most),
        );
        println!(
            "Its main thread waited for a core for {:?} in all.",
            self.waited
        );
        println!("\n| the slowest | on | Redis worked around it | and waited | scripts there |");
        println!("| --: | --- | --: | --: | --: |");
        let mut slow = self.slow.clone();
        slow.sort_by_key(|one| std::cmp::Reverse(one.script.took));
        for one in slow.iter().take(MAX_TOLD) {
            let SlowScript { key, took } = &one.script;
            let (worked, waited) = (one.worked, one.waited);
            println!(
                "| {took:?} | {key} | {worked:?} | {waited:?} | {} |",
                one.scripts
            );
        }
    }
}

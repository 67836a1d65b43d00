//! What an operation costs in processor time, part by part: usher, Redis, Postgres
//! and the load itself. Unlike operations a second it hardly changes with what else
//! runs on the machine, and it says which part to look at.

use std::fs;
use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;

use crate::processes::{Used, used};
use crate::stack::Stack;

/// The processes of a stack whose time is counted.
pub struct Meter {
    ushers: Vec<u32>,
    redis: u32,
    postgres: u32,
}

/// Processor time of each part, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    usher: Used,
    redis: f64,
    postgres: f64,
    load: f64,
}

impl Meter {
    pub fn of(stack: &Stack) -> Self {
        Self {
            ushers: stack.ushers.iter().map(|usher| usher.pid()).collect(),
            redis: stack.redis_server.pid(),
            postgres: stack.postgres.pid(),
        }
    }

    /// What `work` costs from `warm_up` after its beginning on.
    pub async fn during<R>(
        &self,
        warm_up: Duration,
        work: impl Future<Output = R>,
    ) -> anyhow::Result<(R, Spent)> {
        let warm = async {
            tokio::time::sleep(warm_up).await;
            self.read()
        };
        let (before, done) = tokio::join!(warm, work);
        Ok((done, self.read()?.since(before?)))
    }

    /// Since the processes began.
    fn read(&self) -> anyhow::Result<Spent> {
        let mut spent = Spent::default();
        for usher in &self.ushers {
            spent.usher = spent.usher.plus(used(*usher)?);
        }
        spent.redis = used(self.redis)?.total();
        spent.postgres = family(self.postgres)?;
        spent.load = used(std::process::id())?.total();
        Ok(spent)
    }
}

impl Spent {
    fn since(self, before: Self) -> Self {
        Self {
            usher: self.usher.since(before.usher),
            redis: self.redis - before.redis,
            postgres: self.postgres - before.postgres,
            load: self.load - before.load,
        }
    }

    /// Microseconds for each of so many operations, in words.
    pub fn each(self, operations: u64) -> String {
        let each = |seconds: f64| seconds * 1e6 / operations.max(1) as f64;
        format!(
            "CPU each: usher {:.1} + kernel {:.1}, Redis {:.1}, Postgres {:.1}, load {:.1} us",
            each(self.usher.user),
            each(self.usher.kernel),
            each(self.redis),
            each(self.postgres),
            each(self.load)
        )
    }
}

/// A server that forks: itself, its living children and those it has buried.
fn family(parent: u32) -> anyhow::Result<f64> {
    let own = used(parent)?;
    let mut seconds = own.total() + own.buried;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ended since it was listed is among the buried soon.
        if let Ok(child) = used(pid).context("a process is gone")
            && child.parent == parent
        {
            seconds += child.total();
        }
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_out_over_the_operations() {
        let of = |user, kernel| Used {
            user,
            kernel,
            ..Used::default()
        };
        let before = Spent {
            usher: of(1.0, 1.0),
            redis: 1.0,
            ..Spent::default()
        };
        let after = Spent {
            usher: of(3.0, 1.5),
            redis: 1.1,
            load: 0.2,
            ..Spent::default()
        };
        assert_eq!(
            after.since(before).each(100_000),
            "CPU each: usher 20.0 + kernel 5.0, Redis 1.0, Postgres 0.0, load 2.0 us"
        );
    }
}

//! What Redis was asked between two moments, by command, from its own counters.

use std::collections::BTreeMap;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;

pub struct RedisStats {
    connection: MultiplexedConnection,
    before: BTreeMap<String, u64>,
}

impl RedisStats {
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let before = calls(&mut connection).await?;
        Ok(Self { connection, before })
    }

    /// Calls since the last asking, by command, our own asking left out.
    pub async fn since(&mut self) -> anyhow::Result<BTreeMap<String, u64>> {
        let now = calls(&mut self.connection).await?;
        let delta = now.iter().filter_map(|(command, calls)| {
            let made = calls - self.before.get(command).copied().unwrap_or_default();
            (made > 0 && command != "info").then(|| (command.clone(), made))
        });
        let delta = delta.collect();
        self.before = now;
        Ok(delta)
    }
}

async fn calls(connection: &mut MultiplexedConnection) -> anyhow::Result<BTreeMap<String, u64>> {
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(connection)
        .await
        .context("Redis does not tell its counters")?;
    Ok(parse(&info))
}

fn parse(info: &str) -> BTreeMap<String, u64> {
    let lines = info.lines();
    let commands = lines.filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    let counted = commands.filter_map(|(command, rest)| {
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((command.to_owned(), calls))
    });
    counted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read() {
        let info = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=3,x=1\r\ncmdstat_get:calls=1,usec=2\r\n";
        let read = parse(info);
        assert_eq!(read["evalsha"], 12);
        assert_eq!(read["get"], 1);
        assert_eq!(read.len(), 2);
    }
}

//! Opening Redis anew after it may have forgotten something, and noticing that
//! it has. The order of a rebuild is the app's to keep: raise the epoch in
//! Postgres, load the scripts, begin, rebuild, open, publish the epoch.

use redis::cmd;

use super::{CallError, Redis, Script, keys};
use crate::{Epoch, EventId};

pub static BEGIN: Script = Script::new("begin", include_str!("../../../../lua/fence/begin.lua"));
pub static OPEN: Script = Script::new("open", include_str!("../../../../lua/fence/open.lua"));
pub static PROBE: Script = Script::new("probe", include_str!("../../../../lua/fence/probe.lua"));

/// How long a deleted event's memory is known to be closed.
const CLOSED_FOR_SECONDS: u32 = 60;

/// A script that is loaded once an epoch and whose text never changes between
/// versions of usher. While Redis knows it, Redis has not restarted.
fn marker(epoch: Epoch) -> String {
    format!("#!lua\n-- usher, epoch {epoch}\nreturn {epoch}")
}

impl Redis {
    /// Loads every script for `epoch` and calls them from now on. Only who
    /// raised the epoch may do this: loading is what opens the fence.
    pub async fn load_scripts(&self, epoch: Epoch) -> Result<(), CallError> {
        self.load_texts(epoch).await?;
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(marker(epoch));
        self.command::<String>(load).await?;
        self.scripts.adopt(epoch);
        Ok(())
    }

    /// Goes on with a memory that is whole: the epoch in force is `epoch`, and
    /// Redis has not restarted since its scripts were loaded. Loads what this
    /// version of usher has beyond them. False: the memory must be rebuilt.
    pub async fn resume(&self, epoch: Epoch) -> Result<bool, CallError> {
        if self.published_epoch().await? != Some(epoch) || !self.knows_marker(epoch).await? {
            return Ok(false);
        }
        self.load_texts(epoch).await?;
        // Had it restarted in between, the marker would be missing now.
        if !self.knows_marker(epoch).await? {
            return Ok(false);
        }
        self.scripts.adopt(epoch);
        Ok(true)
    }

    /// Whether Redis still remembers everything since the epoch began, as far
    /// as can be told from outside a script.
    pub async fn remembers(&self, epoch: Epoch) -> Result<bool, CallError> {
        Ok(self.published_epoch().await? == Some(epoch) && self.knows_marker(epoch).await?)
    }

    /// Tells roles without Postgres which epoch is in force.
    pub async fn publish_epoch(&self, epoch: Epoch) -> Result<(), CallError> {
        let mut set = cmd("SET");
        set.arg(keys::EPOCH).arg(epoch.0);
        self.command(set).await
    }

    /// Calls the scripts of the epoch that was published, without loading any.
    /// `None` while none is published: Redis is empty and waits for a rebuild.
    pub async fn follow_epoch(&self) -> Result<Option<Epoch>, CallError> {
        let published = self.published_epoch().await?;
        if let Some(epoch) = published {
            self.scripts.adopt(epoch);
        }
        Ok(published)
    }

    /// Closes the event for rebuilding. False when a newer epoch owns it.
    pub async fn begin_rebuild(&self, event: EventId) -> Result<bool, CallError> {
        self.script(&BEGIN).key(keys::meta(event)).run().await
    }

    /// Opens the event that was rebuilt. `replicated`: also remember which
    /// master it was, so that a failback to an older one is noticed.
    pub async fn open_rebuilt(&self, event: EventId, replicated: bool) -> Result<(), CallError> {
        let remember = if replicated { "1" } else { "0" };
        let open = self.script(&OPEN).key(keys::meta(event)).arg(remember);
        open.run::<i64>().await.map(drop)
    }

    /// Lets go of an event that was closed for ever: whoever still asks for it
    /// within the minute is refused, then nothing of it is left.
    pub async fn let_go(&self, event: EventId) -> Result<(), CallError> {
        let mut expire = cmd("EXPIRE");
        expire.arg(keys::meta(event)).arg(CLOSED_FOR_SECONDS);
        self.command::<i64>(expire).await.map(drop)
    }

    /// Removes keys, if they are there.
    pub async fn unlink(&self, keys: &[String]) -> Result<(), CallError> {
        let mut unlink = cmd("UNLINK");
        unlink.arg(keys);
        self.command::<i64>(unlink).await.map(drop)
    }

    /// `Stale` or `Rebuilding` unless the event's memory is open and ours.
    pub async fn probe(&self, event: EventId) -> Result<(), CallError> {
        let probe = self.script(&PROBE).key(keys::meta(event));
        probe.run::<i64>().await.map(drop)
    }

    async fn load_texts(&self, epoch: Epoch) -> Result<(), CallError> {
        for text in self.scripts.texts(epoch) {
            let mut load = cmd("SCRIPT");
            load.arg("LOAD").arg(text);
            self.command::<String>(load).await?;
        }
        Ok(())
    }

    async fn published_epoch(&self) -> Result<Option<Epoch>, CallError> {
        let mut get = cmd("GET");
        get.arg(keys::EPOCH);
        Ok(self.command::<Option<u64>>(get).await?.map(Epoch))
    }

    async fn knows_marker(&self, epoch: Epoch) -> Result<bool, CallError> {
        let mut exists = cmd("SCRIPT");
        let marker = redis::Script::new(&marker(epoch));
        exists.arg("EXISTS").arg(marker.get_hash());
        let known: Vec<bool> = self.command(exists).await?;
        Ok(known.first() == Some(&true))
    }
}

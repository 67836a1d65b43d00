//! Opening Redis anew after it may have forgotten something. The order matters
//! and is the app's to keep: raise the epoch in Postgres, load the scripts,
//! begin, rebuild, open.

use super::{CallError, Redis, Script, keys};
use crate::EventId;

pub static BEGIN: Script = Script::new("begin", include_str!("../../../../lua/fence/begin.lua"));
pub static OPEN: Script = Script::new("open", include_str!("../../../../lua/fence/open.lua"));

impl Redis {
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
}

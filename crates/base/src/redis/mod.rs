//! The one way to talk to Redis.
//!
//! Scripts go through a coalescer that packs what is waiting into pipelines on
//! one connection (`coalescer`), by EVALSHA only and never by EVAL, because the
//! epoch in a script's text is the fence against a Redis that forgot
//! (`script`). Hints travel by publish/subscribe on a client of their own
//! (`hints`), because that one resubscribes by itself.
//!
//! A timeout or a lost connection means *unknown*, not *failed*: every script
//! is idempotent, so the caller may ask again.

mod coalescer;
mod fence;
mod hints;
pub mod keys;
mod script;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, ServerErrorKind, Value};
use tokio::sync::{mpsc, oneshot};

use crate::Epoch;
use coalescer::Request;

pub use hints::{Hint, HintKind, Hints};
pub use script::{Invocation, Script, TimeSource};

/// Calls that may wait for a place in a pipeline; past that we refuse at once.
const MAX_QUEUED_CALLS: usize = 16_384;
/// The longest a call may take, reconnecting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// What can become of a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("redis holds another epoch's memory; it is being rebuilt")]
    Stale,
    #[error("the event is being restored after a loss of redis")]
    Rebuilding,
    #[error("redis did not answer; the call may or may not have happened: {0}")]
    Unknown(String),
    #[error("redis has more calls waiting than it can take; try again shortly")]
    Busy,
    #[error("redis is out of memory")]
    OutOfMemory,
    #[error("redis refused the call: {0}")]
    Refused(String),
    #[error("redis gave an answer of an unexpected shape: {0}")]
    Shape(String),
}

impl CallError {
    /// Whether the same call may succeed later without anybody's help.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Shape(_))
    }
}

/// A cheap handle, cloned freely.
#[derive(Clone)]
pub struct Redis {
    calls: mpsc::Sender<Request>,
    scripts: Arc<script::Loaded>,
}

impl Redis {
    /// Prepares a connection; it is opened with the first call and reopened
    /// whenever it is lost.
    pub fn new(
        url: &str,
        scripts: &[&'static Script],
        time: TimeSource,
    ) -> Result<Self, ::redis::RedisError> {
        let all = [&[&fence::BEGIN, &fence::OPEN, &fence::PROBE], scripts].concat();
        let connection = coalescer::lazy_connection(url)?;
        let (calls, queue) = mpsc::channel(MAX_QUEUED_CALLS);
        tokio::spawn(coalescer::run(connection, queue));
        Ok(Self {
            calls,
            scripts: Arc::new(script::Loaded::new(&all, time)),
        })
    }

    /// A script call to be given keys and arguments.
    pub fn script(&self, script: &'static Script) -> Invocation<'_> {
        Invocation::new(self, script)
    }

    /// The epoch whose scripts this handle calls.
    pub fn epoch(&self) -> Epoch {
        self.scripts.epoch()
    }

    /// One plain command.
    pub async fn command<T: FromRedisValue>(&self, command: Cmd) -> Result<T, CallError> {
        let value = self.send(command).await?;
        ::redis::from_redis_value(value).map_err(|e| CallError::Shape(e.to_string()))
    }

    async fn send(&self, command: Cmd) -> Result<Value, CallError> {
        let (reply, answer) = oneshot::channel();
        self.calls
            .try_send(Request { command, reply })
            .map_err(|_| CallError::Busy)?;
        let value = answer
            .await
            .map_err(|_| CallError::Unknown("the connection is shutting down".into()))??;
        match value {
            Value::ServerError(error) => Err(refusal(&error)),
            value => Ok(value),
        }
    }
}

fn refusal(error: &::redis::ServerError) -> CallError {
    match (error.kind(), error.code()) {
        (Some(ServerErrorKind::NoScript), _) | (_, "STALE") => CallError::Stale,
        (_, "REBUILDING") => CallError::Rebuilding,
        (_, "OOM") => CallError::OutOfMemory,
        (Some(kind), _) if is_passing(kind) => CallError::Unknown(error.to_string()),
        _ => CallError::Refused(error.to_string()),
    }
}

/// Answers of a server that starts, fails over or is a replica for a moment.
fn is_passing(kind: ServerErrorKind) -> bool {
    use ServerErrorKind as Kind;
    matches!(
        kind,
        Kind::BusyLoading | Kind::TryAgain | Kind::ClusterDown | Kind::MasterDown | Kind::ReadOnly
    )
}

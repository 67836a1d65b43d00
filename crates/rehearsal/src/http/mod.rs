//! The lean HTTP/1.1 and WebSocket client under fans and benches. It is our own
//! on top of `httparse` because the load tool shares its cores with the server
//! under test: every microsecond here would flatter the ratios that are reported.

pub mod connection;
pub mod origin;
pub mod pool;
pub mod request;
pub mod stream;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum HttpError {
    #[error("the target does not accept connections: {0}")]
    Connect(#[source] std::io::Error),
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the target closed the connection before its answer was complete")]
    ClosedEarly,
    #[error("the target did not answer within {0} s")]
    Timeout(u64),
    #[error("the target's answer is not HTTP/1.1: {0}")]
    Malformed(&'static str),
}

impl HttpError {
    /// The code under which this failure is counted in the report.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "no_connection",
            Self::Io(_) | Self::ClosedEarly => "connection_lost",
            Self::Timeout(_) => "no_answer_in_time",
            Self::Malformed(_) => "malformed_answer",
        }
    }
}

//! A bounded pool of keep-alive connections to one origin. The bound is also the
//! file-descriptor budget of ordinary requests; who waits for a free connection
//! waits inside the measured time (the arrivals are open, the pool is the tool's).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::HttpError;
use super::connection::Connection;
use super::origin::Origin;

/// How long a request may take, connection and body included, in seconds.
pub const REQUEST_SECONDS_MAX: u64 = 30;
/// An idle connection older than this is not trusted: servers close at about 60 s.
const IDLE_MAX: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub retry_after_seconds: Option<u32>,
    pub body: Vec<u8>,
    pub body_bytes: u64,
    /// How long the request waited for a connection of the tool's own.
    pub waited_for_slot: Duration,
}

#[derive(Debug)]
pub struct Pool {
    pub origin: Origin,
    pub authority: String,
    slots: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    connection: Connection<TcpStream>,
}

impl Pool {
    pub fn new(origin: Origin, connections_max: usize) -> Self {
        let authority = origin.authority();
        Self {
            origin,
            authority,
            slots: Semaphore::new(connections_max),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Sends `request` and keeps at most `keep` bytes of the answer's body.
    pub async fn send(&self, request: &[u8], keep: usize) -> Result<Reply, HttpError> {
        timeout(
            Duration::from_secs(REQUEST_SECONDS_MAX),
            self.send_unbounded(request, keep),
        )
        .await
        .map_err(|_| HttpError::Timeout(REQUEST_SECONDS_MAX))?
    }

    async fn send_unbounded(&self, request: &[u8], keep: usize) -> Result<Reply, HttpError> {
        let asked = Instant::now();
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|_| HttpError::ClosedEarly)?;
        let waited_for_slot = asked.elapsed();
        if let Some(mut connection) = self.take_idle() {
            match connection.round_trip(request, keep).await {
                // The server closed it while it lay idle: usher's calls are
                // idempotent by the ids that the fan gives, so ask again.
                Err(HttpError::Io(_) | HttpError::ClosedEarly) => {}
                outcome => return Ok(self.finish(connection, outcome?, waited_for_slot)),
            }
        }
        let mut connection = Connection::new(connect(&self.origin).await?);
        let head = connection.round_trip(request, keep).await?;
        Ok(self.finish(connection, head, waited_for_slot))
    }

    fn finish(
        &self,
        connection: Connection<TcpStream>,
        head: super::connection::Head,
        waited_for_slot: Duration,
    ) -> Reply {
        let reply = Reply {
            status: head.status,
            retry_after_seconds: head.retry_after_seconds,
            body: connection.body().to_vec(),
            body_bytes: connection.body_bytes(),
            waited_for_slot,
        };
        if head.keep_alive {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(Idle {
                since: Instant::now(),
                connection,
            });
        }
        reply
    }

    /// The most recently used connection; if even that one is old, all are.
    fn take_idle(&self) -> Option<Connection<TcpStream>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = idle.pop()?;
        if newest.since.elapsed() < IDLE_MAX {
            return Some(newest.connection);
        }
        idle.clear();
        None
    }
}

/// Opens a connection without Nagle's delay.
pub async fn connect(origin: &Origin) -> Result<TcpStream, HttpError> {
    let socket = TcpStream::connect(origin.address)
        .await
        .map_err(HttpError::Connect)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

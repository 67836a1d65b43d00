//! The life of a serving process: ready, then draining on the first signal,
//! gone on the second or when the bound is reached.

use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the parts of a process watch to know how far its life has come.
#[derive(Clone, Default)]
pub struct Lifecycle {
    /// No new streams, `/health/ready` says no, streams are told to reconnect.
    pub draining: CancellationToken,
    /// Listeners close; what is in flight finishes.
    pub closing: CancellationToken,
}

/// Streams are told to go elsewhere over this part of the drain, so that the
/// other edges are not met by all of them at once.
const SPREAD_SHARE: f64 = 0.6;

/// How a process is to end once its listeners are closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What is in flight has this long to finish.
    Within(Duration),
    /// A second signal came.
    AtOnce,
}

impl Lifecycle {
    /// Waits for a signal, then tells everybody to go elsewhere and closes: of the
    /// drain's `bound`, what is left is for what is in flight.
    pub async fn run_until_signal(&self, bound: Duration) -> anyhow::Result<Ending> {
        next_signal().await?;
        tracing::info!(
            seconds = bound.as_secs(),
            "draining; a second signal ends at once"
        );
        self.draining.cancel();
        let spread = bound.mul_f64(SPREAD_SHARE);
        let ending = tokio::select! {
            () = tokio::time::sleep(spread) => Ending::Within(bound.saturating_sub(spread)),
            again = next_signal() => again.map(|()| Ending::AtOnce)?,
        };
        self.closing.cancel();
        Ok(ending)
    }
}

/// SIGTERM of a platform or Ctrl-C of a person.
pub async fn next_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Binds, or says in one sentence why not.
pub async fn bind(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(anyhow::anyhow!(
            "port {} is in use by another program; end that or choose another `{setting}`",
            address.port()
        )),
        Err(error) => Err(error).context(format!("cannot listen at `{setting}` = {address}")),
    }
}

/// What the system keeps of answers for which a reader has no room yet. Left alone it
/// keeps up to 4 MB for each who takes nothing, and the reader counts as slow only then.
#[cfg(target_os = "linux")]
const MAX_UNSENT_BYTES: u32 = 32 * 1024;

/// Sets an accepted connection up. Answers and frames are small and should leave at once.
/// A connection that cannot be set so works all the same.
pub fn prepare(stream: &TcpStream) {
    drop(stream.set_nodelay(true));
    #[cfg(target_os = "linux")]
    drop(socket2::SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES));
}

/// Streams need a descriptor each: use all that the machine allows.
pub fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Whether nobody listens on this port of the loopback address at the moment.
pub fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port of the loopback address that was free a moment ago.
pub fn any_free_port() -> std::io::Result<u16> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

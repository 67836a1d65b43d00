//! A TCP proxy between usher and a server, for fault tests: it delays, cuts,
//! or lets requests through and swallows their replies.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks under way in one direction of one connection; beyond, the sender waits.
const CHUNKS_IN_FLIGHT_MAX: usize = 256;

#[derive(Clone, Copy, Default)]
struct Faults {
    delay: Duration,
    cut: bool,
    /// How often it was cut: a connection that slept through cut and heal still ends.
    cuts: u64,
    drop_replies: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Request,
    Reply,
}

/// Ends, with all of its connections, when dropped.
pub struct Proxy {
    pub addr: SocketAddr,
    faults: watch::Sender<Faults>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `target`.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (faults, seen) = watch::channel(Faults::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, seen));
        Ok(Self {
            addr,
            faults,
            _tasks: tasks,
        })
    }

    /// Everything arrives this much later, in each direction; throughput stays.
    pub fn set_delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Ends every connection, and every new one at once, until `heal`.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| {
            faults.cut = true;
            faults.cuts += 1;
        });
    }

    /// Requests arrive and are carried out, but their replies are lost, until `heal`.
    pub fn drop_replies(&self) {
        self.faults.send_modify(|faults| faults.drop_replies = true);
    }

    /// No faults any more. A connection that lost replies ends, for it would answer out of step.
    pub fn heal(&self) {
        self.faults.send_modify(|faults| {
            *faults = Faults {
                cuts: faults.cuts,
                ..Faults::default()
            };
        });
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, faults: watch::Receiver<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let now = *faults.borrow();
                if let Ok((client, _)) = accepted && !now.cut {
                    connections.spawn(forward(client, target, now.cuts, faults.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(
    client: TcpStream,
    target: SocketAddr,
    cuts_before: u64,
    mut faults: watch::Receiver<Faults>,
) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // Small requests must not wait to be joined by others: that delay was not asked for.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (requests, replies) = (faults.clone(), faults.clone());
    tokio::select! {
        _ = faults.wait_for(|faults| faults.cuts != cuts_before) => {}
        _ = pump(from_client, to_server, Direction::Request, requests) => {}
        _ = pump(from_server, to_client, Direction::Reply, replies) => {}
    }
}

/// Moves bytes until one side ends. Reading goes on while earlier chunks wait for their time,
/// so a delay costs latency only.
async fn pump(
    from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    direction: Direction,
    faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let (chunks, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_IN_FLIGHT_MAX);
    let write = async {
        while let Some((at, chunk)) = due.recv().await {
            sleep_until(at).await;
            to.write_all(&chunk).await?;
        }
        Ok(())
    };
    tokio::try_join!(read(from, chunks, direction, faults), write)?;
    Ok(())
}

async fn read(
    mut from: tcp::OwnedReadHalf,
    chunks: mpsc::Sender<(Instant, Vec<u8>)>,
    direction: Direction,
    mut faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let now = *faults.borrow_and_update();
        if direction == Direction::Reply && now.drop_replies {
            // Until healed; then the connection ends.
            let mut nowhere = tokio::io::sink();
            tokio::select! {
                _ = faults.wait_for(|faults| !faults.drop_replies) => {}
                _ = tokio::io::copy(&mut from, &mut nowhere) => {}
            }
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let chunk = (Instant::now() + now.delay, buffer[..length].to_vec());
        if chunks.send(chunk).await.is_err() {
            return Ok(());
        }
    }
}

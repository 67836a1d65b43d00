//! A private postgres: a copy of the migrated template for a test,
//! or a lasting one in a folder for the demo.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};
use ring::digest;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    child::{LOOK_AGAIN, OwnedChild},
    cluster::{Cluster, ClusterServer, DATABASE, Installation},
    error::{Doing, Result, SandboxError},
    launch,
    place::{self, Medium, RunDir},
    processes::{children_of, wait_until_still},
    server_user::ServerUser,
    template,
};

const END_WITHIN: Duration = Duration::from_secs(30);
/// How long a server whose parent was just killed may take to let go of its data.
const LET_GO_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Every commit reaches the disk, as in life. For benchmarks.
    pub durable: bool,
}

/// Ends when dropped, or when this process ends in whatever way.
pub struct Postgres {
    // Fields drop in this order: the server first, then its files.
    child: Mutex<Arc<OwnedChild>>,
    server: ClusterServer,
    /// Held for a lasting folder only.
    claim: Option<File>,
    port: u16,
    further_databases: AtomicU32,
}

impl Postgres {
    /// A server of its own with the migrated database `usher`, forgotten when dropped.
    pub async fn start(options: PostgresOptions) -> Result<Self> {
        let installation = place::blocking(Installation::find).await?;
        let medium = if options.durable {
            Medium::Disk
        } else {
            Medium::Memory
        };
        let run = RunDir::create(&installation.user, medium)?;
        let mut cluster = template::copy_to(installation, medium, run.path().join("db")).await?;
        cluster.durable = options.durable;
        Self::launch(ClusterServer { cluster, run }, None).await
    }

    /// A lasting, durable server whose data are in `folder`, made and migrated as needed.
    pub async fn persistent(folder: &Path) -> Result<Self> {
        let installation = place::blocking(Installation::find).await?;
        let run = RunDir::create(&installation.user, Medium::Memory)?;
        let folder = lasting_folder(folder, &installation.user)?;
        let claim = place::claim(&folder)?;
        let cluster = place::blocking(move || {
            let finished = folder.join("db");
            if !finished.exists() {
                let aside = folder.join("db.unfinished");
                let doing = || format!("make a database in {}", folder.display());
                if aside.exists() {
                    fs::remove_dir_all(&aside).doing(doing)?;
                }
                Cluster::init(installation.clone(), &aside, true)?;
                fs::rename(&aside, &finished).doing(doing)?;
            }
            Cluster::open(installation, &finished, true)
        })
        .await?;
        let postgres = Self::launch(ClusterServer { cluster, run }, Some(claim)).await?;
        postgres.server.cluster.migrate(postgres.port).await?;
        Ok(postgres)
    }

    async fn launch(server: ClusterServer, claim: Option<File>) -> Result<Self> {
        let deadline = Instant::now() + LET_GO_WITHIN;
        let (port, child) = loop {
            let started = launch::on_a_free_port(&server).await;
            match started.map_err(|error| held_by_another(error, &server.cluster)) {
                Err(SandboxError::InUse { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                other => break other?,
            }
        };
        Ok(Self {
            child: Mutex::new(Arc::new(child)),
            server,
            claim,
            port,
            further_databases: AtomicU32::new(0),
        })
    }

    /// The migrated database `usher`, over TCP.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.cluster.url(self.port, DATABASE)
    }

    /// The same over the Unix socket.
    #[must_use]
    pub fn socket_url(&self) -> String {
        let password = &self.server.cluster.password;
        let (port, socket) = (self.port, self.server.run.path().display());
        format!("postgres://usher:{password}@localhost:{port}/{DATABASE}?host={socket}")
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Of the server now, or of the last one if it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.current().pid().as_raw().cast_unsigned()
    }

    /// Where the data are: for a lasting server in the wished folder, or where its user can get.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        &self.server.cluster.folder
    }

    /// One more migrated database in the same server; returns its URL.
    pub async fn migrated_database(&self) -> Result<String> {
        let number = self.further_databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("usher_{}_{number}", std::process::id());
        let mut usher = PgConnection::connect(&self.url()).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut usher)
            .await?;
        usher.close().await?;
        Ok(self.server.cluster.url(self.port, &name))
    }

    /// One more database without any table; returns its URL.
    pub async fn empty_database(&self) -> Result<String> {
        let url = self.migrated_database().await?;
        let mut database = PgConnection::connect(&url).await?;
        sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .execute(&mut database)
            .await?;
        database.close().await?;
        Ok(url)
    }

    /// Ends the server and all of its processes at once; returns when it is dead.
    pub async fn kill_9(&self) -> Result<()> {
        let child = self.current();
        child.freeze()?; // so that it starts no more of them meanwhile
        for helper in children_of(child.pid()) {
            let _ = kill(helper, Signal::SIGKILL); // it may have ended by itself
        }
        child.signal(Signal::SIGKILL)?;
        child.ended(END_WITHIN).await
    }

    /// Hangs the server and all of its processes: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        let child = self.current();
        child.freeze()?;
        let helpers = children_of(child.pid());
        child.guard_stopped(&helpers)?;
        for helper in &helpers {
            let _ = kill(*helper, Signal::SIGSTOP); // it may have ended by itself
        }
        helpers.into_iter().for_each(wait_until_still);
        Ok(())
    }

    pub fn resume(&self) -> Result<()> {
        let child = self.current();
        for helper in children_of(child.pid()) {
            let _ = kill(helper, Signal::SIGCONT); // it may have been killed meanwhile
        }
        child.signal(Signal::SIGCONT)?;
        child.guard_running()
    }

    /// Starts it again on the same port and data, whether it is running, hung or dead.
    pub async fn restart(&self) -> Result<()> {
        if !self.current().has_ended() {
            self.resume()?;
            self.stop().await?;
        }
        let deadline = Instant::now() + END_WITHIN;
        let child = loop {
            match launch::on_its_port(&self.server, self.port).await {
                // Killed helpers are a moment slower to go than their server.
                Err(SandboxError::NotStarted { log, .. })
                    if log.contains("pre-existing shared memory") && Instant::now() < deadline =>
                {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                other => break other?,
            }
        };
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(child);
        Ok(())
    }

    /// Ends it in order: sessions are cut, everything is written.
    pub async fn stop(&self) -> Result<()> {
        let child = self.current();
        child.signal(Signal::SIGINT)?;
        child.ended(END_WITHIN).await
    }

    fn current(&self) -> Arc<OwnedChild> {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&child)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let child = self.current();
        let lasting = self.claim.is_some();
        if !child.has_ended() {
            // A hung server would not hear the next signal.
            let _ = self.resume();
            let end = if lasting {
                Signal::SIGINT
            } else {
                Signal::SIGQUIT
            };
            let ended = child
                .signal(end)
                .and_then(|()| child.ended_blocking(END_WITHIN));
            if let Err(error) = ended {
                tracing::warn!(%error, "postgres is ended by force");
            }
        }
        if !lasting {
            remove_shared_memory(&self.server.cluster);
        }
    }
}

/// A killed server leaves a tiny System V segment, of which a machine has few. The next start
/// on the same data takes it away; data that are about to go have no next start.
fn remove_shared_memory(killed: &Cluster) {
    let Some(lines) = killed.postmaster_file() else {
        return; // ended in order
    };
    let segment = lines
        .get(6)
        .and_then(|key_and_id| key_and_id.split_whitespace().nth(1));
    if let Some(id) = segment {
        let _ = Command::new("ipcrm").args(["-m", id]).output(); // where it is missing, 56 bytes stay
    }
}

/// Postgres itself refuses data that another server works on; says so in one sentence.
fn held_by_another(error: SandboxError, cluster: &Cluster) -> SandboxError {
    match error {
        SandboxError::NotStarted { ref log, .. }
            if log.contains("\"postmaster.pid\" already exists") =>
        {
            let holder = cluster
                .postmaster_file()
                .and_then(|lines| lines.first().cloned());
            SandboxError::InUse {
                dir: cluster.folder.clone(),
                pid: holder.unwrap_or_else(|| "unknown".into()),
            }
        }
        other => other,
    }
}

/// `wished`, or where the server's user cannot get there, a lasting place of its own for it.
fn lasting_folder(wished: &Path, user: &ServerUser) -> Result<PathBuf> {
    let doing = || format!("make the folder {}", wished.display());
    fs::create_dir_all(wished).doing(doing)?;
    let wished = wished.canonicalize().doing(doing)?;
    if user.can_enter(&wished) {
        return Ok(wished);
    }
    let name = digest::digest(&digest::SHA256, wished.as_os_str().as_encoded_bytes());
    let instead =
        place::root(Medium::Disk)?.join(format!("p-{}", hex::encode(&name.as_ref()[..6])));
    tracing::warn!(
        "postgres runs as the user {} and cannot enter {}, so the database is kept in {}",
        user.name,
        wished.display(),
        instead.display()
    );
    fs::create_dir_all(&instead).doing(|| format!("make the folder {}", instead.display()))?;
    place::set_mode(&instead, 0o711)?;
    Ok(instead)
}

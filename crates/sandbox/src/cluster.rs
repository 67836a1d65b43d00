//! One postgres data directory: how it is made and how a server is started on it.
//! On disk it is a folder with `data` (what postgres calls PGDATA) and `password`.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use sqlx::{Connection, PgConnection, PgPool, migrate::Migrator};

use crate::{
    child::OwnedChild,
    error::{Doing, Result, SandboxError},
    launch::Server,
    place::RunDir,
    programs,
    server_user::ServerUser,
};

pub(crate) const DATABASE: &str = "usher";
pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// What every private server is started with.
const SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_permissions=0700",
    "max_connections=200",
    "max_wal_size=1GB",
    "timezone=UTC",
    "log_timezone=UTC",
    "lc_messages=C",
];
/// Tests give up durability for speed, and shared memory outside of their folder for cleanliness.
const QUICK_SETTINGS: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "shared_buffers=32MB",
    "wal_recycle=off",
    "wal_init_zero=off",
    "dynamic_shared_memory_type=mmap",
];
#[cfg(target_os = "macos")]
const LOCALE: &str = "en_US.UTF-8";
#[cfg(not(target_os = "macos"))]
const LOCALE: &str = "C.UTF-8";

/// The postgres of this machine and as whom it runs here.
#[derive(Clone)]
pub(crate) struct Installation {
    folder: PathBuf,
    pub(crate) user: ServerUser,
    /// As `postgres --version` says it.
    pub(crate) version: String,
}

impl Installation {
    pub(crate) fn find() -> Result<Self> {
        let folder = programs::postgres_folder()?;
        let user = ServerUser::for_postgres()?;
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .doing(|| format!("run {}/postgres", folder.display()))?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self {
            folder,
            user,
            version,
        })
    }

    /// `15` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0)`.
    fn major(&self) -> &str {
        let number = self.version.split_whitespace().nth(2).unwrap_or_default();
        number
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
    }

    fn command(&self, program: &str, working_dir: &Path) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(working_dir);
        self.user.run(&mut command);
        command
    }
}

pub(crate) struct Cluster {
    pub(crate) installation: Installation,
    pub(crate) folder: PathBuf,
    pub(crate) password: String,
    pub(crate) durable: bool,
}

impl Cluster {
    /// Makes `folder` and an empty cluster in it. Blocks for about a second.
    pub(crate) fn init(installation: Installation, folder: &Path, durable: bool) -> Result<Self> {
        DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .doing(|| format!("make the folder {}", folder.display()))?;
        installation.user.give(folder)?;
        let password = hex::encode(rand::random::<[u8; 16]>());
        write_password(&installation.user, folder, &password)?;
        let mut initdb = installation.command("initdb", folder);
        initdb
            .arg("--pgdata=data")
            .args(["--username=usher", "--pwfile=password"])
            .args(["--auth=scram-sha-256", "--encoding=UTF8"])
            .args([&format!("--locale={LOCALE}"), "--lc-messages=C"])
            .arg("--no-instructions");
        if !durable {
            // In megabytes: less to copy for each test.
            initdb.args(["--no-sync", "--wal-segsize=1"]);
        }
        let output = initdb.output().doing(|| "run initdb".into())?;
        if !output.status.success() {
            return Err(SandboxError::NotStarted {
                program: "initdb",
                log: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(Self {
            installation,
            folder: folder.to_owned(),
            password,
            durable,
        })
    }

    /// A cluster that was made earlier.
    pub(crate) fn open(installation: Installation, folder: &Path, durable: bool) -> Result<Self> {
        let read = |path: PathBuf| {
            fs::read_to_string(&path)
                .map(|text| text.trim().to_owned())
                .doing(|| format!("read {}", path.display()))
        };
        let made_by = read(folder.join("data/PG_VERSION"))?;
        if made_by != installation.major() {
            return Err(SandboxError::OtherVersion {
                dir: folder.to_owned(),
                made_by,
                installed: installation.major().to_owned(),
            });
        }
        Ok(Self {
            installation,
            folder: folder.to_owned(),
            password: read(folder.join("password"))?,
            durable,
        })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn url(&self, port: u16, database: &str) -> String {
        let password = &self.password;
        format!("postgres://usher:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Lines: pid, data directory, start, port, socket folder, address, shared memory, status.
    pub(crate) fn postmaster_file(&self) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        Some(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// Makes sure that the database `usher` is there and has all migrations.
    pub(crate) async fn migrate(&self, port: u16) -> Result<()> {
        let mut postgres = PgConnection::connect(&self.url(port, "template1")).await?;
        let there: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                .bind(DATABASE)
                .fetch_one(&mut postgres)
                .await?;
        if !there {
            sqlx::raw_sql("CREATE DATABASE usher")
                .execute(&mut postgres)
                .await?;
        }
        postgres.close().await?;
        self.run_migrations(port, DATABASE).await
    }

    pub(crate) async fn run_migrations(&self, port: u16, database: &str) -> Result<()> {
        // A pool rather than a connection: with the latter, the future is not `Send`.
        let pool = PgPool::connect(&self.url(port, database)).await?;
        MIGRATOR.run(&pool).await?;
        pool.close().await;
        Ok(())
    }
}

/// A server on a cluster, with its socket and log in `run`.
pub(crate) struct ClusterServer {
    pub(crate) cluster: Cluster,
    pub(crate) run: RunDir,
}

impl Server for ClusterServer {
    const PROGRAM: &'static str = "postgres";
    /// It takes its own children and its shared memory along.
    const DEATH: Signal = Signal::SIGQUIT;

    fn command(&self, port: u16) -> Command {
        let run = self.run.path();
        let mut command = self.cluster.installation.command(Self::PROGRAM, run);
        command
            .arg("-D")
            .arg(self.cluster.data())
            .arg("-k")
            .arg(run)
            .args(["-p", &port.to_string()]);
        let quick: &[&str] = if self.cluster.durable {
            &[]
        } else {
            &QUICK_SETTINGS
        };
        for setting in SETTINGS.iter().chain(quick) {
            command.args(["-c", setting]);
        }
        command
    }

    fn log(&self) -> PathBuf {
        self.run.path().join("postgres.log")
    }

    /// The server itself writes into its data directory who it is and when it is ready.
    async fn is_ready(&self, child: &OwnedChild, port: u16) -> bool {
        let lines = self.cluster.postmaster_file().unwrap_or_default();
        let says = |number: usize, text: &str| lines.get(number).is_some_and(|line| line == text);
        says(0, &child.pid().to_string()) && says(3, &port.to_string()) && says(7, "ready")
    }
}

fn write_password(user: &ServerUser, folder: &Path, password: &str) -> Result<()> {
    let path = folder.join("password");
    let doing = || format!("write {}", path.display());
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{password}"))
        .doing(doing)?;
    user.give(&path)
}

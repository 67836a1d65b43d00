//! A migrated cluster, made once per postgres version and set of migrations, and copied
//! for every test: the copy takes a tenth of what initdb and the migrations take.
//! Many test processes come at once, so a file lock decides who makes it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::sys::signal::Signal;
use ring::digest;
use sqlx::{Connection, PgConnection};

use crate::{
    cluster::{Cluster, ClusterServer, DATABASE, Installation, MIGRATOR},
    error::{Doing, Result},
    launch,
    place::{self, Medium, RunDir},
};

/// Raise it when a template is made in another way than before.
const FORMAT: u8 = 3;
/// Older templates, of migrations that have changed since, go away beyond this many (20 MB each).
const TEMPLATES_KEPT: usize = 3;
const PREFIX: &str = "t-";
/// Holds the number of files, written last: a template without it, or with files
/// missing (temporary folders get tidied), is made again.
const COUNT_FILE: &str = "count";

/// Copies the template into `folder`, making it first if need be.
pub(crate) async fn copy_to(
    installation: Installation,
    medium: Medium,
    folder: PathBuf,
) -> Result<Cluster> {
    let root = place::root(medium)?;
    let template = root.join(format!("{PREFIX}{}", fingerprint(&installation)));
    // One lock for all templates: making one is rare and takes a second.
    let lock_path = root.join("templates.lock");
    loop {
        let shared = lock(lock_path.clone(), Lock::Shared).await?;
        if is_whole(&template) {
            return copy(installation, template, folder, shared).await;
        }
        drop(shared);
        let alone = lock(lock_path.clone(), Lock::Alone).await?;
        if !is_whole(&template) {
            make(installation.clone(), medium, template.clone()).await?;
            forget_old_ones(&root);
        }
        drop(alone);
    }
}

#[derive(Clone, Copy)]
enum Lock {
    Shared,
    Alone,
}

async fn lock(path: PathBuf, how: Lock) -> Result<File> {
    place::blocking(move || {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .doing(|| format!("open {}", path.display()))?;
        match how {
            Lock::Shared => file.lock_shared(),
            Lock::Alone => file.lock(),
        }
        .doing(|| format!("lock {}", path.display()))?;
        Ok(file)
    })
    .await
}

async fn copy(
    installation: Installation,
    template: PathBuf,
    folder: PathBuf,
    shared: File,
) -> Result<Cluster> {
    place::blocking(move || {
        place::copy_tree(&template, &folder, installation.user.new_owner())
            .doing(|| format!("copy {}", template.display()))?;
        drop(shared);
        Cluster::open(installation, &folder, false)
    })
    .await
}

fn is_whole(template: &Path) -> bool {
    let wanted = fs::read_to_string(template.join(COUNT_FILE)).unwrap_or_default();
    count_files(&template.join("data")).is_ok_and(|found| found.to_string() == wanted)
}

fn count_files(dir: &Path) -> std::io::Result<u64> {
    let mut files = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() {
            count_files(&entry.path())?
        } else {
            1
        };
    }
    Ok(files)
}

/// Makes it aside and then renames, so that nobody ever sees half of one.
async fn make(installation: Installation, medium: Medium, template: PathBuf) -> Result<()> {
    let run = RunDir::create(&installation.user, medium)?;
    let aside = run.path().join("template");
    let cluster = {
        let aside = aside.clone();
        place::blocking(move || Cluster::init(installation, &aside, false)).await?
    };
    let server = ClusterServer { cluster, run };
    let (port, child) = launch::on_a_free_port(&server).await?;
    fill(&server.cluster, port).await?;
    child.signal(Signal::SIGINT)?;
    child.ended(Duration::from_secs(30)).await?;

    let finish = || format!("put the database template at {}", template.display());
    let files = count_files(&server.cluster.data()).doing(finish)?;
    fs::write(aside.join(COUNT_FILE), files.to_string()).doing(finish)?;
    if template.exists() {
        fs::remove_dir_all(&template).doing(finish)?;
    }
    fs::rename(&aside, &template).doing(finish)
}

/// Leaves two databases, both migrated: `usher`, and template1 from which `CREATE DATABASE`
/// copies, so that a further one is one statement. Each is 300 files that every test copies.
async fn fill(cluster: &Cluster, port: u16) -> Result<()> {
    cluster.run_migrations(port, "template1").await?;
    let mut template1 = PgConnection::connect(&cluster.url(port, "template1")).await?;
    for statement in [
        "CREATE DATABASE usher",
        "DROP DATABASE postgres",
        "ALTER DATABASE template0 IS_TEMPLATE false",
        "DROP DATABASE template0",
    ] {
        sqlx::raw_sql(statement).execute(&mut template1).await?;
    }
    template1.close().await?;
    Ok(())
}

fn fingerprint(installation: &Installation) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[FORMAT]);
    context.update(DATABASE.as_bytes());
    context.update(installation.version.as_bytes());
    context.update(installation.user.name.as_bytes());
    for migration in MIGRATOR.iter() {
        context.update(&migration.version.to_be_bytes());
        context.update(&migration.checksum);
    }
    hex::encode(&context.finish().as_ref()[..6])
}

/// Only under the lock that keeps everybody else from copying.
fn forget_old_ones(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    let mut templates: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter_map(|entry| {
            let found = entry.metadata().ok()?;
            found
                .is_dir()
                .then_some((found.modified().ok()?, entry.path()))
        })
        .collect();
    templates.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
    for (_, template) in templates.into_iter().skip(TEMPLATES_KEPT) {
        if let Err(error) = fs::remove_dir_all(&template) {
            tracing::debug!(%error, "an old database template stays for now");
        }
    }
}

//! Where private servers keep their files: one short folder of this user in memory or under
//! the system's temporary folder (Unix socket paths end at about 100 bytes), in it one
//! folder per server, removed with it; what a killed process left, the next start clears.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, chown, geteuid};
use tempfile::TempDir;

use crate::{
    error::{Doing, Result, SandboxError},
    server_user::ServerUser,
};

/// Leaves room for `usher-<uid>/r-XXXXXX/.s.PGSQL.<port>` within 100 bytes.
const TEMP_FOLDER_MAX_BYTES: usize = 64;
/// A server takes about 20 MB, many may start at once, and containers often have only 64 MB.
#[cfg(target_os = "linux")]
const MEMORY_FREE_MIN_BYTES: u64 = 512 << 20;
/// How many left-over folders one start clears at most, so that it stays quick.
const CLEARED_PER_START_MAX: usize = 64;
const OWNER_FILE: &str = "owner";
const RUN_PREFIX: &str = "r-";

/// What is to become of the files.
#[derive(Clone, Copy)]
pub(crate) enum Medium {
    /// Forgotten with the server, so they never need to reach a disk.
    Memory,
    /// A benchmark measures the disk, and a demo wants to keep them.
    Disk,
}

/// The folder of this user, made on first use; the same one for all servers on a medium.
pub(crate) fn root(medium: Medium) -> Result<PathBuf> {
    let user = ServerUser::for_postgres().unwrap_or_else(|_| ServerUser::myself());
    let base = base(medium, &user);
    if !user.can_enter(&base) {
        return Err(SandboxError::NoWayIn {
            dir: base,
            user: user.name,
        });
    }
    let dir = base.join(format!("usher-{}", geteuid()));
    // The server's user must pass through, and nobody needs to list it.
    let mode = if user.is_another() { 0o711 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).doing(|| format!("make the folder {}", dir.display()));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(&dir).doing(|| format!("look at {}", dir.display()))?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Err(SandboxError::ForeignFolder { dir });
    }
    // The umask may have taken away more than we wished.
    set_mode(&dir, mode)?;
    Ok(dir)
}

fn base(medium: Medium, user: &ServerUser) -> PathBuf {
    if matches!(medium, Medium::Memory)
        && std::env::var_os("TMPDIR").is_none()
        && let Some(memory) = memory_folder()
    {
        return memory;
    }
    let wished = std::env::temp_dir();
    if wished.as_os_str().len() <= TEMP_FOLDER_MAX_BYTES && user.can_enter(&wished) {
        return wished;
    }
    tracing::info!(
        unsuitable = %wished.display(),
        "private servers keep their files under /tmp, because this folder is too deep or closed to them"
    );
    PathBuf::from("/tmp")
}

/// Copying a template there takes a twentieth of what it takes on a disk.
#[cfg(target_os = "linux")]
fn memory_folder() -> Option<PathBuf> {
    let folder = PathBuf::from("/dev/shm");
    let space = nix::sys::statvfs::statvfs(&folder).ok()?;
    let free_bytes = space.blocks_available() * space.fragment_size();
    (free_bytes >= MEMORY_FREE_MIN_BYTES).then_some(folder)
}

#[cfg(not(target_os = "linux"))]
fn memory_folder() -> Option<PathBuf> {
    None
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .doing(|| format!("set the permissions of {}", path.display()))
}

/// The folder of one running server: its socket, its log, a test's data.
pub(crate) struct RunDir {
    dir: TempDir,
    /// Locked as long as we live; the kernel lets go of it however we end.
    _owner: File,
}

impl RunDir {
    pub(crate) fn create(user: &ServerUser, medium: Medium) -> Result<Self> {
        let root = root(medium)?;
        clear_left_overs(&root);
        loop {
            if let Some(run) = Self::try_create(&root, user)? {
                return Ok(run);
            }
        }
    }

    /// None when somebody clearing up took the folder away before it was locked.
    fn try_create(root: &Path, user: &ServerUser) -> Result<Option<Self>> {
        let doing = || format!("make a folder in {}", root.display());
        let dir = tempfile::Builder::new()
            .prefix(RUN_PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(root)
            .doing(doing)?;
        let path = dir.path().join(OWNER_FILE);
        let mut owner = File::create_new(&path).doing(doing)?;
        owner.lock().doing(doing)?;
        writeln!(owner, "{}", std::process::id()).doing(doing)?;
        if !path.exists() {
            return Ok(None);
        }
        user.give(dir.path())?;
        Ok(Some(Self { dir, _owner: owner }))
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn clear_left_overs(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    // The lock is kept until the folder is gone: its maker waits for it and then looks again.
    let locked = |dir: PathBuf| {
        let owner = File::open(dir.join(OWNER_FILE)).ok()?;
        owner.try_lock().ok()?;
        Some((dir, owner))
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(RUN_PREFIX))
        .filter_map(|entry| locked(entry.path()))
        .take(CLEARED_PER_START_MAX)
        .for_each(|(dir, _owner)| {
            // A server that is just dying may still write; then the next start gets it.
            if let Err(error) = fs::remove_dir_all(&dir) {
                tracing::debug!(%error, dir = %dir.display(), "a left-over folder stays for now");
            }
        });
}

/// Keeps a second server from the same lasting folder, as long as the file lives.
pub(crate) fn claim(dir: &Path) -> Result<File> {
    let doing = || format!("lock the folder {}", dir.display());
    let mut lock = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(dir.join(OWNER_FILE))
        .doing(doing)?;
    if lock.try_lock().is_err() {
        let mut pid = String::new();
        lock.read_to_string(&mut pid).doing(doing)?;
        return Err(SandboxError::InUse {
            dir: dir.to_owned(),
            pid: pid.trim().to_owned(),
        });
    }
    lock.set_len(0).doing(doing)?;
    lock.rewind().doing(doing)?;
    writeln!(lock, "{}", std::process::id()).doing(doing)?;
    Ok(lock)
}

/// Copies files and folders under `from` to `to`, which must not exist, for `owner`.
pub(crate) fn copy_tree(from: &Path, to: &Path, owner: Option<Uid>) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    if owner.is_some() {
        chown(to, owner, None)?;
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target, owner)?;
        } else {
            fs::copy(entry.path(), &target)?;
            if owner.is_some() {
                chown(&target, owner, None)?;
            }
        }
    }
    Ok(())
}

/// File work off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)
        .doing(|| "finish file work".into())?
}

//! As whom the servers run. Postgres refuses to run as root, so there root
//! lends its servers to the user `postgres`, or else `nobody`.

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::Command,
};

use nix::unistd::{Gid, Uid, User, chown, getegid, geteuid};

use crate::error::{Doing, Result, SandboxError};

#[derive(Clone, Debug)]
pub(crate) struct ServerUser {
    pub(crate) name: String,
    uid: Uid,
    gid: Gid,
}

impl ServerUser {
    /// The user of this process.
    pub(crate) fn myself() -> Self {
        Self {
            name: "myself".into(),
            uid: geteuid(),
            gid: getegid(),
        }
    }

    pub(crate) fn for_postgres() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::myself());
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self {
                name: user.name,
                uid: user.uid,
                gid: user.gid,
            })
            .ok_or(SandboxError::NoServerUser)
    }

    pub(crate) fn is_another(&self) -> bool {
        self.uid != geteuid()
    }

    /// The new owner of files that this process makes for the server, if they need one.
    pub(crate) fn new_owner(&self) -> Option<Uid> {
        self.is_another().then_some(self.uid)
    }

    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        if !self.is_another() {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid))
            .map_err(std::io::Error::from)
            .doing(|| format!("give {} to the user {}", path.display(), self.name))
    }

    pub(crate) fn run(&self, command: &mut Command) {
        if self.is_another() {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
    }

    /// Whether the way down to `dir` is open to the server, judged by permission bits.
    pub(crate) fn can_enter(&self, dir: &Path) -> bool {
        !self.is_another()
            || dir.ancestors().all(|step| {
                fs::metadata(step).is_ok_and(|found| {
                    let shift = match found {
                        ref mine if mine.uid() == self.uid.as_raw() => 6,
                        ref ours if ours.gid() == self.gid.as_raw() => 3,
                        _ => 0,
                    };
                    found.mode() >> shift & 1 == 1
                })
            })
    }
}

//! Finds redis-server and postgres where systems install them.
//! Debian and Homebrew keep postgres out of PATH, one folder per major version.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::error::{Result, SandboxError};

/// Folders beside PATH that hold single programs.
const MORE_FOLDERS: [&str; 4] = [
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/usr/bin",
    "/usr/local/sbin",
];
/// Parents of versioned postgres folders, with what stands before the version.
const POSTGRES_PARENTS: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

pub(crate) fn redis_server() -> Result<PathBuf> {
    search_path()
        .chain(MORE_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join("redis-server"))
        .find(|program| program.is_file())
        .ok_or(SandboxError::NotInstalled {
            program: "redis-server",
            install: "apt-get install redis-server (Debian, Ubuntu) or brew install redis (macOS)",
        })
}

/// The folder that holds both `postgres` and `initdb`.
pub(crate) fn postgres_folder() -> Result<PathBuf> {
    search_path()
        .chain(versioned_postgres_folders())
        .chain(MORE_FOLDERS.iter().map(PathBuf::from))
        .find(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file())
        .ok_or(SandboxError::NotInstalled {
            program: "postgres",
            install: "apt-get install postgresql (Debian, Ubuntu) or brew install postgresql@17 (macOS)",
        })
}

fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// Newest first.
fn versioned_postgres_folders() -> impl Iterator<Item = PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = POSTGRES_PARENTS
        .iter()
        .flat_map(|(parent, prefix)| versions_in(Path::new(parent), prefix))
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder.join("bin"))
}

fn versions_in(parent: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path()))
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_behind_their_prefix() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["postgresql@9", "postgresql@17", "postgresql@old", "mysql@8"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let mut versions: Vec<u32> = versions_in(parent.path(), "postgresql@")
            .into_iter()
            .map(|(version, _)| version)
            .collect();
        versions.sort_unstable();
        assert_eq!(versions, [9, 17]);
    }
}

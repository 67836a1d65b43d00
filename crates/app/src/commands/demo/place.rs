//! The demo's folder: its database and its keys, kept from run to run.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rand::Rng as _;
use rand::rngs::StdRng;

const KEYS_FILE: &str = "keys.json";
const API_KEY_FILE: &str = "api-key";

pub struct Place {
    root: PathBuf,
}

impl Place {
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let root = folder.canonicalize()?;
        Ok(Self { root })
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn shown(&self) -> String {
        self.root.display().to_string()
    }

    pub fn signing_keys(&self) -> anyhow::Result<String> {
        let mut rng: StdRng = rand::make_rng();
        self.secret(KEYS_FILE, || {
            usher_base::signing::generate_jwk_set(&mut rng)
        })
    }

    pub fn api_key(&self) -> anyhow::Result<String> {
        let mut rng: StdRng = rand::make_rng();
        self.secret(API_KEY_FILE, || {
            format!("demo-{:016x}{:016x}", rng.next_u64(), rng.next_u64())
        })
    }

    /// Made by the first run, for its owner's eyes only; later runs read it.
    fn secret(&self, name: &str, make: impl FnOnce() -> String) -> anyhow::Result<String> {
        let path = self.root.join(name);
        if let Ok(known) = fs::read_to_string(&path) {
            return Ok(known.trim().to_owned());
        }
        let made = make();
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(file, "{made}")?;
        Ok(made)
    }
}

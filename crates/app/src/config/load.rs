//! Layers the settings and refuses what it does not know, naming the key.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{Config, DEFAULTS, SECRETS};

const PREFIX: &str = "USHER_";
/// Names that begin like a setting and are none.
const NOT_SETTINGS: &[&str] = &["USHER_CONFIG", "USHER_FAILPOINT"];
/// A larger file is not a configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// How alike an unknown key must be to one that exists to be suggested.
const LIKENESS: f64 = 0.8;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{place}: there is no setting `{key}`{hint}; `usher config --defaults` lists them all")]
    Unknown {
        place: String,
        key: String,
        hint: String,
    },
    #[error("{place}: `{key}` cannot be {value}: {problem}")]
    BadValue {
        place: String,
        key: String,
        value: String,
        problem: String,
    },
    #[error("the setting `{key}` is not usable: {problem}")]
    Invalid {
        key: &'static str,
        problem: &'static str,
    },
    #[error("the setting `{key}` is missing: {remedy}")]
    Missing {
        key: &'static str,
        remedy: &'static str,
    },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{} is not valid TOML: {problem}", path.display())]
    NotToml { path: PathBuf, problem: String },
}

/// Where the layers above the defaults come from.
#[derive(Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub variables: BTreeMap<String, String>,
}

impl Sources {
    /// `--config` if given, else USHER_CONFIG; and the process's variables.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let variables: BTreeMap<_, _> = std::env::vars()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        let named = variables.get("USHER_CONFIG").map(PathBuf::from);
        Self {
            file: file.or(named),
            variables,
        }
    }
}

/// The settings in force, as a table (for showing) and typed (for using).
pub struct Loaded {
    table: Table,
    pub config: Config,
}

impl Loaded {
    /// The table as TOML, with every secret that is set masked.
    pub fn masked(&self) -> String {
        let mut table = self.table.clone();
        for key in SECRETS {
            if let Some(Value::String(value)) = table.get_mut(*key) {
                *value = mask(value);
            }
        }
        table.to_string()
    }
}

/// A URL keeps all but its password; anything else that is set shows as ***.
fn mask(value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        return "***".into();
    };
    match rest.rsplit_once('@') {
        None => value.to_owned(),
        Some((login, host)) => {
            let user = login.split_once(':').map_or(login, |(user, _)| user);
            format!("{scheme}://{user}:***@{host}")
        }
    }
}

pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let defaults: Table = DEFAULTS.parse().expect("the embedded defaults are TOML");
    let mut table = defaults.clone();
    if let Some(path) = &sources.file {
        for (key, value) in read_file(path)? {
            set(
                &mut table,
                &defaults,
                &path.display().to_string(),
                &key,
                value,
            )?;
        }
    }
    for (name, text) in &sources.variables {
        if NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let (key, text) = read_variable(name, text, &defaults)?;
        let value = parse(&defaults, name, &key, &text)?;
        set(&mut table, &defaults, name, &key, value)?;
    }
    let config = Config::from_table(table.clone()).expect("each key was checked as it was set");
    config.validate()?;
    Ok(Loaded { table, config })
}

impl Config {
    fn from_table(table: Table) -> Result<Self, toml::de::Error> {
        table.try_into()
    }
}

fn read_file(path: &PathBuf) -> Result<Table, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable {
        path: path.clone(),
        error,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE_BYTES {
        let too_large = std::io::Error::other("it is larger than 1 MiB");
        return Err(unreadable(too_large));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    text.parse()
        .map_err(|e: toml::de::Error| ConfigError::NotToml {
            path: path.clone(),
            problem: e.message().to_owned(),
        })
}

/// The key a variable sets, and its value, which `_FILE` has read from a file.
fn read_variable(
    name: &str,
    text: &str,
    defaults: &Table,
) -> Result<(String, String), ConfigError> {
    let key = name.trim_start_matches(PREFIX).to_ascii_lowercase();
    if defaults.contains_key(&key) {
        return Ok((key, text.to_owned()));
    }
    match key.strip_suffix("_file") {
        Some(secret) if SECRETS.contains(&secret) => {
            let path = PathBuf::from(text);
            let value = std::fs::read_to_string(&path)
                .map_err(|error| ConfigError::Unreadable { path, error })?;
            Ok((secret.to_owned(), value.trim_end().to_owned()))
        }
        _ => Err(unknown(name, &key, defaults)),
    }
}

/// A variable's text as the type that the key's default has.
fn parse(defaults: &Table, name: &str, key: &str, text: &str) -> Result<Value, ConfigError> {
    let bad = |problem: &str| ConfigError::BadValue {
        place: name.to_owned(),
        key: key.to_owned(),
        value: shown(key, text),
        problem: problem.to_owned(),
    };
    match &defaults[key] {
        Value::Boolean(_) => match text {
            "true" | "1" => Ok(Value::Boolean(true)),
            "false" | "0" => Ok(Value::Boolean(false)),
            _ => Err(bad("it must be true or false")),
        },
        Value::Integer(_) => match text.parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => Err(bad("it must be a whole number")),
        },
        Value::Array(_) => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(Value::Array(
                parts.map(|part| Value::String(part.into())).collect(),
            ))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn set(
    table: &mut Table,
    defaults: &Table,
    place: &str,
    key: &str,
    value: Value,
) -> Result<(), ConfigError> {
    let Some(default) = defaults.get(key) else {
        return Err(unknown(place, key, defaults));
    };
    let bad = |problem: String| ConfigError::BadValue {
        place: place.to_owned(),
        key: key.to_owned(),
        value: shown(key, &value.to_string()),
        problem,
    };
    if !default.same_type(&value) {
        return Err(bad(format!("it must be of type {}", default.type_str())));
    }
    let mut alone = defaults.clone();
    alone.insert(key.to_owned(), value.clone());
    Config::from_table(alone).map_err(|e| bad(e.message().to_owned()))?;
    table.insert(key.to_owned(), value);
    Ok(())
}

fn shown(key: &str, value: &str) -> String {
    if SECRETS.contains(&key) {
        "what it is set to".into()
    } else {
        format!("`{}`", value.trim_matches('"'))
    }
}

fn unknown(place: &str, key: &str, defaults: &Table) -> ConfigError {
    let likeness = |known: &&String| strsim::jaro_winkler(known, key);
    let near = defaults
        .keys()
        .filter(|known| likeness(known) > LIKENESS)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    ConfigError::Unknown {
        place: place.to_owned(),
        key: key.to_owned(),
        hint: near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)")),
    }
}

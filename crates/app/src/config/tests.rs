//! Layers win in order; what is unknown or wrong is refused by its name;
//! secrets stay secret.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use super::load::{Loaded, Sources, load};
use super::{ConfigError, LogFormat};

fn with_variables(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    load(&Sources {
        file: None,
        variables,
    })
}

fn sentence(variables: &[(&str, &str)]) -> String {
    with_variables(variables).err().unwrap().to_string()
}

#[test]
fn the_defaults_are_usable() {
    let config = with_variables(&[]).unwrap().config;
    assert_eq!(config.listen.port(), 8080);
    assert_eq!(config.log_format, LogFormat::Pretty);
}

#[test]
fn variables_win_over_the_file_and_the_file_over_the_defaults() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "drain_seconds = 3\nmax_streams = 7").unwrap();
    let variables = [("USHER_DRAIN_SECONDS".to_owned(), "4".to_owned())];
    let sources = Sources {
        file: Some(file.path().to_owned()),
        variables: variables.into(),
    };
    let config = load(&sources).unwrap().config;
    assert_eq!((config.drain_seconds, config.max_streams), (4, 7));
}

#[test]
fn an_unknown_key_is_named_with_its_neighbour() {
    let said = sentence(&[("USHER_REDIS_ULR", "redis://x")]);
    assert!(
        said.contains("`redis_ulr` (did you mean `redis_url`?)"),
        "{said}"
    );
}

#[test]
fn a_bad_value_is_named_with_what_it_must_be() {
    let cases = [
        ("USHER_LISTEN", "nowhere", "`listen` cannot be `nowhere`"),
        ("USHER_DRAIN_SECONDS", "long", "must be a whole number"),
        ("USHER_DRAIN_SECONDS", "601", "at most 600"),
        ("USHER_REDIS_REPLICATED", "maybe", "true or false"),
        ("USHER_LOG_FORMAT", "xml", "`log_format` cannot be `xml`"),
        ("USHER_PUBLIC_URL", "usher.example", "begin with http"),
        ("USHER_ADMIN_API_KEY", "short", "24 characters"),
    ];
    for (name, value, expected) in cases {
        let said = sentence(&[(name, value)]);
        assert!(said.contains(expected), "{name}={value}: {said}");
        assert!(!said.contains('\n'), "one sentence, not: {said}");
    }
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "a-key-of-more-than-24-characters").unwrap();
    let path = file.path().to_str().unwrap();
    let loaded = with_variables(&[
        ("USHER_ADMIN_API_KEY_FILE", path),
        ("USHER_DATABASE_URL", "postgres://usher:hunter2@db/usher"),
    ])
    .unwrap();
    assert_eq!(
        loaded.config.admin_api_key,
        "a-key-of-more-than-24-characters"
    );
    let shown = loaded.masked();
    assert!(
        !shown.contains("hunter2") && !shown.contains("a-key-of"),
        "{shown}"
    );
    assert!(shown.contains("postgres://usher:***@db/usher"), "{shown}");
}

#[test]
fn every_key_is_documented() {
    // A key stands right below the comment, or below another key that does.
    let mut documented = false;
    for line in super::DEFAULTS.lines() {
        match line.chars().next() {
            Some('#') => documented = true,
            Some(_) => assert!(documented, "`{line}` has no comment above it"),
            None => documented = false,
        }
    }
}

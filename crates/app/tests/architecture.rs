//! The architecture's guard rails: what ARCHITECTURE.md says must never be, as
//! tests. Each rule also proves on a planted offence that it can fail.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each of our crates may use in what it ships.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("sandbox", &[]),
    ("rehearsal", &[]),
    ("queue", &["base"]),
    ("booking", &["base"]),
    ("admission", &["queue", "base"]),
    ("edge", &["admission", "booking", "queue", "base"]),
    (
        "bench",
        &[
            "admission",
            "booking",
            "queue",
            "sandbox",
            "rehearsal",
            "base",
        ],
    ),
    (
        "app",
        &[
            "edge",
            "admission",
            "booking",
            "queue",
            "sandbox",
            "rehearsal",
            "base",
        ],
    ),
];

/// Crates from outside that only some of ours may use.
const CONFINED: &[(&str, &[&str])] = &[
    ("axum", &["edge", "app", "bench"]),
    ("axum-extra", &["edge", "app"]),
    ("tower", &["edge", "app"]),
    ("tower-http", &["edge", "app"]),
    ("tower_governor", &["edge", "app"]),
    (
        "sqlx",
        &["queue", "admission", "booking", "sandbox", "app", "bench"],
    ),
    ("fred", &["base"]),
    ("jsonwebtoken", &["base"]),
    ("clap", &["app", "rehearsal", "bench"]),
];

/// Pure modules: everything below these paths is given time, randomness and
/// data, and gives back decisions.
const PURE: &[&str] = &[
    "crates/admission/src/control",
    "crates/admission/src/sim",
    "crates/queue/src/draw",
    "crates/queue/src/board.rs",
    "crates/queue/src/bitmap.rs",
    "crates/queue/src/wait",
    "crates/queue/src/phase.rs",
    "crates/queue/src/setup.rs",
    "crates/queue/src/presence.rs",
    "crates/booking/src/layout",
    "crates/booking/src/orders/state.rs",
    "crates/booking/src/payments/state.rs",
    "crates/booking/src/holds/state.rs",
];
/// Stands among pure modules and does I/O: reads a record and shows progress.
const BESIDE_PURE: &[&str] = &["crates/queue/src/draw/file.rs"];
const IMPURE: &[&str] = &[
    "redis::",
    "sqlx::",
    "tokio::",
    "SystemTime",
    "Instant::now",
    "SystemClock",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Files below `folder` with one of `endings`, as (path from the root, text).
#[test]
fn every_migration_has_a_number_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for (path, _) in files("migrations", &[".sql"]) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let number = name.split('_').next().unwrap_or_default();
        assert!(
            seen.insert(number.to_owned()),
            "{name}: another one has its number"
        );
    }
}

fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root(), &root().join(folder), endings, &mut found);
    found
}

fn collect(root: &Path, path: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    const NOT_OURS: &[&str] = &["node_modules", "dist", "target", ".tools"];
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if path.is_dir() {
        if !NOT_OURS.contains(&name.as_str()) {
            for entry in fs::read_dir(path).unwrap() {
                collect(root, &entry.unwrap().path(), endings, found);
            }
        }
    } else if endings.iter().any(|ending| name.ends_with(ending)) {
        let shown = path
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        found.push((shown, fs::read_to_string(path).unwrap()));
    }
}

/// The names under `[dependencies]`: what the crate ships with.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let table = manifest.get("dependencies").and_then(|d| d.as_table());
    table
        .map(|t| t.keys().cloned().collect())
        .unwrap_or_default()
}

fn forbidden_dependencies(crate_name: &str, manifest: &str) -> Vec<String> {
    let allowed = DIRECTIONS.iter().find(|(name, _)| *name == crate_name);
    let allowed = allowed.map(|(_, uses)| *uses).unwrap_or_default();
    let mut offences = Vec::new();
    for dependency in dependencies(manifest) {
        let ours = dependency.strip_prefix("usher-");
        if ours.is_some_and(|name| !allowed.contains(&name)) {
            offences.push(format!("{crate_name} must not use {dependency}"));
        }
        let confined = CONFINED.iter().find(|(name, _)| *name == dependency);
        if confined.is_some_and(|(_, users)| !users.contains(&crate_name)) {
            offences.push(format!("{crate_name} must not use {dependency}"));
        }
    }
    offences
}

#[test]
fn crates_depend_only_in_the_agreed_directions() {
    let mut offences = Vec::new();
    for (path, manifest) in files("crates", &["Cargo.toml"]) {
        let crate_name = path.split('/').nth(1).unwrap();
        assert!(
            DIRECTIONS.iter().any(|(name, _)| *name == crate_name),
            "{crate_name} is new: say in DIRECTIONS what it may use"
        );
        offences.extend(forbidden_dependencies(crate_name, &manifest));
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn a_forbidden_dependency_is_noticed() {
    let manifest = |name: &str| format!("[dependencies]\n{name} = \"1\"\n");
    assert_eq!(forbidden_dependencies("edge", &manifest("sqlx")).len(), 1);
    assert_eq!(
        forbidden_dependencies("queue", &manifest("usher-booking")).len(),
        1
    );
    assert_eq!(
        forbidden_dependencies("booking", &manifest("axum")).len(),
        1
    );
    assert_eq!(
        forbidden_dependencies("base", &manifest("usher-app")).len(),
        1
    );
    assert!(forbidden_dependencies("edge", &manifest("axum")).is_empty());
}

/// In a library SQL stands in its `pg` modules (others may pass a pool or an error
/// on); sandbox and app open and migrate.
fn sql_outside_pg(path: &str, text: &str) -> bool {
    let may = path.contains("/pg/")
        || path.ends_with("/pg.rs")
        || path.contains("/tests")
        || path.starts_with("crates/app/")
        || path.starts_with("crates/sandbox/");
    !may && code(text).any(|line| line.contains("sqlx::query"))
}

#[test]
fn sql_stands_in_pg_modules_only() {
    let offences = offenders("crates", &[".rs"], sql_outside_pg);
    assert!(
        offences.is_empty(),
        "SQL outside a pg module: {offences:#?}"
    );
    let planted = "let row = sqlx::query(\"SELECT 1\");";
    assert!(sql_outside_pg("crates/queue/src/line.rs", planted));
}

/// A key is built by `of_event` or begins with `usher:`, both in `keys.rs` only.
fn key_outside_keys(path: &str, text: &str) -> bool {
    let may = path.ends_with("/keys.rs") || path.contains("/tests") || path.contains("/examples/");
    let spells = |line: &str| {
        let builds = line.contains(" of_event(") || line.contains("keys::of_event(");
        // "usher: something went wrong" is a sentence, not a key.
        builds || line.contains("\"usher:") && !line.contains("\"usher: ")
    };
    !may && code(text).any(spells)
}

#[test]
fn redis_keys_are_spelled_in_keys_rs_only() {
    let offences = offenders("crates", &[".rs"], key_outside_keys);
    assert!(
        offences.is_empty(),
        "a Redis key outside keys.rs: {offences:#?}"
    );
    let planted = "let key = of_event(event, \"seats\");";
    assert!(key_outside_keys("crates/booking/src/holds/mod.rs", planted));
}

fn impure(path: &str, text: &str) -> bool {
    !BESIDE_PURE.contains(&path)
        && PURE.iter().any(|pure| path.starts_with(pure))
        && !path.contains("/pg")
        && code(text).any(|line| IMPURE.iter().any(|word| line.contains(word)))
}

#[test]
fn pure_modules_touch_no_store_and_no_clock() {
    for path in PURE {
        assert!(root().join(path).exists(), "{path} is gone: correct PURE");
    }
    let offences = offenders("crates", &[".rs"], impure);
    assert!(offences.is_empty(), "a pure module does I/O: {offences:#?}");
    let planted = "let now = std::time::SystemTime::now();";
    assert!(impure("crates/admission/src/control/law.rs", planted));
}

/// Whether the file says at its head what it is about.
fn lacks_header(path: &str, text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let second = text.lines().nth(1).unwrap_or_default();
    let ending = path.rsplit('.').next().unwrap_or_default();
    !match ending {
        "rs" => first.starts_with("//!"),
        "lua" => {
            first.starts_with("--") || (first.starts_with("#!lua") && second.starts_with("--"))
        }
        "sql" => first.starts_with("--"),
        "sh" => first.starts_with("#!") && second.starts_with('#'),
        "ts" | "css" => first.starts_with("//") || first.starts_with("/*"),
        "html" => first.starts_with("{#"),
        _ => true,
    }
}

#[test]
fn every_file_begins_with_what_it_is_about() {
    let endings = [".rs", ".lua", ".sql", ".sh", ".ts", ".css", ".html"];
    let mut offences = Vec::new();
    for folder in ["crates", "lua", "migrations", "scripts"] {
        offences.extend(offenders(folder, &endings, lacks_header));
    }
    assert!(offences.is_empty(), "no header comment: {offences:#?}");
    assert!(lacks_header("crates/base/src/x.rs", "use std::fs;\n"));
    assert!(lacks_header("lua/queue/x.lua", "#!lua\nlocal x = 1\n"));
}

/// Scripts are loaded with an epoch and called by SHA; EVAL would open the fence.
fn evaluates(path: &str, text: &str) -> bool {
    !path.contains("/tests")
        && code(text).any(|line| line.contains("\"EVAL\"") || line.contains("invoke_async"))
}

#[test]
fn no_script_is_called_by_its_text() {
    let offences = offenders("crates", &[".rs"], evaluates);
    assert!(offences.is_empty(), "EVAL outside the fence: {offences:#?}");
    assert!(evaluates(
        "crates/queue/src/line.rs",
        "redis::cmd(\"EVAL\")"
    ));
}

fn offenders(folder: &str, endings: &[&str], rule: fn(&str, &str) -> bool) -> Vec<String> {
    files(folder, endings)
        .into_iter()
        .filter(|(path, text)| rule(path, text))
        .map(|(path, _)| path)
        .collect()
}

/// The lines that are not comments, up to the file's own tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.contains("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
}

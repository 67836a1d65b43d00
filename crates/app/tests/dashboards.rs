//! Board, alert rules, runbook and the table of metrics name only metrics that
//! the code has, and every metric of the code stands in the table with its type:
//! a panel without data would be noticed at ten o'clock, and not before.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const METRIC_PREFIX: &str = "usher_";
const KINDS: [&str; 3] = ["counter", "gauge", "histogram"];
/// What Prometheus makes of one histogram.
const HISTOGRAM_SERIES: [&str; 3] = ["_bucket", "_sum", "_count"];

type Metrics = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files below `folder` with this ending, as (path from the root, text).
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join(folder), ending, &mut found);
    assert!(!found.is_empty(), "no {ending} below {folder}");
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            let shown = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((shown, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Whole string literals that are metrics' names, in a file that uses metrics,
/// with the macro they are given to (empty when that does not stand before them).
fn metrics_of(source: &str) -> Metrics {
    let shipped = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut found = Metrics::new();
    if !shipped.contains("metrics::") {
        return found;
    }
    for (at, _) in shipped.match_indices(&format!("\"{METRIC_PREFIX}")) {
        let literal = &shipped[at + 1..];
        let name: String = literal.chars().take_while(|c| is_name(*c)).collect();
        if !literal[name.len()..].starts_with('"') {
            continue;
        }
        let before = shipped[..at].trim_end().trim_end_matches('(');
        let before = before.trim_end_matches('!');
        let kind = KINDS.iter().find(|kind| before.ends_with(**kind));
        let known = found.entry(name).or_default();
        if let Some(kind) = kind {
            (*known) = (*kind).to_owned();
        }
    }
    found
}

/// Every metric that a shipped crate writes.
fn metrics_in_code() -> Metrics {
    let mut all = Metrics::new();
    for (path, source) in files("crates", ".rs") {
        if path.split('/').nth(2) != Some("src") {
            continue;
        }
        for (name, kind) in metrics_of(&source) {
            let known = all.entry(name).or_default();
            if known.is_empty() {
                *known = kind;
            }
        }
    }
    all
}

/// The rows `| name | type | labels | meaning |` of the table of metrics.
fn metrics_in_table(page: &str) -> Metrics {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let kind = cells.next()?;
        name.starts_with(METRIC_PREFIX)
            .then(|| (name.to_owned(), kind.to_owned()))
    });
    rows.collect()
}

/// Names of metrics and of recorded series (those have colons) in any text.
fn names_in(text: &str) -> BTreeSet<String> {
    text.split(|c| !is_name(c))
        .map(|word| word.trim_end_matches(':'))
        .filter(|word| word.contains(METRIC_PREFIX))
        .filter(|word| word.contains(':') || word.starts_with(METRIC_PREFIX))
        .map(str::to_owned)
        .collect()
}

fn exists(name: &str, metrics: &Metrics, recorded: &BTreeSet<String>) -> bool {
    let of_histogram = |series: &str| {
        let base = name.strip_suffix(series);
        base.is_some_and(|base| metrics.get(base).is_some_and(|kind| kind == "histogram"))
    };
    metrics.contains_key(name)
        || recorded.contains(name)
        || HISTOGRAM_SERIES.into_iter().any(of_histogram)
}

/// The values of `key: value` lines in a rules file.
fn values<'t>(yaml: &'t str, key: &str) -> Vec<&'t str> {
    yaml.lines()
        .filter_map(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            line.strip_prefix(key)?.strip_prefix(": ")
        })
        .collect()
}

fn recorded() -> BTreeSet<String> {
    let rules = files("deploy/prometheus", ".yml");
    let names = rules.iter().flat_map(|(_, text)| values(text, "record"));
    names.map(str::to_owned).collect()
}

#[test]
fn the_table_lists_every_metric_of_the_code_and_no_other() {
    let code = metrics_in_code();
    let table = metrics_in_table(&fs::read_to_string(root().join("docs/metrics.md")).unwrap());
    let mut wrong = Vec::new();
    for (name, kind) in &code {
        match table.get(name) {
            None => wrong.push(format!("{name} is not in docs/metrics.md")),
            Some(said) if !kind.is_empty() && said != kind => {
                wrong.push(format!("{name} is a {kind}, docs/metrics.md says {said}"));
            }
            Some(_) => {}
        }
    }
    let gone = table.keys().filter(|name| !code.contains_key(*name));
    wrong.extend(gone.map(|name| format!("{name} is in docs/metrics.md but not in the code")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn whatever_names_a_metric_names_one_that_exists() {
    let (code, recorded) = (metrics_in_code(), recorded());
    let mut named = files("dashboards", ".json");
    named.extend(files("deploy/prometheus", ".yml"));
    named.extend(files("docs/runbook", ".md"));
    for page in ["docs/operations.md", "docs/metrics.md"] {
        named.push((page.into(), fs::read_to_string(root().join(page)).unwrap()));
    }
    let mut unknown = Vec::new();
    for (path, text) in &named {
        let names = names_in(text).into_iter();
        let missing = names.filter(|name| !exists(name, &code, &recorded));
        unknown.extend(missing.map(|name| format!("{path}: {name}")));
    }
    assert!(unknown.is_empty(), "not in the code: {unknown:#?}");
}

#[test]
fn every_alert_has_its_page_and_its_test() {
    let mut alerts = BTreeSet::new();
    for (path, rules) in files("deploy/prometheus/rules", ".yml") {
        let names = values(&rules, "alert");
        let pages = values(&rules, "runbook_url");
        assert_eq!(names.len(), pages.len(), "{path}: an alert without page");
        for (name, page) in names.iter().zip(pages) {
            assert_eq!(page, format!("docs/runbook/{name}.md"), "{path}");
        }
        alerts.extend(names.into_iter().map(str::to_owned));
    }
    let pages: BTreeSet<String> = files("docs/runbook", ".md")
        .iter()
        .filter_map(|(path, _)| Some(Path::new(path).file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "README")
        .collect();
    assert_eq!(alerts, pages, "alerts and pages of docs/runbook differ");
    let tests = files("deploy/prometheus/tests", ".yml");
    let tested: BTreeSet<String> = tests
        .iter()
        .flat_map(|(_, text)| text.split("alertname=\"").skip(1))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(alerts, tested, "alerts and their unit tests differ");
}

fn panels(board: &Value) -> Vec<&Value> {
    let all = board["panels"].as_array().unwrap().iter();
    all.filter(|panel| panel["type"] != "row").collect()
}

#[test]
fn every_panel_asks_something_and_says_what_is_normal() {
    for (path, text) in files("dashboards", ".json") {
        let board: Value = serde_json::from_str(&text).unwrap();
        assert!(board["uid"].is_string(), "{path}: no fixed uid");
        let mut ids = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            let said = panel["description"].as_str().unwrap_or_default();
            assert!(said.contains("Normal:"), "{path}: {title}: what is normal?");
            assert!(said.contains("Otherwise:"), "{path}: {title}: and if not?");
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{path}: {title}: id is taken"
            );
            let asked = panel["targets"].as_array().unwrap();
            let all = asked.iter().map(|target| target["expr"].as_str().unwrap());
            let found = all.flat_map(names_in).count();
            assert!(found > 0, "{path}: {title} asks for no metric");
        }
    }
}

/// What a page writes between single asterisks: `*Who leads*`.
fn quoted(page: &str) -> Vec<&str> {
    let plain = page.split("**").step_by(2);
    plain
        .flat_map(|part| part.split('*').skip(1).step_by(2))
        .collect()
}

#[test]
fn the_runbook_points_to_panels_that_are_there() {
    let mut titles = BTreeSet::new();
    for (_, text) in files("dashboards", ".json") {
        let board: Value = serde_json::from_str(&text).unwrap();
        titles.extend(
            panels(&board)
                .iter()
                .map(|p| p["title"].as_str().unwrap().to_owned()),
        );
    }
    let mut missing = Vec::new();
    for (path, text) in files("docs/runbook", ".md") {
        let named = quoted(&text)
            .into_iter()
            .filter(|name| !titles.contains(*name));
        missing.extend(named.map(|name| format!("{path}: {name}")));
    }
    assert!(missing.is_empty(), "no such panel: {missing:#?}");
    assert_eq!(
        quoted("**Do.** See *Who leads*, then *Orders*."),
        ["Who leads", "Orders"]
    );
}

#[test]
fn an_unknown_metric_is_noticed() {
    let code = metrics_of(
        "use metrics::counter;\nfn f() {\n    metrics::counter!(\n        \"usher_a_total\"\n    );\n    \
         gauge(\"usher_b\", 1.0);\n    metrics::histogram!(\"usher_c_seconds\").record(1.0);\n}\n\
         const NOT_ONE: &str = \"usher_{number}\";\n#[cfg(test)]\nmod tests { \"usher_d\" }",
    );
    let kinds: Vec<_> = code
        .iter()
        .map(|(name, kind)| (name.as_str(), kind.as_str()))
        .collect();
    let expected = [
        ("usher_a_total", "counter"),
        ("usher_b", "gauge"),
        ("usher_c_seconds", "histogram"),
    ];
    assert_eq!(kinds, expected);
    assert!(metrics_of("const COOKIE: &str = \"usher_browser\";").is_empty());

    let recorded = BTreeSet::from(["event:usher_b:leader".to_owned()]);
    let known = |name: &str| exists(name, &code, &recorded);
    assert!(known("usher_b") && known("usher_c_seconds_bucket") && known("event:usher_b:leader"));
    assert!(!known("usher_z") && !known("usher_b_count") && !known("event:usher_z:leader"));

    let asked =
        names_in("sum by (event) (rate(usher_a_total{x=\"y\"}[1m])) / event:usher_b:leader");
    assert_eq!(
        asked.into_iter().collect::<Vec<_>>(),
        ["event:usher_b:leader", "usher_a_total"]
    );
    let row = "| `usher_b` | gauge | event | Something |\n| `grow` | because |";
    assert_eq!(
        metrics_in_table(row).into_keys().collect::<Vec<_>>(),
        ["usher_b"]
    );
}

//! What `usher simulate` prints and draws.

#![allow(clippy::unwrap_used)]

use usher_admission::sim::{Request, SimulateError, simulate};

#[test]
fn a_table_and_small_pictures_come_out() {
    let folder = std::env::temp_dir().join(format!("usher-simulate-{}", std::process::id()));
    let mut out = Vec::new();
    let request = Request {
        scenario: "think",
        seeds: &[1],
        contrast: true,
        pictures: Some(&folder),
    };
    let passed = simulate(&request, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(passed, !text.contains("missed"));
    assert!(
        text.contains("| think time halves | A | s to settle | <= 75 |"),
        "{text}"
    );
    assert!(text.contains("fixed rate x 2") && text.contains("AIMD") && text.contains("gradient"));
    for plant in ["a", "b"] {
        let svg = std::fs::read_to_string(folder.join(format!("think-{plant}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
        assert_eq!(svg.matches("<polyline").count(), 8);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_unknown_scenario_is_answered_with_the_known_ones() {
    let request = Request {
        scenario: "nope",
        seeds: &[1],
        contrast: false,
        pictures: None,
    };
    let error = simulate(&request, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, SimulateError::UnknownScenario { .. }));
    assert!(error.to_string().contains("cold-50, cold-10, halves"));
}

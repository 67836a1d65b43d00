//! What every page must hold: text stays text, nothing inline, nothing from elsewhere.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use askama::Template;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};

use super::assets::Entry;
use super::samples::{self, HOSTILE};
use super::*;

#[test]
fn hostile_text_stays_text_on_every_kind_of_page() {
    let place = Place {
        message: Some(HOSTILE.to_owned()),
        ..samples::place()
    };
    let mut queue = samples::queue(place);
    queue.head.title = HOSTILE.to_owned();
    let mut event = samples::event(Phase::Open);
    event.head.title = HOSTILE.to_owned();
    event.head.venue = HOSTILE.to_owned();
    event.description = Some(HOSTILE.to_owned());
    let mut events = samples::events();
    events.events[0].head = event.head.clone();
    events.search.q = HOSTILE.to_owned();
    events.cities[0] = HOSTILE.to_owned();
    let mut checkout = samples::checkout();
    checkout.head = event.head.clone();
    checkout.items[0].label = HOSTILE.to_owned();
    let mut order = samples::order(OrderStatus::Confirmed);
    order.tickets[0].label = HOSTILE.to_owned();
    let mut orders = samples::orders();
    orders.orders[0].head = event.head.clone();
    let mut control = samples::control(true);
    control.head.title = HOSTILE.to_owned();
    control.message = Some(HOSTILE.to_owned());
    let sign_in = SignInPage {
        problem: Some(HOSTILE.to_owned()),
    };
    let mut operators = samples::operators();
    operators.operators[0].name = HOSTILE.to_owned();
    let mut found = desk_samples::find();
    found.q = HOSTILE.to_owned();
    let mut desk_order = desk_samples::desk_order();
    desk_order.name = HOSTILE.to_owned();
    let door = desk_samples::door(Verdict::OtherEvent {
        title: Some(HOSTILE.to_owned()),
    });
    let mut invites = desk_samples::invites();
    invites.head.title = HOSTILE.to_owned();

    for html in [
        queue.render().unwrap(),
        event.render().unwrap(),
        events.render().unwrap(),
        checkout.render().unwrap(),
        order.render().unwrap(),
        orders.render().unwrap(),
        control.render().unwrap(),
        sign_in.render().unwrap(),
        operators.render().unwrap(),
        found.render().unwrap(),
        desk_order.render().unwrap(),
        door.render().unwrap(),
        invites.render().unwrap(),
    ] {
        assert!(html.contains("onerror="), "the text itself is shown");
        assert!(!html.contains("<img src=x"), "it became an element: {html}");
        assert!(!html.contains(HOSTILE), "it was not escaped: {html}");
    }
}

#[test]
fn the_embedded_place_survives_hostile_text_unchanged() {
    let place = Place {
        message: Some(HOSTILE.to_owned()),
        ..samples::place()
    };
    let html = samples::queue(place).render().unwrap();
    let start = html.find(r#"data-ref="state">"#).unwrap() + r#"data-ref="state">"#.len();
    let json = &html[start..start + html[start..].find("</script>").unwrap()];
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["message"], HOSTILE);
    assert_eq!(value["estimated_wait_seconds"]["high"], 419);
}

#[test]
fn no_page_breaks_its_own_content_policy() {
    for (name, html) in samples::all() {
        for forbidden in [
            " style=",
            " onclick=",
            " onload=",
            "javascript:",
            "<style",
            "//cdn",
        ] {
            assert!(!html.contains(forbidden), "{name} has {forbidden}");
        }
        for script in html.match_indices("<script").map(|(at, _)| &html[at..]) {
            let tag = &script[..script.find('>').unwrap()];
            let is_data = tag.contains(r#"type="application/json""#);
            assert!(is_data || tag.contains(r#"src="/assets/"#), "{name}: {tag}");
        }
        assert!(!html.contains("://"), "{name} leads elsewhere");
    }
}

#[test]
fn exactly_one_panel_of_the_queue_page_is_shown() {
    for (name, html) in samples::all() {
        let panels: Vec<&str> = html
            .match_indices("<section data-panel=")
            .map(|(at, _)| &html[at..at + html[at..].find('>').unwrap()])
            .collect();
        let shown = panels.iter().filter(|tag| !tag.ends_with("hidden")).count();
        let expected = usize::from(name.starts_with("queue"));
        assert_eq!(shown, expected, "{name}: {panels:?}");
    }
}

#[test]
fn the_queue_page_works_without_a_script() {
    let html = samples::queue(samples::place()).render().unwrap();
    assert!(html.contains(r#"<noscript><meta http-equiv="refresh" content="15"></noscript>"#));
    assert!(html.contains("1,234 people are ahead of you"));
    assert!(html.contains("about 4 to 7 minutes"));
    assert!(html.contains(r#"<form method="post" action="/e/ev-river/leave">"#));

    let turn = Place {
        standing: Standing::Admitted,
        claim_by: Some(samples::soon()),
        ..samples::place()
    };
    let html = samples::queue(turn).render().unwrap();
    assert!(html.contains("<title>Your turn</title>"));
    assert!(html.contains(r#"<form method="post" action="/e/ev-river/claim">"#));
}

#[test]
fn a_settled_queue_page_does_not_reload_for_nothing() {
    let over = Place {
        phase: Phase::SoldOut,
        ..samples::place()
    };
    assert!(
        !samples::queue(over)
            .render()
            .unwrap()
            .contains("http-equiv")
    );
}

#[test]
fn the_way_into_the_line_is_open_only_while_it_can_be_joined() {
    for (phase, open) in [
        (Phase::Scheduled, false),
        (Phase::Gathering, true),
        (Phase::Drawing, true),
        (Phase::Open, true),
        (Phase::Paused, true),
        (Phase::SoldOut, false),
        (Phase::Closed, false),
    ] {
        let html = samples::event(phase).render().unwrap();
        let form = r#"<form method="post" action="/e/ev-river/join" data-join>"#;
        assert_eq!(html.contains(form), open, "{phase:?}");
    }
}

#[test]
fn every_page_finds_its_script_and_styles() {
    for entry in Entry::ALL {
        let tags = entry.tags().to_string();
        assert!(
            tags.contains(r#"<script type="module" src="/assets/"#),
            "{entry:?}: {tags}"
        );
        assert!(
            tags.contains(r#"<link rel="stylesheet" href="/assets/"#),
            "{entry:?}: {tags}"
        );
    }
    assert!(assets::icon().starts_with("/assets/icon-"));
}

#[tokio::test]
async fn assets_are_immutable_packed_when_wanted_and_nothing_else_is_served() {
    let file = style_of(Entry::Site);
    let plain = serve_asset(Path(file.clone()), HeaderMap::new()).await;
    assert_eq!(plain.status(), StatusCode::OK);
    assert_eq!(
        plain.headers()[header::CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
    assert!(
        plain.headers()[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));

    let packed = serve_asset(Path(file.clone()), accepting("br;q=1, gzip;q=0.8")).await;
    assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
    assert!(body(packed).await.len() < body(plain).await.len());

    let refused = serve_asset(Path(file), accepting("gzip;q=0")).await;
    assert!(!refused.headers().contains_key(header::CONTENT_ENCODING));

    for wrong in ["none.js", "../.vite/manifest.json", ""] {
        let answer = serve_asset(Path(wrong.to_owned()), HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[tokio::test]
async fn a_page_is_sent_with_its_policy_and_is_never_kept() {
    let response = respond(
        StatusCode::SERVICE_UNAVAILABLE,
        &samples::queue(samples::place()),
    );
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let headers = response.headers();
    assert_eq!(
        headers[header::CONTENT_SECURITY_POLICY],
        CONTENT_SECURITY_POLICY
    );
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
}

#[test]
#[ignore = "writes every page into the folder USHER_GALLERY_DIR, to be looked at"]
fn gallery() {
    let folder = PathBuf::from(std::env::var("USHER_GALLERY_DIR").unwrap());
    for (name, html) in samples::all() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}

/// The name of an entry's first style sheet, as a browser asks for it.
fn style_of(entry: Entry) -> String {
    let tags = entry.tags().to_string();
    let (_, rest) = tags.split_once(r#"href="/assets/"#).unwrap();
    rest[..rest.find('"').unwrap()].to_owned()
}

fn accepting(coding: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT_ENCODING, coding.parse().unwrap())])
}

async fn body(response: axum::response::Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), 1_000_000)
        .await
        .unwrap()
}

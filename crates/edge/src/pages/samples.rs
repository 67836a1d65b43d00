//! Sample view models, one for each state a page can be in: what the rendering tests
//! check, and what a person looks at when the design changes.

use askama::Template;
use time::macros::datetime;
use usher_admission::control::{Constants, Mode, Policy};

use super::*;
use crate::api::admin::admission::AdmissionForm;
use crate::api::admin::constants::ConstantShown;

const NOW: time::OffsetDateTime = datetime!(2026-11-21 18:00:00 UTC);

/// Text that a visitor or an operator could send, which must never become markup.
pub(super) const HOSTILE: &str = r#"</script><img src=x onerror="alert(1)">'&"#;

pub(super) fn now() -> Moment {
    NOW.into()
}

fn after_seconds(seconds: i64) -> Moment {
    (NOW + time::Duration::seconds(seconds)).into()
}

/// A deadline that is near.
pub(super) fn soon() -> Moment {
    after_seconds(84)
}

fn head(title: &str) -> EventHead {
    EventHead {
        id: "ev-river".to_owned(),
        title: title.to_owned(),
        venue: "Grand Hall, Berlin".to_owned(),
        starts_at: datetime!(2027-03-06 19:30:00 UTC).into(),
    }
}

pub(super) fn river() -> EventHead {
    head("The River Ensemble: Night Music")
}

pub(super) fn dollars(amount: i64) -> Money {
    Money {
        amount,
        currency: "USD".to_owned(),
    }
}

fn prices() -> PriceRange {
    PriceRange {
        min: dollars(4_500),
        max: dollars(29_999),
    }
}

fn availability(left: u64) -> Availability {
    Availability {
        total_seats: 2_450,
        available_seats: left,
    }
}

fn card(head: EventHead, phase: Phase, left: u64) -> EventCard {
    EventCard {
        head,
        phase,
        price_range: Some(prices()),
        availability: Some(availability(left)),
    }
}

pub(super) fn events() -> EventsPage {
    EventsPage {
        events: vec![
            card(river(), Phase::Open, 1_204),
            card(head("Cup final"), Phase::Gathering, 2_450),
            card(
                head("Harbour lights festival, second day"),
                Phase::Scheduled,
                2_450,
            ),
            card(head("An evening with nobody you know"), Phase::SoldOut, 0),
        ],
        search: EventSearch {
            q: "harbour".to_owned(),
            city: "Ghent".to_owned(),
            ..EventSearch::default()
        },
        cities: vec!["Berlin".to_owned(), "Ghent".to_owned()],
        categories: vec!["concert".to_owned()],
        earlier: None,
        later: Some(2),
    }
}

fn no_events() -> EventsPage {
    EventsPage {
        events: vec![],
        later: None,
        ..events()
    }
}

pub(super) fn event(phase: Phase) -> EventPage {
    EventPage {
        head: river(),
        description: Some("Two hours of music for strings and water.\nDoors at 18:30.".to_owned()),
        phase,
        order: LineOrder::Lottery,
        opens_at: Some(after_seconds(1_505)),
        price_range: Some(prices()),
        availability: Some(availability(1_204)),
        draws: vec![DrawPublication {
            lane: "main".to_owned(),
            commitment: "9f2c61d0e4b8a7735c1d0f4e6a9b8c7d2e3f405162738495a6b7c8d9e0f1a2b3"
                .to_owned(),
            entropy_rule:
                "the public drand beacon, first round at least 60 s after the list is frozen"
                    .to_owned(),
            opened_as_fifo: false,
        }],
        codes: true,
        needs_code: false,
        needs_shop: false,
        captcha: None,
        has_place: false,
        now: now(),
    }
}

/// A fan in the middle of an open line.
pub(super) fn place() -> Place {
    Place {
        standing: Standing::Waiting,
        phase: Phase::Open,
        number: Some(4_812),
        ahead: Some(1_234),
        estimated_wait_seconds: Some(WaitInterval {
            low: 250,
            high: 419,
        }),
        rate_per_minute: Some(90),
        reason: None,
        message: None,
        opens_at: None,
        claim_by: None,
    }
}

pub(super) fn queue(place: Place) -> QueuePage {
    QueuePage {
        head: river(),
        order: LineOrder::Lottery,
        opened_as_fifo: false,
        place,
        now: now(),
    }
}

fn queues() -> Vec<(&'static str, QueuePage)> {
    let with_phase = |phase| Place { phase, ..place() };
    let unnumbered = |phase| Place {
        number: None,
        ahead: None,
        estimated_wait_seconds: None,
        opens_at: Some(after_seconds(95)),
        ..with_phase(phase)
    };
    let standing = |standing| Place {
        standing,
        claim_by: Some(soon()),
        ..place()
    };
    vec![
        ("queue-gathering", queue(unnumbered(Phase::Gathering))),
        ("queue-drawing", queue(unnumbered(Phase::Drawing))),
        ("queue-waiting", queue(place())),
        (
            "queue-slipped",
            queue(Place {
                reason: Some(SlipReason::BackendSlowed),
                message: Some(
                    "We opened a second entrance.\nThe show starts 30 minutes later.".to_owned(),
                ),
                ..place()
            }),
        ),
        (
            "queue-spoken-for",
            queue(Place {
                estimated_wait_seconds: None,
                reason: Some(SlipReason::SpokenFor),
                ..place()
            }),
        ),
        ("queue-paused", queue(with_phase(Phase::Paused))),
        ("queue-admitted", queue(standing(Standing::Admitted))),
        ("queue-inside", queue(standing(Standing::Inside))),
        ("queue-sold-out", queue(with_phase(Phase::SoldOut))),
        ("queue-closed", queue(with_phase(Phase::Closed))),
        (
            "queue-absent",
            queue(Place {
                standing: Standing::Absent,
                ..unnumbered(Phase::Open)
            }),
        ),
    ]
}

fn items() -> Vec<LineItem> {
    vec![
        LineItem {
            label: "Stalls, row C, seat 12".to_owned(),
            count: 1,
            price: dollars(8_900),
        },
        LineItem {
            label: "Stalls, row C, seat 13".to_owned(),
            count: 1,
            price: dollars(8_900),
        },
        LineItem {
            label: "Standing".to_owned(),
            count: 2,
            price: dollars(9_000),
        },
    ]
}

pub(super) fn checkout() -> CheckoutPage {
    CheckoutPage {
        head: river(),
        reservation_id: "rs-1".to_owned(),
        items: items(),
        total: dollars(26_800),
        expires_at: after_seconds(598),
        extensions_remaining: 1,
        extension_seconds: 300,
        payment_methods: PaymentMethod::of_the_test_provider(),
        test_mode: true,
        now: now(),
    }
}

pub(super) fn order(status: OrderStatus) -> OrderPage {
    let ticket = |n: u32, label: &str| TicketView {
        ticket_number: format!("TK-7Q4M-{n:04}"),
        label: label.to_owned(),
        qr_url: "/sample-qr.svg".to_owned(),
        used_at: None,
    };
    let tickets = match status {
        OrderStatus::Confirmed => vec![
            ticket(1, "Stalls, row C, seat 12"),
            ticket(2, "Stalls, row C, seat 13"),
            ticket(3, "Standing"),
        ],
        _ => vec![],
    };
    OrderPage {
        head: river(),
        order_number: "U-2026-84G7K".to_owned(),
        status,
        by_organiser: status == OrderStatus::Cancelled,
        items: items(),
        total: dollars(26_800),
        tickets,
        confirmed_at: (status == OrderStatus::Confirmed).then(now),
        may_be_given_back: status == OrderStatus::Confirmed,
        is_inside: status == OrderStatus::Confirmed,
        is_done: false,
        test_mode: true,
    }
}

pub(super) fn orders() -> OrdersPage {
    let line = |status, tickets| OrderLine {
        head: river(),
        order_number: "U-2026-84G7K".to_owned(),
        status,
        tickets,
        total: dollars(26_800),
        ordered_at: now(),
    };
    OrdersPage {
        orders: vec![
            line(OrderStatus::Confirmed, 3),
            line(OrderStatus::Refunded, 1),
        ],
    }
}

pub(super) fn control(can_control: bool) -> ControlPage {
    let constants = Constants {
        brake_redis_ms: Some(80.0),
        ..Constants::default()
    };
    ControlPage {
        head: river(),
        tabs: desk_samples::tabs(Tab::Sale),
        phase: Phase::Open,
        settings: AdmissionForm::from(Policy {
            mode: Mode::Auto,
            rate_per_minute: Some(600.0),
            min_rate_per_minute: Some(60.0),
            max_rate_per_minute: Some(1_200.0),
            max_inside: Some(2_000),
            ..Policy::default()
        }),
        constants: constants.in_force().map(ConstantShown::from).into(),
        can_tune: can_control,
        message: Some("We opened a second entrance.".to_owned()),
        can_control,
        now: now(),
    }
}

pub(super) fn operators() -> OperatorsPage {
    OperatorsPage {
        operators: vec![KeyHolder {
            id: "0195f6c8-7d1e-4d55-9a40-0f8b5f2f2f11".to_owned(),
            name: "Ada at the door".to_owned(),
            role: "staff".to_owned(),
            made_by: "key 1f2e3d4c".to_owned(),
            made_at: now(),
        }],
        made: Some(MadeKey {
            name: "Grace".to_owned(),
            api_key: "usher_op_0123_4567".to_owned(),
        }),
        problem: None,
    }
}

fn error() -> ErrorPage {
    ErrorPage {
        headline: "Page not found".to_owned(),
        sentence: "There is nothing at this address; the events on sale are on the first page."
            .to_owned(),
        request_id: "01JD3M9W6Z4X".to_owned(),
        way_on: Some(("/".to_owned(), "See the events".to_owned())),
    }
}

pub(super) fn render(page: &impl Template) -> String {
    page.render().expect("a sample page renders")
}

/// Every page in every state that looks different.
pub(super) fn all() -> Vec<(&'static str, String)> {
    let mut pages = vec![
        ("events", render(&events())),
        ("events-none", render(&no_events())),
        ("event-open", render(&event(Phase::Open))),
        ("event-gathering", render(&event(Phase::Gathering))),
        ("event-sold-out", render(&event(Phase::SoldOut))),
        ("checkout", render(&checkout())),
        ("order-confirmed", render(&order(OrderStatus::Confirmed))),
        ("order-pending", render(&order(OrderStatus::Pending))),
        ("order-failed", render(&order(OrderStatus::Failed))),
        ("order-cancelled", render(&order(OrderStatus::Cancelled))),
        ("orders", render(&orders())),
        ("orders-none", render(&OrdersPage { orders: vec![] })),
        ("console", render(&control(true))),
        ("console-viewer", render(&control(false))),
        ("error", render(&error())),
    ];
    pages.extend(queues().iter().map(|(name, page)| (*name, render(page))));
    let seats = SeatsPage {
        head: river(),
        session_ends_at: Some(after_seconds(890)),
        tickets_per_order: 4,
        now: now(),
    };
    pages.push(("seats", render(&seats)));
    let sign_in = SignInPage {
        problem: Some("This key is not known.".to_owned()),
    };
    pages.push(("console-sign-in", render(&sign_in)));
    let chosen = ConsoleEvent {
        head: river(),
        phase: Phase::Open,
    };
    pages.push((
        "console-events",
        render(&ConsolePage {
            events: vec![chosen],
            is_admin: true,
            looks_up: true,
        }),
    ));
    pages.push(("console-operators", render(&operators())));
    pages.extend(desk_samples::all());
    let away = AwayPage {
        retry_after_seconds: 7,
        request_id: "01JD3M9W6Z4X".to_owned(),
    };
    pages.push(("away", render(&away)));
    pages
}

//! Samples of the console's pages for the desk, the door and invite codes.

use usher_booking::operators::Role;

use super::samples::{dollars, now, render, river};
use super::*;

pub(super) fn tabs(here: Tab) -> Tabs {
    Tabs::of(Role::Operator, here)
}

pub(super) fn find() -> FindPage {
    let order = FoundLine {
        order_number: "7K3M-9QXT-4BZH".to_owned(),
        status: OrderStatus::Confirmed,
        event: river().title,
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
        places: vec!["Stalls, row C, seat 12".to_owned()],
        total: dollars(8_900),
        ordered_at: now(),
    };
    FindPage {
        q: "ada".to_owned(),
        found: Some(Found {
            orders: vec![order],
            next: Some("1795255200000-0195f6c8".to_owned()),
        }),
        problem: None,
    }
}

pub(super) fn desk_order() -> DeskOrderPage {
    let ticket = DeskTicket {
        number: "7K3M9QXT4BZH0V2C".to_owned(),
        is_void: false,
        used: Some(used()),
    };
    DeskOrderPage {
        head: river(),
        order_number: "7K3M-9QXT-4BZH".to_owned(),
        status: OrderStatus::Confirmed,
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
        places: vec![DeskPlace {
            label: "Stalls, row C, seat 12".to_owned(),
            price: dollars(8_900),
            ticket: Some(ticket),
        }],
        total: dollars(8_900),
        payment: Some(DeskPayment {
            provider: "test".to_owned(),
            state: "captured".to_owned(),
            reference: Some("pi_3".to_owned()),
        }),
        failure: None,
        ordered_at: now(),
        decided_at: Some(now()),
        history: Some(vec![HistoryLine {
            at: now(),
            action: "payment_captured".to_owned(),
            actor: "usher".to_owned(),
        }]),
        may_cancel: true,
    }
}

fn used() -> UsedAt {
    UsedAt {
        at: now(),
        gate: "North door".to_owned(),
        staff: "Stan".to_owned(),
    }
}

pub(super) fn door(verdict: Verdict) -> DoorPage {
    DoorPage {
        head: river(),
        tabs: tabs(Tab::Door),
        gate: "North door".to_owned(),
        verdict: Some(verdict),
        problem: None,
        arrivals: Some(Arrivals {
            used: 1_204,
            sold: 2_380,
        }),
    }
}

/// Each answer at the door, by the name of its page.
pub(super) fn verdicts() -> [(&'static str, Verdict); 6] {
    let (ticket, place) = (
        "7K3M9QXT4BZH0V2C".to_owned(),
        "Stalls, row C, seat 12".to_owned(),
    );
    let admitted = Verdict::Admitted {
        ticket: ticket.clone(),
        place: place.clone(),
        at: now(),
    };
    let again = Verdict::Used {
        ticket: ticket.clone(),
        place: place.clone(),
        first: used(),
    };
    let just_now = Verdict::JustNow {
        ticket: ticket.clone(),
        place,
        seconds_ago: 14,
    };
    let other = Verdict::OtherEvent {
        title: Some("The other night".to_owned()),
    };
    [
        ("door-admitted", admitted),
        ("door-used", again),
        ("door-just-now", just_now),
        ("door-other", other),
        ("door-void", Verdict::Void { ticket }),
        ("door-unknown", Verdict::Unknown),
    ]
}

pub(super) fn invites() -> InvitesPage {
    InvitesPage {
        head: river(),
        tabs: tabs(Tab::Invites),
        lanes: vec!["presale".to_owned()],
        given: vec![GivenCode {
            id: "3f".repeat(32),
            lane: "presale".to_owned(),
            used: 3,
            uses_left: 7,
            expires_at: Some(now()),
            is_over: false,
        }],
        next: Some("3f".repeat(32)),
        made: Some(MadeCodes {
            lane: "presale".to_owned(),
            codes: vec!["7K3M9QXT4BZH".to_owned(), "0V2C7K3M9QXT".to_owned()],
        }),
        problem: None,
    }
}

pub(super) fn all() -> Vec<(&'static str, String)> {
    let mut pages = vec![
        ("console-orders", render(&find())),
        ("console-order", render(&desk_order())),
        ("console-invites", render(&invites())),
    ];
    for (name, verdict) in verdicts() {
        pages.push((name, render(&door(verdict))));
    }
    pages
}

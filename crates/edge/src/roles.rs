//! Which role an operator's call needs at least: the whole table. A call that
//! is not in it is refused to everybody.

use axum::http::Method;
use usher_booking::operators::Role;
use usher_booking::operators::Role::{Admin, Operator, Staff, Viewer};

const LEAST: &[(&str, &str, Role)] = &[
    // Looking.
    ("GET", "/api/v1/admin/events", Viewer),
    ("GET", "/api/v1/admin/events/{event}", Viewer),
    ("GET", "/api/v1/admin/events/{event}/admission", Viewer),
    (
        "GET",
        "/api/v1/admin/events/{event}/admission/constants",
        Viewer,
    ),
    ("GET", "/api/v1/admin/events/{event}/calibration", Viewer),
    ("GET", "/api/v1/admin/events/{event}/status", Viewer),
    ("GET", "/api/v1/admin/events/{event}/status/stream", Viewer),
    ("GET", "/api/v1/admin/events/{event}/sales", Viewer),
    (
        "GET",
        "/api/v1/admin/events/{event}/fans/{fan}/explain",
        Viewer,
    ),
    // At the door and at the desk.
    ("GET", "/api/v1/admin/events/{event}/checkin", Staff),
    ("POST", "/api/v1/admin/events/{event}/checkin", Staff),
    ("POST", "/api/v1/admin/events/{event}/checkin/sync", Staff),
    ("GET", "/api/v1/admin/orders", Staff),
    // It names tickets' numbers, which let people in.
    ("GET", "/api/v1/admin/ledger", Staff),
    // Running a sale.
    ("POST", "/api/v1/admin/events", Operator),
    ("PATCH", "/api/v1/admin/events/{event}", Operator),
    ("DELETE", "/api/v1/admin/events/{event}", Operator),
    ("PUT", "/api/v1/admin/events/{event}/admission", Operator),
    ("POST", "/api/v1/admin/events/{event}/phase", Operator),
    ("PUT", "/api/v1/admin/events/{event}/message", Operator),
    ("POST", "/api/v1/admin/events/{event}/revoke", Operator),
    ("GET", "/api/v1/admin/events/{event}/invites", Operator),
    ("POST", "/api/v1/admin/events/{event}/invites", Operator),
    (
        "DELETE",
        "/api/v1/admin/events/{event}/invites/{id}",
        Operator,
    ),
    (
        "PUT",
        "/api/v1/admin/events/{event}/draw/{lane}/rule",
        Admin,
    ),
    (
        "POST",
        "/api/v1/admin/events/{event}/draw/{lane}/entropy",
        Operator,
    ),
    (
        "POST",
        "/api/v1/admin/events/{event}/draw/{lane}/open-as-fifo",
        Admin,
    ),
    ("POST", "/api/v1/admin/events/{event}/signals", Operator),
    ("GET", "/api/v1/admin/orders.csv", Operator),
    ("POST", "/api/v1/admin/orders/{number}/cancel", Operator),
    ("GET", "/api/v1/admin/audit", Operator),
    ("GET", "/api/v1/admin/events/{event}/webhooks", Operator),
    (
        "GET",
        "/api/v1/admin/events/{event}/webhooks/dead",
        Operator,
    ),
    (
        "POST",
        "/api/v1/admin/events/{event}/webhooks/{id}/redeliver",
        Operator,
    ),
    // Saying who may do what, who is told, whom the law asks and what it goes by.
    (
        "PUT",
        "/api/v1/admin/events/{event}/admission/constants",
        Admin,
    ),
    ("POST", "/api/v1/admin/events/{event}/webhooks", Admin),
    (
        "DELETE",
        "/api/v1/admin/events/{event}/webhooks/{id}",
        Admin,
    ),
    ("GET", "/api/v1/admin/events/{event}/prometheus", Admin),
    ("PUT", "/api/v1/admin/events/{event}/prometheus", Admin),
    ("DELETE", "/api/v1/admin/events/{event}/prometheus", Admin),
    ("GET", "/api/v1/admin/operators", Admin),
    ("POST", "/api/v1/admin/operators", Admin),
    ("DELETE", "/api/v1/admin/operators/{id}", Admin),
];

/// The desk and the door are open from this role on.
pub const LOOKS_UP: Role = Staff;
/// Pages of the console that change something show that only from this role on.
pub const STEERS: Role = Operator;
/// The law's constants can be changed from this role on.
pub const TUNES: Role = Admin;
/// The page of operators and their keys is shown from this role on.
pub const NAMES_OTHERS: Role = Admin;

pub fn least(method: &Method, route: &str) -> Option<Role> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let row = LEAST.iter().find(|row| (row.0, row.1) == (method, route));
    row.map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_not_listed_has_no_role() {
        let status = "/api/v1/admin/events/{event}/status";
        assert_eq!(least(&Method::GET, status), Some(Viewer));
        assert_eq!(least(&Method::HEAD, status), Some(Viewer));
        assert_eq!(least(&Method::POST, status), None);
        assert_eq!(least(&Method::GET, "/api/v1/admin/new"), None);
    }

    #[test]
    fn pages_ask_for_the_role_that_their_calls_ask_for() {
        const EVENT: &str = "/api/v1/admin/events/{event}";
        for (page, method, route) in [
            (LOOKS_UP, Method::POST, format!("{EVENT}/checkin")),
            (LOOKS_UP, Method::GET, "/api/v1/admin/orders".into()),
            (STEERS, Method::PUT, format!("{EVENT}/admission")),
            (STEERS, Method::POST, format!("{EVENT}/phase")),
            (STEERS, Method::PUT, format!("{EVENT}/message")),
            (STEERS, Method::GET, format!("{EVENT}/invites")),
            (STEERS, Method::POST, format!("{EVENT}/invites")),
            (STEERS, Method::DELETE, format!("{EVENT}/invites/{{id}}")),
            (STEERS, Method::GET, "/api/v1/admin/audit".into()),
            (
                STEERS,
                Method::POST,
                "/api/v1/admin/orders/{number}/cancel".into(),
            ),
            (TUNES, Method::PUT, format!("{EVENT}/admission/constants")),
            (NAMES_OTHERS, Method::GET, "/api/v1/admin/operators".into()),
            (NAMES_OTHERS, Method::POST, "/api/v1/admin/operators".into()),
            (
                NAMES_OTHERS,
                Method::DELETE,
                "/api/v1/admin/operators/{id}".into(),
            ),
        ] {
            assert_eq!(least(&method, &route), Some(page), "{method} {route}");
        }
    }

    #[test]
    fn every_served_operators_call_is_listed() {
        let mut described = Vec::new();
        for (path, item) in crate::routes::operators_paths() {
            let calls = [
                ("GET", item.get.is_some()),
                ("PUT", item.put.is_some()),
                ("POST", item.post.is_some()),
                ("PATCH", item.patch.is_some()),
                ("DELETE", item.delete.is_some()),
            ];
            let served = calls.into_iter().filter(|call| call.1);
            described.extend(served.map(|call| (call.0, path.clone())));
        }
        let mut listed: Vec<_> = LEAST.iter().map(|row| (row.0, row.1.to_owned())).collect();
        described.sort();
        listed.sort();
        assert_eq!(described, listed);
    }
}

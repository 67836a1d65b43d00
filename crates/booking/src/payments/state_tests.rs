//! The two tables of a payment, checked entry by entry and by exhaustion.
#![allow(clippy::unwrap_used)]

use super::*;
use PaymentState as P;

const CALM: Circumstances = Circumstances {
    too_late: false,
    key_forgotten: false,
    cancelled: false,
};
const LATE: Circumstances = Circumstances {
    too_late: true,
    ..CALM
};
const FORGOTTEN: Circumstances = Circumstances {
    key_forgotten: true,
    ..LATE
};
const CANCELLED: Circumstances = Circumstances {
    cancelled: true,
    ..CALM
};

fn asks() -> Standing {
    Standing::RequiresAction {
        client_secret: "s".into(),
    }
}

fn declined() -> Standing {
    Standing::Declined { reason: "d".into() }
}

fn every_standing() -> [Standing; 8] {
    [
        Standing::Absent,
        Standing::Processing,
        asks(),
        Standing::Authorised,
        Standing::Captured,
        declined(),
        Standing::Voided,
        Standing::Refunded,
    ]
}

#[test]
fn exactly_the_listed_transitions_exist() {
    use PaymentChange as C;
    let listed = [
        (P::Pending, C::Capture, P::Capturing),
        (P::Pending, C::Void, P::Voiding),
        (P::RequiresAction, C::Capture, P::Capturing),
        (P::RequiresAction, C::Void, P::Voiding),
        (P::Capturing, C::AskFan, P::RequiresAction),
        (P::Capturing, C::Captured, P::Captured),
        (P::Capturing, C::Fail, P::Failed),
        (P::Voiding, C::Voided, P::Voided),
        (P::Captured, C::Refund, P::Refunded),
        (P::Failed, C::Refund, P::Refunded),
        (P::Voided, C::Refund, P::Refunded),
    ];
    for state in P::ALL {
        for change in C::ALL {
            let expected = listed
                .iter()
                .find(|(from, by, _)| *from == state && *by == change)
                .map(|(_, _, to)| *to);
            assert_eq!(state.after(change), expected, "{state} {change:?}");
        }
        assert_eq!(state.as_str().parse::<P>().unwrap(), state);
    }
}

fn secret_step(step: fn(String) -> Step) -> Step {
    step("s".into())
}

fn record_action() -> Step {
    secret_step(|client_secret| Step::RecordAction { client_secret })
}

fn await_fan() -> Step {
    secret_step(|client_secret| Step::AwaitFan { client_secret })
}

fn failed(reason: &str) -> Step {
    Step::RecordFailed {
        reason: reason.into(),
    }
}

fn rows(recorded: P, at: Circumstances, expected: [Step; 8]) {
    for (standing, step) in every_standing().iter().zip(expected) {
        let found = next_step(recorded, Some(standing), at);
        assert_eq!(found, step, "{recorded} {standing:?} {at:?}");
    }
}

#[test]
fn capturing_goes_only_forward() {
    let closed = || failed(CLOSED_BY_PROVIDER);
    let usual = |absent| {
        [
            absent,
            Step::Wait,
            record_action(),
            Step::Capture,
            Step::RecordPaid,
            failed("d"),
            closed(),
            closed(),
        ]
    };
    rows(P::Capturing, CALM, usual(Step::Authorise));
    rows(P::Capturing, LATE, usual(Step::Authorise));
    rows(P::Capturing, FORGOTTEN, usual(failed(NEVER_ATTEMPTED)));
}

#[test]
fn a_fan_may_confirm_until_it_is_too_late() {
    use Step::{DecideCapture as Take, DecideVoid as Leave, Wait};
    let in_time = [Leave, Wait, await_fan(), Take, Take, Leave, Leave, Leave];
    let late = [Leave, Leave, Leave, Take, Take, Leave, Leave, Leave];
    rows(P::RequiresAction, CALM, in_time);
    rows(P::RequiresAction, LATE, late);
}

#[test]
fn voiding_ends_only_with_the_providers_word() {
    use Step::{RecordVoided as Over, Refund, Void, Wait};
    for at in [CALM, LATE, FORGOTTEN] {
        rows(
            P::Voiding,
            at,
            [Over, Wait, Void, Void, Refund, Void, Over, Over],
        );
    }
}

#[test]
fn captured_money_goes_back_only_when_the_order_was_cancelled() {
    use Step::{Done, RecordRefunded as Back, Refund, Wait};
    let kept = [Done, Wait, Done, Done, Done, Done, Done, Back];
    let cancelled = [Refund, Wait, Refund, Refund, Refund, Refund, Refund, Back];
    rows(P::Captured, CALM, kept);
    rows(P::Captured, CANCELLED, cancelled);
}

#[test]
fn late_money_is_refunded() {
    use Step::{Done, RecordRefunded as Back, Refund, Void};
    for closed in [P::Failed, P::Voided] {
        rows(
            closed,
            LATE,
            [Done, Done, Void, Void, Refund, Done, Done, Back],
        );
    }
}

#[test]
fn an_untouched_payment_is_decided_without_asking_anybody() {
    assert_eq!(next_step(P::Pending, None, CALM), Step::DecideCapture);
    assert_eq!(next_step(P::Pending, None, LATE), Step::DecideVoid);
}

#[test]
fn nothing_is_done_before_the_provider_was_asked() {
    for state in P::ALL {
        let expected = match state {
            P::Pending => Step::DecideVoid,
            P::Refunded => Step::Done,
            _ => Step::LookUp,
        };
        assert_eq!(next_step(state, None, LATE), expected, "{state}");
    }
}

/// The money rules, over every combination there is.
#[test]
fn no_step_breaks_a_money_rule() {
    for recorded in P::ALL {
        for standing in every_standing() {
            for at in [CALM, LATE, FORGOTTEN, CANCELLED] {
                let step = next_step(recorded, Some(&standing), at);
                let case = format!("{recorded} {standing:?} {at:?} -> {step:?}");
                match step {
                    // The provider is called for money only once that is decided.
                    Step::Authorise | Step::Capture => assert_eq!(recorded, P::Capturing, "{case}"),
                    Step::RecordPaid => assert_eq!(standing, Standing::Captured, "{case}"),
                    // Seats are freed only once no money can come.
                    Step::RecordVoided => assert!(
                        matches!(
                            standing,
                            Standing::Absent | Standing::Voided | Standing::Refunded
                        ),
                        "{case}"
                    ),
                    Step::RecordFailed { .. } => assert!(
                        !matches!(standing, Standing::Captured | Standing::Authorised),
                        "{case}"
                    ),
                    _ => {}
                }
            }
        }
    }
}

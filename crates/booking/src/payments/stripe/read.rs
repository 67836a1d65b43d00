//! What Stripe's objects say, in our words. Pure.

use serde_json::Value;

use crate::payments::{ProviderError, Report, Standing};

/// When a decline gives no code.
const DECLINED: &str = "card_declined";

/// A PaymentIntent, with its `latest_charge` expanded.
pub fn intent(intent: &Value) -> Result<Report, ProviderError> {
    let text = |name: &str| intent[name].as_str();
    let standing = match text("status") {
        Some("requires_action") => Standing::RequiresAction {
            client_secret: text("client_secret").unwrap_or_default().to_owned(),
        },
        Some("requires_payment_method") => Standing::Declined {
            reason: reason(&intent["last_payment_error"]),
        },
        Some("processing" | "requires_confirmation") => Standing::Processing,
        Some("requires_capture") => Standing::Authorised,
        Some("canceled") => Standing::Voided,
        Some("succeeded") if is_refunded(intent) => Standing::Refunded,
        Some("succeeded") => Standing::Captured,
        other => {
            let problem = format!("a payment intent with the status {other:?}");
            return Err(ProviderError::Unknown(problem));
        }
    };
    Ok(Report {
        standing,
        reference: text("id").map(str::to_owned),
    })
}

/// The error of a 402.
pub fn declined(error: &Value) -> Report {
    Report {
        standing: Standing::Declined {
            reason: reason(error),
        },
        reference: error["payment_intent"]["id"].as_str().map(str::to_owned),
    }
}

/// For the log; says nothing about the card.
pub fn message(error: &Value) -> &str {
    error["message"].as_str().unwrap_or("without a reason")
}

fn reason(error: &Value) -> String {
    let code = error["decline_code"].as_str().or(error["code"].as_str());
    code.unwrap_or(DECLINED).to_owned()
}

fn is_refunded(intent: &Value) -> bool {
    intent["latest_charge"]["refunded"].as_bool() == Some(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn standing(value: &Value) -> Standing {
        intent(value).unwrap().standing
    }

    #[test]
    fn every_status_has_a_meaning() {
        let with = |status: &str| json!({ "id": "pi_1", "status": status, "client_secret": "s" });
        let secret = Standing::RequiresAction {
            client_secret: "s".into(),
        };
        let plain = Standing::Declined {
            reason: DECLINED.into(),
        };
        for (status, expected) in [
            ("requires_action", secret),
            ("requires_payment_method", plain),
            ("processing", Standing::Processing),
            ("requires_confirmation", Standing::Processing),
            ("requires_capture", Standing::Authorised),
            ("canceled", Standing::Voided),
            ("succeeded", Standing::Captured),
        ] {
            assert_eq!(standing(&with(status)), expected, "{status}");
        }
        assert!(intent(&with("something_new")).is_err());
    }

    #[test]
    fn refunded_money_is_told_by_the_charge() {
        let refunded = |refunded: bool| json!({ "id": "pi_1", "status": "succeeded", "latest_charge": { "refunded": refunded } });
        assert_eq!(standing(&refunded(true)), Standing::Refunded);
        assert_eq!(standing(&refunded(false)), Standing::Captured);
    }

    #[test]
    fn a_decline_says_why() {
        let error = json!({
            "code": "card_declined", "decline_code": "insufficient_funds",
            "payment_intent": { "id": "pi_7" },
        });
        let report = declined(&error);
        assert_eq!(report.reference.as_deref(), Some("pi_7"));
        let reason = "insufficient_funds".to_owned();
        assert_eq!(report.standing, Standing::Declined { reason });
    }
}

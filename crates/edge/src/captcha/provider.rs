//! The three providers of CAPTCHAs that speak the same protocol: where their widget and
//! their judgement come from, what a page must allow them, and how an answer is read. Pure.

use serde::{Deserialize, Serialize};

/// What the widget is told it stands for; an answer that names another is for something else.
pub const ACTION: &str = "join";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Turnstile,
    Hcaptcha,
    /// Version 2, the box to tick.
    Recaptcha,
}

/// From where a page with the widget may load what, as the providers document it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    pub script: String,
    pub frame: String,
    pub style: String,
    pub connect: String,
}

impl Provider {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turnstile => "turnstile",
            Self::Hcaptcha => "hcaptcha",
            Self::Recaptcha => "recaptcha",
        }
    }

    /// Without a query: pages add theirs.
    pub const fn script_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/api.js",
            Self::Hcaptcha => "https://js.hcaptcha.com/1/api.js",
            Self::Recaptcha => "https://www.google.com/recaptcha/api.js",
        }
    }

    pub const fn verify_url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::Hcaptcha => "https://api.hcaptcha.com/siteverify",
            Self::Recaptcha => "https://www.google.com/recaptcha/api/siteverify",
        }
    }

    pub fn sources(self) -> Sources {
        let all = |script: &str, frame: &str, other: &str| Sources {
            script: script.to_owned(),
            frame: frame.to_owned(),
            style: other.to_owned(),
            connect: other.to_owned(),
        };
        match self {
            Self::Turnstile => {
                let theirs = "https://challenges.cloudflare.com";
                all(theirs, theirs, "")
            }
            Self::Hcaptcha => {
                let theirs = "https://hcaptcha.com https://*.hcaptcha.com";
                all(theirs, theirs, theirs)
            }
            Self::Recaptcha => all(
                "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/",
                "https://www.google.com/recaptcha/ https://recaptcha.google.com/recaptcha/",
                "",
            ),
        }
    }
}

/// What a verifier says of a token.
#[derive(Debug, Deserialize)]
pub struct Answer {
    success: bool,
    #[serde(default, rename = "error-codes")]
    error_codes: Vec<String>,
    hostname: Option<String>,
    action: Option<String>,
    /// Of reCAPTCHA's version 3, whose tokens are good whoever asks for them.
    score: Option<f64>,
}

/// What an answer means for whoever showed the token.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// Wrong, too old, or shown before.
    Refused,
    /// Solved on another site, or for something else than joining.
    Elsewhere,
    /// Our own settings are at fault, or the provider: nothing is said of the token.
    Unknown(String),
}

/// About the asker or the provider, and not about the token.
const NOT_THE_TOKENS: &[&str] = &[
    "missing-input-secret",
    "invalid-input-secret",
    "internal-error",
];

impl Answer {
    pub fn judge(&self, provider: Provider, hostnames: &[String]) -> Verdict {
        if !self.success {
            let ours = |code: &&String| NOT_THE_TOKENS.contains(&code.as_str());
            return match self.error_codes.iter().find(ours) {
                Some(code) => Verdict::Unknown(code.clone()),
                None => Verdict::Refused,
            };
        }
        if provider == Provider::Recaptcha && self.score.is_some() {
            return Verdict::Unknown("the keys are of reCAPTCHA v3; v2 is needed".to_owned());
        }
        let is_here = self.hostname.as_ref().is_some_and(|solved_on| {
            hostnames
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(solved_on))
        });
        let is_for_joining = match &self.action {
            Some(action) => action == ACTION,
            // Turnstile's widget always says what it was asked to say.
            None => provider != Provider::Turnstile,
        };
        if is_here && is_for_joining {
            Verdict::Passed
        } else {
            Verdict::Elsewhere
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn judged(provider: Provider, answer: Value) -> Verdict {
        let answer: Answer = serde_json::from_value(answer).unwrap();
        answer.judge(provider, &["tickets.example.org".to_owned()])
    }

    #[test]
    fn a_token_counts_where_it_was_solved_and_for_what() {
        let here = "Tickets.example.org";
        for (provider, answer, expected) in [
            (
                Provider::Turnstile,
                json!({ "success": true, "hostname": here, "action": "join", "error-codes": [] }),
                Verdict::Passed,
            ),
            (
                Provider::Turnstile,
                json!({ "success": true, "hostname": here, "action": "login" }),
                Verdict::Elsewhere,
            ),
            (
                Provider::Turnstile,
                json!({ "success": true, "hostname": here }),
                Verdict::Elsewhere,
            ),
            (
                Provider::Hcaptcha,
                json!({ "success": true, "hostname": here, "credit": false }),
                Verdict::Passed,
            ),
            (
                Provider::Hcaptcha,
                json!({ "success": true, "hostname": "tickets.example.org.evil.example" }),
                Verdict::Elsewhere,
            ),
            (
                Provider::Recaptcha,
                json!({ "success": true, "hostname": here, "challenge_ts": "x" }),
                Verdict::Passed,
            ),
            (
                Provider::Recaptcha,
                json!({ "success": true, "apk_package_name": "org.example" }),
                Verdict::Elsewhere,
            ),
        ] {
            assert_eq!(judged(provider, answer.clone()), expected, "{answer}");
        }
    }

    #[test]
    fn whose_fault_a_refusal_is_follows_from_its_codes() {
        let refused = |code: &str| {
            let answer = json!({ "success": false, "error-codes": [code] });
            judged(Provider::Turnstile, answer)
        };
        assert_eq!(refused("timeout-or-duplicate"), Verdict::Refused);
        // Whoever brings a token of another site's key is not let in by it.
        assert_eq!(refused("sitekey-secret-mismatch"), Verdict::Refused);
        assert!(matches!(
            refused("invalid-input-secret"),
            Verdict::Unknown(_)
        ));
        let scored = json!({ "success": true, "hostname": "tickets.example.org", "score": 0.1 });
        let v3 = judged(Provider::Recaptcha, scored);
        assert!(matches!(v3, Verdict::Unknown(_)));
    }
}

//! A person at the door: a join brings the token of a CAPTCHA's widget, and its provider is
//! asked whether it is good. Off unless the event asks for it. Asking is bounded in time,
//! size and number, a token gives one fan one place, and what happens while the provider
//! does not answer is the operator's choice.

mod provider;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use http_body_util::Full;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use usher_base::FanId;
use usher_base::outgoing::{self, Outgoing};
use usher_base::redis::{CallError, Redis};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::keys;
use crate::puzzle::Solver;
use provider::{ACTION, Answer, Verdict};
pub use provider::{Provider, Sources};

/// The longest tokens that providers are known to give have some 4,000 characters.
const MAX_TOKEN_BYTES: usize = 8_192;
/// An answer has some hundred bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Questions of this process at once. A tenth of a second each makes 2,560 joins a second.
const MAX_QUESTIONS: usize = 256;
/// Longer than any provider takes the same token for new.
const REMEMBERED_FOR: Duration = Duration::from_secs(900);

/// What becomes of a join while the provider does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unanswered {
    Refuse,
    Admit,
}

pub struct CaptchaSettings {
    pub provider: Provider,
    pub site_key: String,
    pub secret_key: String,
    /// The provider's own unless given.
    pub script_url: Option<String>,
    pub verify_url: Option<String>,
    /// Where a token may have been solved.
    pub hostnames: Vec<String>,
    /// Whether the provider is told the fan's address.
    pub tells_address: bool,
    pub unanswered: Unanswered,
}

/// What a client needs to know to get a token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Wanted {
    /// `turnstile`, `hcaptcha` or `recaptcha` (v2)
    pub provider: &'static str,
    pub site_key: String,
    /// Where the widget's script is
    pub script_url: String,
    /// What the widget is to be told it is for, where the provider has that
    action: &'static str,
}

pub struct Captcha {
    settings: CaptchaSettings,
    client: Outgoing,
    questions: Semaphore,
}

impl Captcha {
    pub fn new(settings: CaptchaSettings) -> Self {
        Self {
            settings,
            client: outgoing::client(),
            questions: Semaphore::new(MAX_QUESTIONS),
        }
    }

    pub fn wanted(&self) -> Wanted {
        let own = self.settings.script_url.clone();
        Wanted {
            provider: self.settings.provider.as_str(),
            site_key: self.settings.site_key.clone(),
            script_url: own.unwrap_or_else(|| self.settings.provider.script_url().to_owned()),
            action: ACTION,
        }
    }

    /// What a page with the widget has to allow beside its own.
    pub fn sources(&self) -> Sources {
        let own = self.settings.script_url.as_deref().and_then(origin);
        own.map_or_else(
            || self.settings.provider.sources(),
            |origin| Sources {
                script: origin.clone(),
                frame: origin.clone(),
                style: origin.clone(),
                connect: origin,
            },
        )
    }

    /// What a join without a token hears.
    pub fn required(&self) -> ApiError {
        let message = "Show that you are a person: solve this CAPTCHA and join with its token.";
        let status = StatusCode::PRECONDITION_REQUIRED;
        self.refusal(status, "captcha_required", message)
    }

    /// Whether this token lets this fan in. Shown again by the same fan it still does,
    /// because a join whose reply was lost has to be repeatable.
    pub async fn check(
        &self,
        redis: &Redis,
        solver: Solver,
        token: &str,
        from: IpAddr,
    ) -> ApiResult<()> {
        let shown = Shown {
            redis,
            solver,
            token,
        };
        let (outcome, result) = self.outcome(shown, from).await;
        let provider = self.settings.provider.as_str();
        metrics::counter!("usher_captcha_checks_total", "provider" => provider, "outcome" => outcome)
            .increment(1);
        result
    }

    /// How it went, as the metric names it, and what the fan hears.
    async fn outcome(&self, shown: Shown<'_>, from: IpAddr) -> (&'static str, ApiResult<()>) {
        if !is_like_a_token(shown.token) {
            return ("refused", Err(self.refused()));
        }
        let verdict = {
            // Whoever floods us must not be let in by it: full is not unanswered.
            let Ok(_question) = self.questions.try_acquire() else {
                return ("busy", Err(busy()));
            };
            self.ask(shown.token, from).await
        };
        let owner = match verdict {
            Verdict::Passed => shown.claim().await,
            Verdict::Refused => shown.owner().await,
            Verdict::Elsewhere => return ("elsewhere", Err(self.refused())),
            Verdict::Unknown(reason) => return self.unanswered(&reason),
        };
        let fan = shown.solver.fan;
        match (owner, verdict) {
            (Err(error), _) => ("not_kept", Err(error.into())),
            (Ok(None), Verdict::Passed) => ("passed", Ok(())),
            (Ok(Some(owner)), _) if owner == fan => ("repeated", Ok(())),
            (Ok(Some(_)), _) => ("replayed", Err(self.used())),
            (Ok(None), _) => ("refused", Err(self.refused())),
        }
    }

    async fn ask(&self, token: &str, from: IpAddr) -> Verdict {
        let began = Instant::now();
        let answered = outgoing::ask(
            &self.client,
            self.question(token, from),
            MAX_ANSWER_BYTES,
            ANSWER_WITHIN,
        );
        let answered = answered.await;
        metrics::histogram!("usher_captcha_seconds").record(began.elapsed().as_secs_f64());
        let (status, body) = match answered {
            Ok(answer) => answer,
            Err(error) => return Verdict::Unknown(error.to_string()),
        };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Verdict::Unknown(format!("it answers {status}"));
        }
        match serde_json::from_slice::<Answer>(&body) {
            Ok(answer) => answer.judge(self.settings.provider, &self.settings.hostnames),
            Err(_) => Verdict::Unknown(format!("it answers {status} without a verdict")),
        }
    }

    fn question(&self, token: &str, from: IpAddr) -> Request<Full<hyper::body::Bytes>> {
        let settings = &self.settings;
        let from = from.to_string();
        let mut fields = vec![
            ("secret", settings.secret_key.as_str()),
            ("response", token),
        ];
        if settings.tells_address {
            fields.push(("remoteip", &from));
        }
        // hCaptcha otherwise takes a token of any of the account's sites.
        if settings.provider == Provider::Hcaptcha {
            fields.push(("sitekey", &settings.site_key));
        }
        let url = settings.verify_url.as_deref();
        Request::post(url.unwrap_or(settings.provider.verify_url()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(outgoing::form(&fields)))
            .expect("the address was checked with the settings")
    }

    fn unanswered(&self, reason: &str) -> (&'static str, ApiResult<()>) {
        let provider = self.settings.provider.as_str();
        tracing::warn!(provider, reason, "a CAPTCHA's provider gives no verdict");
        match self.settings.unanswered {
            Unanswered::Admit => ("unanswered_admitted", Ok(())),
            Unanswered::Refuse => ("unanswered_refused", Err(unavailable())),
        }
    }

    fn refused(&self) -> ApiError {
        let message = "The check whether you are a person did not succeed; solve it once more.";
        self.refusal(StatusCode::FORBIDDEN, "captcha_refused", message)
    }

    fn used(&self) -> ApiError {
        let message = "This check was used already; solve it once more.";
        self.refusal(StatusCode::FORBIDDEN, "captcha_used", message)
    }

    fn refusal(&self, status: StatusCode, code: &'static str, message: &str) -> ApiError {
        ApiError::new(status, code, message).detail("captcha", json!(self.wanted()))
    }
}

/// A token that a fan shows.
#[derive(Clone, Copy)]
struct Shown<'a> {
    redis: &'a Redis,
    solver: Solver,
    token: &'a str,
}

impl Shown<'_> {
    fn key(&self) -> String {
        let hash = digest(&SHA256, self.token.as_bytes());
        keys::captcha(self.solver.event, &hex::encode(hash))
    }

    /// Makes the token this fan's, or says whose it is already. Only tokens that their
    /// provider found good are kept, so that a flood of others fills nothing.
    async fn claim(&self) -> Result<Option<FanId>, CallError> {
        let mut set = redis::cmd("SET");
        set.arg(self.key()).arg(self.solver.fan.to_string());
        set.arg("NX")
            .arg("GET")
            .arg("EX")
            .arg(REMEMBERED_FOR.as_secs());
        self.fan_of(set).await
    }

    /// Whose it became before.
    async fn owner(&self) -> Result<Option<FanId>, CallError> {
        let mut get = redis::cmd("GET");
        get.arg(self.key());
        self.fan_of(get).await
    }

    async fn fan_of(&self, command: redis::Cmd) -> Result<Option<FanId>, CallError> {
        let text: Option<String> = self.redis.command(command).await?;
        let fan = text.map(|text| text.parse()).transpose();
        fan.map_err(|_| CallError::Shape("an unreadable owner of a token".to_owned()))
    }
}

/// Of the letters that providers use. Anything else is not worth asking them about, and
/// what their front ends refuse to read must not pass for a provider that is away.
fn is_like_a_token(token: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=:~".contains(&byte);
    token.len() <= MAX_TOKEN_BYTES && token.bytes().all(is_usual)
}

fn busy() -> ApiError {
    let message = "Many people join at this moment; try again in some seconds.";
    ApiError::unavailable("captcha_busy", message, Duration::from_secs(2))
}

/// Also where the event asks for a CAPTCHA and this process was given none.
pub fn unavailable() -> ApiError {
    let message = "It cannot be checked at this moment whether you are a person; try again soon. \
         Who is in line already keeps the place.";
    ApiError::unavailable("captcha_unavailable", message, Duration::from_secs(10))
}

/// `https://host:port` of an address.
fn origin(url: &str) -> Option<String> {
    let uri: hyper::Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use usher_base::redis::TimeSource;
    use usher_base::{EventId, Timestamp};

    use super::*;

    fn captcha(unanswered: Unanswered) -> Captcha {
        Captcha::new(CaptchaSettings {
            provider: Provider::Turnstile,
            site_key: "site".to_owned(),
            secret_key: "secret".to_owned(),
            script_url: Some("http://127.0.0.1:9/widget.js".to_owned()),
            // Nobody listens there: whoever is asked does not answer.
            verify_url: Some("http://127.0.0.1:9/siteverify".to_owned()),
            hostnames: Vec::new(),
            tells_address: false,
            unanswered,
        })
    }

    #[tokio::test]
    async fn a_flood_of_tokens_lets_nobody_in_where_silence_would() {
        let redis = Redis::new("redis://127.0.0.1:9/", &[], TimeSource::Server).unwrap();
        let solver = Solver {
            event: EventId::new(Timestamp::from_millis(1)),
            fan: FanId::from_bytes([1; 16]),
        };
        let captcha = captcha(Unanswered::Admit);
        let from = IpAddr::from([127, 0, 0, 1]);
        let silent = captcha.check(&redis, solver, "token", from).await;
        assert!(silent.is_ok(), "silence admits, as set");
        let all = u32::try_from(MAX_QUESTIONS).unwrap();
        let flood = captcha.questions.try_acquire_many(all).unwrap();
        let full = captcha.check(&redis, solver, "token", from).await;
        assert_eq!(full.unwrap_err().code(), "captcha_busy");
        drop(flood);
    }

    #[test]
    fn what_no_provider_gives_is_no_token() {
        assert!(is_like_a_token("0.aB_c-9:d=~"));
        let long = "a".repeat(MAX_TOKEN_BYTES + 1);
        for odd in ["<script>", "../etc", "a b", "a\u{e9}", long.as_str()] {
            assert!(!is_like_a_token(odd), "{odd}");
        }
    }

    #[test]
    fn a_stand_in_is_allowed_by_its_origin_alone() {
        let sources = captcha(Unanswered::Refuse).sources();
        assert_eq!(sources.script, "http://127.0.0.1:9");
        assert_eq!(sources.frame, sources.connect);
    }
}

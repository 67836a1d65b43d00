//! The browser's tokens: HttpOnly cookies, so that no script ever sees one.
//! API clients send the same tokens as `Authorization: Bearer`.

use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use usher_base::{EventId, FanId};

/// The browser's own id, sealed, from which its fan id in each event follows, so
/// that a join whose reply was lost is repeated under the same name.
pub const BROWSER: &str = "usher_browser";

/// A browser keeps its id this long: longer than any line.
pub const BROWSER_SECONDS: u32 = 30 * 24 * 3600;

pub fn queue(event: EventId) -> String {
    format!("usher_queue_{}", event.uuid().simple())
}

/// As whom the shop knows this browser.
pub fn subject(event: EventId) -> String {
    format!("usher_subject_{}", event.uuid().simple())
}

/// Access cookies are told from others by how their names begin.
pub const ACCESS_PREFIX: &str = "usher_access_";

pub fn access(event: EventId) -> String {
    format!("{ACCESS_PREFIX}{}", event.uuid().simple())
}

pub fn order(order_number: &str) -> String {
    format!("usher_order_{order_number}")
}

/// The value of the first cookie with this name.
pub fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// The token of `Authorization: Bearer ...`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

const CONSOLE: &str = "usher_console";
/// Browsers take this name only over TLS and only from this very host.
const CONSOLE_OVER_TLS: &str = "__Host-usher_console";

/// How cookies of this deployment are set.
#[derive(Clone, Copy, Debug)]
pub struct CookieJar {
    /// Only over TLS, when the public address is.
    pub secure: bool,
}

impl CookieJar {
    pub fn set(self, name: &str, value: &str, max_age_seconds: u32) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!(
            "{name}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}"
        );
        HeaderValue::try_from(cookie).expect("tokens, ids and names are visible ASCII")
    }

    /// The operator's session at the console. Over TLS no other host of the domain can
    /// plant one.
    pub const fn console(self) -> &'static str {
        if self.secure {
            CONSOLE_OVER_TLS
        } else {
            CONSOLE
        }
    }

    /// The session begins. One from the time before TLS is taken away with it.
    pub fn sign_in(
        self,
        session: &str,
        seconds: u32,
    ) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let before_tls = self.secure.then(|| self.clear(CONSOLE));
        let now = self.set(self.console(), session, seconds);
        std::iter::once(now)
            .chain(before_tls)
            .map(|cookie| (SET_COOKIE, cookie))
    }

    /// No session is left, under whatever name it began.
    pub fn sign_out(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        self.sign_in("", 0)
    }

    pub fn clear(self, name: &str) -> HeaderValue {
        self.set(name, "", 0)
    }
}

/// The browser that the sealed cookie names, if it is there and ours.
pub fn browser(headers: &HeaderMap, keys: &usher_base::signing::SigningKeys) -> Option<FanId> {
    keys.open_cookie(BROWSER, read(headers, BROWSER)?)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; usher_browser=x.y"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(read(&headers, BROWSER), Some("x.y"));
        assert_eq!(read(&headers, "b"), Some("2"));
        assert_eq!(read(&headers, "browser"), None);
    }

    #[test]
    fn a_console_cookie_over_tls_is_what_its_prefix_demands() {
        let jar = CookieJar { secure: true };
        let cookie = jar.set(jar.console(), "x", 60);
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-usher_console=x; Path=/;"));
        assert!(cookie.ends_with("; Secure") && !cookie.contains("Domain"));
        let plain = CookieJar { secure: false };
        assert_eq!(plain.console(), "usher_console");
    }

    #[test]
    fn signing_in_and_out_over_tls_takes_an_older_session_away() {
        let names = |cookies: &mut dyn Iterator<Item = (HeaderName, HeaderValue)>| {
            let cookies = cookies.map(|(_, cookie)| cookie.to_str().unwrap().to_owned());
            let begin = |cookie: String| cookie.split(" HttpOnly").next().unwrap().to_owned();
            cookies.map(begin).collect::<Vec<_>>()
        };
        let old = "usher_console=; Path=/; Max-Age=0;";
        let tls = CookieJar { secure: true };
        assert_eq!(
            names(&mut tls.sign_in("x", 60)),
            ["__Host-usher_console=x; Path=/; Max-Age=60;", old]
        );
        assert_eq!(
            names(&mut tls.sign_out()),
            ["__Host-usher_console=; Path=/; Max-Age=0;", old]
        );
        let plain = CookieJar { secure: false };
        assert_eq!(names(&mut plain.sign_out()), [old]);
    }

    #[test]
    fn bearer_tokens_are_read_whatever_the_case() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(bearer(&headers), None);
    }
}

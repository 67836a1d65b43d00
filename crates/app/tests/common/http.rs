//! One request on one connection: all of HTTP that these tests need.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A commit may take its provider's time.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.body);
        parsed.unwrap_or_else(|error| panic!("{} {}: {error}", self.status, self.body))
    }

    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }

    /// The values that this answer sets as cookies.
    pub fn cookies(&self) -> Vec<String> {
        let lines = self.head.lines();
        let set = lines.filter_map(|line| line.strip_prefix("set-cookie: "));
        let values = set.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
        values.map(|(_, value)| value.to_owned()).collect()
    }
}

/// A listener of an usher.
#[derive(Clone, Copy, Debug)]
pub struct Target(pub SocketAddr);

impl Target {
    pub fn get(&self, path: &str, token: Option<&str>) -> io::Result<Answer> {
        self.call("GET", path, token, None)
    }

    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> io::Result<Answer> {
        let mut head = String::new();
        if let Some(token) = token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            head += "content-type: application/json\r\n";
        }
        self.send(method, path, &head, &body)
    }

    /// As a page's form does.
    pub fn post_form(&self, path: &str, fields: &str) -> io::Result<Answer> {
        let head = "content-type: application/x-www-form-urlencoded\r\n";
        self.send("POST", path, head, fields)
    }

    /// With these further lines of the head, each ended.
    pub fn send(&self, method: &str, path: &str, head: &str, body: &str) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(self.0)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{head}\
             content-length: {length}\r\n\r\n{body}",
            self.0
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        parse(&text).ok_or_else(|| io::Error::other(format!("no answer but {text:?}")))
    }
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

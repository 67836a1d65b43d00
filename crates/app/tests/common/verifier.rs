//! A stand-in for a CAPTCHA's provider, which cannot be had here: it speaks the protocol of
//! `siteverify` over HTTP, takes each token once, and does with a token what its name says.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub const SECRET: &str = "captcha-secret-of-this-test";
/// As the host of the default `public_url`.
const OUR_HOST: &str = "127.0.0.1";
/// Longer than anybody waits for a verdict.
const TOO_LONG: Duration = Duration::from_secs(60);
const READ_WITHIN: Duration = Duration::from_secs(5);

pub struct Verifier {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Verifier {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::<Mutex<BTreeSet<String>>>::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, seen) = (Arc::clone(&log), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream, &log, &seen));
            }
        });
        Self { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}/siteverify", self.address)
    }

    /// The forms that were sent, as they came.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request on one connection.
fn answer(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    seen: &Mutex<BTreeSet<String>>,
) -> Option<()> {
    stream.set_read_timeout(Some(READ_WITHIN)).ok()?;
    let form = read_form(&mut stream)?;
    log.lock().unwrap().push(form.clone());
    let token = field(&form, "response")?;
    let (status, body) = match token.split('-').next()? {
        "slow" => {
            std::thread::sleep(TOO_LONG);
            return None;
        }
        "broken" => ("500 Internal Server Error", "oops".to_owned()),
        "garbage" => ("200 OK", "<html>".to_owned()),
        "huge" => ("200 OK", " ".repeat(1 << 20)),
        _ => ("200 OK", verdict(&form, &token, seen).to_string()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}

fn verdict(form: &str, token: &str, seen: &Mutex<BTreeSet<String>>) -> Value {
    let no = |code: &str| json!({ "success": false, "error-codes": [code] });
    let yes = |host: &str| {
        json!({ "success": true, "error-codes": [], "hostname": host, "action": "join",
            "challenge_ts": "2027-05-14T10:00:00Z", "cdata": "" })
    };
    if field(form, "secret").as_deref() != Some(SECRET) {
        return no("invalid-input-secret");
    }
    match token.split('-').next() {
        Some("good") if seen.lock().unwrap().insert(token.to_owned()) => yes(OUR_HOST),
        Some("good") => no("timeout-or-duplicate"),
        // Of a provider that forgets what it has seen.
        Some("forgotten") => yes(OUR_HOST),
        Some("elsewhere") => yes("evil.example"),
        _ => no("invalid-input-response"),
    }
}

fn read_form(stream: &mut TcpStream) -> Option<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        text += std::str::from_utf8(&buffer[..count]).ok()?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        assert!(head.starts_with("POST /siteverify HTTP/1.1"), "{head}");
        let head = head.to_lowercase();
        assert!(head.contains("content-type: application/x-www-form-urlencoded"));
        let (_, rest) = head.split_once("content-length: ")?;
        let length: usize = rest.lines().next()?.trim().parse().ok()?;
        if body.len() >= length {
            return Some(body.to_owned());
        }
    }
}

fn field(form: &str, name: &str) -> Option<String> {
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(of, _)| *of == name)?;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

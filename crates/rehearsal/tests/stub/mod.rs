//! A stand-in for a server, only to test the client: it speaks the contract's
//! shapes over real sockets, serves fans strictly in order, and can be told to
//! commit each of the faults that a rehearsal must catch. It proves nothing about
//! usher itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};

/// How often the stub releases and pushes.
const TICK: Duration = Duration::from_millis(200);

/// What the stub does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Never releases number 5.
    SkipsNumberFive,
    /// Shows half of the wait.
    HalvesWaits,
    /// Every order gets seat A-1.
    SellsOneSeat,
    /// Takes any token.
    BelievesTokens,
}

pub struct Stub {
    fault: Fault,
    a_tick: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fans: BTreeMap<String, u64>,
    admitted: BTreeSet<u64>,
    holds: BTreeMap<String, Vec<String>>,
    free: Vec<String>,
    orders: BTreeMap<String, Vec<String>>,
}

impl Stub {
    /// Starts on a free port, releasing `a_tick` fans five times a second.
    pub async fn start(fault: Fault, a_tick: u64) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let free = (1..=500).rev().map(|seat| format!("A-{seat}")).collect();
        let state = Mutex::new(State {
            free,
            ..State::default()
        });
        let stub = Arc::new(Self {
            fault,
            a_tick,
            state,
        });
        tokio::spawn(Arc::clone(&stub).release());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&stub).serve(socket));
            }
        });
        address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn release(self: Arc<Self>) {
        loop {
            tokio::time::sleep(TICK).await;
            let mut state = self.state();
            let waiting: Vec<u64> = (1..=state.fans.len() as u64)
                .filter(|number| !state.admitted.contains(number))
                .filter(|number| self.fault != Fault::SkipsNumberFive || *number != 5)
                .take(self.a_tick as usize)
                .collect();
            state.admitted.extend(waiting);
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) {
        let mut start = [0; 2048];
        loop {
            let seen = socket.peek(&mut start).await.unwrap_or(0);
            if seen == 0 {
                return;
            }
            if start[..seen].windows(4).any(|four| four == b"\r\n\r\n") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let head = String::from_utf8_lossy(&start).into_owned();
        if head
            .lines()
            .next()
            .is_some_and(|line| line.contains("/queue/stream"))
        {
            self.stream(socket).await;
        } else {
            self.requests(socket).await;
        }
    }

    async fn stream(&self, socket: TcpStream) {
        let mut token = String::new();
        #[allow(
            clippy::result_large_err,
            reason = "the callback's type is tungstenite's"
        )]
        let handshake = |request: &Request, mut response: Response| {
            let offered = request.headers()["sec-websocket-protocol"]
                .to_str()
                .unwrap();
            token = offered.split(", ").nth(1).unwrap().to_owned();
            response.headers_mut().insert(
                "sec-websocket-protocol",
                HeaderValue::from_static("usher.v1"),
            );
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr_async(socket, handshake).await else {
            return;
        };
        loop {
            let frame = {
                let state = self.state();
                let Some(number) = number_of(&state, &token) else {
                    return;
                };
                if state.admitted.contains(&number) {
                    json!({"type": "admitted", "claim_by": "2099-01-01T00:00:00Z"})
                } else {
                    let mut place = self.place(&state, number);
                    place["type"] = "place".into();
                    place
                }
            };
            let is_last = frame["type"] == "admitted";
            if socket.send(Message::text(frame.to_string())).await.is_err() || is_last {
                return;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn place(&self, state: &State, number: u64) -> Value {
        let ahead = (1..number)
            .filter(|one| !state.admitted.contains(one))
            .count();
        let a_second = self.a_tick as f64 / TICK.as_secs_f64();
        let mut wait = ahead as f64 / a_second;
        if self.fault == Fault::HalvesWaits {
            wait /= 2.0;
        }
        json!({
            "phase": "open", "lane": "main", "number": number, "ahead": ahead,
            "estimated_wait_seconds": {"low": wait, "high": wait * 1.3 + 0.5},
            "rate_per_minute": a_second * 60.0, "poll_after_ms": 250,
            "standing": if state.admitted.contains(&number) { "admitted" } else { "waiting" },
        })
    }

    async fn requests(&self, mut socket: TcpStream) {
        let mut bytes = Vec::new();
        while let Some((method, path, token, body)) = read_request(&mut socket, &mut bytes).await {
            let (status, answer) = self.answer(&method, &path, &token, &body);
            let text = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            if socket.write_all((head + &text).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let state = &mut *self.state();
        let known = number_of(state, token).or((self.fault == Fault::BelievesTokens).then_some(1));
        match (method, path) {
            ("GET", "/api/v1/events/e1") => (200, json!({"availability": {"total_seats": 500}})),
            ("GET", "/api/v1/events") => (200, json!({"data": [{"id": "e1"}], "meta": {}})),
            ("GET", "/api/v1/events/e1/seatmap") => (200, seat_map(&state.free)),
            ("GET", "/api/v1/admin/events/e1/status") => {
                (200, json!({"orders_total": state.orders.len()}))
            }
            ("POST", "/api/v1/events/e1/queue") => {
                let fan = body["client_join_id"].as_str().unwrap().to_owned();
                let next = state.fans.len() as u64 + 1;
                let number = *state.fans.entry(fan.clone()).or_insert(next);
                let mut place = self.place(state, number);
                place["queue_token"] = format!("q.{fan}.Signed").into();
                place["fan_id"] = fan.into();
                (201, place)
            }
            ("GET", "/api/v1/events/e1/queue") => match known {
                Some(number) => (200, self.place(state, number)),
                None => (401, json!({"error": "token_invalid"})),
            },
            ("DELETE", "/api/v1/events/e1/queue") => (200, json!({})),
            ("POST", "/api/v1/events/e1/queue/claim") => match known {
                Some(number) if state.admitted.contains(&number) => (
                    200,
                    json!({"access_token": token.replacen('q', "a", 1), "expires_at": "2099-01-01T00:00:00Z"}),
                ),
                _ => (403, json!({"error": "not_admitted"})),
            },
            _ => self.book(state, method, path, token, body),
        }
    }

    fn book(
        &self,
        state: &mut State,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> (u16, Value) {
        let part = |index: usize| path.split('/').nth(index).unwrap_or_default().to_owned();
        let is_allowed = token.starts_with("a.") || self.fault == Fault::BelievesTokens;
        match (method, path) {
            (_, _) if !is_allowed => (429, json!({"error": "in_queue", "queue_position": 1})),
            ("POST", "/api/v1/events/e1/reservations") => {
                let id = body["client_reservation_id"].as_str().unwrap().to_owned();
                let seats = match body["seat_ids"].as_array() {
                    Some(ids) => ids
                        .iter()
                        .map(|id| id.as_str().unwrap().to_owned())
                        .collect(),
                    None => best(
                        &state.free,
                        body["best_available"]["count"].as_u64().unwrap(),
                    ),
                };
                if seats.is_empty() || !seats.iter().all(|seat| state.free.contains(seat)) {
                    return (
                        409,
                        json!({"error": "seat_unavailable", "available_alternatives": []}),
                    );
                }
                state.free.retain(|seat| !seats.contains(seat));
                let places: Vec<Value> = seats
                    .iter()
                    .map(|seat| json!({"seat_id": seat, "label": seat, "count": 1}))
                    .collect();
                state.holds.insert(id.clone(), seats);
                (
                    201,
                    json!({"reservation_id": id, "status": "held", "seats": places}),
                )
            }
            ("POST", commit) if commit.ends_with("/commit") => {
                let id = part(4);
                if body["payment_method_id"] == "pm_test_declined" {
                    return (
                        402,
                        json!({"error": "payment_failed", "retry_allowed": true}),
                    );
                }
                let mut seats = state.holds[&id].clone();
                if self.fault == Fault::SellsOneSeat {
                    seats = vec!["A-1".to_owned()];
                }
                state.orders.insert(id.clone(), seats.clone());
                (200, order(&id, &seats))
            }
            ("DELETE", _) => {
                let seats = state.holds.remove(&part(4)).unwrap_or_default();
                state.free.extend(seats);
                (200, json!({}))
            }
            ("GET", _) => match state.orders.get(&part(4)) {
                Some(seats) => (200, order(&part(4), seats)),
                None => (404, json!({"error": "order_unknown"})),
            },
            _ => (404, json!({"error": "not_found"})),
        }
    }
}

fn order(id: &str, seats: &[String]) -> Value {
    let tickets: Vec<Value> = seats
        .iter()
        .map(|seat| json!({"ticket_number": seat, "label": seat}))
        .collect();
    json!({"order_id": id, "order_number": id, "status": "confirmed", "tickets": tickets})
}

fn best(free: &[String], count: u64) -> Vec<String> {
    free.iter().rev().take(count as usize).cloned().collect()
}

fn seat_map(free: &[String]) -> Value {
    let seats: Vec<Value> = free
        .iter()
        .map(|id| json!({"id": id, "status": "available"}))
        .collect();
    json!({"sections": [{"id": "s", "rows": [{"row_number": 1, "seats": seats}]}], "tiers": []})
}

fn number_of(state: &State, token: &str) -> Option<u64> {
    let mut parts = token.split('.');
    let (_, fan, signature) = (parts.next()?, parts.next()?, parts.next()?);
    state
        .fans
        .get(fan)
        .copied()
        .filter(|_| signature == "Signed")
}

async fn read_request(
    socket: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> Option<(String, String, String, Value)> {
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let value = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
            .unwrap_or_default()
            .to_owned()
    };
    let length: usize = value("content-length:").parse().unwrap_or(0);
    while bytes.len() < end + 4 + length {
        socket.read_buf(bytes).await.ok()?;
    }
    let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap_or_default();
    bytes.drain(..end + 4 + length);
    let mut first = head.lines().next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    Some((method, path, value("authorization: Bearer"), body))
}

//! One fan's WebSocket with small buffers: thousands of them must fit in one
//! process beside the server that they watch.

use std::time::Duration;

use futures::StreamExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::HttpError;
use super::origin::Origin;
use super::pool::connect;
use crate::wire;

/// Largest frame that a fan accepts, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Read buffer of one stream, in bytes.
const READ_BUFFER_BYTES: usize = 1024;
/// Most bytes waiting to be written on one stream (pongs and the close).
const WRITE_BUFFER_BYTES_MAX: usize = 8 * 1024;
/// How long opening a stream may take, in seconds.
const OPEN_SECONDS_MAX: u64 = 30;

#[derive(Debug)]
pub struct Stream(WebSocketStream<TcpStream>);

/// What one wait for a frame brought.
#[derive(Debug)]
pub enum Heard {
    Frame(wire::Frame),
    /// Text that the contract does not know.
    Garbled,
    Closed,
}

/// Why a stream was not opened.
#[derive(Debug)]
pub enum Refused {
    /// The server answered with an HTTP status instead of switching protocols.
    Status {
        status: u16,
        retry_after_seconds: Option<u32>,
        body: Vec<u8>,
    },
    Failed(HttpError),
}

impl Stream {
    pub async fn open(
        origin: &Origin,
        path: &str,
        token: &str,
        from: Option<&str>,
    ) -> Result<Self, Refused> {
        let opening = Self::open_unbounded(origin, path, token, from);
        timeout(Duration::from_secs(OPEN_SECONDS_MAX), opening)
            .await
            .unwrap_or(Err(Refused::Failed(HttpError::Timeout(OPEN_SECONDS_MAX))))
    }

    async fn open_unbounded(
        origin: &Origin,
        path: &str,
        token: &str,
        from: Option<&str>,
    ) -> Result<Self, Refused> {
        let socket = connect(origin).await.map_err(Refused::Failed)?;
        let request = handshake(origin, path, token, from).map_err(refusal)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let opened = client_async_with_config(request, socket, Some(config)).await;
        opened.map(|(stream, _)| Self(stream)).map_err(refusal)
    }

    /// Waits for the next frame; pings are answered underneath.
    pub async fn hear(&mut self) -> Heard {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_or(Heard::Garbled, Heard::Frame);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => return Heard::Garbled,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Heard::Closed,
            }
        }
    }

    /// Says goodbye; a fan in a tunnel drops the stream without it.
    pub async fn close(mut self) {
        // The other side may be gone already, which is as good as closed.
        let _ = timeout(Duration::from_secs(1), self.0.close(None)).await;
    }
}

fn handshake(
    origin: &Origin,
    path: &str,
    token: &str,
    from: Option<&str>,
) -> Result<http::Request<()>, Error> {
    let mut request = format!("ws://{}{path}", origin.authority()).into_client_request()?;
    let protocols = format!("{}, {token}", wire::STREAM_PROTOCOL);
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", value(&protocols)?);
    if let Some(from) = from {
        headers.insert("x-forwarded-for", value(from)?);
    }
    Ok(request)
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|error| Error::HttpFormat(error.into()))
}

fn refusal(error: Error) -> Refused {
    match error {
        Error::Http(response) => Refused::Status {
            status: response.status().as_u16(),
            retry_after_seconds: response
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok())
                .and_then(|text| text.parse().ok()),
            body: response.into_body().unwrap_or_default(),
        },
        Error::Io(error) => Refused::Failed(HttpError::Io(error)),
        _ => Refused::Failed(HttpError::Malformed("it does not speak WebSocket")),
    }
}

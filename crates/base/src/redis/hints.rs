//! Hints between processes: "look again, something happened". Never the truth:
//! a hint that is lost costs at most one tick, because every reader also reads
//! the stores each second.

use std::str::FromStr;

use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::Builder;
use fred::types::config::{Config, ReconnectPolicy, TcpConfig};
use tokio::sync::broadcast;

use super::{CallError, Redis, keys};
use crate::EventId;

/// Hints a slow reader may fall behind before it loses the oldest.
const MAX_UNREAD_HINTS: usize = 256;
const RECONNECT_MIN_MS: u32 = 50;
const RECONNECT_MAX_MS: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// Fans were released, or sessions ended.
    Released,
    /// The phase, the mode or the operator's message changed.
    Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    pub event: EventId,
    pub kind: HintKind,
}

impl Hint {
    fn to_text(self) -> String {
        let kind = match self.kind {
            HintKind::Released => "released",
            HintKind::Changed => "changed",
        };
        format!("{kind} {}", self.event)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (kind, event) = text.split_once(' ')?;
        let kind = match kind {
            "released" => HintKind::Released,
            "changed" => HintKind::Changed,
            _ => return None,
        };
        let event = EventId::from_str(event).ok()?;
        Some(Self { event, kind })
    }
}

impl Redis {
    /// Sends a hint to whoever listens; that nobody hears it is no error.
    pub async fn hint(&self, hint: Hint) -> Result<(), CallError> {
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg(keys::HINTS).arg(hint.to_text());
        self.command::<i64>(publish).await.map(drop)
    }
}

/// The listening side. It reconnects and resubscribes by itself.
pub struct Hints {
    client: SubscriberClient,
    sender: broadcast::Sender<Hint>,
}

impl Hints {
    pub async fn listen(url: &str) -> Result<Self, fred::error::Error> {
        let client = Builder::from_config(Config::from_url(url)?)
            .with_connection_config(|connection| {
                connection.tcp = TcpConfig {
                    nodelay: Some(true),
                    ..TcpConfig::default()
                };
            })
            // 0 attempts: for ever.
            .set_policy(ReconnectPolicy::new_exponential(
                0,
                RECONNECT_MIN_MS,
                RECONNECT_MAX_MS,
                2,
            ))
            .build_subscriber_client()?;
        let (sender, _) = broadcast::channel(MAX_UNREAD_HINTS);
        forward(&client, sender.clone());
        client.connect();
        client.manage_subscriptions();
        client.wait_for_connect().await?;
        client.subscribe(keys::HINTS).await?;
        Ok(Self { client, sender })
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Hint> {
        self.sender.subscribe()
    }

    pub async fn close(&self) {
        let _ = self.client.quit().await;
    }
}

fn forward(client: &SubscriberClient, sender: broadcast::Sender<Hint>) {
    let mut messages = client.message_rx();
    tokio::spawn(async move {
        loop {
            match messages.recv().await {
                Ok(message) => {
                    let text = message.value.as_str().unwrap_or_default();
                    if let Some(hint) = Hint::from_text(&text) {
                        // No receiver at this moment is fine: hints are hints.
                        let _ = sender.send(hint);
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
}

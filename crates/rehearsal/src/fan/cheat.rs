//! What cheats try. usher must answer each of these with a no; a yes is a finding
//! that turns the report red. Afterwards the cheat waits like everybody else.

use super::Fan;
use crate::plan::Cheat;
use crate::record::Finding;
use crate::wire::{BestAvailable, HoldBody};

impl Fan {
    pub(super) async fn cheat(&mut self, cheat: Cheat) {
        self.record.cheated = Some(cheat);
        let got_through = match cheat {
            Cheat::TamperedToken => match tampered(&self.queue_token) {
                Some(token) => self.api.place(&token).await.is_ok(),
                None => false,
            },
            Cheat::QueueTokenAsAccess => self.queue_token_opens_booking().await,
            Cheat::DoubleJoin => self.two_joins_give_two_places().await,
        };
        if got_through {
            self.record.find(Finding::CheatGotThrough { cheat });
        }
    }

    async fn queue_token_opens_booking(&self) -> bool {
        let body = HoldBody {
            client_reservation_id: &self.client_join_id,
            best_available: Some(BestAvailable { count: 1 }),
            ..HoldBody::default()
        };
        self.api.hold(&self.queue_token, &body).await.is_ok()
    }

    async fn two_joins_give_two_places(&self) -> bool {
        let (first, second) = tokio::join!(
            self.api.join(&self.client_join_id, None),
            self.api.join(&self.client_join_id, None)
        );
        match (first, second) {
            (Ok(first), Ok(second)) => {
                let differ = |a: Option<u64>, b: Option<u64>| a.is_some() && b.is_some() && a != b;
                first.fan_id != second.fan_id || differ(first.number, second.number)
            }
            _ => false,
        }
    }
}

/// The token with one character of its signature exchanged. Not the last one: its
/// lowest bits may be padding, and the signature would stay the same.
fn tampered(token: &str) -> Option<String> {
    let start = token.rfind('.')? + 1;
    let old = *token.as_bytes().get(start)?;
    let new = if old == b'A' { "B" } else { "A" };
    Some(format!(
        "{}{new}{}",
        &token[..start],
        token.get(start + 1..)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_changes_the_signature_and_nothing_else() {
        assert_eq!(tampered("head.body.Xyz").as_deref(), Some("head.body.Ayz"));
        assert_eq!(tampered("head.body.Ayz").as_deref(), Some("head.body.Byz"));
        assert_eq!(tampered("opaque"), None);
    }
}

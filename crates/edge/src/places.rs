//! Where a fan stands, answered from this edge's view of the event; Redis is
//! asked only when the board cannot tell. Streams, polls and pages all answer
//! from here, so they can never disagree.

use usher_base::redis::CallError;
use usher_base::{Number, Timestamp};
use usher_queue::{JoinError, JoinOrder, Joined, Phase, Place, QueueClaims, Session};

use crate::answers::{PlaceAnswer, Standing};
use crate::live::{EventView, LiveEvent, Spot};
use crate::state::Edge;
use crate::waits;

/// How one fan stands at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    Waiting {
        number: Number,
        ahead: u32,
    },
    Gathering,
    Admitted {
        claim_by: Timestamp,
    },
    Inside(Session),
    /// Over, never joined, or given up.
    Absent,
}

/// From the board if the number still waits, from Redis if it does not.
pub async fn stand(
    edge: &Edge,
    live: &LiveEvent,
    view: &EventView,
    claims: &QueueClaims,
) -> Result<Stand, CallError> {
    if let Some(number) = claims.number
        && let Spot::Waiting { ahead } = view.spot(&claims.lane, number)
    {
        put_back(edge, live, claims, number).await?;
        return Ok(Stand::Waiting { number, ahead });
    }
    let is_before_numbers = matches!(view.phase(), Phase::Gathering | Phase::Drawing);
    if claims.number.is_none() && is_before_numbers && claims.epoch == edge.redis.epoch() {
        return Ok(Stand::Gathering);
    }
    let place = live.look_up(&claims.lane, claims.sub).await?;
    if place == Place::Unknown && claims.epoch < edge.redis.epoch() {
        return restore(edge, live, view, claims).await;
    }
    Ok(from_place(place, view, claims))
}

fn from_place(place: Place, view: &EventView, claims: &QueueClaims) -> Stand {
    match place {
        Place::Waiting { number } => Stand::Waiting {
            number,
            // The board is a tick older than this number: count on what it shows.
            ahead: ahead_of(view, claims, number),
        },
        Place::Gathering { .. } => Stand::Gathering,
        Place::Admitted { claim_by, .. } => Stand::Admitted { claim_by },
        Place::Active(session) => Stand::Inside(session),
        Place::Ended(_) | Place::Unknown => Stand::Absent,
    }
}

pub fn ahead_of(view: &EventView, claims: &QueueClaims, number: Number) -> u32 {
    let of_lane = view.board().lane(&claims.lane);
    of_lane.map_or(0, |of| of.board.ahead(number))
}

/// Redis forgot this fan, whose token is older than its memory: the token's own
/// number is put back, if nobody was served under it.
async fn restore(
    edge: &Edge,
    live: &LiveEvent,
    view: &EventView,
    claims: &QueueClaims,
) -> Result<Stand, CallError> {
    match rejoin(edge, live, claims).await {
        Ok(joined) => Ok(from_place(joined.place, view, claims)),
        Err(JoinError::Call(error)) => Err(error),
        Err(_) => Ok(Stand::Absent),
    }
}

/// The same while the board still knows the number: once a fan and loss.
async fn put_back(
    edge: &Edge,
    live: &LiveEvent,
    claims: &QueueClaims,
    number: Number,
) -> Result<(), CallError> {
    let epoch = edge.redis.epoch();
    if claims.epoch >= epoch || live.restored.contains(epoch, &claims.lane, number) {
        return Ok(());
    }
    // A refusal is the next tick's business: the board then shows what became of it.
    if let Err(JoinError::Call(error)) = rejoin(edge, live, claims).await {
        return Err(error);
    }
    live.restored.insert(epoch, &claims.lane, number);
    Ok(())
}

/// Joins with the place that the token proves.
pub async fn rejoin(
    edge: &Edge,
    live: &LiveEvent,
    claims: &QueueClaims,
) -> Result<Joined, JoinError> {
    let others = live.lanes_besides(&claims.lane);
    let order = JoinOrder {
        event: live.id,
        lane: &claims.lane,
        other_lanes: &others,
        fan: claims.sub,
        generation: claims.generation,
        old_place: claims.old_place(),
        again: false,
    };
    edge.line.join(&order).await
}

/// The answer for API and page, from how the fan stands.
pub fn answer(
    edge: &Edge,
    live: &LiveEvent,
    view: &EventView,
    claims: &QueueClaims,
    stand: &Stand,
) -> PlaceAnswer {
    let (standing, number, ahead, claim_by) = match stand {
        Stand::Waiting { number, ahead } => (Standing::Waiting, Some(*number), Some(*ahead), None),
        Stand::Gathering => (Standing::Waiting, None, None, None),
        Stand::Admitted { claim_by } => (Standing::Admitted, claims.number, None, Some(*claim_by)),
        Stand::Inside(session) => (Standing::Inside, Some(session.number), None, None),
        Stand::Absent => (Standing::Absent, None, None, None),
    };
    let telling = match stand {
        Stand::Waiting { number, .. } => waits::tell(view, &claims.lane, *number),
        _ => waits::Telling::default(),
    };
    PlaceAnswer {
        standing,
        phase: view.phase(),
        fan_id: claims.sub,
        lane: claims.lane.clone(),
        number,
        ahead,
        waiting: view.waiting(),
        estimated_wait_seconds: telling.interval,
        rate_per_minute: edge.rate_per_minute(live),
        reason: telling.reason,
        message: view.message().map(str::to_owned),
        opens_at: view.board().state.schedule.opens_at,
        claim_by,
        at: view.at(),
        stream_url: stream_url(edge, live),
        poll_after_ms: live.poll_after(ahead).as_millis() as u64,
    }
}

fn stream_url(edge: &Edge, live: &LiveEvent) -> String {
    // http -> ws, https -> wss.
    let base = edge.settings.public_url.replacen("http", "ws", 1);
    format!("{base}/api/v1/events/{}/queue/stream", live.id)
}

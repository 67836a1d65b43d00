//! The edge's tick: reads each event once a second, or at once after a hint,
//! and says every two seconds who is connected here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use usher_admission::Status;
use usher_base::redis::{CallError, Hint, Hints};
use usher_base::{Clock, EventId};
use usher_queue::{EdgeId, Line};

use super::Live;
use super::event::{LiveEvent, StockView};
use super::view::EventView;
use usher_booking::catalog::Catalog;
use usher_booking::holds::Holds;

const TICK: Duration = Duration::from_secs(1);
/// Hints come in bursts; a board is read at most this often.
const LEAST_BETWEEN_READS: Duration = Duration::from_millis(200);
/// Presence is said anew every so many ticks.
const TICKS_PER_PRESENCE: u32 = 2;
/// How often the list of events is looked at.
const DISCOVERY: Duration = Duration::from_secs(2);
/// An ended session is remembered longer than any access token lives.
const REMEMBER_ENDED_FOR: Duration = Duration::from_secs(2 * 3600);
/// Reads of changes in one tick, when there are more than one read takes.
const MAX_READS_OF_CHANGES: usize = 10;

pub struct LiveOptions {
    pub line: Line,
    pub catalog: Catalog,
    pub holds: Holds,
    pub clock: Arc<dyn Clock>,
    pub edge: EdgeId,
    pub hints: Hints,
}

/// Serves all events until `shutdown`: discovers them, ticks each in a task.
pub async fn run(live: Arc<Live>, options: LiveOptions, shutdown: CancellationToken) {
    let options = Arc::new(options);
    let mut discovery = tokio::time::interval(DISCOVERY);
    discovery.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = discovery.tick() => discover(&live, &options, &shutdown).await,
            () = shutdown.cancelled() => return,
        }
    }
}

async fn discover(live: &Arc<Live>, options: &Arc<LiveOptions>, shutdown: &CancellationToken) {
    if let Err(error) = options.catalog.refresh().await {
        tracing::debug!(%error, "the list of events cannot be read at the moment");
        return;
    }
    let listed: Vec<EventId> = options
        .catalog
        .all()
        .iter()
        .map(|known| known.event.id)
        .collect();
    for event in &listed {
        if live.event(*event).is_some() {
            continue;
        }
        let doors = match options.line.state(*event).await {
            Ok(state) if !state.lanes.is_empty() => state.lanes,
            // No line yet, or Redis is away: the next look finds it.
            _ => continue,
        };
        let started = Arc::new(LiveEvent::start(&options.line, *event, doors));
        live.insert(Arc::clone(&started));
        let ticking = tick_event(
            started,
            Arc::clone(live),
            Arc::clone(options),
            shutdown.clone(),
        );
        tokio::spawn(ticking);
    }
    for gone in live
        .all()
        .iter()
        .filter(|known| !listed.contains(&known.id))
    {
        live.remove(gone.id);
    }
}

/// Until the event is no longer listed, or listed anew.
async fn tick_event(
    event: Arc<LiveEvent>,
    live: Arc<Live>,
    options: Arc<LiveOptions>,
    shutdown: CancellationToken,
) {
    let hinted = Arc::new(Notify::new());
    let listener = listen(event.id, options.hints.subscribe(), Arc::clone(&hinted));
    let listener = tokio::spawn(listener);
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = 0_u32;
    loop {
        let is_tick = tokio::select! {
            _ = interval.tick() => true,
            () = hinted.notified() => false,
            () = shutdown.cancelled() => break,
        };
        let listed = live.event(event.id);
        if !listed.is_some_and(|listed| Arc::ptr_eq(&listed, &event)) {
            break;
        }
        let began = Instant::now();
        // While Redis is away each call costs its patience: fans are told sooner by
        // asking it nothing else.
        let is_there = read(&event, &options).await;
        if is_tick && is_there {
            read_shop(&event, &options).await;
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(TICKS_PER_PRESENCE) {
                say_here(&event, &options).await;
            }
        }
        metrics::histogram!("usher_edge_tick_seconds").record(began.elapsed().as_secs_f64());
        tokio::time::sleep_until(began + LEAST_BETWEEN_READS).await;
    }
    listener.abort();
    metrics::gauge!("usher_edge_present", "event" => event.id.to_string()).set(0.0);
}

/// Turns hints about this event into one pending wake-up.
async fn listen(event: EventId, mut hints: broadcast::Receiver<Hint>, wake: Arc<Notify>) {
    loop {
        match hints.recv().await {
            Ok(hint) if hint.event == event => wake.notify_one(),
            Ok(_) => {}
            // Some were lost: one of them may have been ours.
            Err(broadcast::error::RecvError::Lagged(_)) => wake.notify_one(),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Whether the line could be read.
async fn read(event: &LiveEvent, options: &LiveOptions) -> bool {
    match read_line(event, options).await {
        Ok(view) => {
            event.view.send_replace(Some(Arc::new(view)));
            true
        }
        Err(error) => {
            metrics::counter!("usher_edge_failed_ticks_total").increment(1);
            tracing::debug!(%error, event = %event.id, "the line cannot be read at the moment");
            let stale = event.view().map(|view| Arc::new(view.after_failure()));
            event.view.send_replace(stale);
            false
        }
    }
}

async fn read_line(event: &LiveEvent, options: &LiveOptions) -> Result<EventView, CallError> {
    read_changes(event, options).await?;
    let board = options.line.board(event.id, &event.lanes()).await?;
    event.follow_doors(&board.state.lanes);
    Ok(EventView::new(Arc::new(board)))
}

/// Seats, places and the leader's status: nothing here is missed for a tick.
async fn read_shop(event: &LiveEvent, options: &LiveOptions) {
    if let Ok(Some(status)) = Status::read(options.line.redis(), event.id).await {
        event.status.store(Some(Arc::new(status)));
    }
    let Some(on_sale) = options.catalog.get(event.id) else {
        return;
    };
    let (seats, tiers) = (on_sale.event.seat_count, on_sale.event.tier_count());
    let seats = options.holds.seats(event.id, seats).await;
    let places = options.holds.places_left(event.id, tiers).await;
    if let (Ok(Some(seats)), Ok(places_left)) = (seats, places) {
        let at = options.clock.now();
        let view = StockView {
            at,
            seats,
            places_left,
        };
        event.stock.send_if_modified(|known| {
            let is_new = known.as_ref().is_none_or(|known| !known.is_like(&view));
            if is_new {
                *known = Some(Arc::new(view));
            }
            is_new
        });
    }
}

async fn read_changes(event: &LiveEvent, options: &LiveOptions) -> Result<(), CallError> {
    let now = options.clock.now();
    let forget_before = usher_base::Timestamp::from_millis(
        now.millis() - i64::try_from(REMEMBER_ENDED_FOR.as_millis()).unwrap_or(i64::MAX),
    );
    for _ in 0..MAX_READS_OF_CHANGES {
        let mut cursor = event.cursor();
        let changes = options.line.changes(event.id, &mut cursor).await?;
        event.take_in(&changes, cursor, forget_before);
        if !changes.is_cut {
            break;
        }
    }
    Ok(())
}

async fn say_here(event: &LiveEvent, options: &LiveOptions) {
    let here = event.connected.here(&event.lanes(), options.clock.now());
    let connected: u32 = here.iter().map(|(_, of_lane)| of_lane.len()).sum();
    metrics::gauge!("usher_edge_present", "event" => event.id.to_string()).set(connected);
    // Who serves no fans is no edge; who served some says once that they are gone.
    if connected == 0 && !event.said_somebody() {
        return;
    }
    if let Err(error) = options.line.say_here(event.id, options.edge, &here).await {
        tracing::debug!(%error, event = %event.id, "presence cannot be told at the moment");
        return;
    }
    event.note_said(connected > 0);
}

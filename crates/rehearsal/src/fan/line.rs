//! A fan in line: joins, waits on a stream or by polling, loses the connection
//! and comes back, leaves, hears of the admission and claims it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use super::{Fan, TRIES_MAX, may_pass};
use crate::http::stream::{Heard, Stream};
use crate::plan::LostConnection;
use crate::record::{Ending, WaitSeen};
use crate::wire::{self, Frame, Place};
use crate::world::World;

/// How long to wait before asking again when the server names no time.
const POLL_DEFAULT: Duration = Duration::from_secs(5);
/// Bounds on what the server may ask of a polling fan.
const POLL_MS: std::ops::RangeInclusive<u64> = 250..=60_000;
/// Longest `after_ms` of a reconnect frame that a fan believes, in milliseconds.
const RECONNECT_MS_MAX: u64 = 30_000;

/// Why listening to one stream ended.
enum Listened {
    Admitted,
    Over,
    Lost,
    Reconnect(Duration),
    LostOnPurpose(LostConnection),
    HadEnough,
}

impl Fan {
    pub(super) async fn join(&mut self) -> Result<(), Ending> {
        let mut tried = 0;
        loop {
            match self.api.join(&self.client_join_id, None).await {
                Ok(place) => {
                    self.joined(&place);
                    return if place.is_over() {
                        Err(Ending::SoldOut)
                    } else {
                        Ok(())
                    };
                }
                Err(no) if may_pass(&no) || no.status == 409 => self.hold_on(tried, &no).await?,
                Err(_) => return Err(Ending::TurnedAway),
            }
            tried += 1;
        }
    }

    fn joined(&mut self, place: &Place) {
        let now_ms = self.world.clock.now_ms();
        self.record.joined_ms = Some(now_ms);
        self.world.meter.with(|tally, live| {
            tally.second(now_ms).joins += 1;
            live.joined += 1;
            live.waiting += 1;
        });
        self.hear_place(place);
    }

    /// Waits until admitted, however that is heard.
    pub(super) async fn wait(&mut self) -> Result<(), Ending> {
        if self.record.admitted_ms.is_some() {
            return Ok(());
        }
        if self.plan.polls {
            self.wait_by_polling().await
        } else {
            self.wait_on_streams().await
        }
    }

    async fn wait_by_polling(&mut self) -> Result<(), Ending> {
        let joined = Instant::now();
        let mut tried = 0;
        loop {
            if self
                .plan
                .leaves_after
                .is_some_and(|after| joined.elapsed() >= after)
            {
                return self.leave_line().await;
            }
            match self.api.place(&self.queue_token).await {
                Ok(place) => {
                    tried = 0;
                    self.record.arrive(self.world.clock.now_ms());
                    self.hear_place(&place);
                    if self.record.admitted_ms.is_some() {
                        return Ok(());
                    }
                    if place.is_over() {
                        return Err(Ending::SoldOut);
                    }
                    if place.is_absent() {
                        return Err(Ending::TurnedAway);
                    }
                    let asked = place
                        .poll_after_ms
                        .map(|ms| ms.clamp(*POLL_MS.start(), *POLL_MS.end()));
                    sleep(asked.map_or(POLL_DEFAULT, Duration::from_millis)).await;
                }
                Err(no) if may_pass(&no) => {
                    self.record.depart(self.world.clock.now_ms());
                    self.hold_on(tried, &no).await?;
                    tried += 1;
                }
                Err(_) => return Err(Ending::TurnedAway),
            }
        }
    }

    async fn wait_on_streams(&mut self) -> Result<(), Ending> {
        let joined = Instant::now();
        let mut trouble = self.plan.loses_connection;
        let mut tried = 0;
        loop {
            let stream = match self.api.open_stream(&self.queue_token).await {
                Ok(stream) => stream,
                Err(no) if may_pass(&no) => {
                    self.hold_on(tried, &no).await?;
                    tried += 1;
                    continue;
                }
                Err(_) => return Err(Ending::TurnedAway),
            };
            match self.listen_counted(stream, joined, trouble).await {
                Listened::Admitted => return Ok(()),
                Listened::Over => return Err(Ending::SoldOut),
                Listened::HadEnough => return self.leave_line().await,
                Listened::LostOnPurpose(lost) => {
                    trouble = None;
                    sleep(lost.away).await;
                }
                Listened::Reconnect(after) => sleep(after).await,
                Listened::Lost if tried >= TRIES_MAX => return Err(Ending::TurnedAway),
                Listened::Lost => {
                    tried += 1;
                    self.world.meter.with(|tally, _| tally.streams_lost += 1);
                    sleep(super::BACKOFF_MIN).await;
                }
            }
        }
    }

    /// Listens to one stream, present while it is open, and closes it.
    async fn listen_counted(
        &mut self,
        mut stream: Stream,
        joined: Instant,
        trouble: Option<LostConnection>,
    ) -> Listened {
        let open = OpenStream::count(&self.world);
        self.record.arrive(self.world.clock.now_ms());
        let heard = self.listen(&mut stream, joined, trouble).await;
        self.record.depart(self.world.clock.now_ms());
        drop(open);
        // In a tunnel nobody says goodbye.
        if !matches!(heard, Listened::LostOnPurpose(_) | Listened::Lost) {
            stream.close().await;
        }
        heard
    }

    async fn listen(
        &mut self,
        stream: &mut Stream,
        joined: Instant,
        trouble: Option<LostConnection>,
    ) -> Listened {
        let far = joined + Duration::from_secs(30 * 24 * 3600);
        let trouble_at = trouble.map_or(far, |lost| joined + lost.after);
        let leaves_at = self.plan.leaves_after.map_or(far, |after| joined + after);
        loop {
            let heard = tokio::select! {
                heard = stream.hear() => heard,
                () = sleep_until(trouble_at.into()) => {
                    return trouble.map_or(Listened::Lost, Listened::LostOnPurpose);
                }
                () = sleep_until(leaves_at.into()) => return Listened::HadEnough,
            };
            if let Some(end) = self.hear(heard) {
                return end;
            }
        }
    }

    fn hear(&mut self, heard: Heard) -> Option<Listened> {
        let now_ms = self.world.clock.now_ms();
        self.world.meter.with(|tally, _| match &heard {
            Heard::Frame(_) => tally.frames += 1,
            Heard::Garbled => tally.frames_garbled += 1,
            Heard::Closed => {}
        });
        match heard {
            Heard::Frame(Frame::Place(place)) => {
                self.hear_place(&place);
                if self.record.admitted_ms.is_some() {
                    return Some(Listened::Admitted);
                }
                place.is_over().then_some(Listened::Over)
            }
            Heard::Frame(Frame::Admitted { at }) => {
                self.count_lag(at.as_deref());
                self.admitted(now_ms);
                Some(Listened::Admitted)
            }
            Heard::Frame(Frame::Phase { phase }) => wire::is_over(&phase).then_some(Listened::Over),
            Heard::Frame(Frame::Reconnect { after_ms }) => Some(Listened::Reconnect(
                Duration::from_millis(after_ms.min(RECONNECT_MS_MAX)),
            )),
            Heard::Frame(Frame::Unknown) | Heard::Garbled => None,
            Heard::Closed => Some(Listened::Lost),
        }
    }

    /// Takes over what a place says, from whichever call or frame it came.
    fn hear_place(&mut self, place: &Place) {
        let now_ms = self.world.clock.now_ms();
        if let Some(token) = &place.queue_token {
            self.queue_token.clone_from(token);
        }
        if place.lane.is_some() {
            self.record.lane.clone_from(&place.lane);
        }
        if let Some(number) = place.number {
            let is_final = place.phase.as_deref().is_some_and(wire::is_serving);
            self.record.see_number(number, is_final);
        }
        self.count_lag(place.at.as_deref());
        if place.is_admitted() {
            self.admitted(now_ms);
            return;
        }
        // A frame that travelled long tells of an earlier moment.
        let lag = place
            .at
            .as_deref()
            .and_then(|at| self.world.clock.lag_since(at))
            .unwrap_or_default();
        self.record.still_waiting_ms = Some(now_ms.saturating_sub(lag.as_millis() as u64));
        self.hear_wait(place, now_ms);
        if let Some(rate) = place.rate_per_minute {
            self.world.meter.with(|tally, _| {
                let second = tally.second(now_ms);
                second.rate_shown_sum += rate;
                second.rate_shown_count += 1;
            });
        }
    }

    /// The wait, or that none is shown; only an open line has one to show.
    fn hear_wait(&mut self, place: &Place, now_ms: u64) {
        let is_open = place.phase.as_deref() == Some("open") && place.number.is_some();
        if let Some(wait) = place.estimated_wait_seconds {
            self.record.see_wait(WaitSeen {
                at_ms: now_ms,
                soonest_s: wait.soonest,
                low_s: wait.low,
                high_s: wait.high,
                rate_per_minute: place.rate_per_minute,
            });
            self.world.meter.with(|tally, _| tally.waits_shown += 1);
        } else if is_open {
            self.record.see_no_wait(now_ms);
            let reason = place.reason.as_deref();
            self.world.meter.with(|tally, _| tally.no_wait(reason));
        }
    }

    fn count_lag(&self, at: Option<&str>) {
        if let Some(lag) = at.and_then(|at| self.world.clock.lag_since(at)) {
            self.world.meter.with(|tally, _| tally.push_lag.record(lag));
        }
    }

    fn admitted(&mut self, now_ms: u64) {
        if self.record.admitted_ms.is_some() {
            return;
        }
        self.record.admitted_ms = Some(now_ms);
        let was_counted = self.record.joined_ms.is_some();
        self.world.meter.with(|tally, live| {
            tally.second(now_ms).admissions += 1;
            live.admitted += 1;
            live.waiting -= u64::from(was_counted);
        });
    }

    async fn leave_line(&mut self) -> Result<(), Ending> {
        // Left is left: whether usher heard it is counted, not waited for.
        let _ = self.api.leave(&self.queue_token).await;
        Err(Ending::LeftTheLine)
    }

    pub(super) async fn claim(&mut self) -> Result<(), Ending> {
        let mut tried = 0;
        loop {
            match self.api.claim(&self.queue_token).await {
                Ok(claimed) => {
                    self.access_token = claimed.access_token;
                    return Ok(());
                }
                Err(no) if may_pass(&no) => self.hold_on(tried, &no).await?,
                Err(_) => return Err(Ending::TurnedAway),
            }
            tried += 1;
        }
    }
}

/// Counts a stream as open for as long as it lives, also when the fan is cut off.
struct OpenStream(Arc<World>);

impl OpenStream {
    fn count(world: &Arc<World>) -> Self {
        world.meter.with(|_, live| live.streams += 1);
        Self(Arc::clone(world))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.meter.with(|_, live| live.streams -= 1);
    }
}

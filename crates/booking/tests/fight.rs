//! 200 fans at once want 20 seats and 50 standing places, again and again:
//! nothing is sold twice, and every loser is told what was truly free.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use support::{World, event, fan, order, reservation};
use usher_base::redis::TimeSource;
use usher_base::{EventId, FanId, Timestamp};
use usher_booking::catalog::{EventDraft, OnSale};
use usher_booking::holds::{
    BestAvailable, Hold, HoldError, Holds, ReserveError, ReserveRequest, Settled, SoldOrder,
    TierCount,
};
use usher_booking::inventory::SeatStatus;

const ROUNDS: u128 = 50;
const FANS: u128 = 200;
const SEATS: u32 = 20;
const PLACES: u32 = 50;
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn on_sale(id: EventId) -> OnSale {
    let text = format!(
        r#"
        slug = "fight"
        title = "Fight"
        category = "music"
        venue = {{ name = "Club", city = "Ghent" }}
        start_time = "2027-05-01T19:00:00Z"
        currency = "EUR"
        prices = {{ all = 2500 }}
        tiers = [{{ code = "floor", name = "Floor", capacity = {PLACES}, price = 1500 }}]
        [layout]
        sections = [{{ id = "s", category = "all", rows = [{{ row = "A-B", seats = "1-10" }}] }}]
        "#
    );
    let draft = EventDraft::parse(&text).unwrap().check(id).unwrap();
    OnSale {
        event: draft.event,
        layout: draft.layout.map(Arc::new),
    }
}

/// A third asks for certain seats, a third for the best, a third for standing.
fn wish(n: u128, round: u128) -> ReserveRequest {
    let mut request = ReserveRequest {
        client_reservation_id: reservation(round * FANS + n),
        seat_ids: Vec::new(),
        best_available: None,
        tiers: Vec::new(),
        ttl_seconds: None,
    };
    let count = 1 + u32::try_from(n % 4).unwrap();
    match n % 3 {
        0 => {
            request.seat_ids = (1..=count.min(2))
                .map(|s| format!("s-A-{}", (n / 3 + u128::from(s)) % 10 + 1))
                .collect()
        }
        1 => {
            request.best_available = Some(BestAvailable {
                section: None,
                category: None,
                count: count.min(2),
            });
        }
        _ => {
            request.tiers = vec![TierCount {
                tier: "floor".into(),
                count,
            }];
        }
    }
    request
}

async fn fight(
    holds: Holds,
    on_sale: Arc<OnSale>,
    n: u128,
    round: u128,
) -> Result<Hold, ReserveError> {
    let mut rng = StdRng::seed_from_u64(u64::try_from(round * FANS + n).unwrap());
    let (who, request) = (fan(n), wish(n, round));
    let seats_before = holds.seats(on_sale.event.id, SEATS).await.unwrap().unwrap();
    let places_before = holds.places_left(on_sale.event.id, 1).await.unwrap();
    let first = holds.reserve(&on_sale, who, &request, NOW, &mut rng).await;
    // An impatient fan's second click is the same request.
    let again = holds.reserve(&on_sale, who, &request, NOW, &mut rng).await;
    if let (Ok(first), Ok(again)) = (&first, &again) {
        assert_eq!(first, again);
    }
    assert_eq!(first.is_ok(), again.is_ok(), "holds never end in this test");
    // Nothing is freed during a fight: what was free when it was read was free before.
    if let Err(ReserveError::Unavailable { alternatives, .. }) = &first {
        for seat in alternatives.seats.iter().flatten() {
            let seat = on_sale.layout.as_ref().unwrap().index_of(seat).unwrap();
            assert!(seats_before.is_available(seat), "{seat:?} was not free");
        }
        assert!(alternatives.tiers.is_empty() || places_before[0] > 0);
    }
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sold_twice() {
    let world = World::start(TimeSource::Server).await;
    for round in 0..ROUNDS {
        let on_sale = Arc::new(on_sale(event(round)));
        world.open(event(round), &on_sale.event.stock(), &[]).await;
        let fans = (0..FANS)
            .map(|n| tokio::spawn(fight(world.holds.clone(), Arc::clone(&on_sale), n, round)));
        let mut winners = Vec::new();
        let mut losers = 0;
        for (n, fan) in (0..).zip(fans.collect::<Vec<_>>()) {
            match fan.await.unwrap() {
                Ok(hold) => winners.push(hold),
                Err(ReserveError::Unavailable { .. }) => losers += 1,
                Err(other) => panic!("fan {n}: {other}"),
            }
        }
        assert_eq!(winners.len() + losers, usize::try_from(FANS).unwrap());
        check_held(&world.holds, &on_sale, &winners).await;
        sell_all(&world.holds, &on_sale, &winners, round).await;
    }
}

async fn check_held(holds: &Holds, on_sale: &OnSale, winners: &[Hold]) {
    let mut owners = BTreeMap::new();
    let mut standing = 0;
    for hold in winners {
        for seat in hold.selection.seats() {
            let other = owners.insert(*seat, hold.id);
            assert_eq!(other, None, "seat {seat:?} is held twice");
        }
        standing += hold.selection.tiers().iter().map(|t| t.1).sum::<u32>();
    }
    let id = on_sale.event.id;
    let bits = holds.seats(id, SEATS).await.unwrap().unwrap();
    assert_eq!(bits.counts().held as usize, owners.len());
    assert!(standing <= PLACES && standing + 4 > PLACES, "{standing}");
    assert_eq!(holds.places_left(id, 1).await.unwrap(), [PLACES - standing]);
}

/// Everybody pays; then the seats are booked, and nobody else gets them.
async fn sell_all(holds: &Holds, on_sale: &OnSale, winners: &[Hold], round: u128) {
    let id = on_sale.event.id;
    for (n, hold) in (0..).zip(winners) {
        let order = order(round * FANS + n);
        holds.commit(id, hold.id, hold.fan, order).await.unwrap();
        let sold = SoldOrder {
            order,
            reservation: hold.id,
            fan: hold.fan,
            selection: hold.selection.clone(),
        };
        assert_eq!(holds.settle(id, &sold).await.unwrap(), Settled::Now);
    }
    let bits = holds.seats(id, SEATS).await.unwrap().unwrap();
    for hold in winners {
        for seat in hold.selection.seats() {
            assert_eq!(bits.get(*seat), SeatStatus::Booked);
        }
    }
}

/// Alternatives are judged where nobody else moves: what is offered can be had.
#[tokio::test]
async fn what_is_offered_can_be_had() {
    let world = World::start(TimeSource::Server).await;
    let on_sale = on_sale(event(1));
    world.open(event(1), &on_sale.event.stock(), &[]).await;
    let mut rng = StdRng::seed_from_u64(1);
    let mut ask = |n: u128, seats: &[&str]| {
        let mut request = wish(0, n);
        request.seat_ids = seats.iter().map(|s| (*s).to_owned()).collect();
        (fan(n), request, StdRng::from_rng(&mut rng))
    };
    let (who, request, mut dice) = ask(1, &["s-A-5", "s-A-6"]);
    world
        .holds
        .reserve(&on_sale, who, &request, NOW, &mut dice)
        .await
        .unwrap();
    let (who, request, mut dice) = ask(2, &["s-A-6", "s-A-7"]);
    let refused = world
        .holds
        .reserve(&on_sale, who, &request, NOW, &mut dice)
        .await;
    let Err(ReserveError::Unavailable {
        seats,
        alternatives,
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(seats, ["s-A-6"]);
    assert_eq!(alternatives.tiers, ["floor"]);
    assert_eq!(alternatives.seats.len(), 3);
    for (n, group) in (10..).zip(&alternatives.seats) {
        assert_eq!(group.len(), 2);
        let group: Vec<_> = group.iter().map(String::as_str).collect();
        let (who, request, mut dice) = ask(n, &group);
        world
            .holds
            .reserve(&on_sale, who, &request, NOW, &mut dice)
            .await
            .unwrap();
    }
}

/// A limit is a limit however the places are divided.
#[tokio::test]
async fn nobody_hoards() {
    let world = World::start(TimeSource::Server).await;
    let on_sale = on_sale(event(1));
    world.open(event(1), &on_sale.event.stock(), &[]).await;
    let mut rng = StdRng::seed_from_u64(1);
    let greedy: FanId = fan(1);
    let mut got = 0;
    for n in 0..5 {
        let mut request = wish(2, n);
        request.tiers[0].count = 3;
        match world
            .holds
            .reserve(&on_sale, greedy, &request, NOW, &mut rng)
            .await
        {
            Ok(hold) => got += hold.selection.tickets(),
            Err(ReserveError::Hold(HoldError::FanLimit { limit: 8, has })) => assert_eq!(has, got),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(got, 6);
    let left = world.holds.places_left(event(1), 1).await.unwrap();
    assert_eq!(left, [PLACES - got]);
}

#[tokio::test]
async fn nothing_is_held_outside_the_sale_window() {
    let world = World::start(TimeSource::Server).await;
    let mut on_sale = on_sale(event(1));
    world.open(event(1), &on_sale.event.stock(), &[]).await;
    let mut rng = StdRng::seed_from_u64(1);
    let later = Timestamp::from_millis(NOW.millis() + 1);
    let request = wish(2, 1);
    on_sale.event.sale_from = Some(later);
    let early = world
        .holds
        .reserve(&on_sale, fan(1), &request, NOW, &mut rng)
        .await;
    let opens_at = Some(later);
    assert_eq!(early, Err(ReserveError::NotOnSale { opens_at }));
    on_sale.event.sale_until = Some(Timestamp::from_millis(NOW.millis() + 2));
    let open = world
        .holds
        .reserve(&on_sale, fan(1), &request, later, &mut rng)
        .await;
    assert!(open.is_ok());
    let end = Timestamp::from_millis(NOW.millis() + 2);
    let late = world
        .holds
        .reserve(&on_sale, fan(1), &request, end, &mut rng)
        .await;
    assert_eq!(late, Err(ReserveError::NotOnSale { opens_at: None }));
}

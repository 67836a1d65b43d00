//! The catalog: created from a file, found by fans, changed with care for what
//! is sold, shown through Redis when Postgres is away.
#![allow(clippy::unwrap_used)]

mod support;

use sqlx::PgPool;
use support::{World, at, event, fan, order, reservation};
use usher_base::EventId;
use usher_base::redis::TimeSource;
use usher_booking::catalog::pg::{self, CatalogError, Search};
use usher_booking::catalog::{Catalog, Draft, EventDraft, EventPatch, PatchError};
use usher_booking::inventory::{SeatIndex, TierIndex};
use usher_sandbox::{Postgres, PostgresOptions};

fn draft(n: u128, slug: &str, title: &str, city: &str, day: u32) -> Draft {
    let text = format!(
        r#"
        slug = "{slug}"
        title = "{title}"
        description = "An evening with many voices"
        category = "music"
        venue = {{ name = "Great Hall", city = "{city}", capacity = 900 }}
        start_time = "2027-05-{day:02}T19:00:00Z"
        currency = "EUR"
        prices = {{ low = 2500 }}
        tiers = [{{ code = "floor", name = "Floor", capacity = 50, price = 1500 }}]
        blocked_seats = ["s-A-4"]
        [layout]
        sections = [{{ id = "s", category = "low", rows = [{{ row = "A", seats = "1-4" }}] }}]
        "#
    );
    EventDraft::parse(&text).unwrap().check(event(n)).unwrap()
}

async fn database() -> (Postgres, PgPool) {
    let server = Postgres::start(PostgresOptions::default()).await.unwrap();
    let pool = PgPool::connect(&server.url()).await.unwrap();
    (server, pool)
}

/// One paid order of one item, as the orders' own code would leave it.
async fn sell(pool: &PgPool, id: EventId, seat: Option<i32>, tier: Option<i32>, n: u128) {
    sqlx::query(
        "INSERT INTO orders (id, number, event_id, fan_id, reservation_id, state, amount,
             currency, billing, epoch, pay_by)
         VALUES ($1, $2, $3, $4, $5, 'paid', 1, 'EUR', '{}', 1, now())",
    )
    .bind(order(n).uuid())
    .bind(format!("N{n}"))
    .bind(id.uuid())
    .bind(fan(n).bytes())
    .bind(reservation(n).uuid())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO order_items (order_id, position, event_id, seat_index, tier_index, label, price)
         VALUES ($1, 0, $2, $3, $4, 'one', 1)",
    )
    .bind(order(n).uuid())
    .bind(id.uuid())
    .bind(seat)
    .bind(tier)
    .execute(pool)
    .await
    .unwrap();
}

fn patch(json: &str) -> EventPatch {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn events_are_found_by_words_date_city_and_category() {
    let (_server, pool) = database().await;
    let all = [
        draft(1, "hamlet-1", "Hamlet", "Ghent", 1),
        draft(2, "hamlet-2", "Hamlet", "Bruges", 2),
        draft(3, "requiem", "Requiem für alle", "Ghent", 3),
    ];
    for one in &all {
        pg::create(&pool, one).await.unwrap();
    }
    let find = async |search: Search| {
        let found = pg::search(&pool, &search).await.unwrap();
        let slugs: Vec<_> = found.events.into_iter().map(|e| e.slug).collect();
        (slugs.join(" "), found.total)
    };
    let words = |q: &str| Search {
        q: Some(q.into()),
        ..Search::default()
    };
    assert_eq!(find(Search::default()).await.1, 3);
    assert_eq!(find(words("HAM")).await, ("hamlet-1 hamlet-2".into(), 2));
    assert_eq!(find(words("hamlet bru")).await, ("hamlet-2".into(), 1));
    assert_eq!(find(words("für")).await, ("requiem".into(), 1));
    assert_eq!(find(words("voices ' | !")).await.1, 3);
    assert_eq!(find(words("nothing")).await, (String::new(), 0));
    let in_ghent = Search {
        city: Some("ghent".into()),
        from: Some(all[1].event.start_time),
        ..Search::default()
    };
    assert_eq!(find(in_ghent).await, ("requiem".into(), 1));
    let one_title = Search {
        title: Some(all[0].event.title.id),
        ..Search::default()
    };
    assert_eq!(find(one_title).await.1, 2);
    let second_page = Search {
        page: 2,
        limit: 2,
        ..Search::default()
    };
    assert_eq!(find(second_page).await, ("requiem".into(), 3));
    let beyond = Search {
        page: 9,
        limit: 2,
        ..Search::default()
    };
    assert_eq!(find(beyond).await, (String::new(), 3));
}

#[tokio::test]
async fn a_slug_is_taken_once_and_free_again_after_a_deletion() {
    let (_server, pool) = database().await;
    pg::create(&pool, &draft(1, "show", "Show", "Ghent", 1))
        .await
        .unwrap();
    let other = draft(2, "show", "Show", "Ghent", 2);
    let taken = pg::create(&pool, &other).await;
    assert!(matches!(taken, Err(CatalogError::SlugTaken(slug)) if slug == "show"));
    pg::delete(&pool, event(1)).await.unwrap();
    assert!(matches!(
        pg::get(&pool, event(1)).await,
        Err(CatalogError::NotFound)
    ));
    pg::create(&pool, &other).await.unwrap();
    let layout = other.event.layout_version.as_ref().unwrap();
    assert_eq!(pg::layout(&pool, layout).await.unwrap(), other.layout);
}

#[tokio::test]
async fn what_is_sold_is_protected_from_changes() {
    let (_server, pool) = database().await;
    let one = draft(1, "show", "Show", "Ghent", 1);
    pg::create(&pool, &one).await.unwrap();
    sell(&pool, event(1), Some(1), None, 1).await;
    sell(&pool, event(1), None, Some(0), 2).await;

    let refused = async |json: &str| pg::patch(&pool, event(1), patch(json)).await.unwrap_err();
    let blocking = refused(r#"{"block_seats": ["s-A-2"]}"#).await;
    assert!(matches!(blocking, CatalogError::Patch(PatchError::SeatIsSold(id)) if id == "s-A-2"));
    let less =
        refused(r#"{"tiers": [{"code": "floor", "name": "Floor", "capacity": 0, "price": 1500}]}"#);
    assert!(matches!(
        less.await,
        CatalogError::Patch(PatchError::BelowSold { sold: 1, .. })
    ));
    let currency = refused(r#"{"currency": "USD"}"#).await;
    assert!(matches!(
        currency,
        CatalogError::Patch(PatchError::CurrencyIsUsed)
    ));
    assert!(
        refused(r#"{"slug": "No Slug"}"#)
            .await
            .to_string()
            .contains("slug")
    );
    assert!(matches!(
        pg::delete(&pool, event(1)).await,
        Err(CatalogError::HasOrders)
    ));
    assert_eq!(
        pg::get(&pool, event(1)).await.unwrap(),
        one.event,
        "refused: unchanged"
    );

    let change = r#"{"block_seats": ["s-A-1"], "unblock_seats": ["s-A-4"], "prices": {"low": 3000},
        "sale_until": "2027-05-01T18:00:00Z",
        "tiers": [{"code": "floor", "name": "Floor", "capacity": 60, "price": 1500},
                  {"code": "balcony", "name": "Balcony", "capacity": 5, "price": 900}]}"#;
    let changed = pg::patch(&pool, event(1), patch(change)).await.unwrap();
    assert_eq!(changed.block, [SeatIndex(0)]);
    assert_eq!(changed.unblock, [SeatIndex(3)]);
    assert_eq!(changed.capacities, [(TierIndex(0), 60), (TierIndex(1), 5)]);
    let kept = pg::get(&pool, event(1)).await.unwrap();
    assert_eq!(kept, changed.event);
    assert_eq!(
        (kept.revision, kept.blocked.as_slice()),
        (2, &[SeatIndex(0)][..])
    );
    let forever = pg::patch(&pool, event(1), patch(r#"{"sale_until": null}"#))
        .await
        .unwrap();
    assert_eq!(forever.event.sale_until, None);
}

#[tokio::test]
async fn a_change_of_the_stock_reaches_the_sale_that_is_going_on() {
    let world = World::start(TimeSource::Test).await;
    let one = draft(1, "show", "Show", "Ghent", 1);
    world.open(event(1), &one.event.stock(), &[]).await;
    let (holds, id) = (&world.holds, event(1));
    let more = [(TierIndex(0), 70), (TierIndex(1), 5)];
    let busy = holds
        .stock(id, &[SeatIndex(0)], &[SeatIndex(3)], &more)
        .await;
    assert_eq!(busy.unwrap(), []);
    let bits = holds.seats(id, 4).await.unwrap().unwrap();
    assert!(!bits.is_available(SeatIndex(0)) && bits.is_available(SeatIndex(3)));
    assert_eq!(holds.places_left(id, 2).await.unwrap(), [70, 5]);
}

#[tokio::test]
async fn the_edge_reads_the_catalog_without_postgres() {
    let world = World::start(TimeSource::Server).await;
    let (publisher, reader) = (
        Catalog::new(world.redis.clone()),
        Catalog::new(world.redis.clone()),
    );
    assert!(reader.refresh().await.unwrap().is_empty());
    let one = draft(1, "show", "Show", "Ghent", 1);
    publisher
        .publish(&one.event, one.layout.as_ref())
        .await
        .unwrap();
    assert_eq!(reader.refresh().await.unwrap(), [event(1)]);
    assert!(reader.refresh().await.unwrap().is_empty(), "nothing is new");
    let shown = reader.get(event(1)).unwrap();
    assert_eq!(shown.event, one.event);
    assert_eq!(shown.layout.as_deref(), one.layout.as_ref());
    assert_eq!(shown.seat_label(SeatIndex(2)).unwrap(), "s, row A, seat 3");
    assert!(shown.event.is_on_sale(at(0)));

    let mut changed = one.event.clone();
    changed.revision += 1;
    changed.description = "Sold out soon".into();
    publisher
        .publish(&changed, one.layout.as_ref())
        .await
        .unwrap();
    publisher
        .publish(
            &draft(2, "more", "More", "Ghent", 2).event,
            one.layout.as_ref(),
        )
        .await
        .unwrap();
    let mut new = reader.refresh().await.unwrap();
    new.sort_unstable();
    assert_eq!(new, [event(1), event(2)]);
    assert_eq!(reader.get(event(1)).unwrap().event, changed);
    publisher.unpublish(event(1)).await.unwrap();
    reader.refresh().await.unwrap();
    assert!(reader.get(event(1)).is_none() && reader.get(event(2)).is_some());

    world.server.restart().await.unwrap();
    // The first calls may find the old connection dead.
    let mut tries = 0;
    while reader.refresh().await.is_err() {
        tries += 1;
        assert!(tries < 20, "no connection again");
    }
    assert!(
        reader.get(event(2)).is_some(),
        "Redis forgot; the page stays"
    );
}

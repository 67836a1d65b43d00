//! What the desk types and which orders it finds: by an index, in a bounded time.

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use usher_base::FanId;
use usher_booking::Relay;
use usher_booking::orders::{Order, Wanted};
use usher_booking::pg::read::{Search, SearchError, search};
use usher_booking::pg::{Recorded, record};

use crate::batches::order;
use crate::shop::{Shop, fan};

/// Orders whose bills have these names and addresses, in the order given.
async fn bill(shop: &Shop, bills: &[(&str, &str)]) {
    let orders = (0..).zip(bills).map(|(n, (name, email))| {
        let mut order = order(shop, n, &[u32::from(n)], 0);
        order.billing = serde_json::json!({ "name": name, "email": email });
        order
    });
    let orders: Vec<_> = orders.collect();
    let answers = record(&shop.pool, &orders).await;
    assert!(answers.iter().all(|answer| *answer == Recorded::New));
}

async fn publish(shop: &Shop) {
    let relay = Relay {
        pool: shop.pool.clone(),
        redis: shop.redis.clone(),
    };
    while relay.run_once().await.unwrap() {}
}

fn looking_for(q: &str) -> Search {
    Search {
        wanted: Some(Wanted::read(q).unwrap()),
        limit: 50,
        ..Search::default()
    }
}

async fn found(pool: &PgPool, q: &str) -> Vec<Order> {
    search(pool, &looking_for(q)).await.unwrap()
}

#[tokio::test]
async fn a_name_is_found_as_it_is_typed_however_it_is_joined() {
    let shop = Shop::open().await;
    let bills = [
        ("J.R.R. Tolkien", " Ronald@Example.ORG "),
        ("Ada St.Clair", "ada@example.org"),
        ("MÜLLER/Weber", "m'b\\x@example.org"),
        ("Anne-Marie O'Neil", "anne.oneil@example.org"),
        ("Jim_Beam@Work <and> Co&Kg;", "+1@example.org"),
        ("wu.li", "wu@example.org"),
    ];
    bill(&shop, &bills).await;
    assert!(found(&shop.pool, "tolkien").await.is_empty());
    publish(&shop).await;
    for (q, whose) in [
        ("J.R.R", 0),
        ("r tolk", 0),
        ("ronald@EXAM", 0),
        ("St.Clair", 1),
        ("clair", 1),
        ("Müller/Weber", 2),
        ("weber", 2),
        ("M'B\\X@exam", 2),
        ("o'neil", 3),
        ("marie", 3),
        ("beam", 4),
        ("work", 4),
        ("and", 4),
        ("+1@exam", 4),
        ("li", 5),
    ] {
        let fans: Vec<FanId> = found(&shop.pool, q).await.iter().map(|o| o.fan).collect();
        assert_eq!(fans, [fan(whose)], "{q}");
    }
    for q in ["clai wu", "x", "exam", "olkien", "l"] {
        assert!(found(&shop.pool, q).await.is_empty(), "{q}");
    }
    let number = found(&shop.pool, "tolkien").await.remove(0).number;
    assert_eq!(found(&shop.pool, number.as_str()).await[0].fan, fan(0));
}

/// A bill that Postgres could not take for words would stop the relay for good.
#[tokio::test]
async fn no_bill_stops_the_relay() {
    let shop = Shop::open().await;
    let long = "ж".repeat(5_000);
    let bills = [(long.as_str(), long.as_str()), ("", "  "), ("Ada", "a@b")];
    bill(&shop, &bills).await;
    publish(&shop).await;
    assert_eq!(found(&shop.pool, "ada").await.len(), 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox").await, 0);
}

/// Twenty thousand orders whose first names are one of ten and whose last are their own.
async fn many(shop: &Shop) {
    shop.sql(
        "INSERT INTO orders (id, number, event_id, fan_id, reservation_id, state, amount, currency,
             billing, epoch, pay_by)
         SELECT gen_random_uuid(), translate(to_char(n, '0000,0000,0000'), ', ', '-'), gen_random_uuid(), decode(md5(n::text), 'hex'),
             gen_random_uuid(), 'paid', 1, 'EUR',
             jsonb_build_object('name', 'First' || n % 10 || ' Last' || n, 'email', n || '@example.org'),
             1, now()
         FROM generate_series(1, 20000) n;
         INSERT INTO desk_words SELECT id, words_of_bill(billing) FROM orders;
         ANALYZE orders; ANALYZE desk_words",
    )
    .await;
}

#[tokio::test]
async fn a_search_reads_no_table_whole() {
    let shop = Shop::open().await;
    many(&shop).await;
    // One connection, whose counts are ours.
    let one = PgPoolOptions::new().max_connections(1);
    let options = shop.pool.connect_options().as_ref().clone();
    let pool = one.connect_with(options).await.unwrap();
    let counted = async || {
        let flush = "SELECT pg_stat_force_next_flush()";
        sqlx::query(flush).execute(&pool).await.unwrap();
        let counts = "SELECT sum(seq_scan)::bigint, (SELECT idx_scan FROM pg_stat_user_indexes
                WHERE indexrelname = 'desk_words_by_word')
             FROM pg_stat_user_tables WHERE relname IN ('orders', 'desk_words', 'tickets')";
        sqlx::query_as::<_, (i64, i64)>(counts)
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    let (read_whole, by_word) = counted().await;
    for q in ["first4 last1234", "12345@exam"] {
        assert!(!found(&pool, q).await.is_empty(), "{q}");
    }
    let (still, by_word_now) = counted().await;
    assert_eq!(still, read_whole, "a table was read whole");
    assert!(by_word_now > by_word);
}

/// What takes too long is broken off, here because somebody keeps the words locked; it
/// takes the three seconds that a search has.
#[tokio::test]
async fn a_search_that_takes_too_long_is_broken_off() {
    let shop = Shop::open().await;
    let mut kept = shop.pool.begin().await.unwrap();
    let keep = sqlx::raw_sql("LOCK TABLE desk_words IN ACCESS EXCLUSIVE MODE");
    keep.execute(&mut *kept).await.unwrap();
    let looked = looking_for("anne");
    let answer = tokio::time::timeout(Duration::from_secs(15), search(&shop.pool, &looked));
    let refused = answer.await.unwrap().unwrap_err();
    assert!(matches!(refused, SearchError::TooLong), "{refused}");
    kept.rollback().await.unwrap();
    assert!(found(&shop.pool, "anne").await.is_empty());
}

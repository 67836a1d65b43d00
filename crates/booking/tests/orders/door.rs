//! Tickets at the door: valid once, whoever scans and however often.

use usher_base::signing::{SigningKeys, generate_jwk_set};
use usher_base::{Clock, EventId, SystemClock, Timestamp};
use usher_booking::orders::{order_token, verify_order_token};
use usher_booking::pg::tickets::{arrivals, door_list};
use usher_booking::tickets::{CheckIn, Door, OfflineScan, Scan, TicketClaim, TicketNumber, svg};

use crate::shop::{OwnShop, Shop, confirmed, fan};

fn keys() -> SigningKeys {
    SigningKeys::from_jwk_set(&generate_jwk_set(&mut rand::rng()), "usher").unwrap()
}

fn door(gate: &str) -> Door {
    Door {
        staff: "sam".into(),
        gate: gate.into(),
    }
}

struct Ticket {
    shop: OwnShop,
    keys: SigningKeys,
    number: TicketNumber,
    code: String,
}

impl Ticket {
    async fn sell() -> Self {
        let (shop, keys) = (Shop::open().await, keys());
        let (_, outcome) = shop.buy(fan(1), &[7], "pm_test_success").await;
        let number = confirmed(outcome).tickets[0].ticket_number.clone();
        let claim = TicketClaim {
            event: shop.event,
            number: number.clone(),
        };
        Self {
            code: claim.sign(&keys),
            shop,
            keys,
            number,
        }
    }

    fn check_in(&self) -> CheckIn<'_> {
        CheckIn {
            pool: &self.shop.pool,
            keys: &self.keys,
            event: self.shop.event,
        }
    }

    async fn scan(&self, code: &str, gate: &str) -> Scan {
        let at = SystemClock.now();
        self.check_in().scan(code, &door(gate), at).await.unwrap()
    }
}

#[tokio::test]
async fn of_many_scans_at_once_one_is_valid_and_the_others_say_who_was_first() {
    let ticket = Ticket::sell().await;
    assert!(svg(&ticket.code).unwrap().contains("<svg"));
    let gates: Vec<String> = (0..20).map(|n| format!("gate {n}")).collect();
    let scans = gates.iter().map(|gate| ticket.scan(&ticket.code, gate));
    let scans = futures::future::join_all(scans).await;
    let is_valid = |scan: &&Scan| matches!(scan, Scan::Valid { .. });
    assert_eq!(scans.iter().filter(is_valid).count(), 1);
    let winner = gates[scans.iter().position(|scan| is_valid(&scan)).unwrap()].as_str();
    for scan in scans.iter().filter(|scan| !is_valid(scan)) {
        let Scan::AlreadyUsed { first, .. } = scan else {
            panic!("{scan:?}");
        };
        assert_eq!((first.gate.as_str(), first.staff.as_str()), (winner, "sam"));
    }
}

#[tokio::test]
async fn every_other_code_says_what_is_wrong_with_it() {
    let ticket = Ticket::sell().await;
    let elsewhere = TicketClaim {
        event: EventId::new(Timestamp::from_millis(1)),
        number: ticket.number.clone(),
    };
    let scan = ticket.scan(&elsewhere.sign(&ticket.keys), "a").await;
    assert!(matches!(scan, Scan::WrongEvent { .. }), "{scan:?}");
    let own = TicketClaim {
        event: ticket.shop.event,
        ..elsewhere
    };
    assert_eq!(ticket.scan(&own.sign(&keys()), "a").await, Scan::Forged);
    assert_eq!(ticket.scan("gibberish", "a").await, Scan::Forged);

    let list = door_list(&ticket.shop.pool, ticket.shop.event, None, 10)
        .await
        .unwrap();
    assert_eq!(list.len(), 1);
    let order = ticket.shop.order(list[0].order).await;
    ticket
        .shop
        .orders
        .cancel(&order.number, "ada")
        .await
        .unwrap();
    let scan = ticket.scan(&ticket.code, "a").await;
    assert!(matches!(scan, Scan::Cancelled { .. }), "{scan:?}");
}

#[tokio::test]
async fn a_number_that_is_typed_is_as_good_as_its_code_and_is_counted() {
    let ticket = Ticket::sell().await;
    let (pool, event) = (&ticket.shop.pool, ticket.shop.event);
    let counted = async || {
        let arrivals = arrivals(pool, event).await.unwrap();
        (arrivals.used, arrivals.sold)
    };
    assert_eq!(counted().await, (0, 1));
    let typed = ticket.number.as_str().to_lowercase();
    let spaced = format!(" {} {} ", &typed[..8], &typed[8..]);
    let scan = ticket.scan(&spaced, "a").await;
    assert!(matches!(scan, Scan::Valid { .. }), "{scan:?}");
    let scan = ticket.scan(&ticket.code, "b").await;
    assert!(matches!(scan, Scan::AlreadyUsed { .. }), "{scan:?}");
    assert_eq!(counted().await, (1, 1));
    let unknown = "0".repeat(ticket.number.as_str().len());
    assert_eq!(ticket.scan(&unknown, "a").await, Scan::Forged);
    let elsewhere = CheckIn {
        event: EventId::new(Timestamp::from_millis(1)),
        ..ticket.check_in()
    };
    let scan = elsewhere
        .scan(ticket.number.as_str(), &door("a"), SystemClock.now())
        .await
        .unwrap();
    assert_eq!(scan, Scan::WrongEvent { event_id: event });
}

#[tokio::test]
async fn scans_made_offline_are_brought_in_and_conflicts_reported() {
    let ticket = Ticket::sell().await;
    let at = |n: i64| Timestamp::from_millis(1_800_000_000_000 + n);
    let scan = |gate: &str, n| OfflineScan {
        code: ticket.code.clone(),
        at: at(n),
        door: door(gate),
    };
    let scans = [scan("north", 1), scan("south", 2)];
    let results = ticket.check_in().bring_in(&scans).await.unwrap();
    assert!(matches!(results[0], Scan::Valid { .. }));
    let Scan::AlreadyUsed { first, .. } = &results[1] else {
        panic!("{results:?}");
    };
    assert_eq!((first.gate.as_str(), first.at), ("north", at(1)));

    let order = door_list(&ticket.shop.pool, ticket.shop.event, None, 10)
        .await
        .unwrap();
    let order = ticket.shop.order(order[0].order).await;
    let used = ticket.shop.orders.cancel(&order.number, "ada").await;
    assert!(used.is_err(), "a used ticket was cancelled");
}

#[tokio::test]
async fn an_order_token_opens_its_order_only() {
    let ticket = Ticket::sell().await;
    let list = door_list(&ticket.shop.pool, ticket.shop.event, None, 10)
        .await
        .unwrap();
    let order = ticket.shop.order(list[0].order).await;
    let now = SystemClock.now();
    let token = order_token(&ticket.keys, order.id, order.fan, now, &mut rand::rng());
    let claims = verify_order_token(&ticket.keys, &token, &order.number, now).unwrap();
    assert_eq!((claims.order, claims.sub), (order.id, order.fan));
    let other = "0000-0000-0000".parse().unwrap();
    assert!(verify_order_token(&ticket.keys, &token, &other, now).is_err());
}

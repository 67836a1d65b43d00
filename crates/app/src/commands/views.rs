//! `usher event views`: compares an event's read models with what they are made
//! from, and names each difference; on wish, writes anew what Postgres keeps.

use std::process::ExitCode;
use std::time::Duration;

use usher_base::EventId;
use usher_booking::catalog::{CatalogStore, Event};
use usher_booking::holds::Holds;
use usher_booking::views::{Compared, Views};

use super::exit_code;
use crate::config::Config;
use crate::postgres;
use crate::wiring;

/// What differs because something happens just now is gone at one of these.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

pub async fn run(config: &Config, event: EventId, rebuild: bool) -> anyhow::Result<ExitCode> {
    let redis = wiring::open_redis(config).await?;
    let pool = postgres::open_postgres(config).await?;
    let event = CatalogStore::new(pool.clone()).get(event).await?;
    let views = Views {
        pool,
        holds: Holds::new(redis),
    };
    if rebuild {
        views.rebuild(event.id).await?;
    }
    let compared = settled(&views, &event).await?;
    for Compared { view, differences } in &compared {
        match differences.len() {
            0 => println!("{view}: true"),
            count => println!("{view}: differences: {count}"),
        }
        for difference in differences {
            println!("  {difference}");
        }
    }
    let is_true = compared.iter().all(|view| view.differences.is_empty());
    Ok(exit_code(is_true))
}

/// Only what is seen at every look is told.
async fn settled(views: &Views, event: &Event) -> anyhow::Result<[Compared; 4]> {
    let mut compared = views.compare(event).await?;
    for _ in 1..LOOKS {
        if compared.iter().all(|view| view.differences.is_empty()) {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let again = views.compare(event).await?;
        for (view, again) in compared.iter_mut().zip(again) {
            view.differences
                .retain(|seen| again.differences.contains(seen));
        }
    }
    Ok(compared)
}

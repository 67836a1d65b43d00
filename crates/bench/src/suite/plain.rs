//! The plain design under the same load, on servers of the same kind: what the
//! tutorials' way gives on this machine in this run.

use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::request::Request;
use usher_sandbox::{Postgres, Redis, RedisOptions};

use super::{Scale, all, closed};
use crate::processes::Helper;
use crate::table::Row;
use usher_rehearsal::load::Traffic;

const WAITING: u32 = 100_000;
const BUYERS: u32 = 20_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Join,
    Place,
    Hold,
    Order,
}

struct PlainFans {
    asks: Asks,
    count: u64,
    host: String,
}

impl Traffic for PlainFans {
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool {
        let fan = match self.asks {
            Asks::Place => sequence % self.count,
            _ if sequence >= self.count => return false,
            _ => sequence,
        };
        let wish = format!(r#"{{"fan":"fan-{fan}","seat":"seat-{fan}"}}"#);
        let (method, path, json) = match self.asks {
            Asks::Join => ("POST", format!("/join/fan-{fan}"), None),
            Asks::Place => ("GET", format!("/place/fan-{fan}"), None),
            Asks::Hold => ("POST", "/holds".to_owned(), Some(wish.as_bytes())),
            Asks::Order => ("POST", "/orders".to_owned(), Some(wish.as_bytes())),
        };
        Request {
            method,
            path: &path,
            host: &self.host,
            json,
            ..Request::default()
        }
        .write(out);
        true
    }
}

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("postgres");
    let (postgres, redis) = tokio::try_join!(
        Postgres::persistent(&data),
        Redis::start(RedisOptions::default()),
    )?;
    let arguments = ["serve-plain".to_owned(), redis.url(), postgres.url()];
    let mut server = Helper::start(&arguments)?;
    let origin = Origin::resolve(&format!("http://{}", server.line().await?)).await?;
    let fans = |asks, count| PlainFans {
        asks,
        count: u64::from(scale.of(count)),
        host: origin.authority(),
    };
    let joins = all(&origin, fans(Asks::Join, WAITING)).await;
    let places = closed(&origin, scale.seconds(5), fans(Asks::Place, WAITING)).await;
    let holds = all(&origin, fans(Asks::Hold, BUYERS)).await;
    let orders = all(&origin, fans(Asks::Order, BUYERS)).await;
    server.stop().await;
    let row = |name: &str, measured: &usher_rehearsal::load::Measured, note: &str| {
        Row::new(name, measured.good_per_second(), "1/s")
            .latency(&measured.latency)
            .note(note)
    };
    Ok(vec![
        row("plain: joins", &joins, "ZADD; no token, no fair order kept"),
        row("plain: own place", &places, "one ZRANK a fan and asking"),
        row(
            "plain: holds",
            &holds,
            "SET NX PX, one seat; no limits, no fence",
        ),
        row(
            "plain: orders",
            &orders,
            "one transaction each; no payment called",
        ),
    ])
}

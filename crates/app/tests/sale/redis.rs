//! Redis forgets everything, twice: holds are refused with 503 and Retry-After
//! until it is rebuilt by itself.

use usher_sandbox::Sandbox;

use crate::common::settings;
use crate::shoppers::Sale;

#[tokio::test]
async fn a_sale_goes_on_after_redis_forgot_everything() {
    let sandbox = Sandbox::start().await.unwrap();
    let sale = Sale::start(|keys| settings(&sandbox, keys));
    sale.wait_for_sales("the sale runs");
    sandbox.redis.kill_9().await.unwrap();
    sandbox.redis.restart().await.unwrap();
    sale.wait_for_sales("it goes on after kill -9");
    assert!(sale.turned_away() > 0, "nobody met the dead Redis");
    let client = redis::Client::open(sandbox.redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    sale.wait_for_sales("it goes on after FLUSHALL");
    assert!(sale.turned_away() > 0, "nothing was missed");
    sale.reconcile(&sandbox.postgres).await;
}

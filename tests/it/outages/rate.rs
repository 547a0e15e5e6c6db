//! Two processes, one sender's rate: what they send together stays within it.

use super::chat_by;
use crate::auditor;
use crate::harness::{Database, Engine, make_tenant};
use crate::process::{Driver, Start, one, open, until, watch};

use countersign::app;
use countersign::store::channel::{AdapterKind, Settings};

const RATE: f64 = 4.0;
const BURST: f64 = 3.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_share_a_senders_rate() {
    let database = Database::new(Engine::Postgres).await;
    let url = database.url.as_str();
    let store = open(url).await;
    let home = make_tenant(&store, app::HOME).await;
    let sender = "shop@example.com".to_owned();
    let set = Settings { sender, rate: RATE, burst: BURST, ..Settings::default() };
    chat_by(&store, &home, AdapterKind::Sandbox, &set).await;
    let mut driver = Driver::new(home.key);

    let start = || {
        let start = Start::new("serve", url).set("worker.concurrency=4");
        start.set("log.format=json").set("log.level=countersign=debug").begin()
    };
    let (mut a, mut b) = (start(), start());
    a.ready(&driver.http).await;
    b.ready(&driver.http).await;
    driver.teach(&a.base).await;
    // Twenty threads, a reply each, all signed at once.
    for first in [0, 20] {
        driver.next = first;
        for _ in 0..10 {
            assert!(driver.say(&a.base).await);
        }
    }
    let pending = "select cast(count(*) as bigint) from review where state = 'pending'";
    until("twenty drafts", async || one(&store.db, pending).await == 20).await;
    let look = watch(url).await;
    driver.finish(&b.base, &look).await;
    look.close().await;
    for p in [&a, &b] {
        let text = p.log();
        let sends = |l: &&str| l.contains(r#""kind":"send""#) && l.contains(r#""message":"done""#);
        assert!(text.lines().any(|l| sends(&l)), "one of them sent nothing: it tests nothing");
    }
    a.stop().await;
    b.stop().await;
    let mut c = store.db.read().await.unwrap();
    let began: Vec<(i64,)> = sqlx::query_as("select created_at from send order by created_at")
        .fetch_all(&mut *c)
        .await
        .unwrap();
    drop(c);
    assert_eq!(began.len(), 20);
    for (i, (from,)) in began.iter().enumerate() {
        for (n, (to,)) in began[i..].iter().enumerate() {
            // A row is written a moment after its token was taken.
            let seconds = (to - from) as f64 / 1e6 + 0.25;
            let most = BURST + RATE * seconds;
            assert!((n + 1) as f64 <= most, "{} sends within {seconds} s, at most {most}", n + 1);
        }
    }
    auditor::audit(&store, &driver.acked).await;
    store.db.close().await;
}

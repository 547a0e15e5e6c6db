//! `kill -9`: the real binary, killed at every named place and at random moments under load, on
//! both databases. After the last restart the auditor must find nothing wrong.
#![expect(clippy::print_stdout, reason = "the measured recovery time")]

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use countersign::app;
use countersign::store::Db;

use crate::auditor;
use crate::harness::{Database, Engine, make_tenant};
use crate::on_both;
use crate::process::{Driver, Process, long, one, open, pseudo_random, watch};

const POINTS: [&str; 13] = [
    "intake.before",
    "intake.after",
    "job.claimed",
    "understand.before",
    "understand.after",
    "answer.before",
    "answer.after",
    "send.before",
    "send.after",
    "send.begun",
    "send.delivered",
    "send.end.before",
    "send.end.after",
];
/// The points of the short run; the random kills take the rest of its time.
const SHORT: [&str; 8] = [
    "intake.before",
    "intake.after",
    "job.claimed",
    "understand.before",
    "answer.before",
    "send.begun",
    "send.delivered",
    "send.end.before",
];

/// Claims as they stand: job id and token.
async fn held(db: &Db) -> HashMap<String, String> {
    let mut c = db.read().await.unwrap();
    let rows: Vec<(String, String)> =
        sqlx::query_as("select id, coalesce(token, '') from job where state = 'running'")
            .fetch_all(&mut *c)
            .await
            .unwrap();
    rows.into_iter().collect()
}

async fn kill_and_audit(engine: Engine) {
    let (points, random) = if long() { (&POINTS[..], 50) } else { (&SHORT[..], 4) };
    let database = Database::new(engine).await;
    let url = database.url.clone();
    let key = {
        let store = open(&url).await;
        let home = make_tenant(&store, app::HOME).await;
        store.db.close().await;
        home.key
    };
    let mut driver = Driver::new(key);
    let http = driver.http.clone();

    let mut p = Process::serve(&url, None);
    p.ready(&http).await;
    driver.teach(&p.base).await;
    p.kill().await;

    for (i, point) in points.iter().enumerate() {
        let mut p = Process::serve(&url, Some(&format!("{point}:{}", 1 + i % 3)));
        let mut posted = 0;
        let status = loop {
            if let Some(status) = p.ended() {
                break status;
            }
            assert!(
                p.begun.elapsed() < Duration::from_secs(60),
                "{point} was not reached within 60 s"
            );
            let base = p.base.clone();
            driver.tick(&base, &mut posted).await;
        };
        assert_eq!(status.signal(), Some(6), "{point}: the process ended with {status}");
    }
    let mut seed = 20_261_122;
    for _ in 0..random {
        let mut p = Process::serve(&url, None);
        p.ready(&http).await;
        let base = p.base.clone();
        let until = Instant::now() + Duration::from_millis(100 + pseudo_random(&mut seed) % 1200);
        let mut posted = 0;
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            // The kill comes in the middle of a request, too.
            let _ = tokio::time::timeout(left, driver.tick(&base, &mut posted)).await;
        }
        assert!(p.ended().is_none(), "the service ended by itself");
        p.kill().await;
    }

    // A tool that only reads may look on beside the owner.
    let watch = watch(&url).await;
    let interrupted = held(&watch).await;
    let mut p = Process::serve(&url, None);
    let recovered = loop {
        let now = held(&watch).await;
        if interrupted.iter().all(|(id, token)| now.get(id) != Some(token)) {
            break p.begun.elapsed();
        }
        assert!(
            p.begun.elapsed() < Duration::from_secs(40),
            "abandoned claims stay: {interrupted:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!(
        "{engine:?}: {} interrupted jobs taken up {recovered:?} after the restart",
        interrupted.len()
    );
    p.ready(&http).await;
    // What a kill left without an answer is handed in again.
    for _ in 0..4 {
        assert!(driver.say(&p.base).await, "the restarted service takes nothing");
    }
    driver.finish(&p.base, &watch).await;
    watch.close().await;
    drop(watch);
    p.stop().await;

    let store = open(&url).await;
    auditor::audit(&store, &driver.acked).await;
    let sent =
        one(&store.db, "select cast(count(*) as bigint) from review where state = 'sent'").await;
    let delivered = one(&store.db, "select cast(count(*) as bigint) from sandbox_delivery").await;
    let received =
        one(&store.db, "select cast(count(*) as bigint) from message where direction = 'in'").await;
    let dead =
        one(&store.db, "select cast(count(*) as bigint) from job where state = 'dead'").await;
    println!("{engine:?}: {} acknowledged, {sent} sent", driver.acked.len());
    assert!(sent > 0, "nothing was sent: the test tests nothing");
    assert_eq!(delivered, sent, "one delivery for every reply that counts as sent");
    assert_eq!(dead, 0, "a kill made a dead letter");
    // A message that is committed but not acknowledged is handed in again, and found.
    assert_eq!(
        usize::try_from(received).unwrap(),
        driver.by_external.len(),
        "rows and external ids"
    );
    store.db.close().await;
}

on_both!(killed_anywhere_nothing_is_lost_or_sent_twice, engine, {
    kill_and_audit(engine).await;
});

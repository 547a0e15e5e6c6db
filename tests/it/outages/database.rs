//! A PostgreSQL that crashes, freezes, or whose table somebody locks: refusals that say when to come
//! back, no hanging, nothing acknowledged lost.
#![expect(clippy::print_stdout, reason = "the measured times")]

use std::time::{Duration, Instant};

use sqlx::Connection as _;

use super::cluster::Cluster;
use super::set_up;
use crate::harness::{Database, Engine};
use crate::process::{Driver, Process, Start, audited, long, until, watch};

/// Longest that an answer may take while the database is away: the waits for a connection and a
/// lock, and a machine that others use too.
const BOUND: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_crashes_loses_nothing_acknowledged() {
    let cluster = Cluster::start();
    let mut driver = set_up(&cluster.url).await;
    let mut p = Process::serve(&cluster.url, None);
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    for _ in 0..if long() { 10 } else { 2 } {
        for _ in 0..5 {
            assert!(driver.say(&p.base).await, "nothing is taken before the crash");
        }
        let before = driver.refused.len();
        let crash = async {
            cluster.control("stop");
            // Long enough that requests fall into it.
            tokio::time::sleep(Duration::from_secs(3)).await;
            cluster.control("start");
            Instant::now()
        };
        let load = async {
            until("a refusal", async || {
                driver.say(&p.base).await;
                driver.refused.len() > before
            })
            .await;
        };
        let base = p.base.clone();
        let (up, ()) = tokio::join!(crash, load);
        until("a message is taken again", async || driver.say(&base).await).await;
        println!(
            "taken again {:?} after the restart, {} refused, the slowest answer took {:?}",
            up.elapsed(),
            driver.refused.len() - before,
            driver.slowest
        );
        assert!(up.elapsed() < Duration::from_secs(10), "{:?} until it recovered", up.elapsed());
    }
    assert!(driver.slowest < BOUND, "an answer took {:?}", driver.slowest);
    assert!(p.ended().is_none(), "the service ended with its database");
    let look = watch(&cluster.url).await;
    driver.finish(&p.base, &look).await;
    look.close().await;
    p.stop().await;
    audited(&cluster.url, &driver.acked).await;
}

/// The worst kind: connections stand, nothing answers on them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_database_does_not_keep_the_process_from_ending() {
    let cluster = Cluster::start();
    let mut driver = set_up(&cluster.url).await;
    let mut p = Start::new("serve", &cluster.url).set("worker.drain_s=1").begin();
    p.ready(&driver.http).await;
    for _ in 0..4 {
        assert!(driver.say(&p.base).await);
    }
    cluster.signal("-STOP");
    let base = p.base.clone();
    let lost = tokio::time::timeout(Duration::from_secs(3), driver.say(&base)).await;
    assert!(!lost.is_ok_and(|taken| taken), "taken by a database that does nothing");
    p.signal("-TERM");
    let ended = p.wait(Duration::from_secs(20)).await;
    cluster.signal("-CONT");
    assert!(ended.is_some_and(|s| s.success()), "SIGTERM: {ended:?} (none: not within 20 s)");

    let mut p = Process::serve(&cluster.url, None);
    p.ready(&driver.http).await;
    assert!(driver.say(&p.base).await);
    let look = watch(&cluster.url).await;
    driver.finish(&p.base, &look).await;
    look.close().await;
    p.stop().await;
    audited(&cluster.url, &driver.acked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_database_hangs_no_new_request() {
    let cluster = Cluster::start();
    let mut driver = set_up(&cluster.url).await;
    let mut p = Process::serve(&cluster.url, None);
    p.ready(&driver.http).await;
    assert!(driver.say(&p.base).await);
    cluster.signal("-STOP");
    let base = p.base.clone();
    let answered = tokio::time::timeout(BOUND, driver.say(&base)).await;
    cluster.signal("-CONT");
    assert_eq!(answered.ok(), Some(false), "no answer within {BOUND:?}");
    assert_eq!(driver.refused, [503]);
    until("a message is taken again", async || driver.say(&base).await).await;
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_database_hangs_no_request_under_way() {
    let cluster = Cluster::start();
    let driver = set_up(&cluster.url).await;
    let mut p = Start::new("serve", &cluster.url)
        .set("server.body_timeout_s=3")
        .set("server.request_timeout_s=5")
        .begin();
    p.ready(&driver.http).await;
    let mut callers: Vec<Driver> =
        (0..8).map(|i| Driver { next: i * 1000, ..Driver::new(driver.key.clone()) }).collect();
    let base = p.base.clone();
    let load = futures::future::join_all(callers.iter_mut().map(async |c| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            c.say(&base).await;
        }
    }));
    let freeze = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.signal("-STOP");
    };
    let _ = tokio::time::timeout(BOUND + BOUND, async { tokio::join!(load, freeze) }).await;
    cluster.signal("-CONT");
    let slowest = callers.iter().map(|c| c.slowest).max().unwrap();
    assert!(slowest < BOUND, "an answer took {slowest:?}");
    assert!(callers.iter().any(|c| c.refused.contains(&503)), "nothing was under way");
    let base = p.base.clone();
    until("a message is taken again", async || callers[0].say(&base).await).await;
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_locked_table_is_refused_in_bounded_time() {
    let database = Database::new(Engine::Postgres).await;
    let mut driver = set_up(&database.url).await;
    let mut p = Process::serve(&database.url, None);
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    for _ in 0..5 {
        assert!(driver.say(&p.base).await);
    }
    let mut other = sqlx::AnyConnection::connect(&database.url).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    sqlx::query("lock table message in access exclusive mode").execute(&mut *tx).await.unwrap();

    let known = driver.acked[0].clone();
    let message = format!("{}/v1/messages/{known}", p.base);
    let base = p.base.clone();
    // A second caller, with messages of its own, and a third that only reads.
    let mut second = Driver::new(driver.key.clone());
    second.next = 1000;
    let reader = Driver::new(driver.key.clone());
    let (first, other_one, read) =
        tokio::join!(driver.say(&base), second.say(&base), reader.get(message));
    assert!(!first && !other_one, "taken although the table is locked");
    assert_eq!((&driver.refused[..], &second.refused[..]), (&[503][..], &[503][..]));
    assert_eq!(read.unwrap().0, 503, "reading a locked table");
    let slowest = driver.slowest.max(second.slowest);
    println!("refused after {slowest:?}");
    assert!(slowest < BOUND, "an answer took {slowest:?}");
    let ready = driver.http.get(format!("{base}/healthz")).send().await.unwrap();
    assert!(ready.status().is_success(), "the process itself lives on");

    tx.rollback().await.unwrap();
    other.close().await.unwrap();
    until("a message is taken again", async || driver.say(&base).await).await;
    let look = watch(&database.url).await;
    driver.finish(&base, &look).await;
    look.close().await;
    p.stop().await;
    audited(&database.url, &driver.acked).await;
}

//! Workers that stand still past their lease, and workers whose clock is off: what others have taken
//! over stays as they left it. On PostgreSQL, where there are others.
#![expect(clippy::print_stdout, reason = "what was left out")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use countersign::store::Db;
use sqlx::AssertSqlSafe;

use super::endpoint::{Endpoint, Manner};
use super::{set_up, set_up_endpoint};
use crate::auditor;
use crate::harness::{Database, Engine};
use crate::process::{Driver, Process, Start, audited, long, one, open, until, watch};

/// Everything that a completion would change, as text.
async fn state_of(db: &Db) -> Vec<String> {
    let mut all = Vec::new();
    let mut c = db.read().await.unwrap();
    for (table, columns) in [
        ("message", "id || ' ' || state || ' ' || revision || ' ' || coalesce(thread_seq, 0)"),
        ("thread", "id || ' ' || head_seq || ' ' || last_seq"),
        ("review", "id || ' ' || state || ' ' || revision || ' ' || draft_revision"),
        ("draft", "id || ' ' || revision"),
        ("send", "id || ' ' || state"),
        ("sandbox_delivery", "send_id"),
        ("chunk", "id || ' ' || deleted"),
        ("vault_entry", "id"),
        ("job", "id || ' ' || state || ' ' || attempt || ' ' || snoozes"),
        ("audit_event", "id || ' ' || action"),
    ] {
        let sql = format!("select '{table} ' || {columns} from {table} order by 1");
        let rows: Vec<(String,)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut *c).await.unwrap();
        all.extend(rows.into_iter().map(|r| r.0));
    }
    all
}

/// Drives the service until it stops itself at its failpoint.
async fn until_held(p: &Process, driver: &mut Driver) {
    let mut posted = 27;
    let begun = Instant::now();
    while !p.held() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the place was not reached");
        // It may stop in the middle of an answer.
        let tick = driver.tick(&p.base, &mut posted);
        let _ = tokio::time::timeout(Duration::from_secs(1), tick).await;
    }
}

/// Lets it go on, and waits until it has noticed that its claim was lost.
async fn wake(p: &Process) {
    p.signal("-CONT");
    until("the stalled worker comes to its end", async || {
        let text = p.log();
        text.contains("the claim was lost") || text.contains("could not put the job back")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_that_stood_still_changes_nothing() {
    // Before its work; with a transaction open, whose locks it must not keep; around the socket.
    let places = ["job.claimed", "understand.before", "answer.before", "send.begun"];
    for place in &places[..if long() { 4 } else { 2 }] {
        let database = Database::new(Engine::Postgres).await;
        let url = database.url.as_str();
        let mut driver = set_up(url).await;
        let mut stalled = Start::new("serve", url)
            .fail(&format!("{place}=stop"))
            .set("database.idle_transaction_timeout_ms=1500")
            .set("worker.concurrency=1")
            .begin();
        stalled.ready(&driver.http).await;
        driver.teach(&stalled.base).await;
        until_held(&stalled, &mut driver).await;

        let mut p = Process::serve(url, None);
        p.ready(&driver.http).await;
        for _ in 0..3 {
            assert!(driver.say(&p.base).await, "{place}: the other takes nothing");
        }
        let look = watch(url).await;
        driver.finish(&p.base, &look).await;
        assert!(stalled.held(), "{place}: it did not stand still");
        let before = state_of(&look).await;
        wake(&stalled).await;
        let after = state_of(&look).await;
        let new: Vec<&String> = after.iter().filter(|l| !before.contains(l)).collect();
        let gone: Vec<&String> = before.iter().filter(|l| !after.contains(l)).collect();
        assert!(new.is_empty() && gone.is_empty(), "{place}: {gone:?} became {new:?}");
        assert!(driver.say(&stalled.base).await, "{place}: it does not work any more");
        driver.finish(&p.base, &look).await;
        look.close().await;
        stalled.stop().await;
        p.stop().await;
        audited(url, &driver.acked).await;
    }
}

/// Nobody can tell whether its delivery went out: it did, later, and once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sender_that_stood_still_sends_no_second_time() {
    for (place, calls) in [("send.begun", 0), ("send.delivered", 1)] {
        let database = Database::new(Engine::Postgres).await;
        let url = database.url.as_str();
        let endpoint = Endpoint::start(Manner::Answer).await;
        let mut driver = set_up_endpoint(url, &endpoint.url).await;
        let mut stalled = Start::new("serve", url)
            .fail(&format!("{place}=stop"))
            .set("database.idle_transaction_timeout_ms=1500")
            .set("worker.concurrency=1")
            .begin();
        stalled.ready(&driver.http).await;
        driver.teach(&stalled.base).await;
        driver.next = 5;
        until_held(&stalled, &mut driver).await;
        assert_eq!(endpoint.calls().len(), calls, "{place}");
        let mut p = Process::serve(url, None);
        p.ready(&driver.http).await;
        let look = watch(url).await;
        driver.finish(&p.base, &look).await;
        let unknown = "select cast(count(*) as bigint) from review where state = 'unknown'";
        assert_eq!(one(&look, unknown).await, 1, "{place}: a person must decide");
        wake(&stalled).await;
        driver.finish(&p.base, &look).await;
        let mut ids: Vec<String> = endpoint.calls().into_iter().map(|(id, _)| id).collect();
        let sent = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), sent, "{place}: a reply was delivered twice");
        look.close().await;
        stalled.stop().await;
        p.stop().await;
        audited(url, &driver.acked).await;
    }
}

/// The library that lies about the time; says so where there is none.
fn faketime() -> Option<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/lib/faketime"), "/usr/local/lib/faketime".into()];
    let multiarch = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    places.extend(multiarch.map(|d| d.path().join("faketime")));
    let there = places.into_iter().map(|d| d.join("libfaketimeMT.so.1")).find(|f| f.is_file());
    if there.is_none() {
        println!("left out: libfaketime isn't installed");
    }
    there
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_is_off_moves_no_lease_and_no_retry() {
    let Some(library) = faketime() else { return };
    let pause = Duration::from_secs(3);
    let manner = Manner::BusyThenSlow {
        retry_after_s: pause.as_secs(),
        // Longer than a sweep, so that who takes a lease for run out takes the job.
        think: Duration::from_millis(1500),
    };
    let database = Database::new(Engine::Postgres).await;
    let url = database.url.as_str();
    let endpoint = Endpoint::start(manner).await;
    let mut driver = set_up_endpoint(url, &endpoint.url).await;
    let start = |command| {
        let start = Start::new(command, url).set("worker.lease_s=12").set("send.timeout_s=10");
        start.set("worker.concurrency=2")
    };
    let off = |by: &str| {
        start("worker")
            .env("LD_PRELOAD", &library.display().to_string())
            .env("FAKETIME", by)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .begin()
    };
    let mut p = start("serve").begin();
    let workers = [off("+3600s"), off("-3600s")];
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    let look = watch(url).await;
    // Both have to have taken part: their clocks show in the log.
    let spread = "select coalesce(max(at) - min(at), 0) from audit_event where actor = 'system'";
    let begun = Instant::now();
    let mut n = 0;
    while n < 10 || one(&look, spread).await < 7_000_000_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "a worker does nothing");
        // One message a thread: a second one would put an end to a reply that still waits.
        if driver.next % 20 == 10 {
            driver.next += 10;
        }
        assert!(driver.say(&p.base).await);
        driver.approve(&p.base).await;
        n += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    driver.finish(&p.base, &look).await;

    let stolen = "select cast(count(*) as bigint) from job where last_error like '%lease%'
        or last_error like '%died%' or (kind <> 'send' and attempt > 1) or attempt > 2";
    assert_eq!(one(&look, stolen).await, 0, "a job that was running was taken by another");
    let states = "select cast(count(*) as bigint) from send where state <> 'sent'";
    assert_eq!(one(&look, states).await, 0);
    let calls = endpoint.calls();
    assert!(calls.len() > 4, "{} deliveries are too few", calls.len());
    for (id, at) in &calls {
        let same: Vec<Instant> = calls.iter().filter(|(i, _)| i == id).map(|(_, t)| *t).collect();
        assert_eq!(same.len(), 2, "{id} was tried {} times", same.len());
        let waited = same[1] - same[0];
        assert!(
            waited >= pause && waited < Duration::from_secs(40),
            "{id}, tried at {at:?}, waited {waited:?} instead of {pause:?}"
        );
    }
    look.close().await;
    for w in workers {
        w.stop().await;
    }
    p.stop().await;
    let store = open(url).await;
    auditor::audit_skewed(&store, &driver.acked, Duration::from_secs(7300)).await;
    store.db.close().await;
}

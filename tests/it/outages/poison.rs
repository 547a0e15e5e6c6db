//! A message that ends whichever process reads it: after its last attempt it is a dead letter, the
//! others go on, and it can be put back when the fault is mended.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign::store::Db;

use super::set_up;
use crate::harness::{Database, model_folder};
use crate::on_both;
use crate::process::{Driver, Process, Start, audited, one, watch};

const ATTEMPTS: i64 = 3;

/// Hands in the next message, which no process gets to read, and gives its id.
async fn hand_in_unread(url: &str, driver: &mut Driver, look: &Db) -> String {
    let mut p = Process::serve(url, Some("intake.after"));
    p.ready(&driver.http).await;
    assert!(!driver.say(&p.base).await, "the process died before it could answer");
    let ended = p.wait(Duration::from_secs(20)).await;
    assert_eq!(ended.and_then(|e| e.signal()), Some(6));
    let mut c = look.read().await.unwrap();
    let (id,): (String,) =
        sqlx::query_as("select id from message where state = 'received' order by id desc limit 1")
            .fetch_one(&mut *c)
            .await
            .unwrap();
    id
}

async fn job_of(look: &Db, message: &str) -> (String, i64) {
    let mut c = look.read().await.unwrap();
    sqlx::query_as("select state, attempt from job where kind = 'understand' and ref_id = $1")
        .bind(message)
        .fetch_one(&mut *c)
        .await
        .unwrap()
}

/// Restarts the service whenever the message has ended it, as a supervisor would, until it is a dead
/// letter; returns how often it did, and the process that lived.
async fn until_dead(url: &str, driver: &mut Driver, look: &Db, poison: &str) -> (i64, Process) {
    let (mut deaths, begun) = (0, Instant::now());
    loop {
        let fail = format!("understand.read@{poison}");
        let attempts = format!("worker.max_attempts={ATTEMPTS}");
        let mut p = Start::new("serve", url).fail(&fail).set(&attempts).begin();
        let mut posted = 27;
        while p.ended().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", job_of(look, poison).await);
            let base = p.base.clone();
            driver.tick(&base, &mut posted).await;
            if job_of(look, poison).await.0 == "dead" {
                return (deaths, p);
            }
        }
        assert_eq!(p.ended().unwrap().signal(), Some(6));
        deaths += 1;
    }
}

fn replay(url: &str) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["--set", &format!("database.url={url}")])
        .args(["--set", &format!("security.master_key={}", "07".repeat(32))])
        .args(["--set", &format!("model.folder={}", model_folder().display())])
        .args(["jobs", "replay"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

on_both!(a_message_that_kills_its_reader_ends_as_a_dead_letter, engine, {
    let database = Database::new(engine).await;
    let url = database.url.as_str();
    let mut driver = set_up(url).await;
    let mut p = Process::serve(url, None);
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    p.stop().await;
    let look = watch(url).await;
    let poison = hand_in_unread(url, &mut driver, &look).await;

    let (deaths, p) = until_dead(url, &mut driver, &look, &poison).await;
    assert_eq!(deaths, ATTEMPTS, "it ended as many processes as it has attempts");
    for _ in 0..5 {
        assert!(driver.say(&p.base).await);
    }
    driver.finish(&p.base, &look).await;
    let dead = "select cast(count(*) as bigint) from job where state = 'dead'";
    assert_eq!(one(&look, dead).await, 1, "it took others with it");
    let sent = "select cast(count(*) as bigint) from review where state = 'sent'";
    assert!(one(&look, sent).await > 0, "the others stood still");
    p.stop().await;
    audited(url, &driver.acked).await;

    // The fault is mended: it is read like any other.
    assert!(replay(url).contains("\"replayed\":1"), "{}", replay(url));
    let mut p = Process::serve(url, None);
    p.ready(&driver.http).await;
    driver.finish(&p.base, &look).await;
    assert_eq!(one(&look, dead).await, 0);
    let (status, said) = driver.get(format!("{}/v1/messages/{poison}", p.base)).await.unwrap();
    assert_eq!((status, said["state"].as_str()), (200, Some("understood")), "{said}");
    look.close().await;
    p.stop().await;
    audited(url, &driver.acked).await;
});

/// Both wait when the process starts, so that they are claimed together each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_that_kills_its_reader_takes_no_other_with_it() {
    let database = Database::new(crate::harness::Engine::Sqlite).await;
    let url = database.url.as_str();
    let mut driver = set_up(url).await;
    let look = watch(url).await;
    let poison = hand_in_unread(url, &mut driver, &look).await;
    driver.next += 1;
    let other = hand_in_unread(url, &mut driver, &look).await;
    let (_, p) = until_dead(url, &mut driver, &look, &poison).await;
    driver.finish(&p.base, &look).await;
    assert_eq!(job_of(&look, &other).await.0, "done", "it went down with the other");
    look.close().await;
    p.stop().await;
}

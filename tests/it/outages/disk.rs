//! SQLite's files: a log torn at any place, a sync before every acknowledgement, a disk that is full.
#![expect(clippy::print_stdout, reason = "what was measured")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::store::{Store, audit, tenant};

use super::{found, set_up};
use crate::auditor;
use crate::harness::{Database, Engine};
use crate::process::{Process, Start, audited, long, one, open, pseudo_random, until, watch};

fn file_of(url: &str) -> PathBuf {
    PathBuf::from(url.strip_prefix("sqlite:").unwrap())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What the index of the write-ahead log says (SQLite's file format, "WAL-Index Format").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Index {
    /// Valid frames, all of whole transactions.
    frames: u32,
    /// Frames that may be in the database file already; they were synced before they were copied.
    copied: u32,
    /// Changes when the log begins anew.
    salt: [u8; 8],
}

impl Index {
    fn read(db: &Path) -> Self {
        let bytes = std::fs::read(beside(db, "-shm")).unwrap();
        let number = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let salt = bytes[32..40].try_into().unwrap();
        Self { frames: number(16), copied: number(96).max(number(128)), salt }
    }

    /// Frames that a power failure may tear.
    fn open(self) -> u32 {
        self.frames.saturating_sub(self.copied)
    }
}

const HEADER: u64 = 32;

/// Bytes of a frame: its header and a page.
fn frame(wal: &Path) -> u64 {
    let bytes = std::fs::read(wal).unwrap();
    24 + u64::from(u32::from_be_bytes(bytes[8..12].try_into().unwrap()))
}

async fn is_whole(store: &Store) {
    let mut c = store.db.read().await.unwrap();
    let (said,): (String,) =
        sqlx::query_as("pragma integrity_check").fetch_one(&mut *c).await.unwrap();
    assert_eq!(said, "ok");
    let broken: Vec<(String,)> = sqlx::query_as("select \"table\" from pragma_foreign_key_check")
        .fetch_all(&mut *c)
        .await
        .unwrap();
    assert!(broken.is_empty(), "rows without what they refer to: {broken:?}");
    drop(c);
    countersign::worker::chain(store, true).await.unwrap();
    let mut c = store.db.read().await.unwrap();
    for t in tenant::all(&mut c).await.unwrap() {
        let v = audit::verify(&mut c, &t.id, &[]).await.unwrap();
        assert_eq!((v.fault.as_deref(), v.unchained), (None, 0), "{v:?}");
    }
}

async fn missing(store: &Store, must: &[&String]) -> Vec<String> {
    let mut c = store.db.read().await.unwrap();
    let rows: Vec<(String,)> =
        sqlx::query_as("select id from message").fetch_all(&mut *c).await.unwrap();
    let there: Vec<&str> = rows.iter().map(|r| r.0.as_str()).collect();
    must.iter().filter(|id| !there.contains(&id.as_str())).map(|id| (*id).clone()).collect()
}

/// The files as a power failure would leave them: the log may end anywhere in what was not synced.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_torn_log_loses_only_its_end() {
    let database = Database::new(Engine::Sqlite).await;
    let mut driver = set_up(&database.url).await;
    let file = file_of(&database.url);
    let mut p = Process::serve(&database.url, None);
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    assert!(driver.say(&p.base).await);
    // Somebody reads on: the log can't be folded in past here, so most of it stays to be torn.
    let reader = watch(&database.url).await;
    let mut reading = reader.read().await.unwrap();
    sqlx::raw_sql("begin; select count(*) from message").execute(&mut *reading).await.unwrap();

    let base = p.base.clone();
    let mut at_ack = Vec::new();
    let mut posted = 0;
    while posted < 30 || Index::read(&file).open() < 150 {
        let known = driver.acked.len();
        driver.say(&base).await;
        if driver.acked.len() > known {
            at_ack.push((driver.acked[known].clone(), Index::read(&file)));
            posted += 1;
        }
        if posted % 5 == 0 {
            driver.approve(&base).await;
        }
        assert!(posted < 500, "the log does not grow: {:?}", Index::read(&file));
    }
    p.signal("-STOP");
    until("the process stands", async || p.held()).await;
    let now = Index::read(&file);
    let dir = tempfile::tempdir().unwrap();
    let (db, wal) = (dir.path().join("db"), dir.path().join("wal"));
    std::fs::copy(&file, &db).unwrap();
    std::fs::copy(beside(&file, "-wal"), &wal).unwrap();
    p.signal("-CONT");
    drop(reading);
    reader.close().await;
    p.kill().await;

    let size = frame(&wal);
    let end = HEADER + size * u64::from(now.frames);
    let floor = HEADER + size * u64::from(now.copied);
    println!("{} frames, {} of them copied, {} acknowledged", now.frames, now.copied, at_ack.len());
    assert!(end - floor > 50 * size, "too little of the log can be torn");
    let mut seed = 20_261_122;
    let mut cuts = vec![end, floor, end - 1, end - size, end - size + 24];
    for _ in 0..if long() { 100 } else { 7 } {
        cuts.push(floor + pseudo_random(&mut seed) % (end - floor));
    }
    let mut lost = 0;
    for (i, cut) in cuts.iter().enumerate() {
        let torn = dir.path().join(format!("torn-{i}.db"));
        std::fs::copy(&db, &torn).unwrap();
        let mut bytes = std::fs::read(&wal).unwrap();
        bytes.truncate(usize::try_from(*cut).unwrap());
        let mut whole = (cut - HEADER) / size;
        if i % 2 == 1 && *cut > floor + size {
            // The last sector holds anything.
            let from = bytes.len() - 512.min(bytes.len());
            bytes[from..].fill(0xa5);
            whole = (cut - HEADER - 512) / size;
        }
        std::fs::write(beside(&torn, "-wal"), bytes).unwrap();
        // Before the log began anew, everything in it had been copied.
        let must: Vec<&String> = at_ack
            .iter()
            .filter(|(_, then)| then.salt != now.salt || u64::from(then.frames) <= whole)
            .map(|(id, _)| id)
            .collect();
        lost += at_ack.len() - must.len();
        let store = open(&format!("sqlite:{}", torn.display())).await;
        is_whole(&store).await;
        let gone = missing(&store, &must).await;
        assert!(gone.is_empty(), "cut at {cut} of {end}: acknowledged and gone: {gone:?}");
        store.db.close().await;
        drop(store);
        if i == 0 {
            assert_eq!(must.len(), at_ack.len(), "with the whole log, everything is there");
        }
        if i == 5 {
            carries_on(&torn, &mut driver, must.into_iter().cloned().collect()).await;
        }
    }
    assert!(lost > 0, "no cut was deep enough to test anything");
}

/// A service on the torn files goes on with what is left.
async fn carries_on(torn: &Path, driver: &mut crate::process::Driver, must: Vec<String>) {
    let url = format!("sqlite:{}", torn.display());
    let mut p = Process::serve(&url, None);
    p.ready(&driver.http).await;
    let look = watch(&url).await;
    driver.finish(&p.base, &look).await;
    look.close().await;
    p.stop().await;
    audited(&url, &must).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_acknowledged_commit_was_synced() {
    let Some(strace) = found("strace") else { return };
    let database = Database::new(Engine::Sqlite).await;
    let mut driver = set_up(&database.url).await;
    let dir = tempfile::tempdir().unwrap();
    let counts = dir.path().join("counts");
    let (strace, to) = (strace.display().to_string(), counts.display().to_string());
    // With -D it is the tracer that is the child.
    let trace = [&strace, "-D", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", &to];
    let mut p = Start::new("serve", &database.url).under(&trace).begin();
    p.ready(&driver.http).await;
    // One after the other, so that each is a group of its own.
    let n = 80;
    for _ in 0..n {
        assert!(driver.say(&p.base).await);
    }
    let look = watch(&database.url).await;
    driver.finish(&p.base, &look).await;
    let jobs = one(&look, "select cast(count(*) as bigint) from job where state = 'done'").await;
    look.close().await;
    let ran = p.begun.elapsed();
    p.stop().await;
    until("strace has written its counts", async || {
        std::fs::read_to_string(&counts).is_ok_and(|t| t.contains("total"))
    })
    .await;
    let text = std::fs::read_to_string(&counts).unwrap();
    let calls: i64 = text
        .lines()
        .filter(|l| l.ends_with(" fsync") || l.ends_with(" fdatasync"))
        .map(|l| l.split_whitespace().nth(3).unwrap().parse::<i64>().unwrap())
        .sum();
    // A group a message, and a claim and a result a job; claims may take several at once.
    let commits = n + jobs + jobs / 2;
    println!("{calls} syncs for at least {commits} commits in {ran:?}");
    assert!(calls >= commits, "{calls} syncs for at least {commits} commits");
}

/// Bounds every file that the service may write; nothing else tells a full disk apart.
fn bound(p: &Process, bytes: &str) {
    let status = std::process::Command::new("prlimit")
        .args(["--pid", &p.pid().to_string(), &format!("--fsize={bytes}:unlimited")])
        .status()
        .unwrap();
    assert!(status.success(), "prlimit: {status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_is_said_and_passes() {
    if found("prlimit").is_none() {
        return;
    }
    let database = Database::new(Engine::Sqlite).await;
    let mut driver = set_up(&database.url).await;
    let file = file_of(&database.url);
    let ignore = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let mut p = Start::new("serve", &database.url).under(&ignore).begin();
    p.ready(&driver.http).await;
    driver.teach(&p.base).await;
    for _ in 0..10 {
        assert!(driver.say(&p.base).await);
    }
    for round in 0..2 {
        let sizes = [file.clone(), beside(&file, "-wal")]
            .map(|f| std::fs::metadata(f).map_or(0, |m| m.len()));
        // In the middle of a frame: what fits is written, the rest isn't. Then: nothing at all.
        let room = if round == 0 { sizes.into_iter().max().unwrap() + 3000 } else { 0 };
        bound(&p, &room.to_string());
        let before = driver.refused.len();
        for _ in 0..300 {
            if !driver.say(&p.base).await {
                break;
            }
            driver.approve(&p.base).await;
        }
        assert!(driver.refused.len() > before, "300 messages went onto a full disk");
        // Not by chance: it goes on refusing, and goes on showing what it has.
        for _ in 0..3 {
            driver.say(&p.base).await;
        }
        for id in driver.acked.iter().rev().take(3) {
            let (status, said) = driver.get(format!("{}/v1/messages/{id}", p.base)).await.unwrap();
            assert_eq!(status, 200, "reading from a full disk: {said}");
        }
        let queue = driver.get(format!("{}/v1/reviews", p.base)).await.unwrap();
        assert_eq!(queue.0, 200, "the queue of a full disk: {}", queue.1);
        assert!(p.ended().is_none(), "the service ended on a full disk");
        println!("refused with {:?}", &driver.refused[before..]);

        bound(&p, "unlimited");
        let base = p.base.clone();
        until("a message is taken again", async || driver.say(&base).await).await;
    }
    assert!(driver.slowest < Duration::from_secs(10), "an answer took {:?}", driver.slowest);
    let look = watch(&database.url).await;
    driver.finish(&p.base, &look).await;
    look.close().await;
    p.stop().await;
    let store = open(&database.url).await;
    is_whole(&store).await;
    auditor::audit(&store, &driver.acked).await;
    store.db.close().await;
}

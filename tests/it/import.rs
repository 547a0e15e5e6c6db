//! `countersign import`: every kind of source, twice, interrupted, and with what can't be read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::store::Db;
use countersign::store::engine::Options;
use serde_json::{Value, json};

fn command(db: &Path, source: &Path, more: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_countersign"));
    c.args(["--set", &format!("database.url=sqlite:{}", db.display())])
        .args(["--set", &format!("security.master_key={}", "07".repeat(32))])
        .arg("import")
        .arg(source)
        .args(more);
    c
}

/// Runs an import; its summary, standard error and status.
fn import(db: &Path, source: &Path, more: &[&str]) -> (Value, String, Option<i32>) {
    let o: Output = command(db, source, more).output().unwrap();
    let err = String::from_utf8_lossy(&o.stderr).into_owned();
    let out = String::from_utf8(o.stdout).unwrap();
    let summary = serde_json::from_str(out.trim()).unwrap_or_else(|e| panic!("{e}: {out}\n{err}"));
    (summary, err, o.status.code())
}

fn n(v: &Value, field: &str) -> usize {
    match &v[field] {
        Value::Array(a) => a.len(),
        other => usize::try_from(other.as_u64().unwrap_or_else(|| panic!("{field}: {v}"))).unwrap(),
    }
}

/// Messages in the database.
async fn rows(db: &Path) -> usize {
    let url = format!("sqlite:{}", db.display());
    let db = Db::open(&Options { exclusive: false, ..Options::new(url) }).await.unwrap();
    let mut c = db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as("select cast(count(*) as bigint) from message")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    drop(c);
    db.close().await;
    usize::try_from(n).unwrap()
}

fn mail(i: usize, body: &str) -> String {
    format!(
        "From: customer-{i}@example.com\nTo: shop@example.com\nSubject: Question {i}\n\
         Message-ID: <m-{i}@example.com>\nDate: Mon, 02 Nov 2026 10:00:00 +0000\n\n{body}\n"
    )
}

/// 285 different mails, 10 that come twice, 5 that are none: 300 in all, in a fixed shuffled order.
fn mbox(path: &Path) {
    let mut all: Vec<String> =
        (0..285).map(|i| mail(i, &format!("Where is my parcel number {i}?"))).collect();
    all.extend((0..10).map(|i| mail(i * 7, &format!("Where is my parcel number {}?", i * 7))));
    all.extend((0..5).map(|i| format!("\nthere is no header here, {i}\n")));
    let mut seed = 7u64;
    for i in (1..all.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let j = usize::try_from(seed >> 33).unwrap() % (i + 1);
        all.swap(i, j);
    }
    let mut text = String::new();
    for m in all {
        write!(text, "From x@example.com Mon Nov  2 10:00:00 2026\n{m}\n").unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("x.db");
    (dir, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_mbox_twice_makes_nothing_double() {
    let (dir, db) = place();
    let source = dir.path().join("all.mbox");
    mbox(&source);
    let (sum, err, status) = import(&db, &source, &[]);
    assert_eq!(n(&sum, "seen"), 300, "{sum}");
    assert_eq!((n(&sum, "imported"), n(&sum, "already_there")), (285, 10), "{sum}");
    assert_eq!((n(&sum, "refused"), status), (5, Some(1)), "{sum}");
    for r in sum["refused"].as_array().unwrap() {
        let name = r["name"].as_str().unwrap();
        assert!(name.starts_with("message "), "{name}");
        assert!(err.contains(&format!("refused {name}: ")), "{err}");
    }
    assert_eq!(rows(&db).await, 285);
    // Once more: taken by the earlier run.
    let (sum, _, _) = import(&db, &source, &[]);
    assert_eq!((n(&sum, "imported"), n(&sum, "taken_by_an_earlier_run")), (0, 300), "{sum}");
    // From the beginning: all there already.
    let (sum, _, _) = import(&db, &source, &["--restart"]);
    assert_eq!(
        (n(&sum, "imported"), n(&sum, "already_there"), n(&sum, "refused")),
        (0, 295, 5),
        "{sum}"
    );
    assert_eq!(rows(&db).await, 285);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_goes_on() {
    let (dir, db) = place();
    let source = dir.path().join("all.mbox");
    mbox(&source);
    // Killed at the second and at the fourth commit of a group, and once at a random moment.
    for fail in ["intake.after:2", "intake.before:4"] {
        let status = command(&db, &source, &[])
            .env("COUNTERSIGN_FAIL", fail)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), None, "{fail} did not kill the import: {status}");
        let taken = rows(&db).await;
        assert!(taken > 0 && taken < 285, "{taken} rows after {fail}");
    }
    let mut child =
        command(&db, &source, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    let _ = child.kill();
    child.wait().unwrap();
    let (sum, err, _) = import(&db, &source, &[]);
    assert_eq!(n(&sum, "seen"), 300, "{sum} {err}");
    assert_eq!(rows(&db).await, 285, "lost or doubled: {sum}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maildir_and_a_folder_of_mails() {
    let (dir, db) = place();
    let maildir = dir.path().join("Maildir");
    for sub in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(maildir.join(sub)).unwrap();
    }
    for i in 0..6 {
        let sub = if i % 2 == 0 { "cur" } else { "new" };
        std::fs::write(maildir.join(sub).join(format!("{i}.host:2,S")), mail(i, "Hello")).unwrap();
    }
    std::fs::write(maildir.join("tmp/half"), "From: half").unwrap();
    let (sum, err, status) = import(&db, &maildir, &[]);
    assert_eq!((n(&sum, "seen"), n(&sum, "imported"), status), (6, 6, Some(0)), "{sum} {err}");

    let folder = dir.path().join("mails");
    std::fs::create_dir_all(folder.join("deeper")).unwrap();
    for i in 4..9 {
        std::fs::write(folder.join("deeper").join(format!("{i}.eml")), mail(i, "Hello")).unwrap();
    }
    std::fs::write(folder.join("notes.txt"), "not a mail").unwrap();
    let (sum, err, status) = import(&db, &folder, &[]);
    assert_eq!((n(&sum, "imported"), n(&sum, "already_there")), (3, 2), "{sum} {err}");
    assert_eq!(status, Some(0));
    assert_eq!(rows(&db).await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_named_and_the_others_are_taken() {
    let (dir, db) = place();
    let source = dir.path().join("all.jsonl");
    let line = |i: usize| {
        json!({"external_id": format!("j-{i}"), "from": {"address": format!("c{i}@example.com")},
            "text": "Where is my parcel?"})
        .to_string()
    };
    std::fs::write(&source, format!("{}\n{}\n{{\"text\": oops\n\n{}\n", line(1), line(2), line(3)))
        .unwrap();
    let (sum, err, status) = import(&db, &source, &[]);
    assert_eq!((n(&sum, "imported"), n(&sum, "refused"), status), (3, 1, Some(1)), "{sum}");
    assert!(err.contains("refused line 3: "), "{err}");
    assert!(!err.contains("oops"), "the report repeats the line: {err}");
    assert_eq!(rows(&db).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_id_with_two_bodies_keeps_both() {
    let (dir, db) = place();
    let folder = dir.path().join("mails");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.eml"), mail(1, "The first body")).unwrap();
    std::fs::write(folder.join("b.eml"), mail(1, "Another body")).unwrap();
    let (sum, err, _) = import(&db, &folder, &[]);
    assert_eq!((n(&sum, "imported"), n(&sum, "refused")), (2, 0), "{sum} {err}");
    assert_eq!(rows(&db).await, 2);
    let (sum, _, _) = import(&db, &folder, &["--restart"]);
    assert_eq!((n(&sum, "imported"), n(&sum, "already_there")), (0, 2), "{sum}");

    // Understood, the second says so.
    use countersign::store::job::{self, Lane};
    let url = format!("sqlite:{}", db.display());
    let config = crate::harness::config(&url, &[]);
    let store = countersign::app::open_store(&config).await.unwrap();
    let life = countersign::lifecycle::Lifecycle::new();
    let models = crate::harness::models();
    let service =
        countersign::app::build(config, store.clone(), models, life.clone(), None).await.unwrap();
    for claim in job::claim(&store, "w", Lane::Messages, 9, Duration::from_secs(60)).await.unwrap()
    {
        let mut result = service.app.pipeline.run(&claim).await;
        // Its thread was found in the meantime: once more.
        if matches!(result, Err(countersign::pipeline::StepError::Later(_))) {
            result = service.app.pipeline.run(&claim).await;
        }
        result.unwrap();
    }
    let mut c = store.db.read().await.unwrap();
    let flagged: Vec<(String,)> = sqlx::query_as(
        "select coalesce(oddities, '') from message where oddities like '%same Message-ID%'",
    )
    .fetch_all(&mut *c)
    .await
    .unwrap();
    assert_eq!(flagged.len(), 1, "one of the two is flagged");
    drop(c);
    life.stop();
    assert!(life.finished(Duration::from_secs(20)).await);
    store.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_world_mails_all_have_an_outcome() {
    let data =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mime_mailparser.train.jsonl");
    let Ok(text) = std::fs::read_to_string(&data) else { return };
    let (dir, db) = place();
    let folder = dir.path().join("mails");
    std::fs::create_dir_all(&folder).unwrap();
    let mut count = 0;
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let row: Value = serde_json::from_str(line).unwrap();
        let bytes = STANDARD.decode(row["eml_b64"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{count:04}.eml")), bytes).unwrap();
        count += 1;
    }
    assert!(count > 10);
    let (sum, err, _) = import(&db, &folder, &[]);
    assert_eq!(n(&sum, "seen"), count, "{err}");
    let ended = n(&sum, "imported") + n(&sum, "already_there") + n(&sum, "refused");
    assert_eq!(ended, count, "{sum}");
    assert_eq!(rows(&db).await, n(&sum, "imported"));
    assert!(n(&sum, "imported") > count / 2, "most of them are mails: {sum}");
}

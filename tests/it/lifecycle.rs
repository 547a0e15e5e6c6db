//! Backup, restore, upgrade, and starts that must be refused.

use std::process::{Command, Output};

use countersign::app;
use countersign::http;
use countersign::lifecycle::Lifecycle;
use countersign::store::engine::Options;
use countersign::store::{Db, backup};
use serde_json::json;

use crate::harness::{Engine, TestApp, config, message, model_folder, models, sql};
use crate::on_both;

fn run(url: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["--set", &format!("database.url={url}")])
        .args(["--set", &format!("security.master_key={}", "07".repeat(32))])
        .args(["--set", &format!("model.folder={}", model_folder().display())])
        .args(["--set", "server.listen=127.0.0.1:0"])
        .args(args)
        .output()
        .unwrap()
}

fn stderr(o: &Output) -> String {
    String::from_utf8_lossy(&o.stderr).into_owned()
}

async fn ids(db: &Db) -> Vec<String> {
    let mut c = db.read().await.unwrap();
    let rows: Vec<(String,)> =
        sqlx::query_as("select id from message order by id").fetch_all(&mut *c).await.unwrap();
    rows.into_iter().map(|r| r.0).collect()
}

async fn look(path: &std::path::Path) -> Db {
    let url = format!("sqlite:{}", path.display());
    Db::open(&Options { exclusive: false, ..Options::new(url) }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_taken_under_writes_is_whole_and_restores() {
    let app = TestApp::start(Engine::Sqlite).await;
    let dir = tempfile::tempdir().unwrap();
    let mut before = Vec::new();
    for i in 0..20 {
        before.push(app.say(&format!("b-{i}"), &format!("t-{i}"), "Where is my parcel?").await);
    }
    let target = dir.path().join("copy.db");
    let writes = async {
        for i in 20..40 {
            app.say(&format!("b-{i}"), &format!("t-{i}"), "Where is my parcel?").await;
        }
    };
    let (copied, ()) = tokio::join!(backup::copy(&app.store.db, &target), writes);
    copied.unwrap();
    assert!(backup::copy(&app.store.db, &target).await.is_err(), "a backup was overwritten");

    // The command works beside the running service.
    let second = dir.path().join("second.db");
    let said = run(&app.database.url, &["backup", second.to_str().unwrap()]);
    assert!(said.status.success(), "{}", stderr(&said));
    for file in [&target, &second] {
        let db = look(file).await;
        backup::check(&db).await.unwrap();
        let there = ids(&db).await;
        for id in &before {
            assert!(there.contains(id), "{id} was acknowledged before the backup and isn't in it");
        }
        db.close().await;
    }
    app.stop().await;

    let fresh = dir.path().join("restored.db");
    let url = format!("sqlite:{}", fresh.display());
    let said = run(&url, &["restore", second.to_str().unwrap()]);
    assert!(said.status.success(), "{}", stderr(&said));
    let db = look(&fresh).await;
    backup::check(&db).await.unwrap();
    assert_eq!(ids(&db).await.len(), 40);
    db.close().await;
    drop(db);
    let again = run(&url, &["restore", target.to_str().unwrap()]);
    assert!(!again.status.success(), "a database with data was replaced without --force");
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    let again = run(&url, &["restore", target.to_str().unwrap(), "--force"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(dir.path().join("restored.db.before-restore").exists());

    let rubbish = dir.path().join("rubbish.db");
    std::fs::write(&rubbish, "this is no database".repeat(500)).unwrap();
    let said = run(&url, &["restore", rubbish.to_str().unwrap(), "--force"]);
    assert!(!said.status.success(), "rubbish was restored");
    let db = look(&fresh).await;
    assert!(ids(&db).await.len() >= 20, "the database is gone after a refused restore");
    db.close().await;
}

/// What takes each migration's change to the schema back.
const UNDO: [(i64, &[&str]); 8] = [
    (2, &["drop index thread_last"]),
    (
        3,
        &[
            "alter table attachment rename column content_hash to sha256",
            "drop table message_change",
        ],
    ),
    (4, &["drop index chunk_encoder"]),
    (5, &["alter table review drop column escalated"]),
    (
        6,
        &[
            "alter table api_key drop column rate",
            "alter table api_key drop column burst",
            "alter table api_key drop column quota",
            "alter table api_key drop column family",
            "alter table api_key drop column replaces",
            "drop table key_use",
        ],
    ),
    (
        7,
        &[
            "drop table webhook_delivery",
            "drop table webhook_endpoint",
            "drop table event_head",
            "drop table event",
        ],
    ),
    (8, &["drop table example"]),
    (9, &["drop table model"]),
];

on_both!(a_database_of_the_version_before_is_upgraded_and_goes_on, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", "You can return any unworn item within 30 days of delivery.").await;
    let old = app.say("u-1", "t-1", "How long do I have to return an item?").await;
    app.review_in(&old, &["pending"]).await;
    app.quiet().await;
    let (database, key) = (app.database.clone(), app.home.key.clone());
    app.stop().await;

    // As the first version left it: its schema is ours without what later migrations brought.
    let known = (2..=countersign::store::migrate::latest())
        .filter(|v| countersign::store::migrate::has(*v))
        .collect::<Vec<_>>();
    assert_eq!(known, UNDO.map(|(v, _)| v), "each migration needs a line in UNDO");
    for statement in UNDO.iter().flat_map(|(_, all)| *all) {
        sql(&database.url, statement).await;
    }
    sql(&database.url, "delete from _sqlx_migrations where version > 1").await;

    let config = config(&database.url, &[]);
    let begun = std::time::Instant::now();
    let store = loop {
        match app::open_store(&config).await {
            Ok(s) => break s,
            Err(e) => assert!(begun.elapsed().as_secs() < 10, "{e:#}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let mut c = store.db.read().await.unwrap();
    let (version,): (i64,) = sqlx::query_as("select max(version) from _sqlx_migrations")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(version, countersign::store::migrate::latest());
    drop(c);
    // Once more: migrations that have run change nothing.
    countersign::store::migrate::run(&store.db, None).await.unwrap();
    assert_eq!(ids(&store.db).await, std::slice::from_ref(&old));
    let life = Lifecycle::new();
    let service = app::build(config, store.clone(), models(), life.clone(), None).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    service.worker.start(&life);
    let (l, router) = (life.clone(), http::router(service.app));
    let header = std::time::Duration::from_secs(10);
    life.spawn(async move { http::server::serve(listener, router, header, l).await });

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let said = client
        .post(format!("{base}/v1/messages"))
        .bearer_auth(&key)
        .json(&message("u-2", "t-2", "How long do I have to return an item?"))
        .send()
        .await
        .unwrap();
    assert_eq!(said.status(), 202);
    let found = crate::harness::eventually(|| async {
        let r = client
            .get(format!("{base}/v1/reviews?state=pending"))
            .bearer_auth(&key)
            .send()
            .await
            .ok()?;
        let list: serde_json::Value = r.json().await.ok()?;
        (list["items"].as_array()?.len() == 2).then_some(list)
    })
    .await
    .expect("the old review and the new one");
    assert!(
        found["items"].as_array().unwrap().iter().any(|r| r["message"] == json!(old)),
        "{found}"
    );
    life.stop();
    assert!(life.finished(std::time::Duration::from_secs(20)).await);
    store.db.close().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_process_on_one_file_is_refused() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let said = run(&app.database.url, &["serve"]);
    assert_eq!(said.status.code(), Some(2), "{}", stderr(&said));
    assert!(stderr(&said).contains("in use by another"), "{}", stderr(&said));
    // The first owner isn't disturbed.
    app.say("s-1", "t-1", "Hello, is somebody there?").await;
    app.stop().await;
}

#[test]
fn contradictory_settings_name_both_keys() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/x.db", dir.path().display());
    for (set, keys) in [
        ("worker.lease_s=10", ["worker.lease_s", "worker.heartbeat_s"]),
        ("send.timeout_s=30", ["send.timeout_s", "worker.lease_s"]),
        ("server.body_limit_mib=1", ["server.body_limit_mib", "ingest.attachment_max_bytes"]),
    ] {
        let said = run(&url, &["--set", set, "serve"]);
        assert_eq!(said.status.code(), Some(2), "{set}");
        assert!(keys.iter().all(|k| stderr(&said).contains(k)), "{set}: {}", stderr(&said));
    }
    assert!(!dir.path().join("x.db").exists(), "a refused start made a database");
}

//! The way in: duplicates, conflicts, idempotency keys, hostile bodies and slow clients.

use std::time::Duration;

use countersign::store::key;
use countersign::store::sealing::{Keyring, MasterKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Engine, TestApp, message};
use crate::on_both;

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let mut c = app.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *c).await.unwrap();
    n
}

async fn post_bytes(app: &TestApp, body: Vec<u8>) -> u16 {
    let url = format!("{}/v1/messages", app.base);
    let sent = app.http.post(url).bearer_auth(&app.home.key).body(body).send().await;
    sent.unwrap().status().as_u16()
}

on_both!(a_hundred_deliveries_at_once_make_one_row, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let body = message("dup-1", "t-1", "Where is my parcel?");
    let all = (0..100).map(|_| app.post(&app.home.key, "/v1/messages", &body));
    let answers = futures::future::join_all(all).await;
    let of = |status: u16| answers.iter().filter(|(s, _)| *s == status).count();
    assert_eq!(
        (of(202), of(200)),
        (1, 99),
        "{:?}",
        answers.iter().find(|(s, _)| *s != 200 && *s != 202)
    );
    let id = answers[0].1["id"].as_str().unwrap();
    assert!(answers.iter().all(|(_, b)| b["id"].as_str() == Some(id)));
    assert_eq!(count(&app, "select cast(count(*) as bigint) from message").await, 1);
    assert_eq!(count(&app, "select cast(count(*) as bigint) from job").await, 1);
});

on_both!(the_same_id_with_another_body_is_refused_and_noted, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let id = app.say("m-1", "t-1", "The first text.").await;
    let (status, b) =
        app.post(&app.home.key, "/v1/messages", &message("m-1", "t-1", "Another text.")).await;
    assert_eq!(
        (status, b["code"].as_str(), b["id"].as_str()),
        (409, Some("message_conflict"), Some(&*id))
    );
    let noted =
        "select cast(count(*) as bigint) from audit_event where action = 'message.conflict'";
    assert_eq!(count(&app, noted).await, 1);
    assert_eq!(count(&app, "select cast(count(*) as bigint) from message").await, 1);
    let (status, b) =
        app.post(&app.home.key, "/v1/messages", &message("m-1", "t-1", "The first text.")).await;
    assert_eq!((status, b["id"].as_str()), (200, Some(&*id)), "the first is kept");
});

on_both!(a_data_key_whose_transaction_was_rolled_back_seals_nothing, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let (store, tenant) = (&app.store, &app.home.id);
    let subjects = ["a".repeat(32), "b".repeat(32)];
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let mut tx = store.db.begin().await.unwrap();
    store.keys.ensure(&mut tx, tenant, &subjects, store.host.now()).await.unwrap();
    tx.rollback().await.unwrap();

    let mut tx = store.db.begin().await.unwrap();
    store.keys.ensure(&mut tx, tenant, &subjects, store.host.now()).await.unwrap();
    let sealed = store.keys.seal(tenant, subjects[0], "column", "row", b"hello").unwrap();
    tx.commit().await.unwrap();

    // A process that starts later has nothing but the database.
    let later = Keyring::new(MasterKey::new([7; 32]), store.host.0.clone());
    let mut c = store.db.read().await.unwrap();
    let opened = later.open(&mut c, tenant, subjects[0], "column", "row", &sealed).await.unwrap();
    assert_eq!(opened, b"hello");
});

on_both!(an_idempotency_key_replays_its_answer, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let ask = |body: Value| {
        app.http
            .post(format!("{}/v1/messages", app.base))
            .bearer_auth(&app.home.key)
            .header("idempotency-key", "key-1")
            .json(&body)
            .send()
    };
    let first = ask(message("m-1", "t-1", "Hello there.")).await.unwrap();
    assert_eq!(first.status().as_u16(), 202);
    assert!(first.headers().get("idempotency-replayed").is_none());
    let first: Value = first.json().await.unwrap();
    let again = ask(message("m-1", "t-1", "Hello there.")).await.unwrap();
    assert_eq!(again.status().as_u16(), 202, "the first answer, not the 200 of a duplicate");
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again: Value = again.json().await.unwrap();
    assert_eq!(first, again);
    let other = ask(message("m-2", "t-1", "Something else.")).await.unwrap();
    assert_eq!(other.status().as_u16(), 409);
    let other: Value = other.json().await.unwrap();
    assert_eq!(other["code"], "idempotency_key_reused");
    assert_eq!(count(&app, "select cast(count(*) as bigint) from message").await, 1);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_over_the_limit_is_refused_and_the_service_lives() {
    let limits = ["server.body_limit_mib=2", "ingest.attachment_max_bytes=1000000"];
    let app = TestApp::idle(Engine::Sqlite, &limits).await;
    // One byte more than the limit: the whole of it has left the client before the answer comes.
    let mut body = message("big", "t-1", "x").to_string().into_bytes();
    body.resize(2 * 1024 * 1024 + 1, b' ');
    assert_eq!(post_bytes(&app, body).await, 413);
    let mut body = message("fits", "t-1", "x").to_string().into_bytes();
    body.resize(2 * 1024 * 1024, b' ');
    assert_eq!(post_bytes(&app, body).await, 202, "at the limit");
    assert_eq!(count(&app, "select cast(count(*) as bigint) from message").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_json_or_not_text_is_a_400() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let deep = "[".repeat(200_000);
    let closed = format!("{deep}{}", "]".repeat(200_000));
    let bodies: [(&str, Vec<u8>); 7] = [
        ("nothing", Vec::new()),
        ("nesting", deep.clone().into_bytes()),
        ("nesting in a field", format!("{{\"text\": {closed}}}").into_bytes()),
        ("nesting in an unknown field", format!("{{\"other\": {closed}}}").into_bytes()),
        ("invalid UTF-8", b"{\"channel\": \"chat\", \"text\": \"\xff\xfe\"}".to_vec()),
        ("a lone surrogate", br#"{"channel": "chat", "text": "\ud800"}"#.to_vec()),
        ("cut short", br#"{"channel": "chat", "text": "ab"#.to_vec()),
    ];
    for (what, body) in bodies {
        assert_eq!(post_bytes(&app, body).await, 400, "{what}");
    }
    assert_eq!(count(&app, "select cast(count(*) as bigint) from message").await, 0);
    app.say("m-1", "t-1", "Still there?").await;
}

on_both!(odd_characters_are_taken_and_shown, engine, {
    let app = TestApp::start(engine).await;
    let text = "Hello\u{0} \u{202e}there\u{202c} \u{1f469}\u{200d}\u{1f467}, how long do I have to return an item?";
    let mut body = message("odd-1", "t-1", text);
    body["subject"] = json!("A \u{0}subject \u{2066}with\u{2069} marks");
    body["from"]["name"] = json!("Robin \u{0}\u{202e}Example");
    let (status, b) = app.post(&app.home.key, "/v1/messages", &body).await;
    assert_eq!(status, 202, "{b}");
    app.quiet().await;
    let dead = "select cast(count(*) as bigint) from job where state = 'dead'";
    assert_eq!(count(&app, dead).await, 0, "a step died of it");
    let (status, m) =
        app.get(&app.home.key, &format!("/v1/messages/{}", b["id"].as_str().unwrap())).await;
    assert_eq!(status, 200, "{m}");
    assert!(matches!(m["state"].as_str(), Some("understood" | "filed")), "{m}");
    let shown = m["text"].as_str().unwrap();
    assert!(shown.contains("how long do I have to return") && !shown.contains('\0'), "{shown:?}");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_are_checked() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let body = message("m-1", "t-1", "Hello");
    let url = format!("{}/v1/messages", app.base);
    let none = app.http.post(&url).json(&body).send().await.unwrap();
    assert_eq!(none.status().as_u16(), 401);
    let mut wrong = app.home.key.clone();
    let last = if wrong.ends_with('0') { '1' } else { '0' };
    wrong.pop();
    wrong.push(last);
    let (status, b) = app.post(&wrong, "/v1/messages", &body).await;
    assert_eq!((status, b["code"].as_str()), (401, Some("unauthorized")));
    assert!(b["detail"].as_str().unwrap().contains("checksum"), "{b}");
    let mut tx = app.store.db.begin().await.unwrap();
    let scopes = ["read".to_owned()];
    let (_, reader) = key::create(&app.store, &mut tx, &app.home.id, "reader", &scopes, None, None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (status, b) = app.post(&reader, "/v1/messages", &body).await;
    assert_eq!((status, b["code"].as_str()), (403, Some("scope_missing")));
    let (status, _) = app.get(&reader, "/v1/reviews").await;
    assert_eq!(status, 200, "what it may do, it can");
    assert_eq!(count(&app, "select cast(count(*) as bigint) from message").await, 0);
}

/// Sends `head` and waits for the server to close; gives what it said, or nothing when it didn't.
async fn until_closed(app: &TestApp, head: &str) -> Option<String> {
    let address = app.base.strip_prefix("http://").unwrap().to_owned();
    let mut s = tokio::net::TcpStream::connect(address).await.unwrap();
    s.write_all(head.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(8), s.read_to_end(&mut said)).await;
    // A reset is an end, too.
    read.ok().map(|_| String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slow_clients_are_let_go() {
    let limits = ["server.header_timeout_s=1", "server.body_timeout_s=1"];
    let app = TestApp::idle(Engine::Sqlite, &limits).await;
    let silent = until_closed(&app, "").await;
    assert!(silent.is_some(), "a silent connection stays open");
    let head = until_closed(&app, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert!(head.is_some(), "a slow head keeps its connection");
    let key = &app.home.key;
    let body = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 1000\r\n\r\n{{\"channel\":"
    );
    let said = until_closed(&app, &body).await.expect("a slow body keeps its connection");
    assert!(said.starts_with("HTTP/1.1 4"), "{said}");
    app.say("m-1", "t-1", "A quick one.").await;
}

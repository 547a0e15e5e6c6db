//! Chatwoot on both sides: its webhook in, and a double of its API that behaves as the real one does
//! (labels are replaced as a whole, messages are numbered, what was posted can be listed).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::adapters::chatwoot;
use countersign::domain::ids::Micros;
use countersign::domain::message::ChannelKind;
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self, AdapterKind, ChatwootSettings, Settings};
use countersign::store::job;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::harness::{ARTICLE, Engine, QUESTION, TestApp, eventually};
use crate::on_both;

const SECRET: &str = "the-secret-that-chatwoot-shows";
const TOKEN: &str = "agent-bot-token-4711";

/// What is in the one conversation of the double.
#[derive(Default)]
struct State {
    labels: Vec<String>,
    priority: Option<String>,
    messages: Vec<Value>,
    /// Answers that are given instead of doing anything.
    refuse: Vec<u16>,
    /// Do it, but answer 502 to the next post of a message.
    lose_answer: bool,
    wrong_token: usize,
}

#[derive(Clone, Default)]
struct Double(Arc<Mutex<State>>);

impl Double {
    fn look<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    fn messages(&self, private: bool) -> Vec<Value> {
        self.look(|s| s.messages.iter().filter(|m| m["private"] == private).cloned().collect())
    }
}

impl Respond for Double {
    fn respond(&self, r: &Request) -> ResponseTemplate {
        let mut s = self.0.lock().unwrap();
        if r.headers.get("api_access_token").is_none_or(|t| t != TOKEN) {
            s.wrong_token += 1;
            return ResponseTemplate::new(401);
        }
        if !s.refuse.is_empty() {
            return ResponseTemplate::new(s.refuse.remove(0));
        }
        let body: Value = serde_json::from_slice(&r.body).unwrap_or_default();
        let base = "/api/v1/accounts/7/conversations/21";
        let path = r.url.path().strip_prefix(base).unwrap_or("elsewhere");
        let ok = |v: Value| ResponseTemplate::new(200).set_body_json(v);
        match (r.method.as_str(), path) {
            ("GET", "") => ok(json!({"id": 21, "labels": s.labels, "priority": s.priority})),
            ("POST", "/labels") => {
                s.labels = serde_json::from_value(body["labels"].clone()).unwrap();
                ok(json!({"payload": s.labels}))
            }
            ("POST", "/toggle_priority") => {
                s.priority = body["priority"].as_str().map(str::to_owned);
                ResponseTemplate::new(200)
            }
            ("GET", "/messages") => ok(json!({"meta": {}, "payload": s.messages})),
            ("POST", "/messages") => {
                let mut made = body;
                made["id"] = json!(1000 + s.messages.len());
                s.messages.push(made.clone());
                match std::mem::take(&mut s.lose_answer) {
                    true => ResponseTemplate::new(502),
                    false => ok(made),
                }
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

async fn double() -> (MockServer, Double) {
    let (server, double) = (MockServer::start().await, Double::default());
    Mock::given(any()).respond_with(double.clone()).mount(&server).await;
    (server, double)
}

async fn connect(app: &TestApp, url: &str) {
    let label = |f: &str, l: &str| (f.to_owned(), l.to_owned());
    let set = ChatwootSettings {
        account: 7,
        labels: [label("language:en", "english"), label("spam:spam", "spam")].into(),
        ..ChatwootSettings::default()
    };
    let s = Settings {
        url: Some(url.to_owned()),
        rate: 100.0,
        burst: 100.0,
        chatwoot: Some(set),
        ..Settings::default()
    };
    let (store, t) = (&app.store, &app.home.id);
    let mut tx = store.db.begin().await.unwrap();
    let (slug, kind) = ("inbox".parse().unwrap(), ChannelKind::Chatwoot);
    let secrets = [SECRET.to_owned()];
    let ch = channel::put(store, &mut tx, t, &slug, kind, AdapterKind::Chatwoot, &s, &secrets);
    let ch = ch.await.unwrap();
    channel::put_token(store, &mut tx, t, &ch.id, TOKEN).await.unwrap();
    tx.commit().await.unwrap();
}

fn created(id: i64, text: &str, more: &Value) -> Value {
    let mut v = json!({"event": "message_created", "id": id, "content": text, "private": false,
        "message_type": "incoming", "content_type": "text", "content_attributes": {},
        "created_at": "2026-11-22T10:00:00.000Z", "account": {"id": 7, "name": "Shop"},
        "sender": {"id": 3, "name": "Robin Example", "email": "robin@example.com"},
        "inbox": {"id": 1, "name": "Site"},
        "conversation": {"id": 21, "labels": [], "meta": {"sender": {"id": 3,
            "name": "Robin Example", "email": "robin@example.com"}}}});
    for (k, x) in more.as_object().unwrap() {
        v[k] = x.clone();
    }
    v
}

async fn deliver(app: &TestApp, secret: &str, shift_s: i64, body: &Value) -> (u16, Value) {
    let text = body.to_string();
    let at = Micros(System.now().0 + shift_s * 1_000_000);
    let (at, signature) = chatwoot::sign(secret, at, text.as_bytes());
    let r = app
        .http
        .post(format!("{}/v1/hooks/inbox", app.base))
        .header("x-chatwoot-timestamp", at)
        .header("x-chatwoot-signature", signature)
        .header("x-chatwoot-delivery", System.token())
        .body(text)
        .send()
        .await
        .unwrap();
    (r.status().as_u16(), r.json().await.unwrap_or_default())
}

async fn heard(app: &TestApp, body: &Value) -> (u16, Value) {
    deliver(app, SECRET, 0, body).await
}

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

on_both!(a_conversation_of_chatwoot_is_triaged_drafted_and_answered, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let (server, double) = double().await;
    double.look(|s| s.labels = vec!["vip".into(), "spam".into()]);
    connect(&app, &server.uri()).await;
    let question = format!("{QUESTION} Write to robin@example.com.");
    let (status, said) = heard(&app, &created(5, &question, &json!({}))).await;
    assert_eq!(status, 202, "{said}");
    let message = id(&said);
    // The same message in another delivery is the same row.
    let (status, again) = heard(&app, &created(5, &question, &json!({}))).await;
    assert_eq!((status, id(&again)), (200, message.clone()));
    let review = app.review_in(&message, &["pending"]).await;
    app.quiet().await;
    let (labels, priority) = double.look(|s| (s.labels.clone(), s.priority.clone()));
    assert_eq!(labels, ["vip", "english"], "a person's label stays, one of ours goes");
    assert!(priority.is_some());
    let notes = double.messages(true);
    assert_eq!(notes.len(), 1, "{notes:#?}");
    let text = notes[0]["content"].as_str().unwrap();
    assert!(text.contains("30 days") && text.contains(review["id"].as_str().unwrap()), "{text}");
    assert!(!text.contains("robin@example.com"), "{text}");
    assert!(double.messages(false).is_empty(), "nothing public before somebody has signed");

    let (status, said) = app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{said}");
    app.review_in(&message, &["sent"]).await;
    let sent = double.messages(false);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!(sent[0]["message_type"], "outgoing");
    assert!(sent[0]["source_id"].is_null(), "Chatwoot would take it for sent already");
    // Chatwoot reports both of them; neither is news.
    for (n, m) in [notes[0].clone(), sent[0].clone()].into_iter().enumerate() {
        let more = json!({"message_type": "outgoing", "private": m["private"],
            "content_attributes": m["content_attributes"], "sender": {"id": 9}});
        let (status, said) = heard(&app, &created(1000 + n as i64, "x", &more)).await;
        assert_eq!((status, said["result"].as_str()), (200, Some("passed_over")), "{said}");
    }
    assert_eq!(double.look(|s| s.wrong_token), 0);
    app.stop().await;
});

on_both!(an_agent_s_reply_supersedes_and_a_deletion_is_taken, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let (server, double) = double().await;
    connect(&app, &server.uri()).await;
    let (_, said) = heard(&app, &created(5, QUESTION, &json!({}))).await;
    let message = id(&said);
    app.review_in(&message, &["pending"]).await;
    let private = json!({"message_type": "outgoing", "private": true, "sender": {"id": 9}});
    let (status, said) = heard(&app, &created(6, "Let me look.", &private)).await;
    assert_eq!((status, said["why"].as_str()), (200, Some("a private note")));
    app.quiet().await;
    app.review_in(&message, &["pending"]).await;
    let reply = json!({"message_type": "outgoing", "sender": {"id": 9, "name": "Agent"}});
    let (status, said) = heard(&app, &created(7, "Thirty days.", &reply)).await;
    assert_eq!(status, 202, "{said}");
    let old = app.review_in(&message, &["superseded"]).await;
    assert_eq!(old["outcome"], "answered elsewhere");

    let gone = json!({"event": "message_updated", "content_attributes": {"deleted": true}});
    let (status, said) = heard(&app, &created(5, "This message was deleted", &gone)).await;
    assert_eq!((status, id(&said)), (202, message.clone()));
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{message}")).await;
    assert_eq!(m["state"], "deleted", "{m}");
    assert!(double.messages(false).is_empty());
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_signed_by_the_channel_s_secret_is_refused() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    connect(&app, "http://127.0.0.1:9").await;
    let body = created(5, QUESTION, &json!({}));
    for (secret, shift) in [("another", 0), (SECRET, -301), (SECRET, 301), ("", 0)] {
        let (status, said) = deliver(&app, secret, shift, &body).await;
        assert_eq!((status, said["code"].as_str()), (401, Some("bad_signature")), "{secret}");
    }
    // The generic door doesn't open with it, nor does this one with another channel's secret.
    let other = app.hook("/v1/hooks/inbox", "evt-1", &json!({"type": "message.created"})).await;
    assert_eq!(other.0, 401);
    let (at, signature) = chatwoot::sign(&app.home.secret, System.now(), b"{}");
    let request = app.http.post(format!("{}/v1/hooks/chat", app.base)).body("{}");
    let request = request.header("x-chatwoot-timestamp", at);
    let said = request.header("x-chatwoot-signature", signature).send().await.unwrap();
    assert_eq!(said.status(), 401);
    let (status, said) = deliver(&app, SECRET, 0, &json!({"event": 5})).await;
    assert_eq!((status, said["code"].as_str()), (400, Some("bad_json")), "{said}");
    let mut c = app.store.db.read().await.unwrap();
    assert!(job::counts(&mut c).await.unwrap().is_empty(), "nothing was taken");
}

on_both!(a_reply_whose_answer_was_lost_is_found_and_not_repeated, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let (server, double) = double().await;
    connect(&app, &server.uri()).await;
    let (_, said) = heard(&app, &created(5, QUESTION, &json!({}))).await;
    let review = app.review_in(&id(&said), &["pending"]).await;
    app.quiet().await;
    double.look(|s| s.lose_answer = true);
    let (status, body) = app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{body}");
    app.review_in(&id(&said), &["sent"]).await;
    assert_eq!(double.messages(false).len(), 1);

    // Nothing came of this one, and whether it will can't be told: a person decides.
    let (_, said) = heard(&app, &created(8, &format!("{QUESTION} Again."), &json!({}))).await;
    let review = app.review_in(&id(&said), &["pending"]).await;
    app.quiet().await;
    double.look(|s| s.refuse = vec![]);
    let (d, before) = (double.clone(), double.messages(false).len());
    let gate = Mock::given(wiremock::matchers::method("POST"))
        .respond_with(ResponseTemplate::new(500))
        .with_priority(1);
    server.register(gate).await;
    app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    app.review_in(&id(&said), &["unknown"]).await;
    assert_eq!(d.messages(false).len(), before);
});

on_both!(what_can_t_be_told_now_is_told_later_and_once, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let (server, double) = double().await;
    double.look(|s| s.refuse = vec![503, 429, 500]);
    connect(&app, &server.uri()).await;
    let (_, said) = heard(&app, &created(5, QUESTION, &json!({}))).await;
    app.review_in(&id(&said), &["pending"]).await;
    let told = eventually(|| async {
        (double.messages(true).len() == 1 && double.look(|s| !s.labels.is_empty())).then_some(())
    });
    assert!(told.await.is_some(), "labels and note after the failures");
    app.quiet().await;
    // The same job again, as after a crash: nothing is written twice.
    let mut tx = app.store.db.begin().await.unwrap();
    let again = "update job set state = 'ready', attempt = 0 where kind = 'report'";
    let n = sqlx::query(again).execute(&mut *tx).await.unwrap().rows_affected();
    assert_eq!(n, 2);
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    app.quiet().await;
    assert_eq!(double.messages(true).len(), 1);
    assert_eq!(double.look(|s| s.labels.clone()), ["english"]);
});

on_both!(an_older_message_s_labels_never_come_after_a_newer_one_s, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let (server, double) = double().await;
    // The platform is away while both messages are read.
    double.look(|s| (s.labels, s.refuse) = (vec!["vip".into(), "english".into()], vec![503; 100]));
    connect(&app, &server.uri()).await;
    let german = "Wie lange habe ich Zeit, einen Artikel zurückzugeben, den ich gekauft habe?";
    for (n, text) in [(5, QUESTION), (6, german)] {
        let (_, said) = heard(&app, &created(n, text, &json!({}))).await;
        app.review_in(&id(&said), &["pending", "superseded", "no_match"]).await;
    }
    double.look(|s| s.refuse.clear());
    app.quiet().await;
    assert_eq!(double.look(|s| s.labels.clone()), ["vip"], "the latest message is German");
    let mut c = app.store.db.read().await.unwrap();
    let about = "select count(*) from job where kind = 'report' and ref_id like 'thread:%'";
    let (n,): (i64,) = sqlx::query_as(about).fetch_one(&mut *c).await.unwrap();
    assert_eq!(n, 1, "one job tells of the thread");
});

on_both!(the_labels_of_a_deleted_message_give_way_to_those_of_the_one_before, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let (server, double) = double().await;
    double.look(|s| s.labels = vec!["vip".into()]);
    connect(&app, &server.uri()).await;
    let german = "Wie lange habe ich Zeit, einen Artikel zurückzugeben, den ich gekauft habe?";
    for (n, text) in [(5, german), (6, QUESTION)] {
        let (_, said) = heard(&app, &created(n, text, &json!({}))).await;
        app.review_in(&id(&said), &["pending", "superseded", "no_match"]).await;
        app.quiet().await;
    }
    assert_eq!(double.look(|s| s.labels.clone()), ["vip", "english"]);
    let gone = json!({"event": "message_updated", "content_attributes": {"deleted": true}});
    let (status, said) = heard(&app, &created(6, "This message was deleted", &gone)).await;
    assert_eq!(status, 202, "{said}");
    app.quiet().await;
    assert_eq!(double.look(|s| s.labels.clone()), ["vip"], "what is left is German");
});

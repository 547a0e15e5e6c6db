//! Who gets a reply, and what becomes of one that can't be delivered.

use countersign::domain::ids::{JobId, Micros};
use countersign::pipeline::StepError;
use countersign::store::channel::{self};
use countersign::store::job::{Claim, Kind};
use countersign::store::{self, outbox};
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{ARTICLE, Engine, QUESTION, TestApp, eventually, message};
use crate::on_both;

async fn approve(app: &TestApp, review: &Value) {
    let (status, said) = app.act(review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{said}");
}

/// An endpoint that answers in turn, the last answer for ever.
async fn endpoint(answers: &[u16]) -> MockServer {
    let server = MockServer::start().await;
    for (i, code) in answers.iter().enumerate() {
        let m = Mock::given(method("POST")).respond_with(ResponseTemplate::new(*code));
        let m = if i + 1 < answers.len() { m.up_to_n_times(1) } else { m };
        m.with_priority(u8::try_from(i + 1).unwrap()).mount(&server).await;
    }
    server
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let mut c = app.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *c).await.unwrap();
    n
}

async fn set_state(app: &TestApp, id: &str, state: &'static str) {
    let mut tx = app.store.db.begin().await.unwrap();
    sqlx::query("update message set state = $1 where id = $2")
        .bind(state)
        .bind(id.to_owned())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn mail(id: &str, from: &str, head: &str, text: &str) -> Value {
    let raw = format!(
        "Message-ID: <{id}@x.example>\r\nFrom: {from}\r\nDate: Tue, 4 May 2021 10:02:03 +0000\r\n{head}\r\n\r\n{text}\r\n"
    );
    use base64::Engine as _;
    let eml = base64::engine::general_purpose::STANDARD.encode(raw);
    json!({"channel": "mail", "eml_b64": eml})
}

on_both!(a_reply_goes_to_who_wrote_the_message_it_answers, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let head = "To: shop@example.com\r\nCc: Bob <bob@b.example>\r\nSubject: Question";
    let first = mail("one", "Alice <alice@a.example>", head, QUESTION);
    let (status, a) = app.post(&app.home.key, "/v1/messages", &first).await;
    assert_eq!(status, 202, "{a}");
    app.review_in(a["id"].as_str().unwrap(), &["pending"]).await;
    let head = "To: shop@example.com\r\nSubject: Re: Question\r\nIn-Reply-To: <one@x.example>";
    let second = mail(
        "two",
        "Bob <bob@b.example>",
        head,
        "And how long do I have for my own item? Returns to +1 202-555-0143",
    );
    let (_, b) = app.post(&app.home.key, "/v1/messages", &second).await;
    let review = app.review_in(b["id"].as_str().unwrap(), &["pending"]).await;
    let attention = review["attention"].to_string();
    assert!(attention.contains("other_recipient"), "{review}");
    approve(&app, &review).await;
    app.review_in(b["id"].as_str().unwrap(), &["sent"]).await;
    let mut c = app.store.db.read().await.unwrap();
    let sent = outbox::list(&app.store, &mut c, &app.home.id, 5).await.unwrap();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.to, "bob@b.example");
    drop(c);
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outage_that_outlasts_the_attempts_loses_no_reply() {
    let app = TestApp::start_with(Engine::Sqlite, &["worker.max_attempts=2"]).await;
    app.teach("Returns", ARTICLE).await;
    let server = endpoint(&[429, 429, 429, 200]).await;
    app.post_to("chat", &server.uri(), std::slice::from_ref(&app.home.secret)).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    approve(&app, &app.review_in(&id, &["pending"]).await).await;
    app.review_in(&id, &["sent"]).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
    assert_eq!(count(&app, "select cast(count(*) as bigint) from send").await, 1);
    app.stop().await;
}

on_both!(a_refused_reply_comes_back_to_a_person, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let server = endpoint(&[400, 409]).await;
    app.post_to("chat", &server.uri(), std::slice::from_ref(&app.home.secret)).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    let first = app.review_in(&id, &["pending"]).await;
    approve(&app, &first).await;
    let failed = app.review_in(&id, &["failed"]).await;
    let again = app.review_in(&id, &["pending"]).await;
    assert_ne!(again["id"], failed["id"]);
    assert_eq!(again["draft"]["text"], first["draft"]["text"]);
    assert!(again["attention"].to_string().contains("not_delivered"), "{again}");
    // It needs a signature of its own, and the endpoint's "I have that" counts as arrived.
    approve(&app, &again).await;
    let sent = app.review_in(&id, &["sent"]).await;
    assert_eq!(sent["id"], again["id"]);
    app.quiet().await;
    assert_eq!(count(&app, "select cast(count(*) as bigint) from review").await, 2);
    app.stop().await;
});

on_both!(a_person_who_finds_that_it_never_arrived_can_sign_it_again, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let server = endpoint(&[500, 200]).await;
    app.post_to("chat", &server.uri(), std::slice::from_ref(&app.home.secret)).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    approve(&app, &app.review_in(&id, &["pending"]).await).await;
    let lost = app.review_in(&id, &["unknown"]).await;
    let (status, said) = app.act(&lost, "settle", json!({"arrived": false})).await;
    assert_eq!((status, &said["state"]), (200, &json!("failed")), "{said}");
    approve(&app, &app.review_in(&id, &["pending"]).await).await;
    app.review_in(&id, &["sent"]).await;
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_can_not_be_delivered_is_not_signed() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let server = endpoint(&[200]).await;
    app.post_to("chat", &server.uri(), std::slice::from_ref(&app.home.secret)).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    let review = app.review_in(&id, &["pending"]).await;
    let long = json!({"text": "A long answer. ".repeat(1500), "revision": review["revision"]});
    let (status, said) = app.act(&review, "edit", long).await;
    assert_eq!(status, 200, "{said}");
    let review = app.review_in(&id, &["pending"]).await;
    let (status, said) = app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 422, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("20 KiB"), "{said}");
    let mut tx = app.store.db.begin().await.unwrap();
    let ch = channel::by_slug(&app.store, &mut tx, &app.home.id, &"chat".parse().unwrap()).await;
    channel::disable(&app.store, &mut tx, &app.home.id, &ch.unwrap().unwrap().id).await.unwrap();
    tx.commit().await.unwrap();
    let (status, said) = app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 422, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("switched off"), "{said}");
    app.stop().await;
}

on_both!(a_message_that_is_not_read_yet_holds_the_signature, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    let review = app.review_in(&id, &["pending"]).await;
    // The same customer elsewhere; nobody knows yet where it belongs.
    let mut other = message("m-2", "t-2", "One more thing.");
    other["from"]["address"] = json!("customer-of-t-1");
    let (_, other) = app.post(&app.home.key, "/v1/messages", &other).await;
    let other = other["id"].as_str().unwrap();
    app.quiet().await;
    set_state(&app, other, "received").await;
    let (status, said) = app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!((status, &said["code"]), (409, &json!("message_unread")), "{said}");
    set_state(&app, other, "understood").await;
    approve(&app, &review).await;
    app.review_in(&id, &["sent"]).await;
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_lead_had_goes_back_to_a_lead() {
    let app = TestApp::start_with(Engine::Sqlite, &["review.hold_s=60"]).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    let review = app.review_in(&id, &["pending"]).await;
    let (status, said) = app.act(&review, "escalate", json!({"reason": "please look"})).await;
    assert_eq!(status, 200, "{said}");
    approve(&app, &app.review_in(&id, &["escalated"]).await).await;
    let held = app.review_in(&id, &["held"]).await;
    let (status, said) = app.act(&held, "undo", json!({})).await;
    assert_eq!((status, &said["state"]), (200, &json!("escalated")), "{said}");
    app.stop().await;
}

on_both!(a_lost_claim_begins_no_send, engine, {
    let app = TestApp::start_with(engine, &["review.hold_s=600"]).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    approve(&app, &app.review_in(&id, &["pending"]).await).await;
    let mut c = app.store.db.read().await.unwrap();
    let (job, approval): (String, String) =
        sqlx::query_as("select id, ref_id from job where kind = 'send'")
            .fetch_one(&mut *c)
            .await
            .unwrap();
    drop(c);
    let stale = Claim {
        tenant: app.home.id.clone(),
        id: job.parse::<JobId>().unwrap(),
        kind: Kind::Send,
        ref_id: approval,
        attempt: 1,
        snoozes: 0,
        created_at: Micros(0),
        token: "gone".into(),
    };
    let ended = app.app.pipeline.run(&stale).await;
    assert!(matches!(ended, Err(StepError::Store(store::Error::Fenced))), "{ended:?}");
    assert_eq!(count(&app, "select cast(count(*) as bigint) from send").await, 0);
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_text_without_a_header_is_not_taken_for_mail() {
    use base64::Engine as _;
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    for text in ["hello world no header", "note: mine\n\nhello"] {
        let eml = base64::engine::general_purpose::STANDARD.encode(text);
        let body = json!({"channel": "mail", "eml_b64": eml});
        let (status, said) = app.post(&app.home.key, "/v1/messages", &body).await;
        assert_eq!((status, &said["code"]), (422, &json!("mail_without_header")), "{said}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mail_that_claims_our_address_answers_nobody() {
    let app = TestApp::start_with(Engine::Sqlite, &["ingest.own_addresses=shop@example.com"]).await;
    app.teach("Returns", ARTICLE).await;
    let head = "To: shop@example.com\r\nSubject: Question";
    let (_, a) = app
        .post(&app.home.key, "/v1/messages", &mail("one", "alice@a.example", head, QUESTION))
        .await;
    let id = a["id"].as_str().unwrap();
    let review = app.review_in(id, &["pending"]).await;
    let head = "To: alice@a.example\r\nSubject: Re: Question";
    let (_, b) = app
        .post(&app.home.key, "/v1/messages", &mail("two", "shop@example.com", head, "Done."))
        .await;
    let path = format!("/v1/messages/{}", b["id"].as_str().unwrap());
    let read = eventually(|| async {
        let (_, m) = app.get(&app.home.key, &path).await;
        m["thread"].as_str().map(str::to_owned)
    })
    .await;
    assert!(read.is_some());
    app.quiet().await;
    assert_eq!(app.review_in(id, &["pending"]).await["id"], review["id"]);
    // One that names the customer's message does.
    let head = "To: alice@a.example\r\nSubject: Re: Question\r\nIn-Reply-To: <one@x.example>";
    app.post(&app.home.key, "/v1/messages", &mail("three", "shop@example.com", head, "Done."))
        .await;
    app.review_in(id, &["superseded"]).await;
    app.stop().await;
}

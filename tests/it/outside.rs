//! The outside world: replies that leave by the webhook channel, drafts that come from a model
//! endpoint, and what of a customer's data reaches either.

use std::time::Duration;

use countersign::adapters::standard_webhooks;
use countersign::domain::ids::Micros;
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{ARTICLE, Engine, TestApp, eventually};

/// Hands in a question on that channel and signs the draft.
async fn ask_and_sign(app: &TestApp, n: u32) -> String {
    let body = json!({"channel": "hooked", "external_id": format!("q{n}"), "thread": format!("t{n}"),
        "from": {"address": format!("user-{n}")},
        "text": "How long do I have to return an item? Write to robin@example.com."});
    let (status, m) = app.post(&app.home.key, "/v1/messages", &body).await;
    assert_eq!(status, 202, "{m}");
    let id = m["id"].as_str().unwrap().to_owned();
    let review = app.review_in(&id, &["pending"]).await;
    let path = format!("/v1/reviews/{}/approve", review["id"].as_str().unwrap());
    let (status, r) = app.post(&app.home.key, &path, &json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{r}");
    id
}

async fn answering(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    for (i, a) in answers.into_iter().enumerate().rev() {
        // The first one is used once, then the next, and the last for ever.
        let m = Mock::given(method("POST")).and(path("/in")).respond_with(a);
        let m = if i == 0 { m.up_to_n_times(1).with_priority(1) } else { m.with_priority(2) };
        m.mount(&server).await;
    }
    server
}

fn verified(app: &TestApp, r: &Request) -> Value {
    let text = |n: &str| r.headers.get(n).unwrap().to_str().unwrap().to_owned();
    let secrets = [app.home.secret.clone()];
    let (id, at, sig) = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
    let now: Micros = System.now();
    standard_webhooks::verify(&secrets, &id, &at, &sig, &r.body, now).unwrap();
    assert!(!id.contains('.'), "{id}");
    serde_json::from_slice(&r.body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_signed_reply_is_posted_once_and_a_429_is_tried_again() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let slow = ResponseTemplate::new(429).insert_header("retry-after", "1");
    let server = answering(vec![slow, ResponseTemplate::new(200)]).await;
    app.post_to("hooked", &format!("{}/in", server.uri()), std::slice::from_ref(&app.home.secret))
        .await;
    let begun = std::time::Instant::now();
    let id = ask_and_sign(&app, 1).await;
    app.review_in(&id, &["sent"]).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "Retry-After was not kept");
    let got = server.received_requests().await.unwrap();
    assert_eq!(got.len(), 2);
    let (first, second) = (verified(&app, &got[0]), verified(&app, &got[1]));
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    assert_eq!(first["data"]["text"], second["data"]["text"]);
    assert_eq!(second["type"], "reply.approved");
    assert!(second["data"]["text"].as_str().unwrap().contains("30 days"), "{second}");
    assert_eq!(second["data"]["to"], json!(["user-1"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_certainly_unsent_waits_for_a_person() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let server = answering(vec![ResponseTemplate::new(500), ResponseTemplate::new(200)]).await;
    app.post_to("hooked", &format!("{}/in", server.uri()), std::slice::from_ref(&app.home.secret))
        .await;
    let id = ask_and_sign(&app, 1).await;
    let unknown = app.review_in(&id, &["unknown"]).await;
    app.quiet().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "it was repeated blindly");
    let path = format!("/v1/reviews/{}/settle", unknown["id"].as_str().unwrap());
    let (status, r) = app.post(&app.home.key, &path, &json!({"arrived": true})).await;
    assert_eq!((status, r["state"].as_str()), (200, Some("sent")), "{r}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gone_endpoint_switches_its_channel_off() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let server = answering(vec![ResponseTemplate::new(410)]).await;
    app.post_to("hooked", &format!("{}/in", server.uri()), std::slice::from_ref(&app.home.secret))
        .await;
    let id = ask_and_sign(&app, 1).await;
    app.review_in(&id, &["failed"]).await;
    let mut c = app.store.db.read().await.unwrap();
    let slug = "hooked".parse().unwrap();
    let ch = channel::by_slug(&app.store, &mut c, &app.home.id, &slug).await.unwrap().unwrap();
    assert!(ch.disabled);
    drop(c);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn private_addresses_get_no_connection() {
    let app = TestApp::start_with(Engine::Sqlite, &["send.allow_private_addresses=false"]).await;
    app.teach("Returns", ARTICLE).await;
    let server = answering(vec![ResponseTemplate::new(200)]).await;
    app.post_to("hooked", &format!("{}/in", server.uri()), std::slice::from_ref(&app.home.secret))
        .await;
    let literal = ask_and_sign(&app, 1).await;
    app.review_in(&literal, &["failed"]).await;
    app.post_to(
        "hooked",
        &format!("http://localhost:{}/in", server.address().port()),
        std::slice::from_ref(&app.home.secret),
    )
    .await;
    let named = ask_and_sign(&app, 2).await;
    app.review_in(&named, &["failed"]).await;
    assert!(server.received_requests().await.unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_model_drafts_from_masked_text_alone() {
    let server = MockServer::start().await;
    let draft = json!({"sentences": [{"text": "You can return any unworn item within 30 days of delivery.",
        "citations": [1]}], "unanswered": [], "tone": "neutral"});
    let answer = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "local",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": draft.to_string()}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    let base = format!("draft.base_url={}/v1", server.uri());
    let app = TestApp::start_with(Engine::Sqlite, &["draft.drafter=openai", &base]).await;
    app.teach("Returns", ARTICLE).await;
    let id = app
        .say("m1", "t1", "I am at robin@example.com, card 4111 1111 1111 1111, +1 202-555-0143. How long can I return an item?")
        .await;
    let review = app.review_in(&id, &["pending"]).await;
    assert!(review["draft"]["author"].as_str().unwrap().starts_with("model:"), "{review}");
    assert!(review["draft"]["text"].as_str().unwrap().contains("within 30 days"), "{review}");
    let got = server.received_requests().await.unwrap();
    assert!(!got.is_empty());
    for r in &got {
        let text = String::from_utf8_lossy(&r.body);
        assert!(text.contains("<EMAIL_1>") && text.contains("<CARD_1>"), "{text}");
        for raw in
            ["robin@example.com", "4111 1111", "4111111111111111", "555-0143", "Robin Example"]
        {
            assert!(!text.contains(raw), "{raw} reached the model");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_model_that_talks_rubbish_leaves_the_answer_to_a_person() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string("certainly! here is"))
        .mount(&server)
        .await;
    let base = format!("draft.base_url={}/v1", server.uri());
    let more =
        ["draft.drafter=openai", base.as_str(), "worker.max_attempts=2", "draft.timeout_s=5"];
    let app = TestApp::start_with(Engine::Sqlite, &more).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m1", "t1", "How long do I have to return an item?").await;
    let review = app.review_in(&id, &["no_match"]).await;
    assert_eq!(review["no_match_reason"], "draft_failed");
    assert_eq!(review["draft"]["text"], "");
    let dead = eventually(|| async {
        let mut c = app.store.db.read().await.ok()?;
        let counts = countersign::store::job::counts(&mut c).await.ok()?;
        counts.iter().any(|(k, s, _)| k == "answer" && s == "dead").then_some(())
    })
    .await;
    assert!(dead.is_some());
    app.stop().await;
}

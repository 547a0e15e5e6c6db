//! The generic webhook in: signatures, replays, and what each type of event does to a review.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::adapters::standard_webhooks;
use countersign::domain::ids::Micros;
use countersign::ports::host::{Host as _, System};
use serde_json::{Value, json};

use crate::harness::{ARTICLE, QUESTION, TestApp, message};
use crate::on_both;

fn created(external_id: &str, text: &str) -> Value {
    json!({"type": "message.created", "timestamp": "2026-01-01T00:00:00Z",
        "data": message(external_id, "t-1", text)})
}

async fn messages(app: &TestApp) -> i64 {
    let mut c = app.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as("select cast(count(*) as bigint) from message")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    n
}

async fn signed(app: &TestApp, secret: &str, id: &str, shift_s: i64, body: &Value) -> u16 {
    let text = body.to_string();
    let at = Micros(System.now().0 + shift_s * 1_000_000);
    let (ts, sig) = standard_webhooks::sign(&[secret.to_owned()], id, at, text.as_bytes());
    let url = format!("{}/v1/hooks/chat", app.base);
    let request = app.http.post(url).header("webhook-id", id);
    let request = request.header("webhook-timestamp", ts).header("webhook-signature", sig);
    request.body(text).send().await.unwrap().status().as_u16()
}

on_both!(signatures_and_replays, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let own = app.home.secret.clone();
    let foreign = format!("whsec_{}", STANDARD.encode([200u8; 32]));
    assert_ne!(own, foreign);
    let body = created("m-1", QUESTION);
    // Beyond 300 s, with room for a slow machine on the far side; the exact edge is a unit test's.
    for (what, secret, shift) in
        [("wrong secret", &foreign, 0), ("too old", &own, -301), ("from the future", &own, 330)]
    {
        assert_eq!(signed(&app, secret, "evt-1", shift, &body).await, 401, "{what}");
    }
    let url = format!("{}/v1/hooks/chat", app.base);
    let (ts, sig) = standard_webhooks::sign(
        std::slice::from_ref(&own),
        "evt-1",
        System.now(),
        body.to_string().as_bytes(),
    );
    let all = [("webhook-id", "evt-1"), ("webhook-timestamp", &*ts), ("webhook-signature", &*sig)];
    for missing in 0..all.len() {
        let mut request = app.http.post(&url).body(body.to_string());
        for (i, (name, value)) in all.iter().enumerate() {
            if i != missing {
                request = request.header(*name, *value);
            }
        }
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, 401, "without {}", all[missing].0);
    }
    let (status, _) = app.hook("/v1/hooks/nowhere", "evt-1", &body).await;
    assert_eq!(status, 401, "a channel that isn't there looks like a bad signature");
    assert_eq!(messages(&app).await, 0);

    assert_eq!(signed(&app, &own, "evt-1", 0, &body).await, 202);
    assert_eq!(signed(&app, &own, "evt-1", 0, &body).await, 200, "a replay");
    assert_eq!(
        signed(&app, &own, "evt-1", -290, &body).await,
        200,
        "a replay with an older timestamp"
    );
    assert_eq!(messages(&app).await, 1);
    let (status, b) = app.hook("/v1/hooks/chat", "evt-1", &created("m-2", "Another one.")).await;
    assert_eq!((status, b["code"].as_str()), (409, Some("webhook_conflict")));
    assert_eq!(messages(&app).await, 1);
    let (status, b) =
        app.hook("/v1/hooks/home.chat", "evt-2", &created("m-2", "Another one.")).await;
    assert_eq!(status, 202, "{b}");
    let odd = json!({"type": "message.exploded", "data": {}});
    let (status, b) = app.hook("/v1/hooks/chat", "evt-3", &odd).await;
    assert_eq!((status, b["code"].as_str()), (422, Some("unknown_type")));
    assert_eq!(messages(&app).await, 2);
});

async fn state_of(app: &TestApp, review: &Value) -> String {
    let path = format!("/v1/reviews/{}", review["id"].as_str().unwrap());
    let (status, r) = app.get(&app.home.key, &path).await;
    assert_eq!(status, 200, "{r}");
    r["state"].as_str().unwrap().to_owned()
}

on_both!(an_edit_voids_the_draft_and_makes_another, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    let first = app.review_in(&id, &["pending"]).await;
    let edited = json!({"type": "message.edited",
        "data": {"external_id": "m-1", "text": "When is the refund paid to my card?"}});
    let (status, b) = app.hook("/v1/hooks/chat", "evt-1", &edited).await;
    assert_eq!(status, 202, "{b}");
    assert_eq!(
        state_of(&app, &first).await,
        "superseded",
        "from this moment, not from the worker's"
    );
    let path = format!("/v1/reviews/{}/approve", first["id"].as_str().unwrap());
    let (status, _) = app.post(&app.home.key, &path, &json!({"digest": first["digest"]})).await;
    assert_eq!(status, 409);
    let second = app.review_in(&id, &["pending", "no_match"]).await;
    assert_ne!(second["id"], first["id"]);
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
    assert!(m["text"].as_str().unwrap().contains("refund"), "{m}");
    assert_eq!(m["revision"], 2);
});

on_both!(a_deletion_voids_the_draft_and_empties_the_message, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let id = app.say("m-1", "t-1", QUESTION).await;
    let first = app.review_in(&id, &["pending"]).await;
    let gone = json!({"type": "message.deleted", "data": {"external_id": "m-1"}});
    let (status, b) = app.hook("/v1/hooks/chat", "evt-1", &gone).await;
    assert_eq!(status, 202, "{b}");
    assert_eq!(state_of(&app, &first).await, "superseded");
    app.quiet().await;
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
    assert_eq!((m["state"].as_str(), &m["text"]), (Some("deleted"), &Value::Null), "{m}");
    let (_, queue) = app.get(&app.home.key, "/v1/reviews").await;
    assert_eq!(queue["items"].as_array().unwrap().len(), 0, "{queue}");
});

on_both!(an_answer_from_elsewhere_voids_the_draft, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let agent = json!({"address": "agent@shop.example"});
    let by_thread =
        json!({"external_id": "r-1", "from": agent, "thread": "t-1", "text": "We wrote to you."});
    let by_reference = json!({"external_id": "r-2", "from": agent, "references": ["m-2"], "text": "We called you."});
    for (external, thread, reply) in [("m-1", "t-1", by_thread), ("m-2", "t-2", by_reference)] {
        let id = app.say(external, thread, QUESTION).await;
        let first = app.review_in(&id, &["pending"]).await;
        let event = json!({"type": "reply.sent", "data": reply});
        let (status, b) = app.hook("/v1/hooks/chat", &format!("evt-{external}"), &event).await;
        assert_eq!(status, 202, "{b}");
        let then = app.review_in(&id, &["superseded"]).await;
        assert_eq!(then["id"], first["id"]);
        assert_eq!(then["outcome"], "answered elsewhere");
        let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
        let path = format!("/v1/messages/{}", b["id"].as_str().unwrap());
        let (_, r) = app.get(&app.home.key, &path).await;
        assert_eq!((r["direction"].as_str(), &r["thread"]), (Some("out"), &m["thread"]), "{r}");
    }
    app.quiet().await;
    let (_, queue) = app.get(&app.home.key, "/v1/reviews").await;
    assert_eq!(queue["items"].as_array().unwrap().len(), 0, "{queue}");
});

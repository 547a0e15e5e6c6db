//! The main job, end to end: a message comes in, is masked, drafted, approved, sent.

use serde_json::json;

use crate::harness::TestApp;
use crate::on_both;

on_both!(a_message_is_answered_and_sent, engine, {
    let app = TestApp::start(engine).await;
    app.teach(
        "Returns",
        "You can return any unworn item within 30 days of delivery. Returns are free in the UK. \
         The refund is paid to the card you used within 5 working days after the parcel arrives.",
    )
    .await;
    let id = app
        .say(
            "m-1",
            "t-1",
            "Hi, my email is robin@example.com. How long do I have to return an item?",
        )
        .await;
    let review = app.review_in(&id, &["pending"]).await;
    let text = review["draft"]["text"].as_str().unwrap();
    assert!(text.contains("30 days"), "{review}");

    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
    assert!(m["text"].as_str().unwrap().contains("<EMAIL_1>"), "{m}");
    assert!(!m.to_string().contains("robin@example.com"), "{m}");

    let path = format!("/v1/reviews/{}/approve", review["id"].as_str().unwrap());
    let (status, wrong) = app.post(&app.home.key, &path, &json!({"digest": "0".repeat(64)})).await;
    assert_eq!((status, wrong["code"].as_str()), (409, Some("digest_changed")));
    let (status, body) = app.post(&app.home.key, &path, &json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{body}");
    let sent = app.review_in(&id, &["sent"]).await;
    assert_eq!(sent["id"], review["id"]);
    let (status, again) =
        app.post(&app.home.key, &path, &json!({"digest": review["digest"]})).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("wrong_state")));
    app.quiet().await;
    app.stop().await;
});

on_both!(a_message_is_read_with_what_was_said_before, engine, {
    let app = TestApp::start(engine).await;
    let first =
        app.say("m-1", "t-1", "Where is my parcel? It should have been here on Monday.").await;
    let drafted_or_not = ["pending", "no_match", "escalated"];
    app.review_in(&first, &drafted_or_not).await;
    let then = app.say("m-2", "t-1", "still nothing").await;
    app.review_in(&then, &drafted_or_not).await;
    let read = async |id: &str| {
        let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
        m["analysis"].clone()
    };
    let (first, then) = (read(&first).await, read(&then).await);
    assert_eq!(first["trend"], json!(null), "{first}");
    assert_ne!(then["trend"], json!(null), "{then}");
    app.quiet().await;
    app.stop().await;
});

//! What reviewers say that the heads should have said: kept sealed, audited, given out for training.

use countersign::store::audit;
use serde_json::{Value, json};

use crate::deciding::choirs_and_boats;
use crate::harness::{Engine, TestApp, model_folder};
use crate::on_both;

on_both!(a_correction_is_kept_and_becomes_an_example, engine, {
    let app = TestApp::start(engine).await;
    let key = app.home.key.clone();
    let text = "I want my money back. Write to robin@example.com about it.";
    let id = app.say("l-1", "t-1", text).await;
    app.quiet().await;
    let path = format!("/v1/messages/{id}/labels");
    let (_, m) = app.get(&key, &format!("/v1/messages/{id}")).await;
    let first = json!({"intent": "complaint", "spam": "ham"});
    let labels = [first, json!({"intent": "refund_status", "urgency": "high", "injection": true})];
    for body in &labels {
        let (status, said) = app.post(&key, &path, body).await;
        assert_eq!(status, 200, "{said}");
        let told = said["labels"].as_array().unwrap();
        assert_eq!(told.len(), body.as_object().unwrap().len());
        assert_eq!(told[0]["found"], m["analysis"]["intent"]["label"]);
    }
    for (body, code) in [
        (json!({}), "unknown_label"),
        (json!({"intent": "made_up_just_now"}), "unknown_label"),
        (json!({"sentiment": "sad"}), "unknown_label"),
        (json!({"mood": "sad"}), "bad_json"),
    ] {
        let (status, said) = app.post(&key, &path, &body).await;
        assert!(status == 422 || status == 400, "{body}: {said}");
        assert_eq!(said["code"], code, "{body}: {said}");
        assert!(!said.to_string().contains("made_up"), "{said}");
    }
    let mut c = app.store.db.read().await.unwrap();
    let object = format!("message:{id}");
    let logged = audit::of_object(&mut c, &app.home.id, &object).await.unwrap();
    assert_eq!(logged.iter().filter(|e| e.action == "message.labelled").count(), 5);
    let rows: Vec<(Vec<u8>,)> =
        sqlx::query_as("select text_sealed from example").fetch_all(&mut *c).await.unwrap();
    assert_eq!(rows.len(), 4, "one a task");
    for (sealed,) in rows {
        assert!(!sealed.windows(5).any(|w| w == b"money"), "the text lies open");
    }
    drop(c);

    let other = app.say("l-2", "t-2", "Goodbye.").await;
    app.quiet().await;
    let (status, _) = app
        .post(&key, &format!("/v1/messages/{other}/labels"), &json!({"sentiment": "neutral"}))
        .await;
    assert_eq!(status, 200);
    let gone = app.http.delete(format!("{}/v1/messages/{other}", app.base)).bearer_auth(&key);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    let mut c = app.store.db.read().await.unwrap();
    let (left,): (i64,) = sqlx::query_as("select cast(count(*) as bigint) from example")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(left, 4, "a deleted message is no example any more");
    drop(c);

    let database = app.database.clone();
    app.stop().await;
    let line = run(&database.url, &["examples", "intent"]).remove(0);
    assert_eq!((&line["label"], &line["id"]), (&json!("refund_status"), &json!(id)));
    let text = line["text"].as_str().unwrap();
    assert!(text.contains("money back") && !text.contains("robin@example.com"), "{text}");
});

fn run(url: &str, args: &[&str]) -> Vec<Value> {
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["--set", &format!("database.url={url}")])
        .args(["--set", &format!("security.master_key={}", "07".repeat(32))])
        .args(["--set", &format!("model.folder={}", model_folder().display())])
        .args(args)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let text = String::from_utf8(made.stdout).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Two topics that no intent is for, among messages whose head abstained: found again as two groups.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn groups_of_messages_without_an_intent_are_found() {
    let app = TestApp::start(Engine::Sqlite).await;
    choirs_and_boats(&app).await;
    let database = app.database.clone();
    app.stop().await;
    let args = ["discover", "--threshold", "0.5", "--least", "3"];
    let found = run(&database.url, &args);
    assert!(found.len() >= 2, "{found:#?}");
    for (word, other) in [("choir", "lake"), ("lake", "choir")] {
        let group = found.iter().find(|g| g["words"].to_string().contains(word));
        let group = group.unwrap_or_else(|| panic!("no group of {word}: {found:#?}"));
        assert!(group["size"].as_i64() >= Some(3) && group["cohesion"].as_f64() > Some(0.5));
        let examples = group["examples"].to_string();
        assert!(examples.contains(word) && !examples.contains(other), "{group:#}");
        assert!(!examples.contains("@example.com"), "{group:#}");
    }
    assert_eq!(run(&database.url, &args), found, "the same again");
    assert!(run(&database.url, &["discover", "--least", "50"]).is_empty());
}

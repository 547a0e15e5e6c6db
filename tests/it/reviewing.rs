//! What people do to a review, alone and against each other, and what the database itself refuses.

use std::time::Duration;

use countersign::domain::review::Role;
use countersign::ports::host::{Host as _, System};
use countersign::store::{self, key, outbox, user};
use serde_json::{Value, json};

use crate::harness::{ARTICLE, QUESTION, TestApp};
use crate::on_both;

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let mut c = app.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(sql).fetch_one(&mut *c).await.unwrap();
    n
}

const SENDS: &str = "select cast(count(*) as bigint) from send";
const LIVE: &str = "select cast(count(*) as bigint) from approval where live = 1";
const APPROVALS: &str = "select cast(count(*) as bigint) from approval";

/// What the sandbox delivered, newest first.
async fn delivered(app: &TestApp) -> Vec<String> {
    let mut c = app.store.db.read().await.unwrap();
    let all = outbox::list(&app.store, &mut c, &app.home.id, 50).await.unwrap();
    all.into_iter().map(|(_, content, _)| content.body).collect()
}

async fn pending(app: &TestApp, external: &str, thread: &str) -> (String, Value) {
    app.teach("Returns", ARTICLE).await;
    let id = app.say(external, thread, QUESTION).await;
    let review = app.review_in(&id, &["pending"]).await;
    (id, review)
}

async fn act(app: &TestApp, key: &str, review: &Value, action: &str, body: Value) -> (u16, Value) {
    app.post(key, &format!("/v1/reviews/{}/{action}", review["id"].as_str().unwrap()), &body).await
}

/// A key with the hands of another person.
pub async fn colleague(app: &TestApp, name: &str, role: Role) -> String {
    let mut tx = app.store.db.begin().await.unwrap();
    let id = user::put(&app.store, &mut tx, &app.home.id, name, "no login", role).await.unwrap();
    let scopes = ["read", "review"].map(str::to_owned);
    let (_, key) = key::create(&app.store, &mut tx, &app.home.id, name, &scopes, Some(&id), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    key
}

on_both!(two_approvals_at_once_make_one_send, engine, {
    let app = TestApp::start(engine).await;
    let ben = colleague(&app, "ben", Role::Reviewer).await;
    let (id, review) = pending(&app, "m-1", "t-1").await;
    let body = json!({"digest": review["digest"]});
    let (a, b) = tokio::join!(
        act(&app, &app.home.key, &review, "approve", body.clone()),
        act(&app, &ben, &review, "approve", body.clone()),
    );
    let mut got = [a.0, b.0];
    got.sort_unstable();
    assert_eq!(got, [200, 409], "{a:?} {b:?}");
    app.review_in(&id, &["sent"]).await;
    app.quiet().await;
    assert_eq!((count(&app, SENDS).await, count(&app, APPROVALS).await), (1, 1));
    assert_eq!(delivered(&app).await.len(), 1);
});

on_both!(an_edit_and_an_approval_at_once, engine, {
    let app = TestApp::start(engine).await;
    let ben = colleague(&app, "ben", Role::Reviewer).await;
    let (id, review) = pending(&app, "m-1", "t-1").await;
    let new = "Please send it back whenever you like.";
    let (approved, edited) = tokio::join!(
        act(&app, &app.home.key, &review, "approve", json!({"digest": review["digest"]})),
        act(&app, &ben, &review, "edit", json!({"text": new, "revision": review["revision"]})),
    );
    let mut got = [approved.0, edited.0];
    got.sort_unstable();
    assert_eq!(got, [200, 409], "{approved:?} {edited:?}");
    if approved.0 == 200 {
        assert_eq!(edited.1["code"], "revision_changed");
        app.review_in(&id, &["sent"]).await;
        app.quiet().await;
        assert_eq!(delivered(&app).await, [review["draft"]["text"].as_str().unwrap()]);
    } else {
        app.quiet().await;
        assert_eq!((count(&app, SENDS).await, count(&app, LIVE).await), (0, 0));
        let now = app.review_in(&id, &["pending"]).await;
        assert_eq!(now["draft"]["text"], new);
        assert_ne!(now["digest"], review["digest"]);
    }
});

on_both!(an_edit_of_an_old_revision_is_refused, engine, {
    let app = TestApp::start(engine).await;
    let (_, review) = pending(&app, "m-1", "t-1").await;
    let edit = |text: &'static str| json!({"text": text, "revision": review["revision"]});
    let (status, first) =
        act(&app, &app.home.key, &review, "edit", edit("The first version.")).await;
    assert_eq!(status, 200, "{first}");
    assert_ne!(first["digest"], review["digest"], "another text has another digest");
    let (status, b) = act(&app, &app.home.key, &review, "edit", edit("The second version.")).await;
    assert_eq!((status, b["code"].as_str()), (409, Some("revision_changed")));
    let (status, b) =
        act(&app, &app.home.key, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!((status, b["code"].as_str()), (409, Some("digest_changed")));
    assert_eq!(count(&app, APPROVALS).await, 0);
});

on_both!(a_signature_can_be_taken_back_during_the_hold, engine, {
    let app = TestApp::start_with(engine, &["review.hold_s=8"]).await;
    let (id, review) = pending(&app, "m-1", "t-1").await;
    let (status, held) =
        act(&app, &app.home.key, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!((status, held["state"].as_str()), (200, Some("held")), "{held}");
    assert_eq!(count(&app, LIVE).await, 1);
    let (status, b) = act(&app, &app.home.key, &review, "undo", json!({})).await;
    assert_eq!((status, b["state"].as_str()), (200, Some("pending")), "{b}");
    assert_eq!((count(&app, LIVE).await, count(&app, APPROVALS).await), (0, 1));
    // The send job is still there and comes due.
    app.quiet().await;
    assert_eq!(count(&app, SENDS).await, 0);
    assert!(delivered(&app).await.is_empty());
    let now = app.review_in(&id, &["pending"]).await;
    let (status, b) =
        act(&app, &app.home.key, &now, "approve", json!({"digest": now["digest"]})).await;
    assert_eq!(status, 200, "it can be signed again: {b}");
    app.review_in(&id, &["sent"]).await;
    assert_eq!(count(&app, SENDS).await, 1);
});

on_both!(a_newer_message_voids_a_held_signature, engine, {
    let app = TestApp::start_with(engine, &["review.hold_s=10"]).await;
    let (id, review) = pending(&app, "m-1", "t-1").await;
    let (status, held) =
        act(&app, &app.home.key, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!((status, held["state"].as_str()), (200, Some("held")), "{held}");
    let newer = app.say("m-2", "t-1", "And is returning it free in the UK?").await;
    let old = app.review_in(&id, &["superseded"]).await;
    assert_eq!(old["id"], review["id"]);
    assert_eq!(count(&app, LIVE).await, 0);
    let next = app.review_in(&newer, &["pending", "no_match"]).await;
    assert_ne!(next["id"], review["id"]);
    app.quiet().await;
    assert_eq!(count(&app, SENDS).await, 0);
    let (status, b) = act(&app, &app.home.key, &review, "undo", json!({})).await;
    assert_eq!((status, b["code"].as_str()), (409, Some("wrong_state")));
});

on_both!(claims_snoozes_and_escalations, engine, {
    let app = TestApp::start(engine).await;
    let ben = colleague(&app, "ben", Role::Reviewer).await;
    let anna = app.home.key.clone();
    let (_, review) = pending(&app, "m-1", "t-1").await;
    let listed = |path: &'static str| {
        let (app, anna, id) = (&app, &anna, review["id"].clone());
        async move {
            let (status, b) = app.get(anna, path).await;
            assert_eq!(status, 200, "{b}");
            b["items"].as_array().unwrap().iter().any(|r| r["id"] == id)
        }
    };

    let (status, b) = act(&app, &ben, &review, "claim", json!({})).await;
    assert_eq!((status, b["claimed_by"].is_string()), (200, true), "{b}");
    for (action, body) in [
        ("claim", json!({})),
        ("approve", json!({"digest": review["digest"]})),
        ("reject", json!({})),
        ("edit", json!({"text": "No.", "revision": b["revision"]})),
    ] {
        let (status, b) = act(&app, &anna, &review, action, body).await;
        assert_eq!((status, b["code"].as_str()), (409, Some("claimed")), "{action}");
    }
    let (status, _) = act(&app, &ben, &review, "release", json!({})).await;
    assert_eq!(status, 200);
    let (status, _) = act(&app, &anna, &review, "claim", json!({})).await;
    assert_eq!(status, 200, "free again");

    assert!(listed("/v1/reviews").await);
    let later = System.now().plus(Duration::from_secs(3600)).rfc3339();
    let (status, b) = act(&app, &anna, &review, "snooze", json!({"until": later})).await;
    assert_eq!(status, 200, "{b}");
    assert!(!listed("/v1/reviews").await);
    assert!(listed("/v1/reviews?snoozed=true").await);
    let (status, _) =
        act(&app, &anna, &review, "snooze", json!({"until": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(status, 422, "a snooze into the past");

    let (status, b) = act(&app, &ben, &review, "escalate", json!({"reason": "Ask a lead."})).await;
    assert_eq!((status, b["state"].as_str()), (200, Some("escalated")), "{b}");
    let (status, b) =
        act(&app, &ben, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!((status, b["code"].as_str()), (403, Some("forbidden")));
    let reason = "Not for us, tell mara.holt@example.com";
    let (status, b) = act(&app, &anna, &review, "reject", json!({"reason": reason})).await;
    assert_eq!((status, b["state"].as_str()), (200, Some("rejected")), "a lead may: {b}");
    assert!(!b["outcome"].as_str().unwrap().contains("mara.holt"), "{b}");
    assert!(!listed("/v1/reviews?snoozed=true").await);
    let (status, _) =
        act(&app, &anna, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 409);
    app.quiet().await;
    assert_eq!((count(&app, SENDS).await, count(&app, APPROVALS).await), (0, 0));
});

on_both!(what_the_articles_do_not_answer_is_answered_by_hand, engine, {
    let app = TestApp::start(engine).await;
    let empty = app.say("m-0", "t-0", QUESTION).await;
    let review = app.review_in(&empty, &["no_match"]).await;
    assert_eq!(review["no_match_reason"], "no_passages");
    app.teach("Returns", ARTICLE).await;
    let id = app
        .say("m-1", "t-1", "Could you tell me which strings fit my grandmother's concert piano?")
        .await;
    let review = app.review_in(&id, &["no_match"]).await;
    assert_eq!(review["draft"]["text"], "");
    let (status, _) =
        act(&app, &app.home.key, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 409, "nothing can't be signed");

    // What a reviewer types raw is masked where it rests and whole where it arrives.
    let typed = "Please write to our piano maker at mara.holt@example.com.";
    let body = json!({"text": typed, "revision": review["revision"], "approve": true});
    let (status, b) = act(&app, &app.home.key, &review, "respond", body).await;
    assert_eq!(status, 200, "{b}");
    let sent = app.review_in(&id, &["sent"]).await;
    let kept = sent["draft"]["text"].as_str().unwrap();
    assert!(kept.contains("<EMAIL_1>") && !kept.contains("mara.holt"), "{kept}");
    let mut c = app.store.db.read().await.unwrap();
    let rows: Vec<(String,)> =
        sqlx::query_as("select body_masked from draft").fetch_all(&mut *c).await.unwrap();
    assert!(rows.iter().any(|(b,)| b.contains("piano maker")), "{rows:?}");
    assert!(rows.iter().all(|(b,)| !b.contains("mara.holt")), "{rows:?}");
    drop(c);
    assert_eq!(delivered(&app).await, [typed]);
});

on_both!(what_a_reviewer_types_may_hold_odd_characters, engine, {
    let app = TestApp::start(engine).await;
    let (_, review) = pending(&app, "m-1", "t-1").await;
    let body =
        json!({"text": "Yes,\u{0} you can \u{202e}return it.", "revision": review["revision"]});
    let (status, b) = act(&app, &app.home.key, &review, "edit", body).await;
    assert!(status == 200 || status == 422, "{status} {b}");
    let (status, b) =
        act(&app, &app.home.key, &review, "reject", json!({"reason": "no\u{0}pe"})).await;
    assert!(status == 200 || status == 422, "{status} {b}");
});

on_both!(a_burst_makes_one_review, engine, {
    let app = TestApp::start_with(engine, &["ingest.burst_window_s=1"]).await;
    app.teach("Returns", ARTICLE).await;
    let mut ids = Vec::new();
    for (i, text) in ["Hello!", "I bought a coat from you.", QUESTION].into_iter().enumerate() {
        ids.push(app.say(&format!("m-{i}"), "t-1", text).await);
    }
    let review = app.review_in(&ids[2], &["pending", "no_match"]).await;
    app.quiet().await;
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{}", ids[0])).await;
    let path = format!("/v1/threads/{}", m["thread"].as_str().unwrap());
    let (_, t) = app.get(&app.home.key, &path).await;
    assert_eq!(t["messages"].as_array().unwrap().len(), 3, "{t}");
    let live: Vec<&Value> =
        t["reviews"].as_array().unwrap().iter().filter(|r| r["state"] != "superseded").collect();
    assert_eq!(live.len(), 1, "{t}");
    let (_, r) =
        app.get(&app.home.key, &format!("/v1/reviews/{}", live[0]["id"].as_str().unwrap())).await;
    assert_eq!(r["state"], "pending", "{r} {review}");
    assert!(r["draft"]["text"].as_str().unwrap().contains("30 days"), "{r}");
});

on_both!(the_database_refuses_a_send_without_a_live_signature, engine, {
    let app = TestApp::start_with(engine, &["review.hold_s=120"]).await;
    let (id, review) = pending(&app, "m-1", "t-1").await;
    let (status, b) =
        act(&app, &app.home.key, &review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!((status, b["state"].as_str()), (200, Some("held")), "{b}");
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
    let channel = m["channel"].as_str().unwrap().to_owned();
    let approval = {
        let mut c = app.store.db.read().await.unwrap();
        let (a,): (String,) =
            sqlx::query_as("select id from approval").fetch_one(&mut *c).await.unwrap();
        a
    };
    let digest = review["digest"].as_str().unwrap().to_owned();
    let try_send = |approval: String, digest: String, live: i64| {
        let (app, channel) = (&app, channel.clone());
        let review = review["id"].as_str().unwrap().to_owned();
        async move {
            let mut tx = app.store.db.begin().await.unwrap();
            let done = sqlx::query(
                "insert into send (tenant_id, id, approval_id, digest, live, channel_id, recipient_hash,
                   review_id, state, segments, created_at, updated_at)
                 values ($1, $2, $3, $4, $5, $6, 'x', $7, 'sending', 1, 1, 1)",
            )
            .bind(app.home.id.as_str().to_owned())
            .bind(System.uuid().hyphenated().to_string())
            .bind(approval)
            .bind(digest)
            .bind(live)
            .bind(channel)
            .bind(review)
            .execute(&mut *tx)
            .await;
            tx.rollback().await.unwrap();
            done.map(|_| ()).map_err(store::Error::from)
        }
    };
    assert!(try_send(approval.clone(), digest.clone(), 1).await.is_ok(), "a live one is taken");
    let none = try_send(System.uuid().hyphenated().to_string(), digest.clone(), 1).await;
    assert!(none.unwrap_err().is_foreign_key(), "no signature");
    let other = try_send(approval.clone(), "0".repeat(64), 1).await;
    assert!(other.unwrap_err().is_foreign_key(), "a signature of another text");
    let (status, b) = act(&app, &app.home.key, &review, "undo", json!({})).await;
    assert_eq!(status, 200, "{b}");
    let voided = try_send(approval.clone(), digest.clone(), 1).await;
    assert!(voided.unwrap_err().is_foreign_key(), "a voided signature");
    assert!(try_send(approval, digest, 0).await.is_err(), "a send that says so itself");
    assert_eq!(count(&app, SENDS).await, 0);
});

//! The audit chain after a whole story: it holds, and whatever is changed under it is named.

use std::time::Duration;

use countersign::store::audit::{self, Head};
use countersign::{store, worker};
use serde_json::json;

use crate::harness::TestApp;
use crate::on_both;

on_both!(what_is_changed_in_the_log_is_named, engine, {
    let app = TestApp::start(engine).await;
    app.teach(
        "Returns",
        "You can return any unworn item within 30 days of delivery. Returns are free.",
    )
    .await;
    let id = app.say("m-1", "t-1", "How long do I have to return an item?").await;
    let review = app.review_in(&id, &["pending"]).await;
    let path = format!("/v1/reviews/{}/approve", review["id"].as_str().unwrap());
    let (status, b) = app.post(&app.home.key, &path, &json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{b}");
    app.review_in(&id, &["sent"]).await;
    app.quiet().await;
    // The sweeper would chain again what is cut off here.
    app.life.stop();
    assert!(app.life.finished(Duration::from_secs(20)).await);
    worker::chain(&app.store, true).await.unwrap();

    let tenant = app.home.id.as_str().to_owned();
    let whole = {
        let mut c = app.store.db.read().await.unwrap();
        audit::verify(&mut c, &app.home.id, &[]).await.unwrap()
    };
    assert_eq!((whole.fault.as_deref(), whole.unchained), (None, 0));
    assert!(
        whole.links >= 7,
        "received, understood, created, approved, began, sent, taught: {whole:?}"
    );
    let head = whole.head.clone().unwrap();
    assert_eq!(head.seq, whole.links);
    let events: Vec<(i64, String, String)> = {
        let mut c = app.store.db.read().await.unwrap();
        sqlx::query_as(
            "select l.seq, l.event_id, e.action from audit_link l join audit_event e
               on e.tenant_id = l.tenant_id and e.id = l.event_id
             where l.tenant_id = $1 order by l.seq",
        )
        .bind(tenant.clone())
        .fetch_all(&mut *c)
        .await
        .unwrap()
    };
    for action in [
        "message.received",
        "message.understood",
        "review.created",
        "review.approved",
        "send.began",
        "send.sent",
    ] {
        assert!(events.iter().any(|(.., a)| a == action), "{action} is not in {events:?}");
    }
    let third = events[2].1.clone();
    let last = events.last().unwrap().1.clone();

    // Each of these in a transaction that is rolled back.
    for set in [
        "update audit_event set action = 'review.rejected' where tenant_id = $1 and id = $2",
        "update audit_event set actor = 'user:somebody-else' where tenant_id = $1 and id = $2",
        "update audit_event set at = at + 1 where tenant_id = $1 and id = $2",
        "update audit_event set detail = '{\"x\":1}' where tenant_id = $1 and id = $2",
        "update audit_link set hash = 'ff' where tenant_id = $1 and event_id = $2",
    ] {
        let mut tx = app.store.db.begin().await.unwrap();
        let n = sqlx::query(set)
            .bind(tenant.clone())
            .bind(third.clone())
            .execute(&mut *tx)
            .await
            .unwrap();
        assert_eq!(n.rows_affected(), 1);
        let v = audit::verify(&mut tx, &app.home.id, &[]).await.unwrap();
        assert!(v.fault.as_deref().is_some_and(|f| f.starts_with("link 3:")), "{set}: {v:?}");
        assert_eq!(v.links, 2);
        tx.rollback().await.unwrap();
    }

    // An event under a link can't be deleted; with its link, the gap shows.
    let mut tx = app.store.db.begin().await.unwrap();
    let gone = sqlx::query("delete from audit_event where tenant_id = $1 and id = $2")
        .bind(tenant.clone())
        .bind(third.clone())
        .execute(&mut *tx)
        .await;
    assert!(store::Error::from(gone.unwrap_err()).is_foreign_key());
    tx.rollback().await.unwrap();
    for (event, seq, anchored) in [(third, 3, false), (last, head.seq, true)] {
        let mut tx = app.store.db.begin().await.unwrap();
        for delete in [
            "delete from audit_link where tenant_id = $1 and event_id = $2",
            "delete from audit_event where tenant_id = $1 and id = $2",
        ] {
            let n = sqlx::query(delete)
                .bind(tenant.clone())
                .bind(event.clone())
                .execute(&mut *tx)
                .await
                .unwrap();
            assert_eq!(n.rows_affected(), 1);
        }
        let v = audit::verify(&mut tx, &app.home.id, &[]).await.unwrap();
        if anchored {
            assert_eq!(
                (v.fault, v.links),
                (None, seq - 1),
                "a clean cut shows only against an anchor"
            );
            let v =
                audit::verify(&mut tx, &app.home.id, std::slice::from_ref(&head)).await.unwrap();
            let fault = v.fault.unwrap();
            assert!(fault.contains(&format!("link {seq} was published")), "{fault}");
        } else {
            assert_eq!(v.fault.as_deref(), Some("link 3 is missing"));
        }
        tx.rollback().await.unwrap();
    }

    // A chain that was rewritten from the start holds in itself, but not against what was published.
    let mut c = app.store.db.read().await.unwrap();
    let other = Head { seq: 2, hash: "0".repeat(64) };
    let v = audit::verify(&mut c, &app.home.id, &[other]).await.unwrap();
    assert_eq!(v.fault.as_deref(), Some("link 2 differs from the head that was published"));
    let v = audit::verify(&mut c, &app.home.id, &[head]).await.unwrap();
    assert_eq!(v.fault, None, "nothing was kept of all this");
});

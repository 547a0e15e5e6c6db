//! Events: nothing is missed and nothing is told twice by a stream, whoever commits late, resumes or
//! stops; webhooks are signed, tried again, given up and switched off as documented.

use std::time::Duration;

use countersign::adapters::standard_webhooks;
use countersign::domain::event::EventKind;
use countersign::domain::ids::Micros;
use countersign::ports::host::{Host as _, System};
use countersign::store::{event, key};
use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{ARTICLE, Engine, QUESTION, TestApp, eventually};
use crate::on_both;

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|e| e["type"].as_str().unwrap()).collect()
}

on_both!(a_stream_tells_a_message_s_way_and_resumes_where_it_stopped, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", ARTICLE).await;
    let key = app.home.key.clone();
    let mut live = app.listen(&key, "", None).await;
    let id = app.say("e-1", "t-1", &format!("{QUESTION} I am robin@example.com")).await;
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(live.next().await.unwrap());
    }
    assert_eq!(types(&first), ["message.received", "message.classified", "review.created"]);
    assert!(first[..2].iter().all(|e| e["data"]["message"] == json!(id)), "{first:#?}");
    let (_, stored) = app.get(&key, &format!("/v1/messages/{id}")).await;
    assert_eq!(first[1]["data"]["analysis"], stored["analysis"]);
    assert!(!json!(first).to_string().contains("robin@example.com"), "{first:#?}");

    let review = app.review_in(&id, &["pending"]).await;
    let (status, said) = app.act(&review, "approve", json!({"digest": review["digest"]})).await;
    assert_eq!(status, 200, "{said}");
    app.review_in(&id, &["sent"]).await;
    let mut rest = Vec::new();
    while rest.last().is_none_or(|e: &Value| e["data"]["state"] != "sent") {
        rest.push(live.next().await.unwrap());
    }
    assert!(types(&rest).contains(&"send.sent"), "{rest:#?}");
    let all = [first, rest].concat();
    let numbers: Vec<i64> = all.iter().map(|e| e["seq"].as_i64().unwrap()).collect();
    let begin = numbers[0];
    assert_eq!(numbers, (begin..begin + all.len() as i64).collect::<Vec<_>>(), "a gap");

    // The header comes before the query, a number resumes right behind it.
    let again = app.told(&key, "after=0", Some(&numbers[0].to_string()), all.len() - 1).await;
    assert_eq!(again, all[1..]);
    let kept = app.told(&key, "after=0", None, all.len()).await;
    assert_eq!(kept[0]["seq"], 1, "from the first that is kept");
    let wanted = "after=0&types=review.created,message.classified";
    let some = app.told(&key, wanted, None, 2).await;
    assert_eq!(types(&some), ["message.classified", "review.created"]);
    for (query, status, code) in [
        ("types=nonsense", 400, "bad_event_type"),
        ("after=x", 400, "bad_cursor"),
        ("after=999999", 400, "bad_cursor"),
        ("since=1", 400, "bad_cursor"),
    ] {
        let (s, b) = app.get(&key, &format!("/v1/events?{query}")).await;
        assert_eq!((s, b["code"].as_str()), (status, Some(code)), "{query}: {b}");
    }
    drop(live);
    app.stop().await;
});

on_both!(a_heartbeat_moves_the_number_past_what_is_not_wanted, engine, {
    let app = TestApp::start_with(engine, &["events.heartbeat_s=1"]).await;
    let key = app.home.key.clone();
    app.say("h-1", "t-1", QUESTION).await;
    app.quiet().await;
    let mut all = app.listen(&key, "after=0", None).await;
    let first = all.next().await.unwrap();
    assert_eq!(first["type"], "message.received");
    let mut rare = app.listen(&key, "after=0&types=webhook.test", None).await;
    let quiet = tokio::time::timeout(Duration::from_secs(4), rare.next()).await;
    assert!(quiet.is_err(), "nothing of that type has happened");
    assert!(rare.last.parse::<i64>().unwrap() >= 3, "it stands at {}", rare.last);
});

/// A transaction that took its place early and commits late is told all the same, after what was
/// committed before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_commits_late_is_not_missed() {
    let app = TestApp::start(Engine::Postgres).await;
    let (store, t) = (&app.store, &app.home.id);
    let mut live = app.listen(&app.home.key, "", None).await;
    let write = async |c: &mut sqlx::AnyConnection, n: i64| {
        let data = json!({"n": n});
        event::append(store, c, t, EventKind::ReviewChanged, format!("review:{n}"), &data).await
    };
    let mut late = store.db.begin().await.unwrap();
    write(&mut late, 1).await.unwrap();
    for n in 2..5 {
        let mut tx = store.db.begin().await.unwrap();
        write(&mut tx, n).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(live.next().await.unwrap()["data"]["n"], n);
    }
    late.commit().await.unwrap();
    let last = live.next().await.unwrap();
    assert_eq!((&last["data"]["n"], &last["seq"]), (&json!(1), &json!(4)));
}

/// Many writers and several sequencers at once: every reader sees each event once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_number_without_gaps_or_repeats() {
    let app = TestApp::start(Engine::Postgres).await;
    let config = crate::harness::config(&app.database.url, &[]);
    let other = countersign::app::open_store(&config).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let (o, s) = (other.clone(), stop.clone());
    let mut second = tokio::task::JoinSet::new();
    second.spawn(async move {
        while !s.is_cancelled() {
            countersign::pipeline::events::relay(&o).await.unwrap();
        }
    });
    let mut live = app.listen(&app.home.key, "after=0", None).await;
    let mut writers = tokio::task::JoinSet::new();
    for w in 0..4 {
        let (store, t) = (app.store.clone(), app.home.id.clone());
        writers.spawn(async move {
            for n in 0..40 {
                let mut tx = store.db.begin().await.unwrap();
                let data = json!({"n": format!("{w}-{n}")});
                let kind = EventKind::ReviewChanged;
                event::append(&store, &mut tx, &t, kind, "review:x".into(), &data).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    for seq in 1..=160 {
        let e = live.next().await.unwrap();
        assert_eq!(e["seq"], seq);
        assert!(seen.insert(e["data"]["n"].as_str().unwrap().to_owned()), "told twice: {e}");
    }
    writers.join_all().await;
    stop.cancel();
    second.join_all().await;
    other.db.close().await;
}

on_both!(streams_are_bounded_and_end_with_their_key_and_their_server, engine, {
    let sets = ["events.streams_per_key=2", "events.heartbeat_s=1"];
    let app = TestApp::start_with(engine, &sets).await;
    let (store, t) = (&app.store, &app.home.id);
    let mut tx = store.db.begin().await.unwrap();
    let scopes = ["read".to_owned()];
    let (id, text) = key::create(store, &mut tx, t, "short", &scopes, None, None).await.unwrap();
    tx.commit().await.unwrap();
    let mut a = app.listen(&text, "", None).await;
    let b = app.listen(&text, "", None).await;
    let (status, said) = app.get(&text, "/v1/events").await;
    assert_eq!((status, said["code"].as_str()), (429, Some("too_many_streams")), "{said}");
    let mut other = app.listen(&app.home.key, "", None).await;
    drop(b);
    let freed = eventually(|| async { (app.app.streams.count() == 2).then_some(()) }).await;
    assert!(freed.is_some(), "a stream whose client left keeps its place");
    let _again = app.listen(&text, "", None).await;

    let mut tx = store.db.begin().await.unwrap();
    key::revoke(store, &mut tx, t, &id).await.unwrap();
    tx.commit().await.unwrap();
    // More often than the heartbeat, so that it is never quiet.
    let busy = async {
        loop {
            let mut tx = store.db.begin().await.unwrap();
            let (kind, data) = (EventKind::ReviewChanged, json!({}));
            event::append(store, &mut tx, t, kind, "review:y".into(), &data).await.unwrap();
            tx.commit().await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ended = async { while a.next().await.is_some() {} };
    let ended = async { tokio::time::timeout(Duration::from_secs(15), ended).await };
    tokio::select! {
        ended = ended => assert!(ended.is_ok(), "the stream of a revoked key goes on"),
        () = busy => {}
    }

    // One client that doesn't read must not hold up the end.
    let mut lazy = app.listen(&app.home.key, "after=0", None).await;
    let mut tx = store.db.begin().await.unwrap();
    for _ in 0..400 {
        let data = json!({"filler": "x".repeat(20_000)});
        event::append(store, &mut tx, t, EventKind::ReviewChanged, "review:x".into(), &data)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    lazy.next().await.unwrap();
    other.next().await.unwrap();
    app.life.stop();
    assert!(app.life.finished(Duration::from_secs(2)).await, "a stream holds up the end");
});

on_both!(what_is_no_longer_kept_is_said_so, engine, {
    let app = TestApp::start(engine).await;
    let key = app.home.key.clone();
    app.say("p-1", "t-1", QUESTION).await;
    let told = app.told(&key, "after=0", None, 3).await;
    app.quiet().await;
    let mut tx = app.store.db.begin().await.unwrap();
    let later = Micros(System.now().0 + 1_000_000);
    assert!(event::prune(&mut tx, &app.home.id, later).await.unwrap() >= 3);
    tx.commit().await.unwrap();
    let last = told[0]["sse"].as_str().unwrap();
    let (status, said) = app.get(&key, &format!("/v1/events?after={last}")).await;
    assert_eq!((status, said["code"].as_str()), (410, Some("events_expired")), "{said}");
    // Numbers go on where they were.
    app.say("p-2", "t-2", QUESTION).await;
    let next = app.told(&key, "after=0", None, 1).await;
    assert!(next[0]["seq"].as_i64() > told[2]["seq"].as_i64(), "{next:?}");
});

on_both!(nothing_of_a_deleted_message_stays_in_its_events, engine, {
    let app = TestApp::start(engine).await;
    let key = app.home.key.clone();
    let id = app.say("d-1", "t-1", QUESTION).await;
    app.told(&key, "after=0", None, 3).await;
    app.quiet().await;
    let url = format!("{}/v1/messages/{id}", app.base);
    assert_eq!(app.http.delete(url).bearer_auth(&key).send().await.unwrap().status(), 204);
    let query = "after=0&types=message.received,message.classified,message.deleted";
    let told = app.told(&key, query, None, 3).await;
    assert_eq!(types(&told), ["message.received", "message.classified", "message.deleted"]);
    for e in &told[..2] {
        assert_eq!(e["data"], json!({"message": id, "erased": true}));
    }
});

/// An endpoint that answers as told and remembers what it got.
async fn endpoint(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (i, answer) in answers.into_iter().enumerate() {
        let m = Mock::given(method("POST")).respond_with(answer);
        let m = if i < last { m.up_to_n_times(1) } else { m };
        m.with_priority(u8::try_from(i + 1).unwrap()).mount(&server).await;
    }
    server
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

async fn subscribe(app: &TestApp, url: &str, events: &[&str]) -> (String, String) {
    let body = json!({"url": url, "events": events});
    let (status, w) = app.post(&app.home.key, "/v1/webhooks", &body).await;
    assert_eq!(status, 201, "{w}");
    let text = |k: &str| w[k].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn log(app: &TestApp, id: &str) -> Vec<Value> {
    let (status, b) = app.get(&app.home.key, &format!("/v1/webhooks/{id}/deliveries")).await;
    assert_eq!(status, 200, "{b}");
    b["items"].as_array().unwrap().clone()
}

async fn logged(app: &TestApp, id: &str, state: &str, n: usize) -> Vec<Value> {
    let found = eventually(|| async {
        let all = log(app, id).await;
        (all.iter().filter(|d| d["state"] == state).count() == n).then_some(all)
    });
    match found.await {
        Some(all) => all,
        None => panic!("not {n} {state}: {:#?}", log(app, id).await),
    }
}

fn header<'a>(r: &'a Request, name: &str) -> &'a str {
    r.headers.get(name).unwrap().to_str().unwrap()
}

fn verify(secret: &str, r: &Request) -> Result<(), standard_webhooks::BadSignature> {
    let (id, at) = (header(r, "webhook-id"), header(r, "webhook-timestamp"));
    let signature = header(r, "webhook-signature");
    standard_webhooks::verify(&[secret.to_owned()], id, at, signature, &r.body, System.now())
}

on_both!(a_webhook_gets_what_it_wants_signed_and_masked, engine, {
    let app = TestApp::start(engine).await;
    let server = endpoint(vec![status(204)]).await;
    let wanted = ["message.classified", "review.created"];
    let url = format!("{}/token-in-the-path", server.uri());
    let (id, secret) = subscribe(&app, &url, &wanted).await;
    let message = app.say("w-1", "t-1", &format!("{QUESTION} I am robin@example.com")).await;
    logged(&app, &id, "delivered", 2).await;
    let got = server.received_requests().await.unwrap();
    let bodies: Vec<Value> = got.iter().map(|r| serde_json::from_slice(&r.body).unwrap()).collect();
    assert_eq!(types(&bodies), wanted, "in the order of their numbers");
    for (r, b) in got.iter().zip(&bodies) {
        assert_eq!(verify(&secret, r), Ok(()));
        assert_eq!(header(r, "webhook-id"), format!("evt_{}", b["id"].as_str().unwrap()));
        assert_eq!(b["data"]["message"], json!(message));
        assert!(!b.to_string().contains("robin@example.com"), "{b}");
    }
    // The same event by the stream has the same form.
    let mut told = app.told(&app.home.key, "after=0&types=message.classified", None, 1).await;
    told[0].as_object_mut().unwrap().remove("sse");
    assert_eq!(told[0], bodies[0]);
    // Neither the secret nor what follows the host is shown again.
    let (_, list) = app.get(&app.home.key, "/v1/webhooks").await;
    assert_eq!(list["items"][0]["id"], json!(id));
    assert!(!list.to_string().contains("token-in-the-path"), "{list}");
    assert!(!list.to_string().contains("whsec_"), "{list}");

    // After a rotation both secrets sign, so that the receiver can follow.
    let path = format!("/v1/webhooks/{id}");
    let request = app.http.patch(format!("{}{path}", app.base)).bearer_auth(&app.home.key);
    let changed: Value =
        request.json(&json!({"rotate_secret": true})).send().await.unwrap().json().await.unwrap();
    let fresh = changed["secret"].as_str().unwrap();
    assert_ne!(fresh, secret);
    let (code, _) = app.post(&app.home.key, &format!("{path}/test"), &json!({})).await;
    assert_eq!(code, 202);
    logged(&app, &id, "delivered", 3).await;
    let got = server.received_requests().await.unwrap();
    let test: Value = serde_json::from_slice(&got[2].body).unwrap();
    assert_eq!((&test["type"], &test["data"]["webhook"]), (&json!("webhook.test"), &json!(id)));
    assert_eq!((verify(&secret, &got[2]), verify(fresh, &got[2])), (Ok(()), Ok(())));

    let gone = app.http.delete(format!("{}{path}", app.base)).bearer_auth(&app.home.key);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    assert_eq!(app.get(&app.home.key, &path).await.0, 404);
    app.stop().await;
});

on_both!(a_webhook_is_tried_again_under_the_same_id, engine, {
    let app = TestApp::start(engine).await;
    let asked = status(503).insert_header("retry-after", "2");
    let server = endpoint(vec![status(500), asked, status(200)]).await;
    let (id, secret) = subscribe(&app, &server.uri(), &["message.received"]).await;
    let begun = std::time::Instant::now();
    app.say("r-1", "t-1", QUESTION).await;
    app.say("r-2", "t-2", QUESTION).await;
    let all = logged(&app, &id, "delivered", 2).await;
    assert_eq!(all[1]["attempts"], 3, "{all:#?}");
    assert_eq!(all[0]["attempts"], 1, "what comes after waits: {all:#?}");
    assert!(begun.elapsed() >= Duration::from_secs(3), "1 s, then the 2 s that it asked for");
    let got = server.received_requests().await.unwrap();
    let ids: Vec<&str> = got.iter().map(|r| header(r, "webhook-id")).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids[..3].iter().all(|i| *i == ids[0]) && ids[3] != ids[0], "{ids:?}");
    assert!(got[..3].iter().all(|r| r.body == got[0].body && verify(&secret, r).is_ok()));
    let times: Vec<&str> = got.iter().map(|r| header(r, "webhook-timestamp")).collect();
    assert_ne!(times[0], times[2], "the timestamp is fresh");

    let event = all[1]["event"].as_str().unwrap();
    let path = format!("/v1/webhooks/{id}/deliveries/{event}/redeliver");
    assert_eq!(app.post(&app.home.key, &path, &json!({})).await.0, 202);
    let again = eventually(|| async {
        let got = server.received_requests().await?;
        (got.len() == 5).then(|| header(&got[4], "webhook-id").to_owned())
    });
    assert_eq!(again.await.as_deref(), Some(ids[0]));
});

on_both!(an_endpoint_at_rest_is_woken_by_who_has_seen_to_it, engine, {
    let app = TestApp::start(engine).await;
    let asked = status(503).insert_header("retry-after", "3600");
    let server = endpoint(vec![asked, status(200)]).await;
    let (id, _) = subscribe(&app, &server.uri(), &["message.received"]).await;
    app.say("s-1", "t-1", QUESTION).await;
    let path = format!("/v1/webhooks/{id}");
    let resting = eventually(|| async {
        let (_, w) = app.get(&app.home.key, &path).await;
        w["rest_until"].is_string().then_some(w)
    });
    assert_eq!(resting.await.unwrap()["failures"], 1);
    app.say("s-2", "t-2", QUESTION).await;
    logged(&app, &id, "pending", 2).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "it is left alone");

    // A test is posted at once, and so is what had to wait only for the rest to end.
    assert_eq!(app.post(&app.home.key, &format!("{path}/test"), &json!({})).await.0, 202);
    logged(&app, &id, "delivered", 2).await;
    let (_, w) = app.get(&app.home.key, &path).await;
    assert_eq!((&w["rest_until"], &w["failures"]), (&Value::Null, &json!(0)));
    assert_eq!(log(&app, &id).await.last().unwrap()["state"], "pending", "in its hour");

    // At a new address all that waits is posted.
    let moved = endpoint(vec![status(200)]).await;
    let change = app.http.patch(format!("{}{path}", app.base)).bearer_auth(&app.home.key);
    let change = change.json(&json!({"url": moved.uri()})).send().await.unwrap();
    assert_eq!(change.status(), 200);
    logged(&app, &id, "delivered", 3).await;
    assert_eq!(moved.received_requests().await.unwrap().len(), 1);
});

on_both!(an_endpoint_that_is_gone_is_switched_off, engine, {
    let app = TestApp::start(engine).await;
    let server = endpoint(vec![status(410), status(200)]).await;
    let (id, _) = subscribe(&app, &server.uri(), &[]).await;
    app.say("g-1", "t-1", QUESTION).await;
    let off = eventually(|| async {
        let (_, w) = app.get(&app.home.key, &format!("/v1/webhooks/{id}")).await;
        (w["enabled"] == false).then_some(w)
    });
    assert_eq!(off.await.unwrap()["disabled_reason"], "gone");
    app.quiet().await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    let states: Vec<Value> = log(&app, &id).await.iter().map(|d| d["state"].clone()).collect();
    assert!(states.iter().all(|s| s == "dropped"), "{states:?}");
    let mut c = app.store.db.read().await.unwrap();
    let object = format!("webhook:{id}");
    let logged = countersign::store::audit::of_object(&mut c, &app.home.id, &object).await.unwrap();
    assert!(logged.iter().any(|e| e.action == "webhook.disabled"), "{logged:?}");
    drop(c);
    let (code, said) =
        app.post(&app.home.key, &format!("/v1/webhooks/{id}/test"), &json!({})).await;
    assert_eq!((code, said["code"].as_str()), (409, Some("webhook_disabled")), "{said}");

    let url = format!("{}/v1/webhooks/{id}", app.base);
    let on = app.http.patch(url).bearer_auth(&app.home.key).json(&json!({"enabled": true}));
    assert_eq!(on.send().await.unwrap().status(), 200);
    app.say("g-2", "t-2", QUESTION).await;
    let told = eventually(|| async {
        (log(&app, &id).await.iter().any(|d| d["state"] == "delivered")).then_some(())
    });
    assert!(told.await.is_some());
});

on_both!(an_endpoint_that_fails_for_days_is_switched_off, engine, {
    let app = TestApp::start(engine).await;
    let server = endpoint(vec![status(500)]).await;
    let (id, _) = subscribe(&app, &server.uri(), &["message.received"]).await;
    app.say("f-1", "t-1", QUESTION).await;
    let failing = eventually(|| async {
        let (_, w) = app.get(&app.home.key, &format!("/v1/webhooks/{id}")).await;
        (w["failures"].as_i64()? >= 1).then_some(w)
    });
    assert_eq!(failing.await.unwrap()["enabled"], true);
    let six_days = 6 * 86_400_000_000_i64;
    let mut tx = app.store.db.begin().await.unwrap();
    sqlx::query("update webhook_endpoint set failing_since = failing_since - $1")
        .bind(six_days)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let off = eventually(|| async {
        let (_, w) = app.get(&app.home.key, &format!("/v1/webhooks/{id}")).await;
        (w["enabled"] == false).then_some(w)
    });
    assert_eq!(off.await.unwrap()["disabled_reason"], "failing");
    assert!(log(&app, &id).await.iter().all(|d| d["state"] == "dropped"));
});

on_both!(what_is_refused_goes_on_alone_until_it_is_given_up, engine, {
    let app = TestApp::start_with(engine, &["events.max_attempts=2"]).await;
    let server = endpoint(vec![status(400), status(200), status(302), status(200)]).await;
    let (id, _) = subscribe(&app, &server.uri(), &["message.received"]).await;
    app.say("a-1", "t-1", QUESTION).await;
    logged(&app, &id, "pending", 1).await;
    app.say("a-2", "t-2", QUESTION).await;
    let all = logged(&app, &id, "failed", 1).await;
    assert_eq!(all[1]["error"], "it answered 302", "a redirect isn't followed: {all:#?}");
    assert_eq!((&all[1]["attempts"], &all[0]["state"]), (&json!(2), &json!("delivered")));
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn webhooks_to_odd_places_and_with_odd_wishes_are_refused() {
    let app = TestApp::start_with(Engine::Sqlite, &["send.allow_private_addresses=false"]).await;
    for (body, code) in [
        (json!({"url": "http://127.0.0.1/x"}), "bad_url"),
        (json!({"url": "http://169.254.169.254/latest"}), "bad_url"),
        (json!({"url": "ftp://example.com/"}), "bad_url"),
        (json!({"url": "not a url"}), "bad_url"),
        (json!({"url": "https://u:p@example.com/"}), "bad_url"),
        (json!({"url": "https://example.com/", "events": ["secret.thing"]}), "bad_event_type"),
        (json!({"events": []}), "bad_json"),
    ] {
        let (status, said) = app.post(&app.home.key, "/v1/webhooks", &body).await;
        assert!(status == 422 || status == 400, "{body}: {said}");
        assert_eq!(said["code"], code, "{body}: {said}");
        assert!(!said.to_string().contains("secret.thing"), "{said}");
    }
    // A name that resolves to a private address is refused when it is connected to.
    let (id, _) = subscribe(&app, "http://localhost:9/", &["message.received"]).await;
    app.say("o-1", "t-1", QUESTION).await;
    let tried = eventually(|| async {
        let d = log(&app, &id).await.into_iter().next()?;
        d["error"].as_str().map(str::to_owned)
    });
    assert_eq!(tried.await.as_deref(), Some("the address is not on the public Internet"));
    for n in 0..19 {
        subscribe(&app, &format!("https://example.com/{n}"), &["webhook.test"]).await;
    }
    let more = json!({"url": "https://example.com/more"});
    let (status, said) = app.post(&app.home.key, "/v1/webhooks", &more).await;
    assert_eq!((status, said["code"].as_str()), (422, Some("too_many_webhooks")));
}

// The demonstration's inbox, whole: each message that was classified is told once by the stream and
// once by the webhook, in the same words, and nothing of the senders is in it.
on_both!(every_classified_message_of_the_demo_inbox_is_told, engine, {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let app = TestApp::start(engine).await;
    let server = endpoint(vec![status(200)]).await;
    let (hook, _) = subscribe(&app, &server.uri(), &["message.classified"]).await;
    let inbox = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/inbox");
    let mut bodies = Vec::new();
    for file in std::fs::read_dir(inbox.join("mail")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|x| x == "eml") {
            let eml = STANDARD.encode(std::fs::read(path).unwrap());
            bodies.push(json!({"channel": "mail", "eml_b64": eml}));
        }
    }
    let lines = std::fs::read_to_string(inbox.join("messages.jsonl")).unwrap();
    for line in lines.lines().filter(|l| !l.trim().is_empty()) {
        let mut body: Value = serde_json::from_str(line).unwrap();
        if !["chat", "mail", "sms"].contains(&body["channel"].as_str().unwrap()) {
            body["channel"] = json!("chat");
        }
        bodies.push(body);
    }
    for body in &bodies {
        let (status, said) = app.post(&app.home.key, "/v1/messages", body).await;
        assert!(matches!(status, 200 | 202), "{said}");
    }
    let mut c = app.store.db.read().await.unwrap();
    let asked = "select message_id from analysis order by message_id";
    let done = eventually(|| async {
        let mut c = app.store.db.read().await.ok()?;
        let counts = countersign::store::job::counts(&mut c).await.ok()?;
        let read = counts.iter().filter(|(kind, ..)| kind == "understand");
        read.clone().all(|(_, state, _)| state == "done").then_some(())
    });
    assert!(done.await.is_some());
    let classified: Vec<(String,)> = sqlx::query_as(asked).fetch_all(&mut *c).await.unwrap();
    let classified: Vec<String> = classified.into_iter().map(|(id,)| id).collect();
    assert!(classified.len() > 20, "{} were classified", classified.len());
    drop(c);
    let query = "after=0&types=message.classified";
    let mut told = app.told(&app.home.key, query, None, classified.len()).await;
    told.iter_mut().for_each(|e| drop(e.as_object_mut().unwrap().remove("sse")));
    let mut ids: Vec<&str> = told.iter().map(|e| e["data"]["message"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, classified, "each once");
    logged_all(&app, &hook, classified.len()).await;
    let posted = server.received_requests().await.unwrap();
    let posted: Vec<Value> =
        posted.iter().map(|r| serde_json::from_slice(&r.body).unwrap()).collect();
    assert_eq!(posted, told, "the same in the same order");
    let text = json!(told).to_string();
    for body in &bodies {
        let address = body["from"]["address"].as_str().unwrap_or("@");
        assert!(address.len() < 5 || !text.contains(address), "{address}");
    }
});

/// Waits until as many deliveries have been made.
async fn logged_all(app: &TestApp, id: &str, n: usize) {
    let all = eventually(|| async {
        let path = format!("/v1/webhooks/{id}/deliveries?limit=200");
        let (_, b) = app.get(&app.home.key, &path).await;
        let made = b["items"].as_array()?.iter().filter(|d| d["state"] == "delivered").count();
        (made == n).then_some(())
    });
    assert!(all.await.is_some(), "not all were delivered");
}

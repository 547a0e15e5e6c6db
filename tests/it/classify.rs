//! `POST /v1/classify` from outside: shapes, bad items, limits, load.

use std::num::NonZeroU32;
use std::time::Duration;

use countersign::domain::ids::{KeyId, Micros};
use countersign::domain::limit::KeyLimits;
use countersign::store::key;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::harness::{Engine, TestApp, eventually};
use crate::on_both;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_text_a_message_a_thread_and_several_items() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let key = app.home.key.clone();
    let ask = |body: Value| {
        let (app, key) = (&app, &key);
        async move { app.post(key, "/v1/classify", &body).await }
    };
    let (status, b) = ask(json!({"text": "Where is my parcel? It was due on Tuesday."})).await;
    assert_eq!(status, 200, "{b}");
    assert_eq!(b["intent"]["label"], "order_status", "{b}");
    assert!(b["intent"]["confidence"].as_f64().is_some_and(|c| (0.0..=1.0).contains(&c)));
    for field in ["sentiment", "urgency", "language", "spam", "injection", "versions", "timing_ms"]
    {
        assert!(!b[field].is_null(), "{field}: {b}");
    }
    assert!(b["timing_ms"]["total"].as_f64() >= b["timing_ms"]["encode"].as_f64(), "{b}");
    assert!(b.get("text").is_none() && b.get("id").is_none());

    let (_, b) = ask(json!({"id": 7, "outputs": ["language"], "subject": "Rücksendung",
        "html": "<p>Wie lange darf ich den Artikel zurückgeben?</p>", "from": "a@shop.example"}))
    .await;
    assert_eq!((&b["id"], &b["language"]), (&json!(7), &json!("de")), "{b}");
    assert_eq!(b["text"], "Wie lange darf ich den Artikel zurückgeben?");
    assert!(b.get("intent").is_none() && b.get("spam").is_none(), "{b}");

    let (_, b) = ask(json!({"messages": [
        {"role": "customer", "text": "Where is my parcel?"},
        {"role": "agent", "text": "It is on its way."},
        {"role": "customer", "text": "This is a disgrace! I want my money back at once!"},
    ]}))
    .await;
    assert_eq!(b["trend"]["direction"], "worsening", "{b}");

    let (status, b) = ask(json!({"items": [
        {"id": "a", "text": "Where is my parcel?"}, {"id": "b", "text": 7}, {"text": "???"},
    ]}))
    .await;
    assert_eq!(status, 200, "{b}");
    assert_eq!(b["items"][0]["id"], "a");
    let bad = &b["items"][1];
    assert_eq!((&bad["id"], &bad["index"]), (&json!("b"), &json!(1)));
    assert_eq!(
        (&bad["error"]["code"], &bad["error"]["pointer"]),
        (&json!("bad_item"), &json!("/items/1/text"))
    );
    let empty = &b["items"][2]["intent"];
    assert_eq!(
        (&empty["abstained"], &empty["abstained_reason"]),
        (&json!(true), &json!("no_words"))
    );

    for (body, code, pointer) in [
        (json!({}), "bad_item", ""),
        (json!({"text": "x", "taxonomy": "other"}), "unknown_taxonomy", "/taxonomy"),
        (json!({"text": "x", "outputs": ["mood"]}), "bad_options", "/outputs/0"),
        (json!({"items": vec![json!({"text": "x"}); 257]}), "bad_options", "/items"),
        (json!({"text": "x".repeat(65 * 1024)}), "text_too_long", ""),
    ] {
        let (status, b) = ask(body).await;
        assert_eq!(
            (status, &b["code"], &b["pointer"]),
            (422, &json!(code), &json!(pointer)),
            "{b}"
        );
    }
    // A body that isn't JSON, and one that is too large.
    let url = format!("{}/v1/classify", app.base);
    for (body, status, code) in [
        ("{\"text\": \"secret".to_owned(), 400, "bad_json"),
        (format!("{{\"text\": \"{}\"}}", "x".repeat(12 << 20)), 413, "too_large"),
    ] {
        let r = app.http.post(&url).bearer_auth(&key).body(body).send().await.unwrap();
        assert_eq!(r.status().as_u16(), status);
        let b: Value = r.json().await.unwrap();
        assert_eq!(b["code"], code);
        assert!(!b.to_string().contains("secret"), "{b}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn taxonomies_by_name_and_brought_along() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("garden.toml");
    let intent = |name: &str, examples: &[&str]| {
        let examples: Vec<String> = (0..3)
            .flat_map(|n| examples.iter().map(move |e| format!("\"{e}{}\"", "!".repeat(n))))
            .collect();
        format!(
            "[[intent]]\nname = \"{name}\"\ndescription = \"d\"\npriority = \"normal\"\nexamples = [{}]\n",
            examples.join(", ")
        )
    };
    let plants = [
        "my tomato plant has brown leaves",
        "aphids on the roses",
        "the fern is dying",
        "yellow spots on my basil",
        "the cactus rots",
    ];
    let tools = [
        "the lawn mower does not start",
        "my hedge trimmer is blunt",
        "the spade broke",
        "which chain saw oil do I need",
        "the hose leaks",
    ];
    let file = format!(
        "[taxonomy]\nname = \"garden\"\n{}{}",
        intent("plant_trouble", &plants),
        intent("tool_trouble", &tools)
    );
    std::fs::write(&path, file).unwrap();
    let config = format!("[taxonomies]\ngarden = '{}'\n", path.display());
    let app = TestApp::start_from(Engine::Sqlite, &config).await;
    let key = app.home.key.clone();
    let ask = |body: Value| {
        let (app, key) = (&app, &key);
        async move { app.post(key, "/v1/classify", &body).await }
    };
    let text = "The blade of my lawn mower is blunt";
    let (status, b) = ask(json!({"text": text, "taxonomy": "garden"})).await;
    assert_eq!((status, &b["intent"]["label"]), (200, &json!("tool_trouble")), "{b}");
    assert!(b["versions"]["taxonomy"].as_str().unwrap().starts_with("garden@"), "{b}");

    let own = json!({"labels": [
        {"name": "Tools & machines", "examples": tools},
        {"name": "Plants", "description": "Something is wrong with a plant", "examples": plants},
    ]});
    let body = json!({"text": text, "taxonomy": own, "outputs": ["intent"]});
    let (status, b) = ask(body.clone()).await;
    assert_eq!((status, &b["intent"]["label"]), (200, &json!("Tools & machines")), "{b}");
    let version = b["versions"]["taxonomy"].clone();
    assert_eq!(ask(body).await.1["versions"]["taxonomy"], version);
    let lines = format!("{}\n{}\n", json!({"options": {"taxonomy": own}}), json!({"text": text}));
    let answers = lines_of(&app, &key, "", lines).await;
    assert_eq!(answers[0]["intent"]["label"], "Tools & machines", "{answers:?}");
    app.stop().await;
}

/// Sends JSON Lines and reads the answers.
async fn lines_of(
    app: &TestApp,
    key: &str,
    query: &str,
    body: impl Into<reqwest::Body>,
) -> Vec<Value> {
    let r = app
        .http
        .post(format!("{}/v1/classify{query}", app.base))
        .bearer_auth(key)
        .header("content-type", "application/x-ndjson")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(r.status().as_u16(), 200);
    assert_eq!(r.headers()["content-type"], "application/x-ndjson");
    let text = r.text().await.unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lines_are_answered_in_order_whatever_they_are() {
    let more = ["classify.max_text_kib=1", "classify.max_lines=130"];
    let app = TestApp::idle(Engine::Sqlite, &more).await;
    let key = app.home.key.clone();
    let mut body = String::from(
        "{\"id\": 1, \"text\": \"Where is my parcel?\"}\n\nnot json\n{\"id\": 4, \"text\": 7}\n[]\n",
    );
    body.push_str(&format!("{{\"id\": 6, \"text\": \"{}\"}}\n", "x".repeat(2000)));
    body.push_str(&format!("{{\"id\": 7, \"text\": \"{}\"}}\n", "x".repeat(40_000)));
    body.push_str("{\"id\": 8, \"text\": \"\\ud83d\\ude00 Danke!\"}\r\n");
    body.push_str("{\"id\": 9, \"text\": \"half a line");
    let answers = lines_of(&app, &key, "?outputs=language,spam", body).await;
    let got: Vec<(Value, Value, Value)> = answers
        .iter()
        .map(|a| (a["id"].clone(), a["line"].clone(), a["error"]["code"].clone()))
        .collect();
    let (none, at) = (Value::Null, |n: u64| json!(n));
    let bad = |line: u64, code: &str| (Value::Null, at(line), json!(code));
    assert_eq!(
        got,
        [
            (json!(1), none.clone(), none.clone()),
            bad(3, "bad_json"),
            (json!(4), at(4), json!("bad_item")),
            bad(5, "bad_item"),
            (json!(6), at(6), json!("text_too_long")),
            bad(7, "text_too_long"),
            (json!(8), none.clone(), none.clone()),
            bad(9, "bad_json"),
        ]
    );
    assert_eq!(answers[2]["error"]["pointer"], "/text");
    assert!(
        answers[0].get("intent").is_none() && answers[0]["language"] == "en",
        "{:?}",
        answers[0]
    );
    assert!(answers.iter().all(|a| !a.to_string().contains("half")), "{answers:?}");

    // More than the window, and one more than is allowed.
    let many: String =
        (0..131).map(|i| format!("{{\"id\": {i}, \"text\": \"Hello {i}\"}}\n")).collect();
    let answers = lines_of(&app, &key, "?outputs=language", many).await;
    assert_eq!(answers.len(), 131);
    assert!((0..130).all(|i| answers[i]["id"] == json!(i)), "{answers:?}");
    assert_eq!(answers[130]["error"]["code"], "too_many_lines");

    let list = json!({"items": [{"id": 1, "text": "Hello"}, {"id": 2}]});
    let r = app.http.post(format!("{}/v1/classify", app.base)).bearer_auth(&key).json(&list);
    let r = r.header("accept", "application/x-ndjson").send().await.unwrap().text().await.unwrap();
    let ids: Vec<Value> =
        r.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(2)], "{r}");

    let options = "{\"options\": {\"outputs\": [\"mood\"]}}\n{\"text\": \"x\"}\n";
    let answers = lines_of(&app, &key, "", options).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["error"]["pointer"], "/options/outputs/0");
    assert!(lines_of(&app, &key, "", "").await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_come_while_lines_are_still_on_their_way() {
    use futures::StreamExt as _;
    let app = TestApp::idle(Engine::Sqlite, &["classify.max_streams=1"]).await;
    let (send, receive) = tokio::sync::mpsc::unbounded_channel::<Result<String, std::io::Error>>();
    let lines = futures::stream::unfold(receive, |mut r| async { Some((r.recv().await?, r)) });
    let post = |body: reqwest::Body| {
        app.http
            .post(format!("{}/v1/classify", app.base))
            .bearer_auth(&app.home.key)
            .header("content-type", "application/x-ndjson")
            .body(body)
    };
    let mut answer = {
        send.send(Ok("{\"id\": 0, \"text\": \"Hello\"}\n".to_owned())).unwrap();
        post(reqwest::Body::wrap_stream(lines)).send().await.unwrap().bytes_stream()
    };
    for n in 0..3 {
        let line = answer.next().await.unwrap().unwrap();
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["id"], json!(n), "an answer came before the next line was sent");
        send.send(Ok(format!("{{\"id\": {}, \"text\": \"Hello\"}}\n", n + 1))).unwrap();
    }
    // Only one stream at a time; when its client goes away there is room again.
    let other = post("{\"text\": \"x\"}\n".into()).send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.headers().contains_key("retry-after")), (429, true));
    drop((answer, send));
    let room = eventually(|| async {
        let r = post("{\"text\": \"x\"}\n".into()).send().await.ok()?;
        (r.status() == 200).then_some(())
    });
    assert!(room.await.is_some(), "the stream of a client that went away goes on");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_refuses_and_recovers() {
    let more =
        ["classify.queue=4", "classify.max_items=2", "classify.batch=1", "classify.workers=1"];
    let app = TestApp::idle(Engine::Sqlite, &more).await;
    let (_, key) = app.key(&["classify"], &limits(None, 0, Some("1000/day")), None).await;
    let key = &key;
    let text = "Where is my parcel? ".repeat(100);
    let one = || async {
        let r = app
            .http
            .post(format!("{}/v1/classify", app.base))
            .bearer_auth(key)
            .json(&json!({"text": text}))
            .send()
            .await
            .unwrap();
        let after =
            r.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse::<u32>().ok());
        let status = r.status().as_u16();
        let b: Value = r.json().await.unwrap();
        (status, after, b["code"].clone())
    };
    let all = futures::future::join_all((0..40).map(|_| one())).await;
    let refused: Vec<_> = all.iter().filter(|(s, ..)| *s == 429).collect();
    assert!(!refused.is_empty(), "nothing was refused: {all:?}");
    assert!(refused.iter().all(|(_, after, code)| after.is_some_and(|a| a > 0) && code == "busy"));
    assert!(all.iter().all(|(s, ..)| *s == 429 || *s == 200), "{all:?}");
    assert!(all.iter().any(|(s, ..)| *s == 200));
    assert_eq!(one().await.0, 200, "and there is room again");
    // What was refused cost nothing of the quota.
    let left = 1000 - (all.len() - refused.len()) - 2;
    let (status, headers, _) = post(&app, key, 1).await;
    assert_eq!(status, 200);
    let quota = headers["ratelimit"].to_str().unwrap();
    assert!(quota.starts_with(&format!("\"quota\";r={left};")), "{quota} and not {left}");
    let metrics = app.http.get(format!("{}/metrics", app.base)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let refused =
        format!("countersign_classify_unread_total{{reason=\"refused\"}} {}\n", refused.len());
    assert!(metrics.contains(&refused), "{metrics}");
    assert!(metrics.contains("countersign_classify_queue 0\n"), "{metrics}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_keys_batch_does_not_hold_up_anothers_text() {
    // So long that a busy machine doesn't refuse the batch for its wait.
    let sets = ["classify.batch=1", "classify.workers=1", "classify.deadline_ms=300000"];
    let app = TestApp::idle(Engine::Sqlite, &sets).await;
    let (_, other) = app.key(&["classify"], &KeyLimits::default(), None).await;
    let text = "Where is my parcel? It was due on Tuesday. ".repeat(4);
    let items = json!({"items": vec![json!({"text": text}); 256]});
    let batch = app.post(&app.home.key, "/v1/classify", &items);
    let mut batch = Box::pin(batch);
    // Until the batch stands in the queue.
    let queued = eventually(|| async { (app.app.classifier.depth().0 > 200).then_some(()) });
    tokio::select! {
        _ = &mut batch => panic!("the batch was done before it was seen in the queue"),
        queued = queued => assert!(queued.is_some()),
    }
    for _ in 0..3 {
        let single = json!({"text": "Hello"});
        tokio::select! {
            biased;
            (status, b) = app.post(&other, "/v1/classify", &single) => assert_eq!(status, 200, "{b}"),
            _ = &mut batch => panic!("another key's text waited for the whole batch"),
        }
    }
    let (status, b) = (&mut batch).await;
    drop(batch);
    assert_eq!((status, b["items"].as_array().map(Vec::len)), (200, Some(256)));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_keeps_its_keys_pace_and_pays_for_what_can_not_be_read() {
    // Lines wait longer for the pace than they may for the queue.
    let app = TestApp::idle(Engine::Sqlite, &["classify.deadline_ms=900"]).await;
    let (_, slow) = app.key(&["classify"], &limits(Some("1/s"), 1, None), None).await;
    let begun = std::time::Instant::now();
    let answers = lines_of(&app, &slow, "", "{\"text\": \"Hello\"}\n".repeat(3)).await;
    assert!(answers.iter().all(|a| a["intent"].is_object()), "{answers:?}");
    assert!(answers.len() == 3 && begun.elapsed() >= Duration::from_millis(1900));

    let (_, few) = app.key(&["classify"], &limits(None, 0, Some("3/day")), None).await;
    let bad = "{\"id\": 1}\nnot json\n".repeat(3);
    let answers = lines_of(&app, &few, "", bad).await;
    let codes: Vec<&str> =
        answers.iter().map(|a| a["error"]["code"].as_str().unwrap_or("none")).collect();
    assert_eq!(codes, ["bad_item", "bad_json", "bad_item", "quota_exceeded"], "{answers:?}");
    app.stop().await;
}

/// Posts a text and gives the status, the headers and the problem's code.
async fn post(app: &TestApp, key: &str, items: usize) -> (u16, HeaderMap, Value) {
    let body = match items {
        1 => json!({"text": "Hello", "outputs": ["language"]}),
        n => json!({"items": vec![json!({"text": "Hello"}); n], "outputs": ["language"]}),
    };
    let r = app.http.post(format!("{}/v1/classify", app.base)).bearer_auth(key).json(&body);
    let r = r.send().await.unwrap();
    let (status, headers) = (r.status().as_u16(), r.headers().clone());
    (status, headers, r.json::<Value>().await.unwrap()["code"].clone())
}

fn limits(rate: Option<&str>, burst: u32, quota: Option<&str>) -> KeyLimits {
    KeyLimits {
        rate: rate.map(|r| r.parse().unwrap()),
        burst: NonZeroU32::new(burst),
        quota: quota.map(|q| q.parse().unwrap()),
    }
}

on_both!(scopes_ends_and_rotation_bind, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let (_, mask) = app.key(&["mask"], &KeyLimits::default(), None).await;
    let (status, _, code) = post(&app, &mask, 1).await;
    assert_eq!((status, code), (403, json!("scope_missing")));
    let ended = Micros(app.store.host.now().0 - 1);
    let (_, ended) = app.key(&["classify"], &KeyLimits::default(), Some(ended)).await;
    assert_eq!(post(&app, &ended, 1).await.0, 401);
    assert_eq!(post(&app, "cs_live_nonsense", 1).await.0, 401);

    let set = limits(Some("1000/s"), 500, Some("3/day"));
    let (id, old) = app.key(&["classify"], &set, None).await;
    assert_eq!(post(&app, &old, 1).await.0, 200);
    let rotate = |id: KeyId, overlap: u64| {
        let (store, t) = (app.store.clone(), app.home.id.clone());
        async move {
            let mut tx = store.db.begin().await.unwrap();
            let overlap = Duration::from_secs(overlap);
            let made = key::rotate(&store, &mut tx, &t, &id, overlap).await?;
            tx.commit().await.unwrap();
            Ok::<_, countersign::store::Error>(made)
        }
    };
    let (second, new) = rotate(id.clone(), 3600).await.unwrap();
    assert_eq!((post(&app, &old, 1).await.0, post(&app, &new, 1).await.0), (200, 200));
    // They count together.
    let (status, _, code) = post(&app, &new, 1).await;
    assert_eq!((status, code), (429, json!("quota_exceeded")));
    let (_, third) = rotate(second, 0).await.unwrap();
    assert_eq!((post(&app, &new, 1).await.0, post(&app, &third, 1).await.0), (401, 429));
    let mut c = app.store.db.read().await.unwrap();
    let all = key::list(&mut c, &app.home.id).await.unwrap();
    drop(c);
    let last = all.iter().max_by_key(|l| l.created_at).unwrap();
    assert_eq!((&last.key.limits, &last.key.family), (&set, &id));
    // Other limits are those of all of them: else they would begin anew with each change between two keys.
    let other = limits(Some("7/s"), 7, None);
    let mut tx = app.store.db.begin().await.unwrap();
    key::limit(&mut tx, &app.home.id, &last.key.id, &other).await.unwrap();
    tx.commit().await.unwrap();
    let mut c = app.store.db.read().await.unwrap();
    let all = key::list(&mut c, &app.home.id).await.unwrap();
    drop(c);
    let family: Vec<_> = all.iter().filter(|l| l.key.family == id).collect();
    assert_eq!(family.len(), 3);
    assert!(family.iter().all(|l| l.key.limits == other), "{family:?}");
    assert!(rotate("018f0000-0000-7000-8000-000000000000".parse().unwrap(), 0).await.is_err());
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pace_is_kept_and_told() {
    let app = TestApp::idle(Engine::Sqlite, &["limits.rate=2/h", "limits.burst=4"]).await;
    let (_, key) = app.key(&["classify", "mask"], &limits(Some("1/h"), 3, None), None).await;
    let (status, headers, _) = post(&app, &key, 1).await;
    assert_eq!(status, 200);
    assert_eq!(headers["ratelimit-policy"], "\"rate\";q=3;w=10800");
    assert_eq!(headers["ratelimit"], "\"rate\";r=2;t=3600");
    // Items count each: three are one too many.
    let (status, headers, code) = post(&app, &key, 3).await;
    assert_eq!((status, code), (429, json!("rate_limited")));
    // One unit more than is left, and the one that the next request costs by itself.
    assert!(headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 6000);
    let items = json!({"items": [{"text": "a"}, {"text": "b"}]});
    assert_eq!(app.post(&key, "/v1/mask", &items).await.0, 429);
    let (_, one_more) = app.key(&["classify"], &limits(Some("1/h"), 3, None), None).await;
    assert_eq!(
        post(&app, &one_more, 4).await.2,
        json!("rate_limited"),
        "never more than the burst"
    );
    let never = json!({"items": [{"text": "a"}, {"text": "b"}, {"text": "c"}, {"text": "d"}]});
    assert_eq!(app.post(&one_more, "/v1/classify", &never).await.1["burst"], 3);
    // Others have the configured pace.
    let (_, plain) = app.key(&["classify"], &KeyLimits::default(), None).await;
    assert_eq!(post(&app, &plain, 1).await.1["ratelimit-policy"], "\"rate\";q=4;w=7200");
    assert_eq!(post(&app, &plain, 3).await.0, 200);
    assert_eq!(post(&app, &plain, 1).await.0, 429);
    app.stop().await;
}

on_both!(a_quota_outlasts_the_process_and_holds_across_several, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let (_, key) = app.key(&["classify"], &limits(None, 0, Some("1000/month")), None).await;
    let (status, headers, _) = post(&app, &key, 200).await;
    assert_eq!(status, 200);
    assert!(
        headers["ratelimit"].to_str().unwrap().starts_with("\"quota\";r=800;t="),
        "{headers:?}"
    );
    let database = app.database.clone();
    let beside = match engine {
        // One process owns a file.
        Engine::Sqlite => {
            app.stop().await;
            None
        }
        Engine::Postgres => Some(app),
    };
    let next = TestApp::on(&database.url, &[]).await;
    for _ in 0..3 {
        assert_eq!(post(&next, &key, 250).await.0, 200);
    }
    let (status, headers, code) = post(&next, &key, 250).await;
    assert_eq!((status, code), (429, json!("quota_exceeded")));
    assert!(headers.contains_key("retry-after"), "{headers:?}");
    // What is left is not lost: no more than what was taken ahead.
    let mut taken = 950;
    for app in [Some(&next), beside.as_ref()].into_iter().flatten() {
        while taken < 1100 && post(app, &key, 5).await.0 == 200 {
            taken += 5;
        }
    }
    assert!((980..=1000).contains(&taken), "{taken} of 1000");
    next.stop().await;
    if let Some(app) = beside {
        app.stop().await;
    }
});

on_both!(what_is_refused_while_the_service_stops_costs_nothing, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let (_, key) = app.key(&["classify"], &limits(Some("1/h"), 1, Some("10/day")), None).await;
    assert_eq!(post(&app, &key, 1).await.0, 200);
    app.app.key_limits.close(&app.store).await.unwrap();
    let (status, _, code) = post(&app, &key, 1).await;
    assert_eq!((status, code), (429, json!("rate_limited")));
    let mut c = app.store.db.read().await.unwrap();
    let (used,): (i64,) = sqlx::query_as("select max(used) from key_use where tenant_id = $1")
        .bind(app.home.id.as_str())
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(used, 1);
    drop(c);
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_of_other_origins_may_ask_only_if_configured() {
    let origin = "https://inbox.example";
    let ask = |app: &TestApp, method: Method, origin: &str, path: &str| {
        app.http
            .request(method, format!("{}{path}", app.base))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type")
            .send()
    };
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let r = ask(&app, Method::OPTIONS, origin, "/v1/classify").await.unwrap();
    assert_eq!(r.status().as_u16(), 405);
    assert!(!r.headers().contains_key("access-control-allow-origin"), "{:?}", r.headers());
    app.stop().await;

    let set = format!("server.cors_origins={origin}");
    let app = TestApp::idle(Engine::Sqlite, &[&set]).await;
    let r = ask(&app, Method::OPTIONS, origin, "/v1/classify").await.unwrap();
    let h = r.headers();
    assert_eq!(
        (r.status().as_u16(), &h["access-control-allow-origin"]),
        (200, &origin.parse().unwrap())
    );
    assert!(h["access-control-allow-headers"].to_str().unwrap().contains("authorization"), "{h:?}");
    assert!(h["access-control-allow-methods"].to_str().unwrap().contains("POST"), "{h:?}");
    assert!(!h.contains_key("access-control-allow-credentials"), "{h:?}");
    // A refusal can be read, too.
    let r = ask(&app, Method::POST, origin, "/v1/classify").await.unwrap();
    assert_eq!(r.status().as_u16(), 401);
    assert_eq!(r.headers()["access-control-allow-origin"], origin);
    assert!(r.headers()["access-control-expose-headers"].to_str().unwrap().contains("ratelimit"));
    for (from, path) in
        [("https://evil.example", "/v1/classify"), (origin, "/login"), (origin, "/metrics")]
    {
        let r = ask(&app, Method::GET, from, path).await.unwrap();
        assert!(!r.headers().contains_key("access-control-allow-origin"), "{from} {path}");
    }
    app.stop().await;
}

//! What one message, one failure or one change of the model may cost the others: long texts, work
//! within transactions, steps that die, jobs that meet, vectors of another encoder.
#![expect(clippy::disallowed_methods, reason = "a test runs steps beside each other")]

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::app;
use countersign::domain::audit::Actor;
use countersign::domain::ids::{MessageId, ReviewId, ThreadId};
use countersign::domain::message::Raw;
use countersign::domain::review::Role;
use countersign::lifecycle::Lifecycle;
use countersign::nlp::encoder::{Embed, Encoding, Reading};
use countersign::pipeline::masking::{Masking, Maskings};
use countersign::pipeline::{self, Pipeline, StepError, send, understand};
use countersign::review::actions::{Desk, Reviewer, Written};
use countersign::store::job::{self, Claim, Kind, Lane};
use countersign::store::{message as messages, tenant, user, vault};
use countersign::worker::Worker;
use serde_json::{Value, json};

use crate::harness::{Engine, QUESTION, TestApp, eventually, message, model_folder, models, sql};
use crate::on_both;

const LEASE: Duration = Duration::from_secs(60);
const RETURNS: &str = "You can return any unworn item within 30 days of delivery.";

/// An encoder before which work can be held up, or made to fail.
struct Gate {
    inner: Arc<dyn Embed>,
    shut: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicBool,
    /// How many more calls panic.
    panics: AtomicUsize,
}

impl Gate {
    fn new(panics: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: models().encoder,
            shut: Mutex::new(false),
            opened: Condvar::new(),
            waiting: AtomicBool::new(false),
            panics: AtomicUsize::new(panics),
        })
    }

    fn shut(&self) {
        self.waiting.store(false, Ordering::SeqCst);
        *self.shut.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.shut.lock().unwrap() = false;
        self.opened.notify_all();
    }

    /// Waits until somebody stands before the gate.
    async fn reached(&self) {
        let there = || async { self.waiting.load(Ordering::SeqCst).then_some(()) };
        eventually(there).await.expect("nobody came to the gate");
    }

    fn pass(&self) {
        let left = |n: usize| n.checked_sub(1);
        if self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
            panic!("a step that dies, on purpose");
        }
        let shut = self.shut.lock().unwrap();
        if *shut {
            self.waiting.store(true, Ordering::SeqCst);
        }
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
    }
}

impl Embed for Gate {
    fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
        self.pass();
        self.inner.embed(texts)
    }
    fn read(&self, text: &str) -> Option<Reading> {
        self.pass();
        self.inner.read(text)
    }
    fn id(&self) -> &str {
        self.inner.id()
    }
    fn dims(&self) -> usize {
        self.inner.dims()
    }
}

fn masking(app: &TestApp, gate: &Arc<Gate>) -> Arc<Maskings> {
    let set = &app.app.config.mask;
    let detector = app::detector(set, None, Some(gate.clone())).unwrap();
    Arc::new(Maskings::new(Masking::new(Arc::new(detector), app::operators(set).unwrap())))
}

/// The app's pipeline with another masking or another encoder.
fn pipeline_of(
    app: &TestApp,
    masking: Option<Arc<Maskings>>,
    encoder: Option<Arc<Gate>>,
) -> Arc<Pipeline> {
    let p = &app.app.pipeline;
    let encoder = encoder.map_or_else(|| p.encoder.clone(), |e| e as Arc<dyn Embed>);
    Arc::new(Pipeline {
        store: p.store.clone(),
        config: p.config.clone(),
        encoder,
        evidence: p.evidence.clone(),
        masking: masking.unwrap_or_else(|| p.masking.clone()),
        heads: p.heads.clone(),
        search: p.search.clone(),
        drafter: p.drafter.clone(),
        senders: send::Senders {
            sandbox: p.senders.sandbox.clone(),
            webhook: p.senders.webhook.clone(),
            chatwoot: p.senders.chatwoot.clone(),
        },
        platform: p.platform.clone(),
        poster: p.poster.clone(),
    })
}

async fn claim(app: &TestApp, kind: Kind) -> Claim {
    let found = eventually(|| async {
        let claims = job::claim(&app.store, "w", Lane::Messages, 1, LEASE).await.ok()?;
        claims.into_iter().next()
    });
    let claim = found.await.expect("nothing to claim");
    assert_eq!(claim.kind, kind, "{claim:?}");
    claim
}

async fn understood(app: &TestApp, id: &str) -> Value {
    let seen = eventually(|| async {
        let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
        (m["state"] == "understood").then_some(m)
    });
    seen.await.unwrap_or_else(|| panic!("{id} was not understood"))
}

async fn counted(app: &TestApp, what: &'static str) -> i64 {
    let mut c = app.store.db.read().await.unwrap();
    let (n,): (i64,) = sqlx::query_as(what).fetch_one(&mut *c).await.unwrap();
    n
}

async fn anna(app: &TestApp) -> Reviewer {
    let mut c = app.store.db.read().await.unwrap();
    let user = user::by_name(&mut c, &app.home.id, "anna").await.unwrap().unwrap();
    Reviewer { tenant: app.home.id.clone(), user: user.id, role: Role::Lead }
}

async fn act(app: &TestApp, review: &Value, what: &str, mut body: Value) -> (u16, Value) {
    body["revision"] = review["revision"].clone();
    app.act(review, what, body).await
}

/// About so many bytes of ordinary words.
fn prose(bytes: usize) -> String {
    let line =
        "We ordered two tables for the office last week and the second one came without legs.\n";
    line.repeat(bytes / line.len())
}

on_both!(a_long_message_is_kept_whole_and_shown_in_part, engine, {
    let app = TestApp::start_with(engine, &["ingest.max_text_kib=4"]).await;
    app.teach("Returns", RETURNS).await;
    let (before, across, beyond) =
        ("first.caller@example.com", "+44 20 7946 0958", "+49 171 5550199");
    let mut text = format!("{QUESTION} Write to {before}. ");
    text.push_str(&prose(3500).replace('\n', " "));
    text.push_str(&"x".repeat(4080 - text.len()));
    // Byte 4096 lies within the number, and so does the last space before it.
    text.push_str(&format!(" call us: {across}, or {beyond}.\n"));
    text.push_str(&prose(300_000));
    let id = app.say("long-1", "t-1", &text).await;
    let m = understood(&app, &id).await;
    let shown = m["text"].as_str().unwrap();
    assert!(shown.contains("<EMAIL_1>") && shown.contains(QUESTION), "{shown}");
    assert!(shown.len() <= 4096, "{} bytes are shown", shown.len());
    for raw in [before, "+44", "7946", "5550199"] {
        for part in ["subject", "text", "quoted", "signature", "oddities"] {
            assert!(!m[part].to_string().contains(raw), "`{raw}` is shown in {part}");
        }
    }
    let said = m["oddities"].as_array().unwrap();
    assert!(said.iter().any(|o| o.as_str().unwrap().contains("longer than")), "{m}");
    let review = app.review_in(&id, &["pending", "no_match"]).await;
    let attention = review["attention"].as_array().unwrap();
    assert!(attention.contains(&json!("text_cut")), "{review}");
    let rows = "select cast(count(*) as bigint) from chunk where kind = 'message'
                and (body like '%+44%' or body like '%0199%')";
    assert_eq!(counted(&app, rows).await, 0, "what isn't shown was indexed");

    // The original is there to the last byte.
    let mut c = app.store.db.read().await.unwrap();
    let wanted: MessageId = id.parse().unwrap();
    let raw = messages::raw(&app.store, &mut c, &app.home.id, &wanted).await.unwrap();
    let Raw::Json(kept) = raw.raw else { panic!("it was JSON") };
    assert_eq!(kept.text.as_deref(), Some(text.as_str()));
    drop(c);

    // A mail of the size that the door lets in.
    let mail = format!(
        "From: Robin <robin@example.com>\r\nSubject: Long\r\nMessage-ID: <long@example.com>\r\n\
         Date: Mon, 2 Mar 2026 10:00:00 +0000\r\n\r\n{QUESTION}\r\n{}",
        prose(8_500_000)
    );
    let body = json!({"channel": "mail", "eml_b64": STANDARD.encode(&mail)});
    let (status, said) = app.post(&app.home.key, "/v1/messages", &body).await;
    assert_eq!(status, 202, "{said}");
    let m = understood(&app, said["id"].as_str().unwrap()).await;
    assert!(m["text"].as_str().unwrap().len() <= 4096);
    app.stop().await;
});

on_both!(a_long_message_holds_up_neither_small_ones_nor_the_database, engine, {
    // Enough to keep the encoder of a debug build busy for seconds.
    let app = TestApp::start_with(engine, &["ingest.max_text_kib=40"]).await;
    app.teach("Returns", RETURNS).await;
    let first = app.say("first", "t-first", QUESTION).await;
    let review = app.review_in(&first, &["pending"]).await;
    let large = app.say("large", "t-large", &prose(1_000_000)).await;
    let running = "select cast(count(*) as bigint) from job where state = 'running'";
    let begun = eventually(|| async { (counted(&app, running).await > 0).then_some(()) });
    begun.await.expect("the long message was not begun");

    let small = app.say("small", "t-small", QUESTION).await;
    let texts: Vec<String> = (0..20).map(|n| format!("{QUESTION} Order {n}.")).collect();
    let mut ingests = tokio::task::JoinSet::new();
    for (n, text) in texts.into_iter().enumerate() {
        let (http, base, key) = (app.http.clone(), app.base.clone(), app.home.key.clone());
        let body = message(&format!("i-{n}"), &format!("t-i-{n}"), &text);
        ingests.spawn(async move {
            let sent = http.post(format!("{base}/v1/messages")).bearer_auth(key).json(&body);
            sent.send().await.unwrap().status().as_u16()
        });
    }
    let words = json!({"text": "You have 30 days. Write to robin@example.com."});
    let (status, edited) = act(&app, &review, "edit", words).await;
    assert_eq!(status, 200, "{edited}");
    for status in ingests.join_all().await {
        assert_eq!(status, 202, "a message was turned away");
    }
    understood(&app, &small).await;
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{large}")).await;
    assert_eq!(m["state"], "received", "the small message waited for the long one");
    understood(&app, &large).await;
    app.quiet().await;
    app.stop().await;
});

on_both!(nothing_is_masked_within_a_transaction, engine, {
    let app = TestApp::idle(engine, &[]).await;
    app.teach("Returns", RETURNS).await;
    let gate = Gate::new(0);
    let gated = pipeline_of(&app, Some(masking(&app, &gate)), None);
    let first = app.say("first", "t-1", QUESTION).await;
    app.app.pipeline.run(&claim(&app, Kind::Understand).await).await.unwrap();

    // A draft is being masked: the database is free.
    let answer = claim(&app, Kind::Answer).await;
    gate.shut();
    let p = gated.clone();
    let drafting = tokio::spawn(async move { p.run(&answer).await });
    gate.reached().await;
    free(&app, "while a draft is masked").await;
    gate.open();
    drafting.await.unwrap().unwrap();
    let review = app.review_in(&first, &["pending"]).await;

    // And while a person's words are. Meanwhile the conversation gets another masked value, of
    // which they write the placeholder.
    let desk = Desk::new(
        app.store.clone(),
        masking(&app, &gate),
        app.app.pipeline.senders.clone(),
        &app.app.config.review,
    );
    let (who, id) = (anna(&app).await, review["id"].as_str().unwrap().parse::<ReviewId>().unwrap());
    let revision = review["revision"].as_i64().unwrap();
    gate.shut();
    let (d, w, r) = (desk.clone(), who.clone(), id.clone());
    let editing = tokio::spawn(async move {
        let written = Written { text: "You have 30 days: <EMAIL_1>.", subject: None };
        d.edit(&w, &r, revision, &written, false).await
    });
    gate.reached().await;
    free(&app, "while an edit is masked").await;
    let thread: ThreadId = review["thread"].as_str().unwrap().parse().unwrap();
    let mut tx = app.store.db.begin().await.unwrap();
    tenant::lock(&mut tx, &app.home.id).await.unwrap();
    let (address, entity) = ("late@example.com", "EMAIL_ADDRESS");
    let entry = vault::Entry {
        id: vault::id_of(&app.store, &app.home.id, &thread, entity, address),
        entity: entity.to_owned(),
        value_hash: vault::value_hash(&app.store, &app.home.id, entity, address),
        surface: address.to_owned(),
    };
    let customer = countersign::store::thread::get(&mut tx, &app.home.id, &thread).await.unwrap();
    let customer = customer.contact.unwrap();
    vault::put(&app.store, &mut tx, &app.home.id, &thread, &customer, &[entry]).await.unwrap();
    tx.commit().await.unwrap();
    gate.open();
    editing.await.unwrap().unwrap();
    let review = app.review_in(&first, &["pending"]).await;
    assert_eq!(review["draft"]["text"], "You have 30 days: <EMAIL_1>.", "{review}");
    let known = "select cast(count(*) as bigint) from draft where author like 'person:%'
                 and body_masked like '%EMAIL_ADDRESS:%'";
    assert_eq!(counted(&app, known).await, 1, "the placeholder stands for nothing");

    // And the note of a rejection.
    gate.shut();
    let rejecting = tokio::spawn(async move { desk.reject(&who, &id, "Ask Maria Keller").await });
    gate.reached().await;
    free(&app, "while a note is masked").await;
    gate.open();
    rejecting.await.unwrap().unwrap();
    app.stop().await;
});

/// Whether others can write for the same tenant.
async fn free(app: &TestApp, when: &str) {
    let write = async {
        let mut tx = app.store.db.begin().await?;
        tenant::lock(&mut tx, &app.home.id).await?;
        tx.commit().await?;
        Ok::<_, countersign::store::Error>(())
    };
    let done = tokio::time::timeout(Duration::from_secs(5), write).await;
    assert!(matches!(done, Ok(Ok(()))), "nobody can write {when}: {done:?}");
}

on_both!(a_step_that_dies_is_tried_again_and_then_comes_before_a_person, engine, {
    let app = TestApp::idle(engine, &["worker.max_attempts=2"]).await;
    app.teach("Returns", RETURNS).await;
    let worker = |panics| {
        let p = pipeline_of(&app, None, Some(Gate::new(panics)));
        Worker::new(app.store.clone(), p, &app.app.config, app.app.wake.clone())
    };
    let life = Lifecycle::new();
    worker(1).start(&life);
    let once = app.say("once", "t-1", QUESTION).await;
    app.review_in(&once, &["pending"]).await;
    app.quiet().await;
    life.stop();
    assert!(life.finished(Duration::from_secs(20)).await);

    let life = Lifecycle::new();
    worker(2).start(&life);
    let always = app.say("always", "t-2", QUESTION).await;
    let mail = "From: Robin <robin@example.com>\r\nSubject: Return\r\n\r\nAnother question.\r\n";
    let review = app.review_in(&always, &["no_match"]).await;
    assert_eq!(review["no_match_reason"], "unreadable", "{review}");
    assert_eq!(review["attention"], json!(["unreadable"]));
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{always}")).await;
    assert_eq!((&m["state"], &m["text"]), (&json!("filed"), &Value::Null), "{m}");
    app.quiet().await;
    life.stop();
    assert!(life.finished(Duration::from_secs(20)).await);

    // A mail, too; its sender can be answered by hand.
    let body = json!({"channel": "mail", "eml_b64": STANDARD.encode(mail)});
    let (_, said) = app.post(&app.home.key, "/v1/messages", &body).await;
    let dying = claim(&app, Kind::Understand).await;
    pipeline::bury(&app.store, &dying, "its worker died in every attempt").await.unwrap();
    let id = said["id"].as_str().unwrap().to_owned();
    let by_hand = app.review_in(&id, &["no_match"]).await;
    let answer = json!({"text": "We could not read your message.", "approve": true});
    let (status, b) = act(&app, &by_hand, "respond", answer).await;
    assert_eq!(status, 200, "{b}");
    app.app.pipeline.run(&claim(&app, Kind::Send).await).await.unwrap();
    let mut c = app.store.db.read().await.unwrap();
    let sent: Vec<(String,)> = sqlx::query_as("select state from review where state = 'sent'")
        .fetch_all(&mut *c)
        .await
        .unwrap();
    assert_eq!(sent.len(), 1);
    drop(c);

    // Replayed, the first one is understood; what it says takes the place of the empty review.
    let mut tx = app.store.db.begin().await.unwrap();
    let at = app.store.db.now(&mut tx).await.unwrap();
    assert_eq!(job::replay(&mut tx, &app.home.id, at).await.unwrap(), 2);
    tx.commit().await.unwrap();
    for _ in 0..2 {
        let again = claim(&app, Kind::Understand).await;
        if again.ref_id == always {
            app.app.pipeline.run(&again).await.unwrap();
        }
    }
    app.app.pipeline.run(&claim(&app, Kind::Answer).await).await.unwrap();
    app.review_in(&always, &["superseded"]).await;
    app.review_in(&always, &["pending"]).await;
    app.stop().await;
});

on_both!(an_edit_while_a_message_is_read_is_understood_once, engine, {
    let app = TestApp::idle(engine, &[]).await;
    app.teach("Returns", RETURNS).await;
    let id = app.say("m-1", "t-1", "Hello?").await;
    let gate = Gate::new(0);
    let gated = pipeline_of(&app, None, Some(gate.clone()));
    let first = claim(&app, Kind::Understand).await;
    gate.shut();
    let (p, job) = (gated.clone(), first.clone());
    let reading = tokio::spawn(async move { p.run(&job).await });
    gate.reached().await;
    edit(&app, &id).await;
    gate.open();
    reading.await.unwrap().unwrap();
    let running = "select cast(count(*) as bigint) from job where state = 'running'";
    assert_eq!(counted(&app, running).await, 0, "the job that read the old text hangs");

    // The edit's own job, twice: as if both had been claimed after the edit.
    let second = claim(&app, Kind::Understand).await;
    app.app.pipeline.run(&second).await.unwrap();
    app.app.pipeline.run(&claim(&app, Kind::Answer).await).await.unwrap();
    let review = app.review_in(&id, &["pending"]).await;
    let mut tx = app.store.db.begin().await.unwrap();
    let now = app.store.db.now(&mut tx).await.unwrap();
    job::enqueue(&app.store, &mut tx, &app.home.id, Kind::Understand, &id, now).await.unwrap();
    tx.commit().await.unwrap();
    app.app.pipeline.run(&claim(&app, Kind::Understand).await).await.unwrap();
    let after = app.review_in(&id, &["pending", "superseded"]).await;
    assert_eq!((&after["id"], &after["state"]), (&review["id"], &json!("pending")), "{after}");
    let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
    assert_eq!((&m["text"], &m["revision"]), (&json!(QUESTION), &json!(2)));
    assert_eq!(counted(&app, running).await, 0);
    app.stop().await;
});

async fn edit(app: &TestApp, id: &str) {
    let id: MessageId = id.parse().unwrap();
    let m = serde_json::from_value(message("m-1", "t-1", QUESTION)).unwrap();
    let raw = Raw::Json(Box::new(m));
    let mut tx = app.store.db.begin().await.unwrap();
    tenant::lock(&mut tx, &app.home.id).await.unwrap();
    let (store, t) = (&app.store, &app.home.id);
    understand::edit_in(store, &mut tx, t, &id, &raw, &Actor::System).await.unwrap();
    tx.commit().await.unwrap();
}

on_both!(a_newer_message_does_not_shorten_a_pause_that_was_asked_for, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let (store, t) = (&app.store, &app.home.id);
    let put = |after: Duration| async move {
        let mut tx = store.db.begin().await.unwrap();
        let now = store.db.now(&mut tx).await.unwrap();
        job::enqueue_once(store, &mut tx, t, Kind::Answer, "thread", now.plus(after))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    put(Duration::ZERO).await;
    let claimed = claim(&app, Kind::Answer).await;
    let mut tx = store.db.begin().await.unwrap();
    let now = store.db.now(&mut tx).await.unwrap();
    job::snooze(&mut tx, &claimed, now, Duration::from_secs(60)).await.unwrap();
    tx.commit().await.unwrap();
    put(Duration::ZERO).await;
    assert!(
        job::claim(store, "w", Lane::Messages, 1, LEASE).await.unwrap().is_empty(),
        "the pause was cut short"
    );
    let due = "select run_at from job where kind = 'answer'";
    assert_eq!(counted(&app, due).await, now.plus(Duration::from_secs(60)).0);
    // A longer one moves it.
    put(Duration::from_secs(3600)).await;
    assert!(counted(&app, due).await > now.plus(Duration::from_secs(3000)).0);
    app.stop().await;
});

on_both!(a_broken_job_costs_the_others_nothing, engine, {
    let app = TestApp::idle(engine, &["worker.max_attempts=3"]).await;
    let url = app.database.url.clone();
    let add = |id: &str, reference: &str, state: &str, more: &str| {
        format!(
            "insert into job (tenant_id, id, kind, ref_id, state, run_at, attempt, token, owner,
               lease_until, created_at, updated_at)
             values ('{}', '{id}', 'understand', '{reference}', '{state}', 0, 9, {more}, 1, 1)",
            app.home.id
        )
    };
    let waiting = app.say("m-1", "t-1", QUESTION).await;
    sql(&url, &add("not-an-id", "x", "ready", "null, null, null")).await;
    let claims = job::claim(&app.store, "w", Lane::Messages, 9, LEASE).await.unwrap();
    assert_eq!(claims.len(), 1, "one unreadable row took the batch with it");
    assert_eq!(claims[0].ref_id, waiting);
    sql(&url, &format!("update job set lease_until = 5, attempt = 9 where ref_id = '{waiting}'"))
        .await;
    // Two abandoned claims that can't be recovered, older than the one that can.
    sql(&url, "update job set lease_until = 1 where id = 'not-an-id'").await;
    let id = "00000000-0000-7000-8000-00000000000a";
    sql(&url, &add(id, "no message", "running", "'t', 'w', 2")).await;

    let worker = Worker::new(
        app.store.clone(),
        app.app.pipeline.clone(),
        &app.app.config,
        app.app.wake.clone(),
    );
    let life = Lifecycle::new();
    worker.start(&life);
    app.review_in(&waiting, &["no_match"]).await;
    let chained = "select cast(count(*) as bigint) from audit_link";
    let linked = eventually(|| async { (counted(&app, chained).await > 0).then_some(()) });
    linked.await.expect("the audit log was not chained");
    life.stop();
    assert!(life.finished(Duration::from_secs(20)).await);
    app.stop().await;
});

on_both!(mail_without_a_sender_is_nobodys_and_can_not_be_answered, engine, {
    let app = TestApp::start(engine).await;
    app.teach("Returns", RETURNS).await;
    let mut threads = Vec::new();
    for n in 1..=2 {
        let mail = format!(
            "Subject: Re: Your order\r\nDate: Mon, 2 Mar 2026 10:0{n}:00 +0000\r\n\
             Message-ID: <{n}@example.com>\r\n\r\n{QUESTION}\r\n"
        );
        let body = json!({"channel": "mail", "eml_b64": STANDARD.encode(mail)});
        let (status, said) = app.post(&app.home.key, "/v1/messages", &body).await;
        assert_eq!(status, 202, "{said}");
        let review = app.review_in(said["id"].as_str().unwrap(), &["no_match"]).await;
        assert_eq!(review["no_match_reason"], "no_sender", "{review}");
        threads.push(review["thread"].clone());
        let answer = json!({"text": "You have 30 days.", "approve": true});
        let (status, b) = act(&app, &review, "respond", answer).await;
        assert_eq!(status, 422, "a reply to nobody was signed: {b}");
    }
    assert_ne!(threads[0], threads[1], "two unknown senders were taken for one");
    app.quiet().await;
    app.stop().await;
});

on_both!(vectors_of_another_encoder_are_made_anew, engine, {
    let app = TestApp::idle(engine, &[]).await;
    app.teach("Returns", RETURNS).await;
    let old = app.say("m-1", "t-1", QUESTION).await;
    app.app.pipeline.run(&claim(&app, Kind::Understand).await).await.unwrap();
    app.app.pipeline.run(&claim(&app, Kind::Answer).await).await.unwrap();
    app.review_in(&old, &["pending"]).await;
    let vectors = "select cast(count(*) as bigint) from chunk where encoder = 'other@00000000/f32'";
    sql(&app.database.url, "update chunk set encoder = 'other@00000000/f32'").await;
    let foreign = counted(&app, vectors).await;
    assert!(foreign >= 2);

    // As a new process: its index is empty.
    let config = (*app.app.config).clone();
    let life = Lifecycle::new();
    let service =
        app::build(config, app.store.clone(), models(), life.clone(), None).await.unwrap();
    let p = service.app.pipeline.clone();
    p.refill().await.unwrap();
    p.refill().await.unwrap();
    let again = claim(&app, Kind::Reembed).await;
    let new = app.say("m-2", "t-2", QUESTION).await;
    p.run(&claim(&app, Kind::Understand).await).await.unwrap();
    let answer = claim(&app, Kind::Answer).await;
    let early = p.run(&answer).await;
    assert!(matches!(early, Err(StepError::Later(_))), "it did not wait: {early:?}");
    p.run(&again).await.unwrap();
    // Articles are done first, then what customers wrote.
    while counted(&app, vectors).await > 0 {
        p.run(&claim(&app, Kind::Reembed).await).await.unwrap();
    }
    p.run(&answer).await.unwrap();
    let review = app.review_in(&new, &["pending"]).await;
    assert!(review["draft"]["text"].as_str().unwrap().contains("30 days"), "{review}");
    p.refill().await.unwrap();
    assert!(
        job::claim(&app.store, "w", Lane::Messages, 9, LEASE).await.unwrap().is_empty(),
        "work without end"
    );
    drop(service);
    life.stop();
    assert!(life.finished(Duration::from_secs(20)).await);
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn doctor_tells_of_other_vectors_and_a_command_makes_them_anew() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", RETURNS).await;
    let database = app.database.clone();
    app.stop().await;
    sql(&database.url, "update chunk set encoder = '00000000/f32'").await;
    let run = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["--set", &format!("database.url={}", database.url)])
            .args(["--set", &format!("security.master_key={}", "07".repeat(32))])
            .args(["--set", &format!("model.folder={}", model_folder().display())])
            .args(["--set", "server.listen=127.0.0.1:0"])
            .args(args)
            .output()
            .unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (good, said) = run(&["doctor"]);
    assert!(!good && said.contains("kb reembed"), "{said}");
    let (good, said) = run(&["kb", "reembed"]);
    assert!(good && said.contains("\"reembedded\":1"), "{said}");
    let (good, said) = run(&["doctor"]);
    assert!(good, "{said}");
}

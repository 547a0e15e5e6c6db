//! Two tenants with the same customers, channels and questions: neither sees, changes or finds
//! anything of the other's, on any route.

use countersign::adapters::standard_webhooks;
use countersign::ports::host::{Host as _, System};
use serde_json::{Value, json};

use crate::harness::{TestApp, TestTenant, eventually, message};
use crate::learning::stored;
use crate::on_both;

/// Every handler under `/v1`: method and path.
const ROUTES: [(&str, &str); 33] = [
    ("POST", "/messages"),
    ("GET", "/messages/{id}"),
    ("PATCH", "/messages/{id}"),
    ("DELETE", "/messages/{id}"),
    ("POST", "/messages/{id}/labels"),
    ("GET", "/threads"),
    ("GET", "/threads/{id}"),
    ("GET", "/reviews"),
    ("GET", "/reviews/{id}"),
    ("GET", "/reviews/{id}/evidence"),
    ("POST", "/reviews/{id}/{action}"),
    ("GET", "/knowledge"),
    ("POST", "/knowledge"),
    ("GET", "/knowledge/search"),
    ("GET", "/knowledge/{id}"),
    ("DELETE", "/knowledge/{id}"),
    ("GET", "/models"),
    ("GET", "/models/{id}"),
    ("POST", "/models/{id}/promote"),
    ("POST", "/models/rollback"),
    ("GET", "/topics"),
    ("POST", "/mask"),
    ("POST", "/classify"),
    ("POST", "/hooks/{channel}"),
    ("GET", "/events"),
    ("GET", "/webhooks"),
    ("POST", "/webhooks"),
    ("GET", "/webhooks/{id}"),
    ("PATCH", "/webhooks/{id}"),
    ("DELETE", "/webhooks/{id}"),
    ("POST", "/webhooks/{id}/test"),
    ("GET", "/webhooks/{id}/deliveries"),
    ("POST", "/webhooks/{id}/deliveries/{event}/redeliver"),
];

const ACTIONS: [&str; 11] = [
    "claim", "release", "approve", "edit", "respond", "reject", "escalate", "snooze", "assign",
    "undo", "settle",
];

#[test]
fn the_table_holds_every_route() {
    // The document is made by the router itself; actions on a review are a table of their own.
    let document = countersign::http::openapi::document();
    let mut known: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| !path.ends_with("/openapi.json"))
        .flat_map(|(path, of)| {
            let path = path.strip_prefix("/v1").unwrap_or(path);
            of.as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let mut table: Vec<String> = ROUTES
        .iter()
        .filter(|(_, path)| *path != "/reviews/{id}/{action}")
        .map(|(method, path)| format!("{method} {path}"))
        .chain(ACTIONS.iter().map(|action| format!("POST /reviews/{{id}}/{action}")))
        .collect();
    known.sort();
    table.sort();
    assert_eq!(known, table, "a handler is missing from the table");
}

/// What a tenant has, and the word that only it knows.
struct Side {
    tenant: TestTenant,
    canary: String,
    message: String,
    thread: String,
    review: String,
    article: String,
    webhook: String,
    /// A proposal that nothing speaks against.
    model: String,
    /// The event of the message's analysis.
    event: String,
}

impl Side {
    fn ids(&self) -> [&str; 8] {
        [
            &self.message,
            &self.thread,
            &self.review,
            &self.article,
            &self.canary,
            &self.webhook,
            &self.model,
            &self.event,
        ]
    }
}

/// The review of a message, once there is one.
async fn review_of(app: &TestApp, key: &str, message: &str) -> Value {
    eventually(|| async {
        let (_, m) = app.get(key, &format!("/v1/messages/{message}")).await;
        let thread = m["thread"].as_str()?.to_owned();
        let (_, t) = app.get(key, &format!("/v1/threads/{thread}")).await;
        let id = t["reviews"].as_array()?.first()?["id"].as_str()?.to_owned();
        let (status, r) = app.get(key, &format!("/v1/reviews/{id}")).await;
        (status == 200).then_some(r)
    })
    .await
    .expect("no review came up")
}

async fn ask(
    app: &TestApp,
    tenant: &TestTenant,
    external: &str,
    thread: &str,
    text: &str,
) -> Value {
    let (status, b) = app.post(&tenant.key, "/v1/messages", &message(external, thread, text)).await;
    assert_eq!(status, 202, "{b}");
    review_of(app, &tenant.key, b["id"].as_str().unwrap()).await
}

async fn furnish(app: &TestApp, tenant: TestTenant, canary: &str) -> Side {
    let text = format!(
        "You can return any unworn item within 30 days of delivery, with the {canary} form. Returns are free."
    );
    let article = json!({"source": "returns.md", "title": "Returns", "text": text});
    let (status, a) = app.post(&tenant.key, "/v1/knowledge", &article).await;
    assert_eq!(status, 201, "{a}");
    let question = format!("How long do I have to return an item? It says {canary} on the box.");
    let r = ask(app, &tenant, &format!("x-{}", tenant.slug), "t-1", &question).await;
    assert_eq!(r["state"], "pending", "{r}");
    let wanted = json!({"url": format!("http://127.0.0.1:9/{canary}"), "events": ["webhook.test"]});
    let (status, w) = app.post(&tenant.key, "/v1/webhooks", &wanted).await;
    assert_eq!(status, 201, "{w}");
    let told = app.told(&tenant.key, "after=0&types=message.classified", None, 1).await;
    Side {
        model: stored(&app.store, &tenant.id, None).await.id.to_string(),
        webhook: w["id"].as_str().unwrap().to_owned(),
        event: told[0]["id"].as_str().unwrap().to_owned(),
        canary: canary.to_owned(),
        message: r["message"].as_str().unwrap().to_owned(),
        thread: r["thread"].as_str().unwrap().to_owned(),
        review: r["id"].as_str().unwrap().to_owned(),
        article: a["id"].as_str().unwrap().to_owned(),
        tenant,
    }
}

async fn call(
    app: &TestApp,
    key: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> (u16, String) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = app.http.request(method, format!("{}/v1{path}", app.base)).bearer_auth(key);
    if let Some(body) = body {
        request = request.json(body);
    }
    let r = request.send().await.unwrap();
    (r.status().as_u16(), r.text().await.unwrap())
}

async fn hook(app: &TestApp, slug: &str, secret: &str, id: &str, body: &Value) -> u16 {
    let text = body.to_string();
    let (ts, sig) =
        standard_webhooks::sign(&[secret.to_owned()], id, System.now(), text.as_bytes());
    let request =
        app.http.post(format!("{}/v1/hooks/{slug}.chat", app.base)).header("webhook-id", id);
    let request = request.header("webhook-timestamp", ts).header("webhook-signature", sig);
    request.body(text).send().await.unwrap().status().as_u16()
}

async fn knocks(app: &TestApp, me: &Side, them: &Side) {
    let key = &me.tenant.key;
    let everything = json!({"digest": "0".repeat(64), "revision": 1, "text": "Mine now.", "reason": "x",
        "until": "2099-01-01T00:00:00Z", "arrived": true, "approve": true});
    for (method, path) in ROUTES {
        let what = format!("{} {method} {path}", me.tenant.slug);
        let foreign = match path.split('/').nth(1).unwrap() {
            "messages" => &them.message,
            "threads" => &them.thread,
            "reviews" => &them.review,
            "webhooks" => &them.webhook,
            "models" => &them.model,
            _ => &them.article,
        };
        let path = path.replace("{event}", &them.event);
        let path = path.as_str();
        match (method, path) {
            ("POST", "/messages") => {
                // The same external id as theirs, with another body: no duplicate, no conflict.
                let m = message(&format!("x-{}", them.tenant.slug), "t-cross", "Is anybody there?");
                let (status, b) = call(app, key, method, path, Some(&m)).await;
                assert_eq!(status, 202, "{what}: {b}");
            }
            ("POST", "/knowledge") => {
                let before = call(
                    app,
                    &them.tenant.key,
                    "GET",
                    &format!("/knowledge/{}", them.article),
                    None,
                )
                .await;
                let a = json!({"source": "returns.md", "title": "Returns", "text": format!("{} only, 30 days.", me.canary)});
                let (status, b) = call(app, key, method, path, Some(&a)).await;
                assert!(status == 201 && !b.contains(&them.article), "{what}: {status} {b}");
                let after = call(
                    app,
                    &them.tenant.key,
                    "GET",
                    &format!("/knowledge/{}", them.article),
                    None,
                )
                .await;
                assert_eq!((before.0, &before), (200, &after), "{what}");
            }
            ("POST", "/mask") => {
                let texts = json!({"text": format!("{} wrote to robin@example.com", them.canary)});
                let (status, b) = call(app, key, method, path, Some(&texts)).await;
                // Nothing but what was sent comes back, and no number of another tenant's thread.
                assert_eq!(status, 200, "{what}: {b}");
                assert!(b.contains("<EMAIL_1>") && !b.contains(&them.message), "{what}: {b}");
            }
            ("POST", "/classify") => {
                // A summary would quote what was asked.
                let text = json!({"text": format!("Where is my {}?", them.canary),
                    "outputs": ["intent", "sentiment", "urgency", "entities", "evidence"]});
                let (status, b) = call(app, key, method, path, Some(&text)).await;
                assert_eq!(status, 200, "{what}: {b}");
                assert!(them.ids().iter().all(|id| !b.contains(id)), "{what}: {b}");
            }
            ("POST", "/webhooks") => {
                let new = json!({"url": "http://127.0.0.1:9/", "events": ["send.sent"]});
                let (status, b) = call(app, key, method, path, Some(&new)).await;
                assert!(status == 201 && !b.contains(&them.webhook), "{what}: {status} {b}");
            }
            ("GET", "/knowledge/search") => {
                let path = format!("{path}?q=return+an+item&limit=50");
                let (status, b) = call(app, key, method, &path, None).await;
                assert_eq!(status, 200, "{what}: {b}");
                assert!(them.ids().iter().all(|id| !b.contains(id)), "{what}: {b}");
                assert!(b.contains(&me.article), "{what} lacks its own: {b}");
            }
            ("POST", "/messages/{id}/labels") => {
                let labels = json!({"intent": "refund_status"});
                let path = path.replace("{id}", foreign);
                let (status, b) = call(app, key, method, &path, Some(&labels)).await;
                assert_eq!(status, 404, "{what}: {b}");
            }
            ("POST", "/models/rollback") => {
                let task = json!({"task": "intent"});
                let (status, b) = call(app, key, method, path, Some(&task)).await;
                assert!(status == 409 && b.contains("nothing_promoted"), "{what}: {status} {b}");
            }
            ("GET", "/topics") => {
                let (status, b) = call(app, key, method, "/topics?least=2", None).await;
                assert_eq!(status, 200, "{what}: {b}");
                assert!(them.ids().iter().all(|id| !b.contains(id)), "{what}: {b}");
            }
            ("GET", "/events") => {
                // Everything that is kept of one's own, and nothing of theirs.
                let told = app.told(key, "after=0", None, 3).await;
                let text = json!(told).to_string();
                assert!(them.ids().iter().all(|id| !text.contains(id)), "{what}: {text}");
                assert!(text.contains(&me.message), "{what} lacks its own: {text}");
            }
            ("POST", "/hooks/{channel}") => {
                let body = json!({"type": "message.created", "data": message("h-1", "t-hook", "Hello from a hook.")});
                let (theirs, mine) = (&them.tenant.slug, &me.tenant.secret);
                assert_ne!(*mine, them.tenant.secret);
                let id = format!("evt-{}", me.tenant.slug);
                assert_eq!(hook(app, theirs, mine, &id, &body).await, 401, "{what}");
                assert_eq!(
                    hook(app, &me.tenant.slug, mine, &id, &body).await,
                    202,
                    "{what}, one's own"
                );
            }
            ("POST", "/reviews/{id}/{action}") => {
                for action in ACTIONS {
                    let path = format!("/reviews/{foreign}/{action}");
                    // Each action refuses fields that are not its own before it looks.
                    let fields: &[&str] = match action {
                        "approve" => &["digest"],
                        "edit" | "respond" => &["text", "revision"],
                        "reject" | "escalate" => &["reason"],
                        "snooze" => &["until"],
                        "settle" => &["arrived"],
                        _ => &[],
                    };
                    let body: serde_json::Map<String, Value> =
                        fields.iter().map(|f| ((*f).to_owned(), everything[f].clone())).collect();
                    let (status, b) = call(app, key, method, &path, Some(&json!(body))).await;
                    assert_eq!(status, 404, "{what} {action}: {b}");
                    assert!(b.contains("not_found") && !b.contains(&them.canary), "{b}");
                }
            }
            (_, path) if path.contains("{id}") => {
                let path = path.replace("{id}", foreign);
                let change = match path.starts_with("/webhooks") {
                    true => json!({"enabled": false}),
                    false => json!({"text": "Changed."}),
                };
                let body = (method == "PATCH").then_some(&change);
                let (status, b) = call(app, key, method, &path, body).await;
                assert_eq!(status, 404, "{what}: {b}");
                assert!(!b.contains(&them.canary), "{what}: {b}");
            }
            _ => {
                for query in ["", "?limit=200&state=all&snoozed=true"] {
                    let (status, b) = call(app, key, method, &format!("{path}{query}"), None).await;
                    assert_eq!(status, 200, "{what}: {b}");
                    assert!(them.ids().iter().all(|id| !b.contains(id)), "{what}: {b}");
                    let own = match path {
                        "/threads" => &me.thread,
                        "/reviews" => &me.review,
                        "/webhooks" => &me.webhook,
                        "/models" => &me.model,
                        _ => &me.article,
                    };
                    assert!(b.contains(own.as_str()), "{what} lacks its own: {b}");
                }
            }
        }
    }
}

/// What a tenant can read of its own five things.
async fn own(app: &TestApp, s: &Side) -> Vec<(u16, String)> {
    let mut all = Vec::new();
    for path in [
        format!("/messages/{}", s.message),
        format!("/threads/{}", s.thread),
        format!("/reviews/{}", s.review),
        format!("/reviews/{}/evidence", s.review),
        format!("/webhooks/{}", s.webhook),
        format!("/models/{}", s.model),
    ] {
        all.push(call(app, &s.tenant.key, "GET", &path, None).await);
    }
    all
}

on_both!(no_route_leads_to_another_tenant, engine, {
    let app = TestApp::start(engine).await;
    let other = app.tenant("other-shop").await;
    let a = furnish(&app, app.home.clone(), "quokkafern").await;
    let b = furnish(&app, other, "zibelline").await;
    app.quiet().await;
    for (me, them) in [(&a, &b), (&b, &a)] {
        let seen = own(&app, me).await;
        assert!(seen.iter().all(|(status, _)| *status == 200), "{seen:?}");
        assert!(
            seen.iter().any(|(_, t)| t.contains(&me.canary)),
            "the canary shows at home: {seen:?}"
        );
        assert!(seen.iter().all(|(_, t)| !t.contains(&them.canary)), "{seen:?}");
    }
    let before = (own(&app, &a).await, own(&app, &b).await);
    knocks(&app, &a, &b).await;
    knocks(&app, &b, &a).await;
    assert_eq!(before, (own(&app, &a).await, own(&app, &b).await), "nothing of it had an effect");
});

on_both!(a_search_finds_nothing_of_another_tenant, engine, {
    let app = TestApp::start(engine).await;
    let other = app.tenant("other-shop").await;
    let text = "The warranty of a kettle lasts seven years, says the velumstone charter. It covers the heating element.";
    let article = json!({"source": "warranty.md", "title": "Warranty", "text": text});
    let (status, b) = app.post(&other.key, "/v1/knowledge", &article).await;
    assert_eq!(status, 201, "{b}");
    let question = "How long does the warranty of a kettle last?";
    let theirs = ask(&app, &other, "m-1", "t-1", question).await;
    assert!(theirs["draft"]["text"].as_str().unwrap().contains("seven years"), "{theirs}");
    for (external, taught) in [("m-1", false), ("m-2", true)] {
        if taught {
            app.teach(
                "Returns",
                "You can return any unworn item within 30 days of delivery. Returns are free.",
            )
            .await;
        }
        let ours = ask(&app, &app.home, external, external, question).await;
        let path = format!("/v1/reviews/{}/evidence", ours["id"].as_str().unwrap());
        let (status, evidence) = app.get(&app.home.key, &path).await;
        assert_eq!(status, 200);
        for text in [ours.to_string(), evidence.to_string()] {
            assert!(!text.contains("velumstone") && !text.contains("seven years"), "{text}");
        }
    }
});

//! Who gets in, and what strangers can cost: logins, keys, sessions, slow clients, channels that are
//! switched off, late and repeated edits, what is stored plain, and where replies go.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::adapters::{ssrf, standard_webhooks, webhook};
use countersign::app;
use countersign::domain::ids::Micros;
use countersign::domain::review::Role;
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self, Channel};
use countersign::store::{key, user};
use futures::FutureExt as _;
use reqwest::header::{COOKIE, RETRY_AFTER};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{
    ARTICLE, Engine, PASSWORD, QUESTION, TestApp, TestTenant, config, eventually, message, sql,
};
use crate::on_both;
use crate::page::{Visitor, cookies, form, pair};

// ---------------------------------------------------------------- logins

fn login_form(name: &str, password: &str) -> String {
    form(&[("name", name), ("password", password), ("csrf", "made-up")])
}

/// The login form as a program sends it: its cookie is made up.
async fn guess(app: &TestApp, name: &str, from: &str) -> reqwest::Response {
    app.http
        .post(format!("{}/login", app.base))
        .header(COOKIE, "countersign-login=made-up; __Host-countersign-login=made-up")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", from)
        .body(login_form(name, "not the password"))
        .send()
        .await
        .unwrap()
}

fn retry_after(r: &reqwest::Response) -> u64 {
    r.headers().get(RETRY_AFTER).map_or(0, |v| v.to_str().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_logins_at_once_are_asked_to_come_back() {
    let app = TestApp::idle(Engine::Sqlite, &["security.password_checks=1"]).await;
    let names: Vec<String> = (0..150).map(|n| format!("nobody-{n}")).collect();
    let all = futures::future::join_all(names.iter().map(|n| guess(&app, n, ""))).await;
    let mut by_status = BTreeMap::<u16, usize>::new();
    for r in &all {
        *by_status.entry(r.status().as_u16()).or_default() += 1;
        assert_eq!(r.status() == 429, retry_after(r) > 0, "{}", r.status());
    }
    assert_eq!(by_status.values().sum::<usize>(), 150);
    assert!(by_status.keys().all(|s| [401, 429].contains(s)), "{by_status:?}");
    assert!(by_status[&429] > 20, "{by_status:?}");
    // Whoever was turned away has lost nothing by it.
    enter(&app, "anna").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_are_counted_by_address_too() {
    let more = [
        "server.client_header=x-forwarded-for",
        "security.login_attempts_per_address=5",
        "security.password_checks=8",
    ];
    let app = TestApp::idle(Engine::Sqlite, &more).await;
    for n in 0..5 {
        // Only the last entry is the proxy's; what stands before it is the client's own claim.
        let from = format!("198.51.100.{n}, 192.0.2.1");
        assert_eq!(guess(&app, &format!("name-{n}"), &from).await.status(), 401);
    }
    let sixth = guess(&app, "name-6", "203.0.113.9, 192.0.2.1").await;
    assert_eq!(sixth.status(), 429);
    assert!(retry_after(&sixth) > 60);
    assert_eq!(guess(&app, "name-6", "192.0.2.2").await.status(), 401, "another address");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn page_forms_are_small() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let v = Visitor { http: app.http.clone(), base: app.base.clone() };
    let large = "x".repeat(17 * 1024);
    for path in ["/login"] {
        let r = v.post(path, "", &[("name", &large), ("password", ""), ("csrf", "")]).await;
        assert_eq!(r.status(), 413, "{path}");
    }
    app.stop().await;
}

/// A session's cookie and the token that its forms carry.
async fn enter(app: &TestApp, name: &str) -> (Visitor, String, String) {
    let v = Visitor { http: no_redirects(), base: app.base.clone() };
    let entered = v.log_in(name, PASSWORD).await;
    assert_eq!(entered.status(), 303);
    let session = pair(&cookies(&entered), "countersign").expect("a session");
    let csrf = csrf_of(&v, &session).await;
    (v, session, csrf)
}

async fn csrf_of(v: &Visitor, session: &str) -> String {
    let page = v.get("/", session).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    let rest = page.split_once("name=\"csrf\" value=\"").unwrap().1;
    rest.split('"').next().unwrap().to_owned()
}

fn no_redirects() -> reqwest::Client {
    let none = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().redirect(none).build().unwrap()
}

on_both!(a_new_password_ends_sessions_and_a_disabled_person_has_no_keys, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let (v, session, _) = enter(&app, "anna").await;
    let hash = countersign::http::page::hash_password(&System, PASSWORD).unwrap();
    let mut tx = app.store.db.begin().await.unwrap();
    let id = user::put(&app.store, &mut tx, &app.home.id, "anna", &hash, Role::Lead).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(v.get("/", &session).await.status(), 303, "the old session is still open");
    let (status, b) = app.get(&app.home.key, "/v1/reviews").await;
    assert_eq!(status, 200, "{b}");

    let mut tx = app.store.db.begin().await.unwrap();
    let scopes = ["read".to_owned()];
    let (_, nobodys) =
        key::create(&app.store, &mut tx, &app.home.id, "platform", &scopes, None, None)
            .await
            .unwrap();
    user::disable(&app.store, &mut tx, &app.home.id, &id).await.unwrap();
    tx.commit().await.unwrap();
    for (method, path) in [("GET", "/v1/reviews"), ("POST", "/v1/messages")] {
        let method: reqwest::Method = method.parse().unwrap();
        let r = app.http.request(method, format!("{}{path}", app.base)).bearer_auth(&app.home.key);
        let r = r.json(&message("m-1", "t-1", "Hello")).send().await.unwrap();
        assert_eq!(r.status(), 401, "{path}");
    }
    assert_eq!(app.get(&nobodys, "/v1/reviews").await.0, 200, "a key that is nobody's");
    app.stop().await;
});

on_both!(keys_expire_and_are_revoked, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let now = System.now();
    let scopes = ["read".to_owned()];
    let mut made = Vec::new();
    let mut tx = app.store.db.begin().await.unwrap();
    for ends in [Some(Micros(now.0 - 1)), Some(now.plus(Duration::from_secs(3600))), None] {
        let t = &app.home.id;
        made.push(key::create(&app.store, &mut tx, t, "k", &scopes, None, ends).await.unwrap());
    }
    tx.commit().await.unwrap();
    for (i, want) in [401, 200, 200].into_iter().enumerate() {
        assert_eq!(app.get(&made[i].1, "/v1/reviews").await.0, want, "key {i}");
    }
    let mut tx = app.store.db.begin().await.unwrap();
    key::revoke(&app.store, &mut tx, &app.home.id, &made[2].0).await.unwrap();
    tx.commit().await.unwrap();
    let (status, b) = app.get(&made[2].1, "/v1/reviews").await;
    assert_eq!((status, b["code"].as_str()), (401, Some("unauthorized")));
    app.stop().await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_https_cookies_are_bound_to_the_host() {
    let app = TestApp::idle(Engine::Sqlite, &["server.public_url=https://desk.example"]).await;
    let v = Visitor { http: no_redirects(), base: app.base.clone() };
    let page = v.get("/login", "").await;
    let token = pair(&cookies(&page), "__Host-countersign-login").expect("the form's cookie");
    let csrf = token.split_once('=').unwrap().1;
    let fields = [("name", "anna"), ("password", PASSWORD), ("csrf", csrf)];
    let entered = v.post("/login", &token, &fields).await;
    assert_eq!(entered.status(), 303);
    for set in cookies(&page).iter().chain(&cookies(&entered)) {
        let parts: Vec<&str> = set.split("; ").collect();
        assert!(parts[0].starts_with("__Host-countersign"), "{set}");
        for want in ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
            assert!(parts.contains(&want), "{want}: {set}");
        }
        assert!(!set.contains("Domain"), "{set}");
    }
    let session = pair(&cookies(&entered), "__Host-countersign").unwrap();
    assert_eq!(v.get("/", &session).await.status(), 200);
    let plain = session.strip_prefix("__Host-").unwrap();
    assert_eq!(v.get("/", plain).await.status(), 303, "a cookie without the prefix is another");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forms_from_elsewhere_are_refused_and_sessions_change_and_end() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let (v, session, csrf) = enter(&app, "anna").await;
    let own = app.base.clone();
    let post = |headers: Vec<(&'static str, String)>| {
        let mut r = v.http.post(format!("{}/reviews/x/approve", v.base)).header(COOKIE, &session);
        for (name, value) in headers {
            r = r.header(name, value);
        }
        let body = form(&[("csrf", &csrf)]);
        r.header("content-type", "application/x-www-form-urlencoded").body(body).send()
    };
    let evil = || "https://evil.example".to_owned();
    for (headers, want) in [
        (vec![("origin", evil())], 403),
        (vec![("origin", "null".to_owned())], 403),
        (vec![("sec-fetch-site", "cross-site".to_owned())], 403),
        (vec![("sec-fetch-site", "same-site".to_owned())], 403),
        (vec![("origin", own.clone()), ("sec-fetch-site", "cross-site".to_owned())], 403),
        // There is no such review, which is only said to forms of our own.
        (vec![("origin", own.clone()), ("sec-fetch-site", "same-origin".to_owned())], 404),
        (vec![], 404),
    ] {
        let said = format!("{headers:?}");
        assert_eq!(post(headers).await.unwrap().status(), want, "{said}");
    }

    // A second login with the first one's cookie: another session, and the first one is over.
    let page = v.get("/login", "").await;
    let token = pair(&cookies(&page), "countersign-login").unwrap();
    let fields =
        [("name", "anna"), ("password", PASSWORD), ("csrf", token.split_once('=').unwrap().1)];
    let again = v.post("/login", &format!("{token}; {session}"), &fields).await;
    let second = pair(&cookies(&again), "countersign").unwrap();
    assert_ne!(second, session);
    assert_eq!(v.get("/", &session).await.status(), 303, "the old session outlives the login");
    assert_ne!(csrf_of(&v, &second).await, csrf, "the forms' token changes with the session");

    let mut tx = app.store.db.begin().await.unwrap();
    sqlx::query("update session set expires_at = $1")
        .bind(System.now().0 - 1)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(v.get("/", &second).await.status(), 303, "an expired session is open");
    app.stop().await;
}

// ---------------------------------------------------------------- slow and greedy clients

async fn open(app: &TestApp, head: &str) -> TcpStream {
    let mut s = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).await.unwrap();
    s.write_all(head.as_bytes()).await.unwrap();
    s
}

/// The answer to what was sent so far, or nothing if there is none within two seconds.
async fn said(s: &mut TcpStream) -> Option<String> {
    let mut buffer = [0u8; 4096];
    let read = tokio::time::timeout(Duration::from_secs(2), s.read(&mut buffer)).await;
    let n = read.ok()?.ok()?;
    Some(String::from_utf8_lossy(&buffer[..n]).into_owned())
}

async fn status(app: &TestApp, path: &str) -> u16 {
    app.http.get(format!("{}{path}", app.base)).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stalled_bodies_take_no_place() {
    let app = TestApp::idle(Engine::Sqlite, &["server.max_in_flight=4"]).await;
    let login = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\
        \r\nContent-Length: 100\r\n\r\nname=";
    let import = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: k\r\nContent-Length: 1000\r\n\r\n{{",
        app.home.key
    );
    let mut stalled = Vec::new();
    for head in [login, &import] {
        for _ in 0..30 {
            stalled.push(open(&app, head).await);
        }
    }
    let free = eventually(|| async { (app.app.limits.free() == 4).then_some(()) }).await;
    assert!(free.is_some(), "stalled bodies hold places");
    for path in ["/healthz", "/readyz", "/metrics", "/login"] {
        assert_eq!(status(&app, path).await, 200, "{path}");
    }
    app.say("m-1", "t-1", "A quick one.").await;
    drop(stalled);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn health_is_told_when_every_place_is_taken() {
    let app = TestApp::idle(Engine::Sqlite, &["server.max_in_flight=2"]).await;
    let taken = (app.app.limits.place().unwrap(), app.app.limits.place().unwrap());
    let r = app.http.get(format!("{}/login", app.base)).send().await.unwrap();
    assert_eq!((r.status().as_u16(), retry_after(&r)), (503, 1));
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(&app, path).await, 200, "{path}");
    }
    drop(taken);
    assert_eq!(status(&app, "/login").await, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_beyond_the_bound_wait() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    // A second listener over the same router, with room for two.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let limits = countersign::http::server::Limits {
        header_timeout: Duration::from_secs(2),
        connections: 2,
    };
    let (router, life) = (countersign::http::router(app.app.clone()), app.life.clone());
    let l = life.clone();
    life.spawn(async move { countersign::http::server::serve(listener, router, limits, l).await });
    let silent = [TcpStream::connect(at).await.unwrap(), TcpStream::connect(at).await.unwrap()];
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut third = TcpStream::connect(at).await.unwrap();
    third.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut buffer = [0u8; 256];
    let early = tokio::time::timeout(Duration::from_millis(700), third.read(&mut buffer)).await;
    assert!(early.is_err(), "a third connection was served");
    let n = tokio::time::timeout(Duration::from_secs(10), third.read(&mut buffer)).await;
    let n = n.expect("room comes when silent ones are let go").unwrap();
    assert!(buffer[..n].starts_with(b"HTTP/1.1 200"));
    drop(silent);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hooks_that_cannot_stand_are_refused_before_their_body() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let now = System.now().0 / 1_000_000;
    let good = format!("v1,{}", STANDARD.encode([7u8; 32]));
    let head = |path: &str, id: &str, at: &str, sig: &str| {
        format!(
            "POST /v1/hooks/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 12000000\r\n\
             webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {sig}\r\n\r\n{{"
        )
    };
    let (t, old, ahead) = (now.to_string(), (now - 400).to_string(), (now + 400).to_string());
    for (what, head) in [
        ("no such channel", head("nowhere", "e-1", &t, &good)),
        ("no such tenant", head("nobody.chat", "e-1", &t, &good)),
        ("no id", head("chat", "", &t, &good)),
        ("no time", head("chat", "e-1", "", &good)),
        ("too old", head("chat", "e-1", &old, &good)),
        ("ahead", head("chat", "e-1", &ahead, &good)),
        ("no signature", head("chat", "e-1", &t, "")),
        ("another version", head("chat", "e-1", &t, "v9,AAAA")),
        ("a short signature", head("chat", "e-1", &t, "v1,AAAA")),
        ("one of ours", head("chat", "csreply_0198", &t, &good)),
    ] {
        let mut s = open(&app, &head).await;
        let answer = said(&mut s).await.unwrap_or_else(|| panic!("{what}: no answer yet"));
        assert!(answer.starts_with("HTTP/1.1 401"), "{what}: {answer}");
        assert!(answer.contains("bad_signature"), "{what}: {answer}");
    }
    let mut s = open(&app, &head("chat", "e-1", &t, &good)).await;
    assert_eq!(said(&mut s).await, None, "what may stand is read");
    drop(s);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bodies_in_flight_have_a_budget() {
    let more = ["server.body_limit_mib=2", "server.body_budget_mib=2"];
    let app = TestApp::idle(Engine::Sqlite, &more).await;
    let part = "x".repeat(1_500_000);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 2000000\r\n\r\n{part}",
        app.home.key
    );
    let mut first = open(&app, &head).await;
    let full = eventually(|| async { (app.app.limits.free_mib() == 0).then_some(()) }).await;
    assert!(full.is_some(), "bytes on their way in aren't counted");
    let mut body = message("m-1", "t-1", "Hello.");
    body["text"] = json!("word ".repeat(150_000));
    let send = || {
        let r = app.http.post(format!("{}/v1/messages", app.base)).bearer_auth(&app.home.key);
        r.json(&body).send()
    };
    let r = send().await.unwrap();
    assert_eq!((r.status().as_u16(), retry_after(&r)), (503, 1));
    assert!(r.text().await.unwrap().contains("overloaded"));
    app.say("m-2", "t-2", "A small one still fits.").await;
    assert_eq!(said(&mut first).await, None, "the first one goes on");
    drop(first);
    let free = eventually(|| async { (app.app.limits.free_mib() == 2).then_some(()) }).await;
    assert!(free.is_some(), "a client that left holds its bytes");
    let r = send().await.unwrap().status().as_u16();
    assert!(r == 202 || r == 422, "{r}");
    app.stop().await;
}

// ---------------------------------------------------------------- channels

async fn channel_of(app: &TestApp, slug: &str) -> Channel {
    let mut c = app.store.db.read().await.unwrap();
    let slug = slug.parse().unwrap();
    channel::by_slug(&app.store, &mut c, &app.home.id, &slug).await.unwrap().unwrap()
}

on_both!(a_channel_that_is_off_takes_nothing_at_any_door, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let created = |n: u32| json!({"type": "message.created", "data": message(&format!("h-{n}"), "t-h", "Hi.")});
    let (status, b) = app.hook("/v1/hooks/chat", "e-1", &created(1)).await;
    assert_eq!(status, 202, "{b}");
    let id = b["id"].as_str().unwrap().to_owned();

    let ch = channel_of(&app, "chat").await;
    let mut tx = app.store.db.begin().await.unwrap();
    channel::disable(&app.store, &mut tx, &app.home.id, &ch.id).await.unwrap();
    tx.commit().await.unwrap();
    let off = Instant::now();
    // What was read of the channel a moment ago may be used for one second, no longer.
    tokio::time::sleep(Duration::from_millis(1010).saturating_sub(off.elapsed())).await;

    let refused = |what: &str, (status, b): (u16, Value)| {
        assert_eq!((status, b["code"].as_str()), (409, Some("channel_disabled")), "{what}: {b}");
    };
    refused("hook", app.hook("/v1/hooks/chat", "e-2", &created(2)).await);
    refused("hook again", app.hook("/v1/hooks/home.chat", "e-2", &created(2)).await);
    let edited =
        json!({"type": "message.edited", "data": {"external_id": "h-1", "text": "Other."}});
    refused("edit", app.hook("/v1/hooks/chat", "e-3", &edited).await);
    let sent = json!({"type": "reply.sent", "data": message("r-1", "t-h", "We answered.")});
    refused("reply", app.hook("/v1/hooks/chat", "e-4", &sent).await);
    refused("api", app.post(&app.home.key, "/v1/messages", &message("m-1", "t-1", "Hi.")).await);
    let patch = app.http.patch(format!("{}/v1/messages/{id}", app.base)).bearer_auth(&app.home.key);
    let patch = patch.json(&json!({"text": "Other."})).send().await.unwrap();
    assert_eq!(patch.status(), 409);
    // Strangers are not told that it is there.
    let wrong = format!("whsec_{}", STANDARD.encode([200u8; 32]));
    let text = created(3).to_string();
    let (at, sig) = standard_webhooks::sign(&[wrong], "e-5", System.now(), text.as_bytes());
    let r = app.http.post(format!("{}/v1/hooks/chat", app.base)).header("webhook-id", "e-5");
    let r = r.header("webhook-timestamp", at).header("webhook-signature", sig).body(text);
    assert_eq!(r.send().await.unwrap().status(), 401);
    // What a customer takes back is always taken back.
    let gone = json!({"type": "message.deleted", "data": {"external_id": "h-1"}});
    assert_eq!(app.hook("/v1/hooks/chat", "e-6", &gone).await.0, 202);

    let mut tx = app.store.db.begin().await.unwrap();
    let (slug, t) = ("chat".parse().unwrap(), &app.home.id);
    let (kind, adapter) = (ch.kind, ch.adapter);
    channel::put(&app.store, &mut tx, t, &slug, kind, adapter, &ch.settings, &ch.secrets)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1010)).await;
    assert_eq!(
        app.hook("/v1/hooks/chat", "e-2", &created(2)).await.0,
        202,
        "nothing was remembered"
    );
    app.stop().await;
});

on_both!(edits_have_one_effect_and_the_newest_wins, engine, {
    let app = TestApp::idle(engine, &[]).await;
    let created =
        json!({"type": "message.created", "data": message("m-1", "t-1", "The first text.")});
    let (_, b) = app.hook("/v1/hooks/chat", "e-0", &created).await;
    let id = b["id"].as_str().unwrap().to_owned();
    let edit = |at: &str, text: &str| json!({"type": "message.edited", "timestamp": at, "data": {"external_id": "m-1", "text": text}});
    let revision = async || {
        let (_, m) = app.get(&app.home.key, &format!("/v1/messages/{id}")).await;
        m["revision"].as_i64().unwrap()
    };
    let once = edit("2026-01-01T10:00:05Z", "The second text.");
    let all =
        futures::future::join_all((0..8).map(|_| app.hook("/v1/hooks/chat", "e-1", &once))).await;
    let new = all.iter().filter(|(s, _)| *s == 202).count();
    assert!(all.iter().all(|(s, _)| [200, 202].contains(s)), "{all:?}");
    assert_eq!((new, revision().await), (1, 2), "{all:?}");

    let late = edit("2026-01-01T10:00:01Z", "An older text.");
    let (status, b) = app.hook("/v1/hooks/chat", "e-2", &late).await;
    assert_eq!((status, b["result"].as_str(), revision().await), (200, Some("outdated"), 2));
    let older = json!({"type": "message.deleted", "timestamp": "2026-01-01T10:00:00Z",
        "data": {"external_id": "m-1"}});
    let (status, b) = app.hook("/v1/hooks/chat", "e-3", &older).await;
    assert_eq!((status, b["result"].as_str(), revision().await), (200, Some("outdated"), 2));
    let (status, _) =
        app.hook("/v1/hooks/chat", "e-4", &edit("2026-01-01T10:00:09Z", "The third.")).await;
    assert_eq!((status, revision().await), (202, 3));

    // What has no effect isn't remembered as done.
    let empty = edit("2026-01-01T10:00:10Z", "");
    for _ in 0..2 {
        let (status, b) = app.hook("/v1/hooks/chat", "e-5", &empty).await;
        assert_eq!((status, b["code"].as_str()), (422, Some("empty")), "{b}");
    }
    let (status, b) = app.hook("/v1/hooks/chat", "e-6", &edit("soon", "Text.")).await;
    assert_eq!((status, b["code"].as_str()), (422, Some("bad_time")), "{b}");
    assert_eq!(revision().await, 3);
    // A clock far ahead of ours doesn't void what comes after it.
    let (status, _) =
        app.hook("/v1/hooks/chat", "e-7", &edit("2126-01-01T00:00:00Z", "Ahead.")).await;
    assert_eq!((status, revision().await), (202, 4));
    let plain = json!({"type": "message.edited", "data": {"external_id": "m-1", "text": "Without a time."}});
    let (status, _) = app.hook("/v1/hooks/chat", "e-8", &plain).await;
    assert_eq!((status, revision().await), (202, 5));
    app.stop().await;
});

// ---------------------------------------------------------------- what is stored

const EML: &str = "From: Robin <robin@example.com>\r\nTo: help@shop.example\r\n\
    Subject: My invoice\r\nMessage-ID: <att-1@example.com>\r\nDate: Thu, 01 Jan 2026 10:00:00 +0000\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
    Content-Type: text/plain\r\n\r\nHere it is.\r\n--b\r\n\
    Content-Type: application/robin-example-of-main-street\r\n\
    Content-Disposition: attachment; filename=a.bin\r\n\r\nhello\r\n--b--\r\n";
/// Of `hello`.
const PLAIN_HASH: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

async fn attachment(app: &TestApp) -> (String, String) {
    let mut c = app.store.db.read().await.unwrap();
    sqlx::query_as("select content_type, content_hash from attachment")
        .fetch_one(&mut *c)
        .await
        .unwrap()
}

on_both!(attachments_and_urls_are_not_stored_plain_and_old_rows_are_sealed, engine, {
    let app = TestApp::start(engine).await;
    let body = json!({"channel": "mail", "eml_b64": STANDARD.encode(EML)});
    let (status, b) = app.post(&app.home.key, "/v1/messages", &body).await;
    assert_eq!(status, 202, "{b}");
    app.quiet().await;
    let (kind, hash) = attachment(&app).await;
    assert_eq!(kind, "application/octet-stream");
    assert!(hash.starts_with("hmac:") && hash.len() == 69 && !hash.contains(PLAIN_HASH), "{hash}");
    let (_, m) =
        app.get(&app.home.key, &format!("/v1/messages/{}", b["id"].as_str().unwrap())).await;
    assert_eq!(m["attachments"][0]["hash"], json!(hash), "{m}");
    assert!(!m.to_string().contains(PLAIN_HASH) && !m.to_string().contains("main-street"), "{m}");

    let url = "https://hooks.example/in?token=s3cret-in-the-url";
    app.post_to("hooked", url, std::slice::from_ref(&app.home.secret)).await;
    let row = "select config from channel where slug = 'hooked'";
    let config_now = async |app: &TestApp| {
        let mut c = app.store.db.read().await.unwrap();
        let (text,): (String,) = sqlx::query_as(row).fetch_one(&mut *c).await.unwrap();
        text
    };
    assert!(!config_now(&app).await.contains("s3cret"));
    assert_eq!(channel_of(&app, "hooked").await.settings.url.as_deref(), Some(url));

    // As the version before left them: all plain, and the secrets a bare list.
    let ch = channel_of(&app, "hooked").await;
    let list = serde_json::to_vec(&ch.secrets).unwrap();
    let sealed = app
        .store
        .keys
        .seal(&app.home.id, "tenant", "channel.secrets", ch.id.as_str(), &list)
        .unwrap();
    let mut tx = app.store.db.begin().await.unwrap();
    sqlx::query("update channel set config = $1, secrets_sealed = $2 where slug = 'hooked'")
        .bind(
            json!({"sender": "shop@example.com", "url": url, "rate": 7.0, "burst": 9.0})
                .to_string(),
        )
        .bind(sealed)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let database = app.database.clone();
    app.stop().await;
    sql(&database.url, &format!("update attachment set content_hash = '{PLAIN_HASH}', content_type = 'application/x-robin-example'")).await;
    sql(&database.url, "alter table attachment rename column content_hash to sha256").await;
    sql(&database.url, "drop table message_change").await;
    sql(&database.url, "delete from _sqlx_migrations where version = 3").await;

    let config = config(&database.url, &[]);
    let begun = Instant::now();
    let store = loop {
        match app::open_store(&config).await {
            Ok(s) => break s,
            Err(e) => assert!(begun.elapsed().as_secs() < 10, "{e:#}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut c = store.db.read().await.unwrap();
    let (text,): (String,) = sqlx::query_as(row).fetch_one(&mut *c).await.unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    let now: (String, String) = sqlx::query_as("select content_type, content_hash from attachment")
        .fetch_one(&mut *c)
        .await
        .unwrap();
    assert_eq!(now, ("application/octet-stream".to_owned(), hash), "the same as if it came today");
    drop(c);
    let mut c = store.db.read().await.unwrap();
    let t = ch_tenant(&mut c).await;
    let slug = "hooked".parse().unwrap();
    let after = channel::by_slug(&store, &mut c, &t, &slug).await.unwrap().unwrap();
    assert_eq!((after.settings.url.as_deref(), after.settings.rate), (Some(url), 7.0));
    assert_eq!(after.secrets, ch.secrets);
    drop(c);
    store.db.close().await;
});

async fn ch_tenant(c: &mut sqlx::AnyConnection) -> countersign::domain::ids::TenantId {
    let (id,): (String,) = sqlx::query_as("select tenant_id from channel where slug = 'hooked'")
        .fetch_one(c)
        .await
        .unwrap();
    id.parse().unwrap()
}

// ---------------------------------------------------------------- what goes out

async fn ask(app: &TestApp, n: u32) -> (String, Value) {
    let body = json!({"channel": "hooked", "external_id": format!("q{n}"), "thread": format!("t{n}"),
        "from": {"address": format!("user-{n}")}, "text": QUESTION});
    let (status, m) = app.post(&app.home.key, "/v1/messages", &body).await;
    assert_eq!(status, 202, "{m}");
    let id = m["id"].as_str().unwrap().to_owned();
    let review = app.review_in(&id, &["pending"]).await;
    (id, review)
}

async fn sign(app: &TestApp, review: &Value) -> (u16, Value) {
    let path = format!("/v1/reviews/{}/approve", review["id"].as_str().unwrap());
    app.post(&app.home.key, &path, &json!({"digest": review["digest"]})).await
}

async fn accepting() -> MockServer {
    let server = MockServer::start().await;
    let ok = ResponseTemplate::new(200);
    Mock::given(method("POST")).and(path("/in")).respond_with(ok).mount(&server).await;
    server
}

fn secret(n: u8) -> String {
    format!("whsec_{}", STANDARD.encode([n; 32]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_goes_out_has_secrets_of_its_own_and_cannot_be_sent_back() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let server = accepting().await;
    let (inward, new, old) = (secret(50), secret(51), secret(52));
    let url = format!("{}/in", server.uri());
    let ch = app.post_to("hooked", &url, std::slice::from_ref(&inward)).await;
    let (first, review) = ask(&app, 1).await;
    assert_eq!(sign(&app, &review).await.0, 200);
    app.review_in(&first, &["sent"]).await;
    // While a secret rotates, both sign, so that the receiver may have either.
    let mut tx = app.store.db.begin().await.unwrap();
    let both = [new.clone(), old.clone()];
    channel::put_outgoing(&app.store, &mut tx, &app.home.id, &ch.id, &both).await.unwrap();
    tx.commit().await.unwrap();
    // Putting the channel anew keeps them.
    app.post_to("hooked", &url, std::slice::from_ref(&inward)).await;
    let (second, review) = ask(&app, 2).await;
    assert_eq!(sign(&app, &review).await.0, 200);
    app.review_in(&second, &["sent"]).await;

    let got = server.received_requests().await.unwrap();
    assert_eq!(got.len(), 2);
    let text =
        |r: &wiremock::Request, n: &str| r.headers.get(n).unwrap().to_str().unwrap().to_owned();
    let stands = |r: &wiremock::Request, secret: &String| {
        let (id, at) = (text(r, "webhook-id"), text(r, "webhook-timestamp"));
        let (sig, now) = (text(r, "webhook-signature"), System.now());
        let one = std::slice::from_ref(secret);
        standard_webhooks::verify(one, &id, &at, &sig, &r.body, now).is_ok()
    };
    assert!(stands(&got[0], &inward), "without a secret of its own the channel's one signs");
    assert_eq!(text(&got[1], "webhook-signature").split(' ').count(), 2);
    assert!(stands(&got[1], &new) && stands(&got[1], &old));
    assert!(!stands(&got[1], &inward), "whoever may send to us can't sign for us");

    // Sent back as it is, with the very secret that the door knows.
    let r = &got[0];
    let mut back = app.http.post(format!("{}/v1/hooks/hooked", app.base)).body(r.body.clone());
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        back = back.header(name, text(r, name));
    }
    let back = back.send().await.unwrap();
    assert_eq!(back.status(), 401);
    let b: Value = back.json().await.unwrap();
    assert_eq!(b["code"], "bad_signature");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redirect_is_not_followed_and_a_large_reply_does_not_leave() {
    let app = TestApp::start(Engine::Sqlite).await;
    app.teach("Returns", ARTICLE).await;
    let inner = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&inner).await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200)).mount(&inner).await;
    for (n, code) in [(1, 302), (2, 307), (3, 308)] {
        let outer = MockServer::start().await;
        let to = format!("{}/latest/meta-data/", inner.uri());
        let moved = ResponseTemplate::new(code).insert_header("location", to.as_str());
        Mock::given(method("POST")).respond_with(moved).mount(&outer).await;
        app.post_to(
            "hooked",
            &format!("{}/in", outer.uri()),
            std::slice::from_ref(&app.home.secret),
        )
        .await;
        let (id, review) = ask(&app, n).await;
        assert_eq!(sign(&app, &review).await.0, 200);
        app.review_in(&id, &["unknown", "failed"]).await;
        assert_eq!(outer.received_requests().await.unwrap().len(), 1, "{code}");
    }
    assert!(inner.received_requests().await.unwrap().is_empty(), "a redirect was followed");

    let server = accepting().await;
    app.post_to("hooked", &format!("{}/in", server.uri()), std::slice::from_ref(&app.home.secret))
        .await;
    let (id, review) = ask(&app, 9).await;
    let edit = format!("/v1/reviews/{}/edit", review["id"].as_str().unwrap());
    let long = "You can return it within 30 days of delivery. ".repeat(600);
    let body = json!({"text": long, "revision": review["revision"]});
    let (status, edited) = app.post(&app.home.key, &edit, &body).await;
    if status == 200 {
        let (_, review) = app.get(&app.home.key, edit.trim_end_matches("/edit")).await;
        if sign(&app, &review).await.0 == 200 {
            app.review_in(&id, &["failed", "pending"]).await;
        }
    } else {
        assert!(status == 422 || status == 400, "{status}: {edited}");
    }
    app.quiet().await;
    assert!(server.received_requests().await.unwrap().is_empty(), "27 KB were posted");
    app.stop().await;
}

/// A resolver that gives one answer after the other, and how often it was asked.
fn stub(answers: Vec<Vec<IpAddr>>, port: u16) -> (ssrf::Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: ssrf::Lookup = Arc::new(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let found: Vec<SocketAddr> = answers[n].iter().map(|ip| (*ip, port).into()).collect();
        async move { Ok(found) }.boxed()
    });
    (lookup, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_that_changes_its_answer_gains_nothing() {
    use reqwest::dns::Resolve as _;
    let server = accepting().await;
    let port = server.address().port();
    let (home, public): (IpAddr, IpAddr) =
        ("127.0.0.1".parse().unwrap(), "93.184.215.14".parse().unwrap());
    let forbidden = |e: &reqwest::Error| {
        std::iter::successors(std::error::Error::source(e), |e| e.source())
            .any(|e| e.downcast_ref::<ssrf::Forbidden>().is_some())
    };
    // Private, and a public one beside a private one.
    for answers in [vec![home], vec![public, home], vec![]] {
        let (lookup, asked) = stub(vec![answers], port);
        let client =
            webhook::client(ssrf::Guard::over(false, lookup), Duration::from_secs(3)).unwrap();
        let url = format!("http://rebind.example:{port}/in");
        let e = client.post(url).body("{}").send().await.unwrap_err();
        assert!(forbidden(&e), "{e:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    // Public when it is checked, private when it is asked again: what was checked is what is used.
    let (lookup, asked) = stub(vec![vec![public], vec![home]], port);
    let guard = ssrf::Guard::over(false, lookup.clone());
    let name = || "rebind.example".parse().unwrap();
    let used: Vec<_> = guard.resolve(name()).await.unwrap().map(|a| a.ip()).collect();
    assert_eq!((used, asked.load(Ordering::SeqCst)), (vec![public], 1));
    assert!(guard.resolve(name()).await.is_err());
    let client = webhook::client(
        ssrf::Guard::over(false, stub(vec![vec![public], vec![home]], 9).0),
        Duration::from_millis(300),
    )
    .unwrap();
    for _ in 0..3 {
        assert!(client.post(format!("http://rebind.example:{port}/in")).send().await.is_err());
    }
    assert!(server.received_requests().await.unwrap().is_empty(), "it got to the inside");
    // The stub itself works: with private addresses allowed the request arrives.
    let (lookup, _) = stub(vec![vec![home]], port);
    let client = webhook::client(ssrf::Guard::over(true, lookup), Duration::from_secs(3)).unwrap();
    assert_eq!(
        client.post(format!("http://rebind.example:{port}/in")).send().await.unwrap().status(),
        200
    );
}

/// First and last address of every range that isn't public, and their neighbours that are.
#[test]
fn the_table_of_addresses_holds_at_its_edges() {
    let special = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.88.99.0",
        "192.88.99.255",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.254",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::",
        "100::ffff:ffff:ffff:ffff",
        "2001::",
        "2001:1ff:ffff::1",
        "2001:db8::",
        "2001:db8:ffff::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::",
        "3fff:fff:ffff::1",
        "fc00::",
        "fdff:ffff::1",
        "fe80::",
        "febf:ffff::1",
        "fec0::",
        "feff:ffff::1",
        "ff00::",
        "ff02::1",
        "ffff:ffff::1",
    ];
    let public = [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:2800:21f:cb07::1",
        "2a00:1450:4001::1",
    ];
    for (list, want) in [(&special[..], false), (&public[..], true)] {
        for a in list {
            assert_eq!(ssrf::is_public(a.parse().unwrap()), want, "{a}");
        }
    }
}

// ---------------------------------------------------------------- two tenants and a model

async fn seed(app: &TestApp, t: &TestTenant, canary: &str) {
    let text = format!("{ARTICLE} Our form for it is called {canary}.");
    let article = json!({"source": "returns.md", "title": "Returns", "text": text});
    assert_eq!(app.post(&t.key, "/v1/knowledge", &article).await.0, 201);
    for n in 0..3 {
        let text = format!("{QUESTION} It says {canary} on the box. What does the form look like?");
        let m = message(&format!("q-{n}"), "t-1", &text);
        assert_eq!(app.post(&t.key, "/v1/messages", &m).await.0, 202);
    }
}

on_both!(no_request_to_a_model_holds_anything_of_another_tenant, engine, {
    let server = MockServer::start().await;
    let draft = json!({"sentences": [{"text": "You can return any unworn item within 30 days of delivery.",
        "citations": [1]}], "unanswered": [], "tone": "neutral"});
    let answer = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "local",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": draft.to_string()}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    let ok = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(method("POST")).respond_with(ok).mount(&server).await;
    let base = format!("draft.base_url={}/v1", server.uri());
    let app = TestApp::start_with(engine, &["draft.drafter=openai", &base]).await;
    let other = app.tenant("other-shop").await;
    let canaries = ["quokkafern", "zibelline"];
    for (t, canary) in [(&app.home, canaries[0]), (&other, canaries[1])] {
        seed(&app, t, canary).await;
    }
    app.quiet().await;
    let got = server.received_requests().await.unwrap();
    let mut seen = [0, 0];
    for r in &got {
        let text = String::from_utf8_lossy(&r.body).to_lowercase();
        let holds = canaries.map(|c| text.contains(c));
        assert!(holds != [true, true], "both tenants in one request: {text}");
        for (n, h) in seen.iter_mut().zip(holds) {
            *n += usize::from(h);
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?} of {}", got.len());
    app.stop().await;
});

// ---------------------------------------------------------------- the command line

#[test]
fn the_scopes_of_a_key_are_all_listed() {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["keys", "create", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8_lossy(&out.stdout).into_owned();
    for scope in ["ingest", "read", "review", "knowledge", "mask"] {
        assert!(help.contains(scope), "{scope}: {help}");
    }
}

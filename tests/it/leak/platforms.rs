//! Chatwoot, a door and an exit at once: messages come in by its webhook, labels, notes and replies go out by its
//! API; and the MCP server, by which an assistant reads what there is.

use std::process::Stdio;
use std::time::Duration;

use countersign::adapters::chatwoot as adapter;
use countersign::domain::ids::TenantId;
use countersign::domain::masking::Entity;
use countersign::domain::message::ChannelKind;
use countersign::ports::host::{Host as _, System};
use countersign::store::channel::{self, AdapterKind, ChatwootSettings, Settings};
use countersign::store::{Store, Tx};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use wiremock::{MockServer, Request, Respond, ResponseTemplate};

use super::canary::{ADDRESS, Canary, PERSON, TABLE};
use super::grep::{Grep, Hit};
use super::{Gate, binary};
use crate::harness::model_folder;

const SLUG: &str = "platform";
const SECRET: &str = "the-secret-of-the-platform-s-webhook";
const TOKEN: &str = "the-token-of-the-platform-s-bot";
const DOOR: &str = "Chatwoot";
/// The first conversation's number.
const FIRST: usize = 200;
/// Kinds that share a message.
const TOGETHER: usize = 12;

/// Chatwoot's API, as far as it is asked: conversations without labels, messages that get a number.
pub struct Conversations;

impl Respond for Conversations {
    fn respond(&self, r: &Request) -> ResponseTemplate {
        let mut body: Value = serde_json::from_slice(&r.body).unwrap_or_else(|_| json!({}));
        let path = r.url.path();
        let answer = match (r.method.as_str(), path.rsplit('/').next().unwrap_or_default()) {
            ("POST", "messages") => {
                body["id"] = json!(9_000_000 + r.body.len());
                body
            }
            ("POST", "labels") => json!({"payload": body["labels"]}),
            ("GET", "messages") => json!({"meta": {}, "payload": []}),
            _ => json!({"id": 1, "labels": [], "priority": null}),
        };
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

/// A channel that is connected to `url`.
pub async fn connect(store: &Store, tx: &mut Tx, tenant: &TenantId, url: &str) {
    let s = Settings {
        url: Some(url.to_owned()),
        rate: 1000.0,
        burst: 1000.0,
        chatwoot: Some(ChatwootSettings { account: 7, ..ChatwootSettings::default() }),
        ..Settings::default()
    };
    let (slug, secrets) = (SLUG.parse().unwrap(), [SECRET.to_owned()]);
    let kind = ChannelKind::Chatwoot;
    let made = channel::put(store, tx, tenant, &slug, kind, AdapterKind::Chatwoot, &s, &secrets);
    let made = made.await.unwrap();
    channel::put_token(store, tx, tenant, &made.id, TOKEN).await.unwrap();
}

/// Conversations of Chatwoot, and deliveries that are refused.
pub async fn chatwoot(g: &mut Gate) {
    for (i, kinds) in TABLE.chunks(TOGETHER).enumerate() {
        let own = Canary::new(&ADDRESS, &mut g.seed, DOOR, "");
        let address = own.value().to_owned();
        g.canaries.push(Canary { customer: address.clone(), ..own });
        let name = g.value(&PERSON, DOOR, &address);
        let said = g.sentences(kinds, DOOR, &address).join("\n");
        let text =
            format!("Hello,\n{said}\nHow long do I have to return an item?\nRegards,\n{name}");
        let contact = json!({"id": 30 + i, "name": name, "email": address});
        let body = json!({"event": "message_created", "id": 500 + i, "content": text, "private": false,
            "message_type": "incoming", "content_type": "text", "content_attributes": {},
            "created_at": "2026-11-22T10:00:00.000Z", "account": {"id": 7, "name": "Shop"},
            "sender": contact, "inbox": {"id": 1, "name": "Site"},
            "conversation": {"id": FIRST + i, "labels": [], "meta": {"sender": contact}}});
        let answer = deliver(g, &body, SECRET).await;
        g.taken(&answer, &address);
        assert_eq!(deliver(g, &body, "another secret").await.0, 401);
    }
    let said = g.sentence(&ADDRESS, "a refused delivery of Chatwoot", "");
    let wrong =
        json!({"event": "message_created", "id": said, "content": said, "account": {"id": 7}});
    let (status, _) = deliver(g, &wrong, SECRET).await;
    assert_eq!(status, 400);
}

async fn deliver(g: &mut Gate, body: &Value, secret: &str) -> (u16, Value) {
    let text = body.to_string();
    let (at, signature) = adapter::sign(secret, System.now(), text.as_bytes());
    let request = g
        .http
        .post(format!("{}/v1/hooks/{SLUG}", g.base))
        .header("x-chatwoot-timestamp", at)
        .header("x-chatwoot-signature", signature)
        .header("x-chatwoot-delivery", System.token())
        .body(text);
    g.ask("answer to POST /v1/hooks (Chatwoot)", request).await
}

/// What Chatwoot was told and may not know: a note is masked, a reply may say what its own conversation gave. Also how
/// many notes there were, and how many values went back.
pub async fn told(
    server: &MockServer,
    canaries: &[Canary],
    grep: &Grep,
) -> (Vec<Hit>, usize, usize) {
    let (mut wrong, mut notes, mut right) = (Vec::new(), 0, 0);
    // Who wrote each conversation, in the order of their numbers.
    let writers = canaries.iter().filter(|c| c.door == DOOR && c.customer == c.value());
    let writers: Vec<&str> = writers.map(|c| c.customer.as_str()).collect();
    assert_eq!(writers.len(), TABLE.len().div_ceil(TOGETHER));
    for r in server.received_requests().await.unwrap() {
        let body: Value = serde_json::from_slice(&r.body).unwrap_or_default();
        let public = body["message_type"] == "outgoing" && body["private"] == false;
        notes += usize::from(body["private"] == true);
        wrong.extend(grep.find("request to Chatwoot (path)", r.url.as_str().as_bytes()));
        for value in r.headers.values() {
            wrong.extend(grep.find("request to Chatwoot (headers)", value.as_bytes()));
        }
        let number = conversation(r.url.path()).and_then(|n| n.checked_sub(FIRST));
        let conversation = number.and_then(|i| writers.get(i));
        let hits = grep.find("request to Chatwoot", &r.body);
        let hits: Vec<Hit> = hits
            .into_iter()
            .filter(|h| {
                let c = &canaries[h.canary];
                let sendable = c.entity.parse::<Entity>().unwrap().is_sendable();
                let own = conversation.is_some_and(|writer| c.customer == **writer);
                let allowed = public && sendable && c.door == DOOR && own;
                right += usize::from(allowed);
                !allowed
            })
            .collect();
        wrong.extend(hits);
    }
    (wrong, notes, right)
}

/// The number of the conversation that a path names.
fn conversation(path: &str) -> Option<usize> {
    path.split_once("/conversations/")?.1.split('/').next()?.parse().ok()
}

/// All that an assistant can read.
pub async fn mcp(g: &mut Gate) {
    let (_, list) = g.get("/v1/reviews?state=all&limit=200").await;
    let reviews: Vec<Value> =
        list["items"].as_array().unwrap().iter().map(|r| r["id"].clone()).collect();
    let said = g.sentences(&TABLE[..TOGETHER], "the MCP server", "").join(" ");
    let tool = |name: &str, arguments: Value| {
        ("tools/call", json!({"name": name, "arguments": arguments}))
    };
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "0"}});
    let mut asked = vec![
        ("initialize", hello),
        tool("list_reviews", json!({"state": "all"})),
        tool("search_knowledge", json!({"query": said})),
        tool("mask", json!({"text": said})),
        tool("classify", json!({"text": said})),
        tool("get_review", json!({"id": said})),
        tool("mask", json!({"text": "x", said.as_str(): 1})),
    ];
    asked.extend(reviews.into_iter().map(|id| tool("get_review", json!({"id": id}))));
    let folder = format!("model.folder={}", model_folder().display());
    let mut child = binary(&[folder])
        .arg("mcp")
        .env("COUNTERSIGN_URL", &g.base)
        .env("COUNTERSIGN_API_KEY", &g.tenant.key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut good = 0;
    for (id, (method, params)) in asked.into_iter().enumerate() {
        let ask = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut text = format!("{ask}\n");
        if id == 1 {
            let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            text = format!("{ready}\n{text}");
        }
        stdin.write_all(text.as_bytes()).await.unwrap();
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let line = line.expect("no answer").unwrap().expect("it ended");
        let answer: Value = serde_json::from_str(&line).unwrap();
        good += usize::from(
            answer["result"]["content"].is_array() && answer["result"]["isError"] != true,
        );
        g.answers.push((format!("answer of MCP to {}", params["name"]), line.into_bytes()));
    }
    assert!(good > 8, "only {good} tools answered");
    drop(stdin);
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output());
    let said = ended.await.expect("it goes on after the end of its input").unwrap().stderr;
    g.answers.push(("standard error of MCP".to_owned(), said));
}

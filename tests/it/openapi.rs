//! The API's description: it is what is committed, it names every route, and its examples work.

pub mod schema;

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ARTICLE, Engine, QUESTION, TestApp};
use schema::document;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation: path, method and what it says.
fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    let of = |(path, item): (&'static String, &'static Value)| {
        METHODS.iter().filter_map(move |m| Some((path.as_str(), *m, item.get(m)?)))
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = std::fs::read_to_string(file).unwrap();
    assert!(
        committed == countersign::http::openapi::text(),
        "docs/openapi.json is old: countersign openapi > docs/openapi.json"
    );
}

#[test]
fn references_lead_somewhere_and_names_are_used_once() {
    let text = document().to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document().pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    let names: Vec<_> =
        operations().iter().map(|(.., o)| o["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    assert!(names.len() > 20, "{names:?}");
}

/// Codes are what programs go by, so none is left without a word in the documentation.
#[test]
fn every_code_is_explained_and_listed_in_the_documentation() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manual = std::fs::read_to_string(root.join("docs/api.md")).unwrap();
    for (path, method, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if !status.starts_with(['4', '5']) {
                continue;
            }
            let response = schema::resolve(response).unwrap();
            let problem = &response["content"]["application/problem+json"]["schema"]["allOf"][1];
            let codes = problem["properties"]["code"]["enum"].as_array().unwrap();
            assert!(!codes.is_empty(), "{method} {path} {status}: no code");
            for code in codes {
                let code = code.as_str().unwrap();
                assert!(manual.contains(&format!("`{code}`")), "docs/api.md lacks {code}");
                let said = response["description"].as_str().unwrap();
                assert!(said.contains(&format!("- `{code}`: ")), "{method} {path}: {code}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_routed_is_described_and_the_other_way_round() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let described: BTreeSet<(&str, &str)> = operations().iter().map(|(p, m, _)| (*p, *m)).collect();
    for path in described.iter().map(|(p, _)| p).collect::<BTreeSet<_>>() {
        let url = format!("{}{}", app.base, path.replace(['{', '}'], ""));
        for method in METHODS {
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let r = app.http.request(verb, &url).send().await.unwrap();
            let routed = r.status() != 405;
            assert_eq!(
                routed,
                described.contains(&(*path, method)),
                "{method} {path}: {}",
                r.status()
            );
            if !routed {
                assert!(r.headers().contains_key("allow"), "{method} {path}");
            }
        }
    }
    let (status, served) = app.get("", "/v1/openapi.json").await;
    assert_eq!((status, &served), (200, document()));
    app.stop().await;
}

/// The requests of the examples, in an order in which each finds what it is about.
const STORY: [&str; 36] = [
    "get_openapi",
    "create_webhook",
    "list_webhooks",
    "get_webhook",
    "change_webhook",
    "test_webhook",
    "list_webhook_deliveries",
    "delete_webhook",
    "put_article",
    "list_articles",
    "get_article",
    "list_models",
    "list_topics",
    "mask",
    "classify",
    "create_message",
    "get_message",
    "list_threads",
    "get_thread",
    "list_reviews",
    "get_review",
    "get_review_evidence",
    "claim_review",
    "release_review",
    "assign_review",
    "edit_review",
    "approve_review",
    "undo_review",
    "respond_review",
    "undo_review",
    "escalate_review",
    "snooze_review",
    "reject_review",
    "edit_message",
    "delete_message",
    "delete_article",
];
/// Needs what an example can't hold: a signature, a send that went wrong, somebody who listens, a question,
/// a message that has been read, a head that was learnt. Other tests send these.
const APART: [&str; 9] = [
    "get_model",
    "promote_model",
    "roll_back_model",
    "receive_webhook",
    "settle_review",
    "stream_events",
    "redeliver_webhook",
    "search_knowledge",
    "label_message",
];

/// Sends each example; the harness checks every answer against the document.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn examples_work() {
    let all: BTreeSet<_> =
        operations().iter().map(|(.., o)| o["operationId"].as_str().unwrap()).collect();
    let told: BTreeSet<_> = STORY.iter().chain(&APART).copied().collect();
    assert_eq!(all, told);
    let app = TestApp::start_with(Engine::Sqlite, &["review.hold_s=600"]).await;
    app.teach("Returns", ARTICLE).await;
    let (mut message, mut review, mut article) = (String::new(), Value::Null, String::new());
    let mut webhook = String::new();
    for name in STORY {
        let (path, method, operation) =
            *operations().iter().find(|(.., o)| o["operationId"] == name).unwrap();
        let id = match path.split('/').nth(2) {
            Some("messages") => message.clone(),
            Some("threads") => review["thread"].as_str().unwrap_or_default().to_owned(),
            Some("knowledge") => article.clone(),
            Some("webhooks") => webhook.clone(),
            _ => review["id"].as_str().unwrap_or_default().to_owned(),
        };
        let content = &operation["requestBody"]["content"]["application/json"];
        let mut body = content.get("example").cloned().unwrap_or(Value::Null);
        schema_of(content, &body);
        // What depends on what is there.
        for field in ["digest", "revision"] {
            if body.get(field).is_some() {
                body[field] = review[field].clone();
            }
        }
        // And on the day: one in the document lies in the past sooner or later.
        if body.get("until").is_some() {
            let tomorrow = app.store.host.now().plus(Duration::from_secs(86_400));
            body["until"] = json!(tomorrow.rfc3339());
        }
        let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let (status, answer) = app.send(verb, &path.replace("{id}", &id), &body).await;
        assert!((200..300).contains(&status), "{name}: {status} {answer}");
        match name {
            "put_article" => answer["id"].as_str().unwrap().clone_into(&mut article),
            "create_webhook" => answer["id"].as_str().unwrap().clone_into(&mut webhook),
            "create_message" => {
                answer["id"].as_str().unwrap().clone_into(&mut message);
                review = app.review_in(&message, &["pending"]).await;
            }
            _ if answer.get("digest").is_some() => review = answer,
            _ => {}
        }
    }
    assert_eq!(review["state"], "rejected");
    app.stop().await;
}

fn schema_of(content: &Value, example: &Value) {
    if let (Some(schema), false) = (content.get("schema"), example.is_null()) {
        assert_eq!(schema::fits(schema, example, ""), Ok(()));
    }
}

/// What the two that stand apart say is true of them, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_webhook_is_answered_as_described() {
    let app = TestApp::idle(Engine::Sqlite, &[]).await;
    let hook = operations().into_iter().find(|(.., o)| o["operationId"] == "receive_webhook");
    let content = &hook.unwrap().2["requestBody"]["content"]["application/json"];
    schema_of(content, &content["example"]);
    let (status, answer) = app.hook("/v1/hooks/chat", "msg_1", &content["example"]).await;
    assert_eq!((status, &answer["result"]), (202, &json!("received")), "{answer}");
    let deleted = json!({"type": "message.deleted", "data": {"external_id": "nowhere"}});
    assert_eq!(app.hook("/v1/hooks/chat", "msg_2", &deleted).await.0, 404);
    assert_eq!(app.hook("/v1/hooks/none", "msg_3", &deleted).await.0, 401);
    let mut other = content["example"].clone();
    other["data"]["text"] = json!(QUESTION.to_uppercase());
    assert_eq!(app.hook("/v1/hooks/chat", "msg_4", &other).await.0, 409);
    app.stop().await;
}

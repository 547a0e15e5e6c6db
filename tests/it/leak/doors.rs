//! The doors by which personal data comes in: every one gets values of its own.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::adapters::standard_webhooks;
use countersign::ports::host::{Host as _, System};
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::canary::{ADDRESS, Canary, Kind, PERSON, TABLE};
use super::{CHANNEL, Gate, binary};
use crate::harness::PASSWORD;

/// Kinds that share a message: few enough that the prompt stays small.
const TOGETHER: usize = 12;

const QUESTION: &str = "How long do I have to return an item?";

/// A customer's message.
struct Letter {
    address: String,
    name: String,
    /// Somebody in copy.
    other: (String, String),
    /// The channel's ids of the message, of its conversation and of an earlier message.
    ids: [String; 3],
    subject: String,
    text: String,
}

impl Letter {
    fn json(&self) -> Value {
        json!({"channel": CHANNEL, "external_id": self.ids[0], "thread": self.ids[1],
            "references": [self.ids[2]], "subject": self.subject, "text": self.text,
            "from": {"address": self.address, "name": self.name},
            "cc": [{"address": self.other.0, "name": self.other.1}]})
    }
}

impl Gate {
    /// A new value; kept for the search.
    pub(super) fn value(&mut self, kind: &Kind, door: &'static str, customer: &str) -> String {
        let c = Canary::new(kind, &mut self.seed, door, customer);
        let value = c.value().to_owned();
        self.canaries.push(c);
        value
    }

    /// A sentence with a new value.
    pub(super) fn sentence(&mut self, kind: &Kind, door: &'static str, customer: &str) -> String {
        let c = Canary::new(kind, &mut self.seed, door, customer);
        let said = c.said(kind);
        self.canaries.push(c);
        said
    }

    pub(super) fn sentences(
        &mut self,
        kinds: &[Kind],
        door: &'static str,
        customer: &str,
    ) -> Vec<String> {
        kinds.iter().map(|k| self.sentence(k, door, customer)).collect()
    }

    fn letter(&mut self, kinds: &[Kind], door: &'static str) -> Letter {
        let own = Canary::new(&ADDRESS, &mut self.seed, door, "");
        let address = own.value().to_owned();
        self.canaries.push(Canary { customer: address.clone(), ..own });
        let name = self.value(&PERSON, door, &address);
        let other = (self.value(&ADDRESS, door, &address), self.value(&PERSON, door, &address));
        let ids = [(); 3].map(|()| self.value(&ADDRESS, door, &address));
        let subject = self.sentence(&ADDRESS, door, &address);
        let mut lines = vec!["Hello,".to_owned()];
        lines.extend(self.sentences(kinds, door, &address));
        lines.push(format!("It was ordered by {} for me.", other.1));
        lines.push(QUESTION.to_owned());
        lines.push(format!("Regards,\n{name}"));
        Letter {
            address,
            name,
            other,
            ids,
            subject: format!("Return. {subject}"),
            text: lines.join("\n"),
        }
    }

    /// Remembers whose message an answer names.
    pub(super) fn taken(&mut self, answer: &(u16, Value), customer: &str) -> String {
        assert!(matches!(answer.0, 200 | 202), "{answer:?}");
        let id = answer.1["id"].as_str().unwrap().to_owned();
        self.customers.insert(id.clone(), customer.to_owned());
        id
    }
}

/// A mail with everything that a mail has.
fn eml(g: &mut Gate, kinds: &[Kind], door: &'static str) -> (String, String) {
    let l = g.letter(kinds, door);
    let to = l.address.clone();
    let quoted = g.sentences(kinds, door, &to);
    let quoted: Vec<String> =
        quoted.iter().flat_map(|q| q.lines().map(|l| format!("> {l}"))).collect();
    let attached = g.sentences(kinds, door, &to);
    let signature = [TABLE[1].name, "e-mail"].map(|n| {
        let kind = TABLE.iter().find(|k| k.name == n).unwrap();
        g.value(kind, door, &to)
    });
    // A participant's name: strangers' names are known by their looks only.
    let file = l.name.clone();
    let host = g.value(TABLE.iter().find(|k| k.name == "IPv4").unwrap(), door, &to);
    let text = format!(
        "From: \"{name}\" <{address}>\r\nTo: shop@example.com\r\nCc: \"{cc_name}\" <{cc}>\r\n\
         Reply-To: {address}\r\nMessage-ID: <{id}>\r\nIn-Reply-To: <{before}>\r\nReferences: <{first}> <{before}>\r\n\
         Subject: {subject}\r\nX-Originating-IP: [{host}]\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"parts\"\r\n\r\n\
         --parts\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         {body}\r\n\r\n-- \r\n{name}\r\nTel. {phone}\r\n{mail}\r\n\r\n\
         On Sun, 1 Nov 2026 at 09:00, {cc_name} <{cc}> wrote:\r\n{quoted}\r\n\
         --parts\r\nContent-Type: text/plain; charset=utf-8; name=\"{file}.txt\"\r\n\
         Content-Disposition: attachment; filename=\"{file}.txt\"\r\n\r\n{attached}\r\n--parts--\r\n",
        name = l.name,
        address = l.address,
        cc_name = l.other.1,
        cc = l.other.0,
        id = l.ids[0],
        before = l.ids[1],
        first = l.ids[2],
        subject = l.subject,
        body = l.text.replace('\n', "\r\n"),
        phone = signature[0],
        mail = signature[1],
        quoted = quoted.join("\r\n"),
        attached = attached.join("\r\n").replace("\r\n", "\n").replace('\n', "\r\n"),
    );
    (text, to)
}

/// `POST /v1/messages` as JSON, plain and HTML.
pub async fn api(g: &mut Gate) {
    for (i, kinds) in TABLE.chunks(TOGETHER).enumerate() {
        let l = g.letter(kinds, "the API");
        let mut body = l.json();
        if i == 0 {
            let html = l.text.replace('&', "&amp;").replace('\n', "<br>\n");
            body["html"] = json!(format!("<div><p>{html}</p></div>"));
            body.as_object_mut().unwrap().remove("text");
        }
        let url = format!("{}/v1/messages", g.base);
        // Under a key of the caller's, as careful platforms send it.
        let key = g.value(&ADDRESS, "Idempotency-Key", "");
        let request =
            g.http.post(url).bearer_auth(&g.tenant.key).header("idempotency-key", key).json(&body);
        let answer = g.ask("answer to POST /v1/messages", request).await;
        g.taken(&answer, &l.address);
        // The same id with another body is a conflict.
        body["subject"] = json!(g.sentence(&ADDRESS, "the API", ""));
        let answer = g.post("/v1/messages (conflict)", "/v1/messages", &body).await;
        assert_eq!(answer.0, 409, "{answer:?}");
    }
}

/// `POST /v1/messages` with whole mails.
pub async fn mail(g: &mut Gate) {
    for kinds in TABLE.chunks(TOGETHER) {
        let (text, customer) = eml(g, kinds, "mail");
        let body = json!({"channel": CHANNEL, "eml_b64": STANDARD.encode(text)});
        let answer = g.post("/v1/messages (mail)", "/v1/messages", &body).await;
        g.taken(&answer, &customer);
    }
}

/// The signed webhook; and deliveries that are refused.
pub async fn hook(g: &mut Gate) {
    for kinds in TABLE.chunks(TOGETHER) {
        let l = g.letter(kinds, "a webhook");
        let body = json!({"type": "message.created", "timestamp": "2026-11-02T10:00:00Z", "data": l.json()});
        let id = g.value(&ADDRESS, "a webhook's id", "");
        let answer = deliver(g, &id, &body, true).await;
        g.taken(&answer, &l.address);
    }
    let l = g.letter(&TABLE[..TOGETHER], "a refused webhook");
    let kind = g.value(&ADDRESS, "a refused webhook", "");
    let unknown = json!({"type": kind, "timestamp": "2026-11-02T10:00:00Z", "data": l.json()});
    assert_eq!(deliver(g, "unknown-type", &unknown, true).await.0, 422);
    assert_eq!(deliver(g, "unsigned", &unknown, false).await.0, 401);
    let wrong = json!({"type": "message.created", "data": {"from": l.address, "text": l.text}});
    assert_eq!(deliver(g, "wrong-form", &wrong, true).await.0, 400);
}

async fn deliver(g: &mut Gate, id: &str, body: &Value, signed: bool) -> (u16, Value) {
    let text = body.to_string();
    let secrets = [g.tenant.secret.clone()];
    let (at, sig) = standard_webhooks::sign(&secrets, id, System.now(), text.as_bytes());
    let request = g
        .http
        .post(format!("{}/v1/hooks/{CHANNEL}", g.base))
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", if signed { sig } else { "v1,bm8=".to_owned() })
        .body(text);
    g.ask("answer to POST /v1/hooks", request).await
}

/// `countersign import`, of mails and of JSON Lines with one that can't be read.
pub async fn import(g: &mut Gate, sets: &[String], folder: &Path) {
    let (mut mbox, mut lines) = (String::new(), Vec::new());
    for kinds in TABLE.chunks(TOGETHER) {
        let (text, _) = eml(g, kinds, "an import of mails");
        mbox.push_str(&format!(
            "From sender Mon Nov  2 10:00:00 2026\n{}\n",
            text.replace("\r\n", "\n")
        ));
        lines.push(g.letter(kinds, "an import of JSON Lines").json().to_string());
    }
    let bad = g.letter(&TABLE[..TOGETHER], "a refused line of an import").json().to_string();
    lines.push(bad[..bad.len() - 2].to_owned());
    let wrong = g.sentence(&ADDRESS, "a refused line of an import", "");
    lines.push(json!({"external_id": "x", "from": wrong, "text": "x"}).to_string());
    for (file, text, refused) in [("mails.mbox", mbox, 0), ("lines.jsonl", lines.join("\n"), 1)] {
        let path = folder.join(file);
        std::fs::write(&path, text).unwrap();
        let made = binary(sets)
            .arg("import")
            .arg(&path)
            .args(["--channel", CHANNEL])
            .output()
            .await
            .unwrap();
        let said = [made.stdout, made.stderr].concat();
        assert_eq!(made.status.code(), Some(refused), "{file}");
        g.answers.push((format!("output of import {file}"), said));
    }
}

/// Messages that the customer changes afterwards, and one that they take back.
pub async fn edits(g: &mut Gate) {
    for (i, kinds) in TABLE.chunks(TOGETHER).enumerate() {
        let mut l = g.letter(&[], "an edited message");
        let answer = g.post("/v1/messages", "/v1/messages", &l.json()).await;
        let id = g.taken(&answer, &l.address);
        let said = g.sentences(kinds, "an edit", &l.address);
        l.text = format!("{}\n{}\n{QUESTION}", l.text, said.join("\n"));
        let url = format!("{}/v1/messages/{id}", g.base);
        let subject = g.sentence(&ADDRESS, "an edit", &l.address);
        let body = json!({"text": l.text, "subject": subject});
        let request = g.http.patch(&url).bearer_auth(&g.tenant.key).json(&body);
        assert_eq!(g.ask("answer to PATCH /v1/messages", request).await.0, 202);
        if i == 0 {
            let request = g.http.delete(&url).bearer_auth(&g.tenant.key);
            assert_eq!(g.ask("answer to DELETE /v1/messages", request).await.0, 204);
        }
    }
}

/// What is refused: bad bodies, query strings, paths. The answers must not repeat it.
pub async fn refused(g: &mut Gate) {
    let door = "a refused request";
    let said = g.sentences(TABLE, door, "").join(" ");
    let url = format!("{}/v1/messages", g.base);
    let broken = format!("{{\"channel\": \"{CHANNEL}\", \"text\": \"{said}");
    let mut bodies = vec![broken.into_bytes(), [b"\"\xFF".as_slice(), said.as_bytes()].concat()];
    let v = |g: &mut Gate| g.value(&ADDRESS, door, "");
    let ok = json!({"channel": CHANNEL, "external_id": "r", "text": "x", "from": {"address": "r"}});
    for field in ["channel", "direction", "sent_at", "eml_b64", "from", "to", "external_id", "text"]
    {
        let mut body = ok.clone();
        let value = v(g);
        // As a list where a text belongs, else as a text that can't be right.
        let fits = matches!(field, "external_id" | "text");
        body[field] = if fits { json!([value]) } else { json!(value) };
        bodies.push(body.to_string().into_bytes());
    }
    let mut unknown = ok;
    let (name, value) = (v(g), v(g));
    unknown[name] = json!(value);
    bodies.push(unknown.to_string().into_bytes());
    bodies.push(
        json!({"channel": CHANNEL, "eml_b64": STANDARD.encode(v(g))}).to_string().into_bytes(),
    );
    for body in bodies {
        let request = g.http.post(&url).bearer_auth(&g.tenant.key).body(body);
        let answer = g.ask("problem of POST /v1/messages", request).await;
        // Some of it can be read as a mail without a header, and is taken.
        assert!(answer.0 == 202 || (400..500).contains(&answer.0), "{answer:?}");
    }
    for before in [
        "/v1/reviews?state=",
        "/v1/reviews?cursor=",
        "/v1/reviews?limit=",
        "/v1/threads?cursor=",
        "/v1/threads/",
        "/v1/messages/",
        "/v1/reviews/",
        "/v1/knowledge/",
        "/v1/",
    ] {
        let value: String = url::form_urlencoded::byte_serialize(v(g).as_bytes()).collect();
        let request = g.http.get(format!("{}{before}{value}", g.base)).bearer_auth(&g.tenant.key);
        let answer = g.ask(&format!("problem of GET {before}…"), request).await;
        assert!((400..500).contains(&answer.0), "{before}: {answer:?}");
    }
    for before in ["/v1/hooks/", "/v1/reviews/0/", "/v1/"] {
        let (path, body) = (format!("{before}{}", v(g)), json!({"digest": v(g)}));
        let answer = g.post(&format!("{before}…"), &path, &body).await;
        assert!((400..500).contains(&answer.0), "{before}: {answer:?}");
    }
    let key = v(g);
    let request = g.http.get(format!("{}/v1/reviews", g.base)).bearer_auth(key);
    assert_eq!(g.ask("problem of GET /v1/reviews (key)", request).await.0, 401);
}

/// `POST /v1/classify`: labels come back, and nothing of the texts; nothing is kept of any of it.
pub async fn classify(g: &mut Gate) {
    let door = "a text to classify";
    let url = format!("{}/v1/classify", g.base);
    // What is answered besides is words of the text, for the caller who sent it.
    let outputs = "intent,sentiment,urgency,language,spam,injection,auto_reply,risk,trend,evidence";
    let asked: Vec<&str> = outputs.split(',').collect();
    let mut lines = String::new();
    for kinds in TABLE.chunks(TOGETHER) {
        let said = g.sentences(kinds, door, "");
        let (text, v) = (said.join(" "), g.value(&ADDRESS, door, ""));
        let thread = json!([{"role": "customer", "text": said[0]}, {"role": "agent", "text": v},
            {"role": "customer", "text": text}]);
        let key = g.value(&ADDRESS, "Idempotency-Key", "");
        let body = json!({"outputs": asked, "items": [
            {"id": 1, "text": text, "from": {"address": v}, "history": [v]},
            {"id": 2, "messages": thread},
            {"id": 3, "subject": v, "text": [text]},
            {"id": 4, "text": text, v.as_str(): v},
            [v],
        ]});
        let request = g.http.post(&url).bearer_auth(&g.tenant.key).header("idempotency-key", key);
        let answer = g.ask("answer to POST /v1/classify", request.json(&body)).await;
        assert_eq!(answer.0, 200, "{answer:?}");
        lines.push_str(&format!("{}\n{v} {{\n", json!({"text": text})));
        let own = json!({"labels": [{"name": v, "examples": said},
            {"name": "x", "examples": [v, v]}]});
        let body = json!({"text": v, "taxonomy": own});
        let answer = g.post("/v1/classify (taxonomy)", "/v1/classify", &body).await;
        assert_eq!(answer.0, 422, "{answer:?}");
    }
    let (cut, broken) = (g.value(&ADDRESS, door, ""), g.value(&ADDRESS, door, ""));
    lines.push_str(&format!("{{\"text\": \"{cut}"));
    let request = g.http.post(format!("{url}?outputs={outputs}")).bearer_auth(&g.tenant.key);
    let request = request.header(CONTENT_TYPE, "application/x-ndjson").body(lines);
    assert_eq!(g.ask("answer to POST /v1/classify (lines)", request).await.0, 200);
    for query in ["outputs", "taxonomy", "vip"] {
        let request = g.http.post(format!("{url}?{query}={broken}")).bearer_auth(&g.tenant.key);
        let request = request.header(CONTENT_TYPE, "application/x-ndjson").body("{}\n");
        let answer = g.ask("problem of POST /v1/classify", request).await;
        assert!((400..500).contains(&answer.0), "{query}: {answer:?}");
    }
    let request =
        g.http.post(&url).bearer_auth(&g.tenant.key).body(format!("{{\"text\": {broken}"));
    assert_eq!(g.ask("problem of POST /v1/classify", request).await.0, 400);
}

/// Reviewers: what they write is masked like a customer's text.
pub async fn reviewers(g: &mut Gate) {
    let (_, list) = g.get("/v1/reviews?state=pending&limit=200").await;
    let items = list["items"].as_array().unwrap().clone();
    let known: Vec<(String, String)> = items
        .iter()
        .filter_map(|r| {
            let customer = g.customers.get(r["message"].as_str()?)?;
            Some((r["id"].as_str()?.to_owned(), customer.clone()))
        })
        .collect();
    assert!(known.len() >= 8, "only {} drafts: too many messages were filed", known.len());
    for (i, (id, customer)) in known.into_iter().enumerate() {
        let (_, review) = g.get(&format!("/v1/reviews/{id}")).await;
        let path = |action: &str| format!("/v1/reviews/{id}/{action}");
        let kinds = TABLE.chunks(TOGETHER).nth(i).unwrap_or_default();
        let (status, said) = match i {
            // Bad requests first: their problems are read, too.
            0..=2 => {
                let wrong = g.value(&ADDRESS, "a refused action", "");
                let bad = g
                    .post("/v1/reviews/…/approve", &path("approve"), &json!({"digest": wrong}))
                    .await;
                assert_eq!(bad.0, 422, "{bad:?}");
                let wrong = g.value(&ADDRESS, "a refused action", "");
                let bad =
                    g.post("/v1/reviews/…/snooze", &path("snooze"), &json!({"until": wrong})).await;
                assert_eq!(bad.0, 422, "{bad:?}");
                let text = g.sentences(kinds, "a reviewer's text", &customer).join("\n");
                let subject = g.sentence(&ADDRESS, "a reviewer's text", &customer);
                let body = json!({"revision": review["revision"], "text": text, "subject": subject, "approve": i == 0});
                g.post("/v1/reviews/…/edit", &path(if i == 1 { "respond" } else { "edit" }), &body)
                    .await
            }
            3 | 4 => {
                // The customer's own name, which is known, and values of all kinds.
                let is_name = |c: &&Canary| c.customer == customer && c.kind == PERSON.name;
                let name = g.canaries.iter().find(is_name).unwrap().value().to_owned();
                let mut note = vec![format!("Spoke with {name} yesterday.")];
                note.extend(g.sentences(&TABLE[i * 6..i * 6 + 6], "a reviewer's note", ""));
                let action = if i == 3 { "reject" } else { "escalate" };
                g.post("/v1/reviews/…/note", &path(action), &json!({"reason": note.join(" ")}))
                    .await
            }
            _ => {
                let body = json!({"digest": review["digest"]});
                g.post("/v1/reviews/…/approve", &path("approve"), &body).await
            }
        };
        assert_eq!(status, 200, "review {i}: {}", said["code"]);
    }
}

fn pair(answer: &reqwest::Response, name: &str) -> String {
    let all = answer.headers().get_all(SET_COOKIE).iter().filter_map(|v| v.to_str().ok());
    let found =
        all.filter_map(|c| c.split(';').next()).find(|c| c.starts_with(&format!("{name}=")));
    found.unwrap().to_owned()
}

/// The page: a login with the password in the wrong field, a search, the lists and a review. What
/// answers a search or a login repeats what was just typed, so only the others are searched.
pub async fn page(g: &mut Gate) {
    let (http, base) = (g.http.clone(), g.base.clone());
    let mut session = String::new();
    let name = g.value(&TABLE[19], "a login", "");
    let password = g.value(&TABLE[19], "a login", "");
    for (name, password) in [(name.as_str(), password.as_str()), ("anna", PASSWORD)] {
        let form = http.get(format!("{base}/login")).send().await.unwrap();
        let token = pair(&form, "countersign-login");
        let csrf = token.split_once('=').unwrap().1;
        let fields = [("name", name), ("password", password), ("csrf", csrf)];
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = http.post(format!("{base}/login")).header(COOKIE, &token);
        let answer = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        if name == "anna" {
            assert_eq!(answer.status(), 303);
            session = pair(&answer, "countersign");
        }
    }
    for before in ["/?q=", "/?tab=all&q=", "/login?next=/%3Fq%3D", "/knowledge/", "/reviews/", "/"]
    {
        let value = g.value(&ADDRESS, "a search on the page", "");
        let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        http.get(format!("{base}{before}{value}")).header(COOKIE, &session).send().await.unwrap();
    }
    let (_, list) = g.get("/v1/reviews?state=all&limit=200").await;
    let ids: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["id"].as_str().map(str::to_owned))
        .collect();
    let reviews = ids.iter().step_by(4).map(|id| format!("/reviews/{id}"));
    for path in ["/?tab=all".to_owned(), "/?tab=sent".to_owned()].into_iter().chain(reviews) {
        let request = http.get(format!("{base}{path}")).header(COOKIE, &session);
        let place =
            if path.starts_with("/reviews") { "page of a review" } else { "page of the queue" };
        let (status, _) = g.ask(place, request).await;
        assert_eq!(status, 200, "{place}");
    }
}

/// Everything that the API shows.
pub async fn look(g: &mut Gate) {
    for path in ["/metrics", "/readyz", "/v1/knowledge"] {
        assert_eq!(g.get(path).await.0, 200, "{path}");
    }
    let (_, list) = g.get("/v1/reviews?state=all&limit=200").await;
    for r in list["items"].as_array().unwrap().clone() {
        let id = r["id"].as_str().unwrap();
        assert_eq!(g.get(&format!("/v1/reviews/{id}")).await.0, 200);
        assert_eq!(g.get(&format!("/v1/reviews/{id}/evidence")).await.0, 200);
        let message = r["message"].as_str().unwrap();
        assert_eq!(g.get(&format!("/v1/messages/{message}")).await.0, 200);
    }
    let (_, list) = g.get("/v1/threads?limit=200").await;
    for t in list["items"].as_array().unwrap().clone() {
        assert_eq!(g.get(&format!("/v1/threads/{}", t["id"].as_str().unwrap())).await.0, 200);
    }
}

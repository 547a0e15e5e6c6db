//! What holds for many operations alike. Handlers say in their annotations what is their own: a
//! refusal is a response whose description has a line `code: explanation` for each code. Here the
//! refusals of the layers around them are added, and each becomes a response with its schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A code and what it means.
type Refusal = (String, String);
/// By status.
type Refusals = BTreeMap<String, Vec<Refusal>>;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Headers that answers have, under their names in `components`.
pub(super) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The request's id, which leads to it in the log; your own, if you sent a UUID.",
            "required": true,
            "schema": {"type": "string", "format": "uuid"},
        },
        "Replayed": {
            "description": "Set when this is the first answer under this `Idempotency-Key`, given again.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "RateLimit": {
            "description": "What is left of the key's rate and quota, in units, and seconds until it is whole again.",
            "schema": {"type": "string"},
        },
        "RateLimitPolicy": {
            "description": "The key's rate and quota: units, and the seconds of their window.",
            "schema": {"type": "string"},
        },
        "RetryAfter": {
            "description": "Seconds to wait before another try.",
            "schema": {"type": "integer", "minimum": 0},
        },
    })
}

/// Status, name, codes with what they mean.
type Shared = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Answers that are the same wherever they occur.
const SHARED: [Shared; 6] = [
    (
        "401",
        "Unauthorized",
        &[("unauthorized", "there is no API key, or it is unknown, revoked or expired")],
    ),
    ("408", "TooSlow", &[("too_slow", "the body did not arrive in time")]),
    ("413", "TooLarge", &[("too_large", "the body is larger than `server.body_limit_mib`")]),
    ("500", "Internal", &[("internal", "something went wrong on our side")]),
    (
        "503",
        "Unavailable",
        &[
            ("overloaded", "too many requests at once, or too many bytes of them"),
            ("database_unavailable", "the database can't be reached; nothing was stored"),
            ("stopping", "the service is stopping"),
            ("timed_out", "no answer in time; what was asked may have been done"),
        ],
    ),
    ("507", "StorageFull", &[("storage_full", "the disk is full; nothing was stored")]),
];

/// The shared answers, under their names in `components`.
pub(super) fn responses() -> Value {
    let of = |(status, name, codes): Shared| {
        let codes: Vec<Refusal> =
            codes.iter().map(|(c, what)| ((*c).to_owned(), (*what).to_owned())).collect();
        (name.to_owned(), refused(status, &codes, false))
    };
    SHARED.into_iter().map(of).collect::<Map<_, _>>().into()
}

/// Adds to each operation what it has in common with others. `replays`: writes accept an
/// `Idempotency-Key`.
pub(super) fn complete(part: &mut Value, replays: bool) {
    let Some(paths) = part.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for item in paths.values_mut() {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                operation_of(operation, replays && method != "get");
            }
        }
    }
}

fn operation_of(operation: &mut Map<String, Value>, replays: bool) {
    let (mut refusals, shared) = common(operation, replays);
    let keyed = operation.contains_key("security");
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    let own: Vec<String> = responses.keys().filter(|s| is_refusal(s)).cloned().collect();
    for status in own {
        let Some(own) = responses.remove(&status) else { continue };
        let text = own["description"].as_str().unwrap_or_default();
        let shared = refusals.remove(&status).unwrap_or_default();
        let own = text.lines().filter_map(|l| l.split_once(": "));
        let mut all: Vec<Refusal> = own.map(|(c, d)| (c.to_owned(), d.to_owned())).collect();
        all.extend(shared);
        refusals.insert(status, all);
    }
    for response in responses.values_mut() {
        let headers = response.as_object_mut().map(|r| r.entry("headers").or_insert(json!({})));
        let Some(Value::Object(headers)) = headers else { continue };
        headers.insert("x-request-id".into(), reference("headers/RequestId"));
        if keyed {
            headers.insert("ratelimit".into(), reference("headers/RateLimit"));
            headers.insert("ratelimit-policy".into(), reference("headers/RateLimitPolicy"));
        }
        if replays {
            headers.insert("idempotency-replayed".into(), reference("headers/Replayed"));
        }
    }
    for (status, codes) in refusals {
        let problem = refused(&status, &codes, replays);
        responses.insert(status, problem);
    }
    for (status, name, _) in SHARED {
        // What a handler says itself of such a status stands.
        if shared.contains(&status) && !responses.contains_key(status) {
            responses.insert(status.to_owned(), reference(&format!("responses/{name}")));
        }
    }
    say_scopes(operation);
    not_null(operation);
    if replays {
        take_key(operation);
    }
}

fn is_refusal(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

fn reference(to: &str) -> Value {
    json!({"$ref": format!("#/components/{to}")})
}

/// What the layers around a handler, and what every handler reads by, may refuse.
fn common(operation: &Map<String, Value>, replays: bool) -> (Refusals, Vec<&'static str>) {
    let mut all = Refusals::new();
    let mut shared = Vec::new();
    let mut share = |status: &'static str| shared.push(status);
    let mut add = |status: &str, code: &str, what: &str| {
        all.entry(status.to_owned()).or_default().push((code.to_owned(), what.to_owned()));
    };
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let has = |place: &str| parameters.is_some_and(|all| all.iter().any(|p| p["in"] == place));
    let by_id = parameters.is_some_and(|all| all.iter().any(|p| p["name"] == "id"));
    if has("path") || has("query") {
        add("400", "bad_request", "the path or the query can't be read");
    }
    if operation.contains_key("requestBody") {
        add("400", "bad_json", "the body is not JSON of this form");
        share("408");
        share("413");
    }
    if operation.contains_key("security") {
        share("401");
        add("403", "scope_missing", "the key lacks the scope");
        add("429", "rate_limited", "the key's rate is used up, or this costs more than its burst");
        add("429", "quota_exceeded", "the key's quota is used up");
    }
    if by_id {
        add("404", "not_found", "there is none of this id");
    }
    if replays {
        add("400", "bad_idempotency_key", "`Idempotency-Key` is not 1 to 255 visible characters");
        add("409", "idempotency_key_reused", "the key was used for another request");
        add("409", "idempotency_running", "the first request with this key is still running");
        share("507");
    }
    share("500");
    share("503");
    (all, shared)
}

/// The response for some codes of one status.
fn refused(status: &str, codes: &[Refusal], replays: bool) -> Value {
    let lines: Vec<String> = codes.iter().map(|(c, what)| format!("- `{c}`: {what}")).collect();
    let names: Vec<&str> = codes.iter().map(|(c, _)| c.as_str()).collect();
    let number: u16 = status.parse().unwrap_or(500);
    let mut headers = json!({"x-request-id": reference("headers/RequestId")});
    if number == 429 {
        headers["ratelimit"] = reference("headers/RateLimit");
        headers["ratelimit-policy"] = reference("headers/RateLimitPolicy");
    }
    let waits = matches!(number, 429 | 503 | 507) || names.contains(&"idempotency_running");
    if waits {
        headers["retry-after"] = reference("headers/RetryAfter");
    }
    if replays && number < 500 && number != 429 {
        headers["idempotency-replayed"] = reference("headers/Replayed");
    }
    json!({
        "description": lines.join("\n"),
        "headers": headers,
        "content": {"application/problem+json": {"schema": {"allOf": [
            reference("schemas/Problem"),
            {"properties": {"status": {"const": number}, "code": {"enum": names}}},
        ]}}},
    })
}

/// A body that may be left out isn't one that may be `null`.
fn not_null(operation: &mut Map<String, Value>) {
    let place = "/content/application~1json/schema";
    let schema = operation.get_mut("requestBody").and_then(|b| b.pointer_mut(place));
    let Some(schema) = schema else { return };
    if let Some([form, Value::Object(null)]) = schema["oneOf"].as_array().map(Vec::as_slice)
        && null.get("type").is_some_and(|t| t == "null")
    {
        *schema = form.clone();
    }
}

/// Tools show descriptions, but few show the scopes of a key.
fn say_scopes(operation: &mut Map<String, Value>) {
    let scopes =
        operation.get("security").and_then(|s| s.pointer("/0/key")).and_then(Value::as_array);
    let scopes: Vec<String> =
        scopes.into_iter().flatten().filter_map(Value::as_str).map(|s| format!("`{s}`")).collect();
    let needed = match scopes.as_slice() {
        [] => "Needs no key.".to_owned(),
        _ => format!("Needs the scope {}.", scopes.join(" and ")),
    };
    let text = match operation.get("description").and_then(Value::as_str) {
        Some(text) => format!("{text}\n\n{needed}"),
        None => needed,
    };
    operation.insert("description".into(), Value::String(text));
}

/// The header that makes a write safe to repeat.
fn take_key(operation: &mut Map<String, Value>) {
    let all = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(all) = all.as_array_mut() {
        all.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes the write safe to repeat: the first answer under a key is given again for a day.",
            "required": false,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }));
    }
}

//! The API's description in OpenAPI 3.1. It is made from the routes and the types that they read and
//! answer, so it can't promise what the code doesn't do; what holds for many routes alike (whoever
//! lacks a key is answered 401) is added by [`common`].

mod common;

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::{App, problem, stored, unstored};

/// What stands before the operations.
const ABOUT: &str = "\
Send `Authorization: Bearer cs_live_…`; the key decides the tenant, its scopes what it may do. Texts in \
answers are masked (`<EMAIL_1>`); times are RFC 3339.

**Problems** are `application/problem+json` (RFC 9457) with a stable `code`. 400 says that a request is not \
of the form described here, 422 that it is and can't be done all the same.

**Idempotency.** Writes accept `Idempotency-Key`. For a day the first answer is given again, with \
`idempotency-replayed: true`. Answers of 5xx and 429 are not kept.

**Limits.** A key may have a rate and a quota; `RateLimit` and `RateLimit-Policy` say what is left of them. \
429 and 503 say in `Retry-After` when to come back.

**Paging.** Lists answer `items` and `next`; give `next` back as `cursor`. Null means the end. Cursors are \
opaque.";

/// Groups of operations, in the order of the documentation.
const TAGS: [(&str, &str); 11] = [
    ("Classification", "What is in messages that you keep."),
    ("Messages", "Messages in by API, and what became of them."),
    ("Threads", "Conversations."),
    ("Reviews", "Drafts that wait for a person. Acting on them needs a key that belongs to one."),
    ("Knowledge", "The articles that drafts are grounded in."),
    (
        "Learning",
        "Heads learnt from corrections, and topics that the taxonomy lacks. Deciding needs a lead's key.",
    ),
    ("Masking", "Personal data out of texts that you keep."),
    ("Webhooks in", "Deliveries of platforms; the signature is the credential."),
    ("Events", "What happens, as it happens."),
    ("Webhooks out", "Endpoints of yours that events are posted to, signed."),
    ("Service", "About the service itself."),
];

/// The document.
#[must_use]
pub fn document() -> Value {
    let part = |routes: utoipa_axum::router::OpenApiRouter<App>| {
        let nested = OpenApi::from(OpenApiBuilder::new()).nest("/v1", routes.into_openapi());
        serde_json::to_value(nested).unwrap_or_default()
    };
    let info =
        InfoBuilder::new().title("countersign").version("1").description(Some(ABOUT)).license(
            Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()),
        );
    let mut whole = json!({
        "openapi": "3.1.0",
        "info": info.build(),
        "servers": [{"url": "/"}],
        "tags": TAGS.map(|(name, description)| json!({"name": name, "description": description})),
        "paths": {},
        "components": {
            "schemas": {},
            "headers": common::headers(),
            "responses": common::responses(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "cs_live_…",
                "description": "An API key, made by `countersign keys create NAME --scopes …`. Its scopes: `ingest`, \
                    `read`, `review`, `knowledge`, `mask`, `classify`, `webhooks`."}},
        },
    });
    for (mut part, replays) in [(part(stored()), true), (part(unstored()), false)] {
        common::complete(&mut part, replays);
        for place in ["/paths", "/components/schemas"] {
            if let (Some(Value::Object(from)), Some(Value::Object(to))) =
                (part.pointer_mut(place), whole.pointer_mut(place))
            {
                to.append(from);
            }
        }
    }
    whole["components"]["schemas"]["Problem"] = problem::schema();
    // The same text whichever way objects keep their keys.
    whole.sort_all_objects();
    whole
}

/// The document as it is served and committed.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

/// Describes this API
///
/// This document, in OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi",
    tag = "Service",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object)),
)]
pub(super) async fn show() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], TEXT.as_str()).into_response()
}

//! `POST /v1/mask`: personal data out of texts and documents that the caller keeps. Nothing is
//! stored, and nothing of the texts is logged or repeated in errors.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Caller;
use super::problem::Problem;
use super::{App, read_json};
use crate::domain::masking::{Entity, Operators};
use crate::pipeline::anonymise::{Anonymiser, Conversation, Options, Rows};
use crate::pipeline::blocking;

/// Most items of one request.
const MAX_ITEMS: usize = 256;

/// What to mask: one of `text`, `json` and `items`, with settings for all of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MaskRequest)]
struct Ask {
    /// Comes back with the answer.
    id: Option<Value>,
    text: Option<String>,
    /// Any document; its strings and numbers are masked, its keys stay.
    json: Option<Value>,
    /// ISO 639-1 code.
    language: Option<String>,
    #[schema(value_type = Option<Vec<Item>>, max_items = 256)]
    items: Option<Vec<Value>>,
    /// Types to look for.
    entities: Option<BTreeSet<Entity>>,
    /// Finds below this score are left alone; has no effect below the configured minimum.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    min_score: f32,
    /// Operators by type, `*` for all others, over the configured ones.
    #[serde(default)]
    operators: BTreeMap<String, String>,
    /// Give the values, as restoring needs them.
    #[serde(default)]
    values: bool,
    /// Give the reasons.
    #[serde(default)]
    explain: bool,
}

/// One of `text` and `json`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MaskItem)]
struct Item {
    /// Comes back with the answer.
    id: Option<Value>,
    text: Option<String>,
    json: Option<Value>,
    /// ISO 639-1 code.
    language: Option<String>,
    /// Items with the same thread number their values together.
    thread: Option<String>,
}

/// What was masked, and where. `start` and `end` are code points of the text that was given,
/// `masked_start` and `masked_end` of the masked one.
#[derive(Serialize, ToSchema)]
struct MaskedSpan {
    /// The type, such as `EMAIL_ADDRESS`.
    #[serde(rename = "type")]
    kind: Entity,
    start: usize,
    end: usize,
    /// How sure the recognizer is, 0 to 1.
    score: f64,
    recognizer: String,
    /// What stands there now.
    placeholder: String,
    masked_start: usize,
    masked_end: usize,
    /// The value, if `values` was set.
    #[schema(nullable = false)]
    text: Option<String>,
    /// Before context was looked at, if `explain` was set.
    #[schema(nullable = false)]
    base_score: Option<f64>,
    /// The words nearby that raised the score, if `explain` was set.
    context: Option<Value>,
    /// What checked the value, if `explain` was set.
    validator: Option<Value>,
    /// A JSON pointer (RFC 6901) to the string or number, in documents.
    #[schema(nullable = false)]
    path: Option<String>,
    /// Set where a number of a document was replaced by a string.
    #[schema(nullable = false)]
    number: Option<bool>,
}

/// A masked text or document.
#[derive(Serialize, ToSchema)]
pub(super) struct Masked {
    /// As it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    /// The text, or the document in its shape.
    masked: Value,
    #[schema(value_type = Vec<MaskedSpan>)]
    spans: Vec<Value>,
}

/// Why an item was not masked.
#[derive(Serialize, ToSchema)]
#[schema(as = MaskError)]
pub(super) struct ItemError {
    /// `bad_item` or `not_masked`.
    code: &'static str,
    /// For people.
    detail: String,
}

/// An item that was not masked.
#[derive(Serialize, ToSchema)]
pub(super) struct BadItem {
    /// Its place, from 0.
    index: usize,
    /// As it was given.
    #[schema(required)]
    id: Option<Value>,
    error: ItemError,
}

/// An item's answer.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum MaskedItem {
    Masked(Masked),
    Bad(BadItem),
}

/// The answer to `items`, in their order.
#[derive(Serialize, ToSchema)]
pub(super) struct MaskedItems {
    items: Vec<MaskedItem>,
}

/// The answer: one, or one for each item.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum MaskAnswer {
    One(Masked),
    Many(MaskedItems),
}

/// Masks personal data
///
/// Nothing is stored. A bad item has an `error`; the others are answered.
#[utoipa::path(
    post,
    path = "/mask",
    operation_id = "mask",
    tag = "Masking",
    security(("key" = ["mask"])),
    request_body(content = Ask, example = json!({"text": "I am Anna, anna@example.com", "language": "en"})),
    responses(
        (status = 200, description = "The masked text, document or items.", body = MaskAnswer),
        (status = 422, description = "bad_options: a setting makes no sense, or there is not exactly one of `text`, `json` and `items`\nbad_item: the document is nested too deeply, or holds a number that can't be kept\nnot_masked: masking failed"),
    ),
)]
pub(super) async fn mask(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<MaskAnswer>, Problem> {
    caller.need("mask")?;
    let mut ask: Ask = read_json(&body)?;
    let single = Item {
        id: ask.id.take(),
        text: ask.text.take(),
        json: ask.json.take(),
        language: ask.language.take(),
        thread: None,
    };
    let bad =
        |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_options", detail);
    if !(0.0..=1.0).contains(&ask.min_score) {
        return Err(bad("min_score: expected 0 to 1".to_owned()));
    }
    let pairs = ask.operators.iter().map(|(entity, o)| (entity.as_str(), o.as_str()));
    let tenant = caller.tenant();
    let by = app.pipeline.masking.of(tenant).anonymiser(app.store.keys.operator_key(tenant));
    let operators =
        by.operators().clone().with(pairs).map_err(|e| bad(format!("operators: {e}")))?;
    if ask.items.as_ref().is_some_and(|items| items.len() > MAX_ITEMS) {
        return Err(bad(format!("items: at most {MAX_ITEMS} at a time")));
    }
    if ask.items.is_some() == (single.text.is_some() || single.json.is_some()) {
        return Err(bad("expected `text`, `json` or `items`".to_owned()));
    }
    caller.charge_items(&app, ask.items.as_ref().map_or(1, Vec::len)).await?;
    // Names cost an encoder pass a text.
    Ok(Json(blocking(|| answer(&ask, &single, &by, &operators))?))
}

fn answer(
    ask: &Ask,
    single: &Item,
    by: &Anonymiser,
    operators: &Operators,
) -> Result<MaskAnswer, Problem> {
    let mut threads: HashMap<String, Conversation> = HashMap::new();
    let mut one = |item: &Item| {
        let mut own = Conversation::default();
        let talk = match &item.thread {
            Some(thread) => threads.entry(thread.clone()).or_default(),
            None => &mut own,
        };
        masked(ask, item, by, operators, talk)
    };
    let Some(items) = &ask.items else {
        return one(single).map(MaskAnswer::One).map_err(|(code, detail)| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        });
    };
    // One bad item doesn't spoil the others.
    let rows = items
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let read = Item::deserialize(value)
                .map_err(|_| ("bad_item", "expected an object with `text` or `json`".to_owned()));
            match read.and_then(|item| one(&item)) {
                Ok(row) => MaskedItem::Masked(row),
                Err((code, detail)) => MaskedItem::Bad(BadItem {
                    index,
                    id: value.get("id").cloned(),
                    error: ItemError { code, detail },
                }),
            }
        })
        .collect();
    Ok(MaskAnswer::Many(MaskedItems { items: rows }))
}

type Fault = (&'static str, String);

fn masked(
    ask: &Ask,
    item: &Item,
    by: &Anonymiser,
    operators: &Operators,
    talk: &mut Conversation,
) -> Result<Masked, Fault> {
    let options = Options {
        language: item.language.as_deref(),
        entities: ask.entities.as_ref(),
        min_score: ask.min_score,
        operators: Some(operators),
    };
    let rows = Rows { values: ask.values, explain: ask.explain };
    let (text, spans) = match (&item.text, &item.json) {
        (Some(text), None) => {
            let out = by.text(text, &options, talk).map_err(|e| ("not_masked", e.to_string()))?;
            let spans = rows.of_text(text, &out.text, &out.replacements);
            (Value::String(out.text), spans)
        }
        (None, Some(doc)) => {
            let out = by.json(doc, &options, talk).map_err(|e| ("bad_item", e.to_string()))?;
            let spans = rows.of_json(&out.changed);
            (out.value, spans)
        }
        _ => return Err(("bad_item", "expected either `text` or `json`".to_owned())),
    };
    Ok(Masked { id: item.id.clone(), masked: text, spans })
}

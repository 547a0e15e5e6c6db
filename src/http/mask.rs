//! `POST /v1/mask`: personal data out of texts and documents that the caller keeps. Nothing is
//! stored, and nothing of the texts is logged or repeated in errors.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::Caller;
use super::problem::Problem;
use super::{App, read_json};
use crate::domain::masking::{Entity, Operators};
use crate::pipeline::anonymise::{Anonymiser, Conversation, Options, Rows};
use crate::pipeline::blocking;

/// Most items of one request.
const MAX_ITEMS: usize = 256;

/// The body: one item, or several under `items`, with settings for all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    id: Option<Value>,
    text: Option<String>,
    json: Option<Value>,
    language: Option<String>,
    items: Option<Vec<Value>>,
    /// Types to look for.
    entities: Option<BTreeSet<Entity>>,
    /// Finds below this score are left alone; has no effect below the configured minimum.
    #[serde(default)]
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

/// One text or document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: Option<Value>,
    text: Option<String>,
    json: Option<Value>,
    /// ISO 639-1 code.
    language: Option<String>,
    /// Items with the same thread number their values together.
    thread: Option<String>,
}

/// Answers.
pub async fn mask(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
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
    // Names cost an encoder pass a text.
    Ok(Json(blocking(|| answer(&ask, &single, &by, &operators))?))
}

fn answer(
    ask: &Ask,
    single: &Item,
    by: &Anonymiser,
    operators: &Operators,
) -> Result<Value, Problem> {
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
        return one(single).map(Value::Object).map_err(|(code, detail)| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        });
    };
    // One bad item doesn't spoil the others.
    let rows: Vec<Value> = items
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let read = Item::deserialize(value)
                .map_err(|_| ("bad_item", "expected an object with `text` or `json`".to_owned()));
            match read.and_then(|item| one(&item)) {
                Ok(row) => Value::Object(row),
                Err((code, detail)) => {
                    let id = value.get("id");
                    json!({"index": index, "id": id, "error": {"code": code, "detail": detail}})
                }
            }
        })
        .collect();
    Ok(json!({"items": rows}))
}

type Fault = (&'static str, String);

fn masked(
    ask: &Ask,
    item: &Item,
    by: &Anonymiser,
    operators: &Operators,
    talk: &mut Conversation,
) -> Result<Map<String, Value>, Fault> {
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
    let mut row = Map::new();
    if let Some(id) = &item.id {
        row.insert("id".to_owned(), id.clone());
    }
    row.insert("masked".to_owned(), text);
    row.insert("spans".to_owned(), Value::Array(spans));
    Ok(row)
}

//! `POST /v1/classify`: what is in messages that the caller keeps. Nothing is stored, so there is
//! nothing to replay and an `Idempotency-Key` has no effect; nothing of the texts is logged or repeated
//! in errors.

mod answer;
mod ask;
mod lines;
mod options;
mod read;
mod shape;
mod stream;

use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

pub use answer::{
    ClassifyAnswer, ClassifyAnswers, ClassifyReply, ItemAnswer, ItemError, ItemProblem,
};
pub use shape::{ClassifyItem, ClassifyOptions, ClassifyRequest};

use super::auth::Caller;
use super::limits::Refused;
use super::problem::Problem;
use super::{App, read_json};
use crate::pipeline::classify::{ClassifyError, OwnError, Pending, Question, Taxonomy};
use answer::ms;
use ask::{Ask, Item, Items};
use options::{Intents, Options};
use read::Fault;
use shape::Output;

impl From<Fault> for Problem {
    fn from(f: Fault) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, f.code, f.detail).with("pointer", f.pointer)
    }
}

/// Whole seconds to wait, at least one.
fn seconds(after: Duration) -> u32 {
    u32::try_from(after.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

impl From<ClassifyError> for Problem {
    fn from(e: ClassifyError) -> Self {
        let (status, code) = match e {
            ClassifyError::Busy { .. } | ClassifyError::Late { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "busy")
            }
            ClassifyError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            ClassifyError::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let p = Self::new(status, code, e.to_string());
        match e {
            ClassifyError::Busy { after } | ClassifyError::Late { after } => {
                p.retry_after(seconds(after))
            }
            ClassifyError::Stopping => p.retry_after(5),
            ClassifyError::Failed => p,
        }
    }
}

impl From<OwnError> for Problem {
    fn from(e: OwnError) -> Self {
        match e {
            OwnError::Labels => Fault::new("bad_options", "/taxonomy", e.to_string()).into(),
            OwnError::Busy { after } => {
                let (status, code) = (StatusCode::TOO_MANY_REQUESTS, "busy");
                Self::new(status, code, e.to_string()).retry_after(seconds(after))
            }
        }
    }
}

impl From<ClassifyError> for ItemProblem {
    fn from(e: ClassifyError) -> Self {
        Problem::from(e).into()
    }
}

impl From<Refused> for ItemProblem {
    fn from(r: Refused) -> Self {
        Problem::from(r).into()
    }
}

impl From<Problem> for ItemProblem {
    fn from(p: Problem) -> Self {
        let pointer = p.member("pointer").and_then(Value::as_str).map(str::to_owned);
        Self::new(p.status().as_u16(), p.code(), p.detail().to_owned(), pointer)
    }
}

/// Classifies
///
/// A text, a message or a thread, or up to `classify.max_items` of them under `items`. Nothing is stored.
/// With `application/x-ndjson` each line is an item and is answered by a line, in order, while further
/// lines are on their way; a first line `{"options": {…}}` holds options for all of them.
#[utoipa::path(
    post,
    path = "/classify",
    operation_id = "classify",
    tag = "Classification",
    params(LineOptions),
    request_body(content(
        (ClassifyRequest = "application/json", example = json!({"id": "a-1",
            "text": "Where is my parcel?", "outputs": ["intent", "urgency"]})),
        (String = "application/x-ndjson", example = "{\"id\":1,\"text\":\"Where is my parcel?\"}\n{\"id\":2,\"text\":\"Thank you!\"}\n"),
    )),
    responses(
        (status = 200, description = "One item's answer, or for `items` one for each in order; an item that can't be classified has an `error`.", content(
            (ClassifyReply = "application/json"),
            (String = "application/x-ndjson"),
        )),
        (status = 422, description = "bad_options: the options can't be read; `pointer` says where\nunknown_taxonomy: there is no taxonomy of this name\nbad_item: the only item can't be read\ntext_too_long: its texts are longer than `classify.max_text_kib`"),
        (status = 429, description = "busy: too many texts wait"),
    ),
    security(("key" = ["classify"])),
)]
pub(super) async fn classify(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LineOptions>,
    request: Request,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    caller.need("classify")?;
    if streams(&request) {
        let options = Options::of_query(query.outputs.as_deref(), query.taxonomy, query.vip)?;
        let asker = Asker::new(app, caller, options).await?;
        return Ok(stream::answer(asker, request.into_body())?);
    }
    let lines = accepts_lines(request.headers());
    let body = match Bytes::from_request(request, &app).await {
        Ok(body) => body,
        Err(refused) => return Ok(refused.into_response()),
    };
    let ask = Ask::read(read_json(&body)?, app.config.classify.max_items)?;
    drop(body);
    let asker = Asker::new(app, caller, ask.options).await?;
    match ask.items {
        Items::One(item) => Ok(Json(asker.one(item, begun).await?).into_response()),
        Items::Many(items) => {
            let items = asker.all(items, begun).await?;
            if lines {
                return Ok(stream::written(&items));
            }
            Ok(Json(ClassifyAnswers { items, total_ms: ms(begun.elapsed()) }).into_response())
        }
    }
}

/// Options of a stream, in its address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LineOptions {
    /// For JSON Lines: what to answer, separated by commas.
    outputs: Option<String>,
    /// For JSON Lines: the name of a configured taxonomy, or `default`.
    taxonomy: Option<String>,
    /// For JSON Lines: the writers are people whose messages come first.
    #[serde(default)]
    vip: bool,
}

/// Whether a request's body is JSON Lines, to be read as it comes.
pub fn streams(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = kind.and_then(|k| k.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(stream::NDJSON)
}

/// Whether the answers are wanted as lines, though the items came as a list.
fn accepts_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accepted.to_ascii_lowercase().contains(stream::NDJSON)
}

/// Who asks, and how.
struct Asker {
    app: App,
    caller: Caller,
    options: Options,
    taxonomy: Taxonomy,
    /// Most bytes of an item's texts.
    most: usize,
}

impl Asker {
    async fn new(app: App, caller: Caller, options: Options) -> Result<Self, Problem> {
        let taxonomy = taxonomy(&app, &caller, &options).await?;
        let most = app.config.classify.max_text_kib * 1024;
        Ok(Self { app, caller, options, taxonomy, most })
    }

    /// Goes on with other options.
    async fn choose(&mut self, options: Options) -> Result<(), Problem> {
        self.taxonomy = taxonomy(&self.app, &self.caller, &options).await?;
        self.options = options;
        Ok(())
    }

    fn question(&self, item: &Item) -> Question {
        Question {
            subject: item.subject.clone(),
            text: item.text.clone(),
            history: item.history.clone(),
            earlier: item.earlier.clone(),
            taxonomy: self.taxonomy.clone(),
            vip: item.vip.unwrap_or(self.options.vip),
            explain: self.options.wants(Output::Evidence),
        }
    }

    fn submit(&self, questions: Vec<Question>) -> Result<Vec<Pending>, ClassifyError> {
        self.app.classifier.submit(&self.caller.0.family, questions)
    }

    /// The only item of a request.
    async fn one(&self, item: Value, begun: Instant) -> Result<ClassifyAnswer, Problem> {
        let item = Item::read(item, "", self.most)?;
        let mut pending = self.submit(vec![self.question(&item)])?;
        let Some(mut pending) = pending.pop() else { return Err(ClassifyError::Failed.into()) };
        let reading = pending.answer().await?;
        Ok(ClassifyAnswer::of(item, reading, &self.options, begun.elapsed()))
    }

    /// All items, queued together; one that can't be read doesn't spoil the others.
    async fn all(&self, items: Vec<Value>, begun: Instant) -> Result<Vec<ItemAnswer>, Problem> {
        let error = |id, index, error| ItemError { id, index: Some(index), line: None, error };
        let read = items.into_iter().enumerate().map(|(index, value)| {
            let id = Item::id_of(&value);
            let item = Item::read(value, &format!("/items/{index}"), self.most);
            item.map_err(|fault| error(id, index, fault.into()))
        });
        let read: Vec<Result<Item, ItemError>> = read.collect();
        let questions: Vec<Question> = read.iter().flatten().map(|i| self.question(i)).collect();
        // Before anything is charged: a pace that is spent isn't given back.
        self.app.classifier.admit(&self.caller.0.family, &questions)?;
        self.caller.charge_items(&self.app, read.len()).await?;
        let mut pending = self.submit(questions)?.into_iter();
        let (mut answers, mut refused) = (Vec::with_capacity(read.len()), 0);
        for (index, item) in read.into_iter().enumerate() {
            let answer = match item {
                Ok(item) => {
                    let outcome = match pending.next() {
                        Some(mut pending) => pending.answer().await,
                        None => Err(ClassifyError::Failed),
                    };
                    refused += u32::from(outcome.as_ref().is_err_and(ClassifyError::is_refusal));
                    outcome.map_err(|e| error(item.id.clone(), index, e.into())).map(|found| {
                        ClassifyAnswer::of(item, found, &self.options, begun.elapsed())
                    })
                }
                Err(error) => Err(error),
            };
            answers.push(match answer {
                Ok(answer) => ItemAnswer::Answer(Box::new(answer)),
                Err(error) => ItemAnswer::Error(error),
            });
        }
        self.caller.give_back(&self.app, refused).await;
        Ok(answers)
    }
}

async fn taxonomy(app: &App, caller: &Caller, options: &Options) -> Result<Taxonomy, Problem> {
    let name = match &options.intents {
        Intents::Usual => "default",
        Intents::Named(name) => name,
        Intents::Own(labels) => {
            return Ok(app.classifier.own(caller.tenant(), labels.clone()).await?);
        }
    };
    let unknown = || {
        let detail = "there is no taxonomy of this name: expected `default` or one of [taxonomies]";
        Fault::new("unknown_taxonomy", "/taxonomy", detail).into()
    };
    app.classifier.taxonomy(caller.tenant(), name).ok_or_else(unknown)
}

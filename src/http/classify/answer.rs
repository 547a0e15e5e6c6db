//! What is answered for an item.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ask::Item;
use super::options::Options;
use super::read::Fault;
use super::shape::{Output, text_or_number};
use crate::domain::triage::{
    Cue, Deadline, Injection, Intent, LanguageCode, Mention, Probability, Risk, Sentiment, Spam,
    Trend, UrgencyLevel, Versions,
};
use crate::pipeline::classify::Reading;

/// How long it took, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct TimingMs {
    /// Waiting in the queue.
    pub queue: f64,
    /// The encoder, together with the others of its batch.
    pub encode: f64,
    /// Everything else that reads it, together with the others of its batch.
    pub heads: f64,
    /// From the request's arrival to its answer.
    pub total: f64,
}

/// Milliseconds with three decimals.
pub fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// One item's answer: of the outputs those that were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassifyAnswer {
    /// As it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_number)]
    id: Option<Value>,
    /// What was read, where that isn't the text that was sent: offsets count in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
    /// What the writer wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    intent: Option<Intent>,
    /// The writer's mood.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sentiment: Option<Sentiment>,
    /// How soon somebody should look.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    urgency: Option<UrgencyLevel>,
    /// What raised or lowered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    urgency_reasons: Option<Vec<Cue>>,
    /// ISO 639-1, or `und`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    language: Option<LanguageCode>,
    /// How sure; 0 for `und`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    language_confidence: Option<Probability>,
    /// Ham or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    spam: Option<Spam>,
    /// Orders to a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    injection: Option<Injection>,
    /// Whether a machine wrote it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auto_reply: Option<bool>,
    /// What says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auto_reply_reasons: Option<Vec<Cue>>,
    /// Anger and churn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    risk: Option<Risk>,
    /// The mood of the thread, where there are earlier messages of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    trend: Option<Trend>,
    /// Times by which something is wanted, in the order of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deadlines: Option<Vec<Deadline>>,
    /// Order numbers, products, amounts, in the order of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    entities: Option<Vec<Mention>>,
    /// The sentence that carries the wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    summary: Option<String>,
    /// What made this answer.
    versions: Versions,
    /// How long it took.
    timing_ms: TimingMs,
}

impl ClassifyAnswer {
    /// Of what was read in an item; `total` since its request came in.
    pub fn of(item: Item, reading: Reading, options: &Options, total: Duration) -> Self {
        let wants = |o| options.wants(o);
        let Reading { analysis, timing } = reading;
        let a = analysis;
        Self {
            intent: wants(Output::Intent).then_some(a.intent),
            sentiment: wants(Output::Sentiment).then_some(a.sentiment),
            urgency: wants(Output::Urgency).then_some(a.urgency.level),
            urgency_reasons: wants(Output::Urgency).then_some(a.urgency.reasons),
            language: wants(Output::Language).then_some(a.language.code),
            language_confidence: wants(Output::Language).then_some(a.language.confidence),
            spam: wants(Output::Spam).then_some(a.spam),
            injection: wants(Output::Injection).then_some(a.injection),
            auto_reply: wants(Output::AutoReply).then_some(a.auto.is),
            auto_reply_reasons: wants(Output::AutoReply).then_some(a.auto.reasons),
            risk: wants(Output::Risk).then_some(a.risk),
            trend: a.trend.filter(|_| wants(Output::Trend)),
            deadlines: wants(Output::Deadlines).then_some(a.deadlines),
            entities: wants(Output::Entities).then_some(a.entities),
            summary: a.summary.filter(|_| wants(Output::Summary)),
            versions: a.versions,
            timing_ms: TimingMs {
                queue: ms(timing.queue),
                encode: ms(timing.encode),
                heads: ms(timing.heads),
                total: ms(total),
            },
            text: item.converted.then_some(item.text),
            id: item.id,
        }
    }
}

/// Problem details (RFC 9457) of one item.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemProblem {
    /// `urn:countersign:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status that a request with this item alone has.
    status: u16,
    /// The stable code.
    code: &'static str,
    /// A sentence for people.
    detail: String,
    /// JSON pointer of what is wrong: from the body's root, in a stream from the line's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<String>,
}

impl ItemProblem {
    /// With a status and a code, such as those of a request with this item alone.
    pub fn new(status: u16, code: &'static str, detail: String, pointer: Option<String>) -> Self {
        Self { kind: format!("urn:countersign:problem:{code}"), status, code, detail, pointer }
    }
}

impl From<Fault> for ItemProblem {
    fn from(f: Fault) -> Self {
        Self::new(422, f.code, f.detail, Some(f.pointer))
    }
}

/// An item that could not be classified.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemError {
    /// As it was given, if it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = text_or_number)]
    pub id: Option<Value>,
    /// Its place among the items, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub index: Option<usize>,
    /// The line's number, from 1, in a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<u64>,
    /// What is wrong.
    pub error: ItemProblem,
}

/// An item's answer, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ItemAnswer {
    /// It was classified.
    Answer(Box<ClassifyAnswer>),
    /// It was not.
    Error(ItemError),
}

/// The answer to `items`: one for each, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassifyAnswers {
    /// The answers.
    pub items: Vec<ItemAnswer>,
    /// From the request's arrival to the answer, in milliseconds.
    pub total_ms: f64,
}

/// The answer: one item's, or one for each of several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ClassifyReply {
    /// Of the only item.
    One(Box<ClassifyAnswer>),
    /// Of `items`.
    Many(ClassifyAnswers),
}

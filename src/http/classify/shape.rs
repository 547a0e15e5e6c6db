//! The forms of what is asked, for the description of the API. They are read field by field (`ask`,
//! `options`), so that what is wrong can be named by a JSON pointer; only [`Output`] is used as it is.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

/// Longest id of an item, in bytes.
pub const ID: usize = 256;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// What the writer wants, and what the taxonomy says should be done with it.
    Intent,
    /// The writer's mood.
    Sentiment,
    /// How soon somebody should look, and why.
    Urgency,
    /// The language.
    Language,
    /// Whether it is spam, phishing or abuse.
    Spam,
    /// Whether it gives orders to a model.
    Injection,
    /// Whether a machine wrote it by itself.
    AutoReply,
    /// How likely the writer is to lose patience or to leave.
    Risk,
    /// Where the mood of the thread is going.
    Trend,
    /// Times by which something is wanted.
    Deadlines,
    /// Order numbers, products, amounts.
    Entities,
    /// The sentence that carries the wish.
    Summary,
    /// Which words moved each decision; only if asked for.
    Evidence,
}

impl Output {
    const ALL: [Self; 13] = [
        Self::Intent,
        Self::Sentiment,
        Self::Urgency,
        Self::Language,
        Self::Spam,
        Self::Injection,
        Self::AutoReply,
        Self::Risk,
        Self::Trend,
        Self::Deadlines,
        Self::Entities,
        Self::Summary,
        Self::Evidence,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Urgency => "urgency",
            Self::Language => "language",
            Self::Spam => "spam",
            Self::Injection => "injection",
            Self::AutoReply => "auto_reply",
            Self::Risk => "risk",
            Self::Trend => "trend",
            Self::Deadlines => "deadlines",
            Self::Entities => "entities",
            Self::Summary => "summary",
            Self::Evidence => "evidence",
        }
    }

    /// The output of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }

    /// All names, for a person.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// What is answered if nothing is said: all but the evidence, which takes time.
    pub fn usual() -> Vec<Self> {
        Self::ALL.into_iter().filter(|o| *o != Self::Evidence).collect()
    }
}

/// The body of `POST /v1/classify`: one item's fields, or `items`, with options for all of them.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "the form of the body; `Ask::read` reads it with JSON pointers")]
pub struct ClassifyRequest {
    /// The only item.
    #[serde(flatten)]
    item: Option<ClassifyItem>,
    /// Several items, instead of an item's fields.
    #[schema(min_items = 1, max_items = 256)]
    items: Option<Vec<ClassifyItem>>,
    #[serde(flatten)]
    options: Option<ClassifyOptions>,
}

/// A text, a message or a thread: one of `text`, `html`, `subject` and `messages` is needed.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "the form of an item; `Item::read` reads it with JSON pointers")]
pub struct ClassifyItem {
    /// Given back as it is: text or a number.
    #[schema(schema_with = text_or_number)]
    id: Option<Value>,
    /// The text, without quoted messages and signature.
    text: Option<String>,
    /// HTML instead of `text`; quotes and signature are cut off, and what was read is answered as `text`.
    html: Option<String>,
    /// The subject line.
    subject: Option<String>,
    /// Who wrote it: an address, or `{address, name}`. Not used yet.
    #[schema(value_type = Option<Sender>)]
    from: Option<Value>,
    /// Earlier messages, the latest last: texts, or `{role, text}`.
    #[schema(value_type = Option<Vec<Turn>>)]
    history: Option<Vec<Value>>,
    /// A thread: its last message of a customer is classified, what was said before it is its history.
    messages: Option<Vec<ThreadMessage>>,
    /// The writer is somebody whose messages come first; over the option of the same name.
    vip: Option<bool>,
}

/// An id: text of at most 256 bytes, or a number.
pub fn text_or_number() -> Schema {
    let types = SchemaType::from_iter([Type::String, Type::Number]);
    let id = ObjectBuilder::new().schema_type(types).max_length(Some(ID));
    id.description(Some("Comes back with the answer.")).into()
}

/// Who wrote a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the form of a sender; `sender` reads it with JSON pointers")]
pub enum Sender {
    /// An address.
    Address(String),
    /// An address with a name.
    Party {
        /// The address.
        address: Option<String>,
        /// The display name.
        name: Option<String>,
    },
}

/// An earlier message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the form of an earlier message; `history` reads it")]
pub enum Turn {
    /// Its text.
    Text(String),
    /// With who wrote it.
    Said {
        /// Whose it is.
        role: Option<String>,
        /// Its text.
        text: String,
    },
}

/// A message of a thread.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "the form of a message; `Item::read` reads it with JSON pointers")]
pub struct ThreadMessage {
    /// Who wrote it.
    role: Role,
    /// What.
    text: String,
    /// When (RFC 3339); if all messages have it, they are put in order.
    at: Option<String>,
}

/// Who wrote a message of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A customer.
    Customer,
    /// Somebody who answers them.
    Agent,
}

/// Options for all items.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[expect(
    dead_code,
    reason = "the form of the options; `Options::read` reads it with JSON pointers"
)]
pub struct ClassifyOptions {
    /// What to answer; all but `evidence` if absent.
    outputs: Option<Vec<Output>>,
    /// Whose intents: the name of a configured taxonomy, `default`, or labels of your own.
    taxonomy: Option<TaxonomyOption>,
    /// The writers are people whose messages come first: their urgency is a step higher.
    vip: Option<bool>,
}

/// Whose intents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the form of the option; `labels` reads it with JSON pointers")]
pub enum TaxonomyOption {
    /// A configured taxonomy, or `default`.
    Named(String),
    /// Labels of your own; fitted when they come for the first time.
    Own {
        /// 2 to 64 labels.
        labels: Vec<LabelOption>,
    },
}

/// A label of a caller's own.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "the form of a label; `labels` reads it with JSON pointers")]
pub struct LabelOption {
    /// Its name, up to 64 bytes.
    name: String,
    /// What it means; read like an example.
    description: Option<String>,
    /// 2 to 50 texts of people who mean it, of up to 2 KiB.
    examples: Vec<String>,
}

//! Traits for the outside world, and only for it: what the pipeline needs and an adapter supplies. The database is
//! not among them; it is concrete.
//!
//! Everything that goes out through here is masked or public by type: [`PromptText`] and [`IndexText`] can't be made
//! from a raw string.

pub mod channel;
pub mod host;
pub mod platform;
pub mod poster;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::draft::{DraftOutcome, DraftRequest};
use crate::domain::ids::{ChunkId, TenantId};
use crate::domain::masking::{MaskedText, PublicText};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Text for a search index, in which masked values are bare type words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexText(String);

impl IndexText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&MaskedText> for IndexText {
    fn from(text: &MaskedText) -> Self {
        Self(text.as_words())
    }
}

impl From<&PublicText> for IndexText {
    fn from(text: &PublicText) -> Self {
        Self(text.as_str().to_owned())
    }
}

/// What a chunk was cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChunkKind {
    /// A knowledge article.
    Article,
    /// A customer's message.
    Message,
    /// A reply that a person approved.
    Reply,
}

impl ChunkKind {
    /// The name used in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Message => "message",
            Self::Reply => "reply",
        }
    }
}

impl FromStr for ChunkKind {
    type Err = UnknownChunkKind;

    fn from_str(s: &str) -> Result<Self, UnknownChunkKind> {
        match s {
            "article" => Ok(Self::Article),
            "message" => Ok(Self::Message),
            "reply" => Ok(Self::Reply),
            _ => Err(UnknownChunkKind(s.chars().take(40).collect())),
        }
    }
}

/// A word that names no kind of chunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of chunk: expected article, message or reply")]
pub struct UnknownChunkKind(String);

/// A chunk as an index holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexedChunk {
    /// Its id; a chunk of the same id is replaced.
    pub id: ChunkId,
    /// What it was cut from.
    pub kind: ChunkKind,
    /// The article's or message's id.
    pub source: String,
    /// What is matched word by word: the chunk, with its source's title in front where it has one.
    pub text: IndexText,
    /// The chunk's vector, of length one.
    pub embedding: Vec<f32>,
}

/// One step of a tenant's change sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number. Numbers rise, and may have gaps.
    pub seq: i64,
    /// What happened.
    pub op: ChangeOp,
}

/// What happened to a chunk.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeOp {
    /// It came, or is another now.
    Upsert(IndexedChunk),
    /// It went.
    Delete(ChunkId),
}

/// Which of the two rankings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Both, fused.
    #[default]
    Hybrid,
    /// Embeddings alone.
    Dense,
    /// Words alone.
    Lexical,
}

impl FromStr for SearchMode {
    type Err = UnknownSearchMode;

    fn from_str(s: &str) -> Result<Self, UnknownSearchMode> {
        match s {
            "hybrid" => Ok(Self::Hybrid),
            "dense" => Ok(Self::Dense),
            "lexical" => Ok(Self::Lexical),
            _ => Err(UnknownSearchMode(s.chars().take(40).collect())),
        }
    }
}

/// A word that names no search mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a search mode: expected hybrid, dense or lexical")]
pub struct UnknownSearchMode(String);

/// What to look for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The question's vector, of length one. Empty for a lexical search.
    pub embedding: Vec<f32>,
    /// The question's words.
    pub text: IndexText,
    /// How many hits at most.
    pub k: usize,
    /// Which rankings count.
    pub mode: SearchMode,
    /// Only chunks of these kinds; all kinds if empty.
    pub kinds: Vec<ChunkKind>,
    /// No chunks of this source: a message doesn't answer itself.
    pub except_source: Option<String>,
}

/// A chunk that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The chunk.
    pub chunk: ChunkId,
    /// What it was cut from.
    pub kind: ChunkKind,
    /// The article's or message's id.
    pub source: String,
    /// What hits are ordered by: the fused score, at most 1 (hybrid), the cosine (dense) or BM25 (lexical).
    pub score: f32,
    /// Cosine to the question, −1 to 1, if embeddings were searched.
    pub dense: Option<f32>,
    /// BM25, if the words were searched and any was shared.
    pub lexical: Option<f32>,
}

/// Why an index could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The vector was made by another encoder.
    #[error("the index holds vectors of {expected} numbers, not {given}")]
    Dimension {
        /// What the index was made for.
        expected: usize,
        /// What was given.
        given: usize,
    },
    /// Not a number, or infinite: such a vector would rank anywhere.
    #[error("the vector of {0} has a value that is not finite")]
    NotFinite(String),
    /// The index can't be reached; later it may.
    #[error("the vector index is unavailable")]
    Unavailable(#[source] BoxError),
    /// The index answered something that can't be true.
    #[error("the vector index gave a wrong answer: {0}")]
    Protocol(String),
}

/// A search index over chunks. It is a cache of the rows in SQL and follows their change sequence; a tenant is part
/// of every key, so no call can see another tenant's chunks.
pub trait VectorIndex: Send + Sync {
    /// Takes changes over, in order. Changes with a number that was applied before are skipped, so a batch may be
    /// handed over twice; after an error, changes up to [`applied_seq`](Self::applied_seq) are in.
    ///
    /// # Errors
    /// [`IndexError`]; the changes before the faulty one have been applied.
    fn apply<'a>(
        &'a self,
        tenant: &'a TenantId,
        changes: Vec<Change>,
    ) -> BoxFuture<'a, Result<(), IndexError>>;

    /// The best chunks for a query, best first.
    ///
    /// # Errors
    /// [`IndexError`].
    fn search<'a>(
        &'a self,
        tenant: &'a TenantId,
        query: &'a Query,
    ) -> BoxFuture<'a, Result<Vec<Hit>, IndexError>>;

    /// The number of the last change that was applied; 0 before the first.
    ///
    /// # Errors
    /// [`IndexError::Unavailable`].
    fn applied_seq<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<i64, IndexError>>;

    /// Drops all of a tenant's chunks, as before rebuilding or when the tenant leaves.
    ///
    /// # Errors
    /// [`IndexError::Unavailable`].
    fn forget<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<(), IndexError>>;
}

/// Text for a model: our own template filled with masked and public text.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct PromptText(String);

impl PromptText {
    /// Vouches that `text` was rendered from a template of ours and from rendered (masked or public) text only. For
    /// `pipeline::prompt` alone; a test looks for other callers.
    pub(crate) fn from_template(text: String) -> Self {
        Self(text)
    }

    /// A prompt for a test of an adapter.
    #[cfg(test)]
    pub(crate) fn sample(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PromptText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PromptText({} bytes)", self.0.len())
    }
}

/// A prompt, ready to be sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prompt {
    /// What the model is told to be and do.
    pub system: PromptText,
    /// The conversation and the passages.
    pub user: PromptText,
    /// JSON Schema of the answer.
    pub schema: serde_json::Value,
    /// SHA-256 of the template files, 64 hex digits: what is recorded as the prompt's version.
    pub version: String,
    /// How many of the request's passages are in it; the others did not fit.
    pub passages: usize,
}

/// A draft to be written: what is known, and for models the prompt that says it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The conversation and the evidence.
    pub draft: DraftRequest,
    /// The same as a prompt. Drafters that need none ignore it.
    pub prompt: Option<Prompt>,
}

/// Why there is no draft, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The same request may succeed later.
    #[error("the model can't answer now; try again after {after:?}")]
    Retry {
        /// How long to wait at least.
        after: Duration,
        /// Whether the model asked for the wait (429, 503 with Retry-After): such a wait is no failed attempt.
        asked: bool,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// The same request will fail again: wrong key, unknown model, refused input.
    #[error("the model refuses the request")]
    Permanent(#[source] BoxError),
    /// The model answers, but not usably: a person has to write.
    #[error("the model's answer can't be used: {reason}")]
    NeedsPerson {
        /// What was wrong with the last answer; none of its text.
        reason: String,
    },
}

/// Writes drafts: a model endpoint, the extractive drafter, or a recording.
pub trait ChatModel: Send + Sync {
    /// What is recorded as the draft's author: `extractive`, or `model:` and the model's name.
    fn id(&self) -> &str;

    /// Tokens that a prompt may have, or none if this drafter takes no prompt.
    fn prompt_budget(&self) -> Option<usize>;

    /// Tokens in a text, as the model counts them, or nearly.
    fn count_tokens(&self, text: &str) -> usize;

    /// Writes a draft.
    ///
    /// # Errors
    /// [`ChatError`] says what to do.
    fn draft<'a>(
        &'a self,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<DraftOutcome, ChatError>>;
}

//! What is kept beside a draft's text: its sentences with their verdicts, and the evidence as it was.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store;

/// A draft's sentence as stored: masked, with what the check said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredSentence {
    /// White space in front of it.
    pub before: String,
    /// Masked text, stored form.
    pub text: String,
    /// Numbers of passages, from 1.
    pub citations: Vec<usize>,
    /// Whether it states something (and was checked) or is a greeting.
    pub statement: bool,
    /// `supported`, `inferred`, `unsupported` or `contradicted`; none for a greeting.
    pub verdict: Option<String>,
    /// 0–1.
    pub score: f32,
}

/// What is stored beside a draft's text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredDetail {
    /// The sentences; empty for what a person wrote.
    pub sentences: Vec<StoredSentence>,
    /// The tone.
    pub tone: Option<String>,
    /// ISO 639-1.
    pub language: Option<String>,
    /// Questions without an answer, masked, stored form.
    pub unanswered: Vec<String>,
    /// Other texts that would do, masked, stored form.
    pub alternatives: Vec<String>,
    /// Probability that the whole answer is supported.
    pub grounding: Option<f32>,
    /// Whether a person wrote this revision.
    pub edited: bool,
    /// Another subject than the thread's, masked, stored form.
    pub subject: Option<String>,
}

/// A passage as stored: the evidence as it was.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Passage)]
pub struct StoredPassage {
    /// The chunk.
    pub id: String,
    /// The article.
    pub source: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// The search's score.
    pub score: f32,
}

/// The texts of a draft's passages, from storage.
///
/// # Errors
/// When the stored JSON can't be read.
pub fn public_texts(passages: &str) -> store::Result<Vec<String>> {
    let all: Vec<StoredPassage> = serde_json::from_str(passages)?;
    Ok(all.into_iter().map(|p| p.text).collect())
}

//! Reads what a model answered. Nothing in it is believed: it must be JSON of our schema, its citations must name
//! passages that were in the prompt, and what can't be read is a [`Flaw`] that holds none of the answer's text.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::draft::{
    Draft, DraftOutcome, DraftRequest, NoMatchReason, Sentence, SentenceRole, Tone,
};
use crate::domain::message::ChannelKind;
use crate::nlp::ground::reads_as_courtesy;

/// Sentences, open questions and characters beyond which an answer is no reply to a customer.
const MAX_SENTENCES: usize = 60;
const MAX_UNANSWERED: usize = 20;
const MAX_CHARS: usize = 12_000;

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// No JSON, or not the JSON of a chat completion.
    #[error("it is not a chat completion")]
    NotAResponse,
    /// The model ran into its token limit.
    #[error("it was cut off")]
    Truncated,
    /// The message is not JSON, or not of the schema.
    #[error("it does not follow the schema")]
    WrongSchema,
    /// Larger than a reply can be.
    #[error("it is too long")]
    TooLong,
    /// The endpoint's filter took it.
    #[error("the endpoint's content filter withheld it")]
    Filtered,
    /// The model declined.
    #[error("the model declined to answer")]
    Refused,
}

impl Flaw {
    /// Whether asking again can't help.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Filtered | Self::Refused)
    }

    /// What to tell the model when it is asked again.
    pub(super) fn repair_request(self) -> &'static str {
        match self {
            Self::Truncated | Self::TooLong => {
                "Your last answer was too long and got cut off. Answer again with fewer and shorter sentences, as one \
                 complete JSON object of the given form and nothing else."
            }
            _ => {
                "Your last answer could not be read. Answer again with one complete JSON object of the form \
                 {\"sentences\": [{\"text\": \"…\", \"citations\": [1]}], \"unanswered\": [\"…\"], \"tone\": \"…\"} and \
                 nothing else: no Markdown, no comment."
            }
        }
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

/// The schema of `prompts/draft/default/schema.json`.
#[derive(Deserialize)]
struct Answer {
    sentences: Vec<AnswerSentence>,
    #[serde(default)]
    unanswered: Vec<String>,
    #[serde(default)]
    tone: Option<String>,
}

#[derive(Deserialize)]
struct AnswerSentence {
    text: String,
    #[serde(default)]
    citations: Vec<i64>,
}

/// The outcome of a request whose prompt had the first `passages` of its passages.
///
/// # Errors
/// What is wrong with the answer.
pub(super) fn read(
    response: &Value,
    request: &DraftRequest,
    passages: usize,
) -> Result<DraftOutcome, Flaw> {
    let completion = Completion::deserialize(response).map_err(|_| Flaw::NotAResponse)?;
    let choice = completion.choices.into_iter().next().ok_or(Flaw::NotAResponse)?;
    match choice.finish_reason.as_deref() {
        Some("length") => return Err(Flaw::Truncated),
        Some("content_filter") => return Err(Flaw::Filtered),
        _ => {}
    }
    if choice.message.refusal.is_some_and(|r| !r.trim().is_empty()) {
        return Err(Flaw::Refused);
    }
    let content = choice.message.content.ok_or(Flaw::WrongSchema)?;
    let answer: Answer = serde_json::from_str(unfenced(&content)).map_err(|_| Flaw::WrongSchema)?;
    outcome(answer, request, passages)
}

/// Models like to wrap JSON into a Markdown code block even when told not to.
fn unfenced(content: &str) -> &str {
    let inner = content.trim();
    let Some(rest) = inner.strip_prefix("```") else { return inner };
    let rest = rest.strip_prefix("json").unwrap_or(rest);
    rest.strip_suffix("```").unwrap_or(rest).trim()
}

fn outcome(answer: Answer, request: &DraftRequest, passages: usize) -> Result<DraftOutcome, Flaw> {
    let chars: usize = answer.sentences.iter().map(|s| s.text.chars().count()).sum();
    if answer.sentences.len() > MAX_SENTENCES
        || answer.unanswered.len() > MAX_UNANSWERED
        || chars > MAX_CHARS
    {
        return Err(Flaw::TooLong);
    }
    let mut sentences: Vec<Sentence> = Vec::new();
    for s in answer.sentences {
        let text = s.text.trim();
        if text.is_empty() {
            continue;
        }
        let before = if sentences.is_empty() { "" } else { separator(&s.text) };
        sentences.push(sentence(before, text, &s.citations, passages));
    }
    let unanswered: Vec<String> =
        answer.unanswered.iter().map(|q| q.trim().to_owned()).filter(|q| !q.is_empty()).collect();
    let says_something = sentences.iter().any(|s| s.role == SentenceRole::Statement);
    if sentences.is_empty() || (!says_something && !unanswered.is_empty()) {
        let best_score = request.passages.iter().map(|p| p.score).fold(0.0, f32::max);
        return Ok(DraftOutcome::NoMatch { reason: NoMatchReason::NotAnswered, best_score });
    }
    if request.channel == ChannelKind::Email {
        set_paragraphs(&mut sentences);
    }
    let tone = answer.tone.and_then(|t| t.parse::<Tone>().ok()).unwrap_or_else(|| request.tone());
    let mut draft = Draft::new(sentences, tone, request.language);
    draft.unanswered = unanswered;
    Ok(DraftOutcome::Draft(draft))
}

/// Citations of passages that were not in the prompt are dropped, which may leave the sentence uncited.
fn sentence(before: &str, text: &str, citations: &[i64], passages: usize) -> Sentence {
    let number = |c: &i64| usize::try_from(*c).ok().filter(|n| (1..=passages).contains(n));
    let mut valid: Vec<usize> = citations.iter().filter_map(number).collect();
    valid.sort_unstable();
    valid.dedup();
    if citations.is_empty() && reads_as_courtesy(text) {
        return Sentence::courtesy(before, text);
    }
    Sentence::statement(before, text, valid)
}

/// The white space in front of a sentence, as the text's own begins.
fn separator(text: &str) -> &'static str {
    let lead = &text[..text.len() - text.trim_start().len()];
    match lead.matches('\n').count() {
        0 => " ",
        1 => "\n",
        _ => "\n\n",
    }
}

/// A model that sets no paragraphs at all gets the two that every mail has: after the greeting, before the closing.
fn set_paragraphs(sentences: &mut [Sentence]) {
    if sentences.iter().any(|s| s.before.contains('\n')) {
        return;
    }
    let is_courtesy = |s: &Sentence| s.role == SentenceRole::Courtesy;
    if let [first, second, ..] = sentences
        && is_courtesy(first)
        && first.text.ends_with([',', '!', ':'])
    {
        second.before = "\n\n".into();
    }
    if let [.., before_last, last] = sentences
        && is_courtesy(last)
        && !is_courtesy(before_last)
    {
        last.before = "\n\n".into();
    }
}

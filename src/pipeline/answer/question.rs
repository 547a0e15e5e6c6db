//! What is to be answered: the open messages of a thread, what is searched for, and the request to
//! whoever drafts. Stored text becomes rendered text here.

use std::time::Duration;

use crate::domain::draft::{DraftRequest, Passage, Turn};
use crate::domain::ids::{TenantId, ThreadId};
use crate::domain::masking::{MaskedText, Numbering, Outbound, PublicText, RenderedText};
use crate::domain::message::{ChannelKind, Direction};
use crate::domain::review::State;
use crate::domain::triage::{Analysis, LanguageCode, SentimentLabel};
use crate::pipeline::retrieve::Found;
use crate::pipeline::understand::CUT;
use crate::pipeline::{Pipeline, StepError, threads};
use crate::store::message::{self, Message};
use crate::store::thread::Thread;
use crate::store::{self, channel, review, thread};

/// Earlier turns that a draft may see.
const HISTORY: usize = 10;

/// Characters of a customer's messages that are answered; the rest is there for the reviewer.
const QUESTION_CHARS: usize = 8_000;

/// A conversation as the drafter needs it.
pub(super) struct Conversation {
    pub(super) thread: Thread,
    pub(super) kind: ChannelKind,
    pub(super) numbering: Numbering,
    /// What the customer has written since the last reply, oldest first; never empty.
    pub(super) open: Vec<Message>,
    pub(super) history: Vec<Turn>,
    pub(super) analysis: Option<Analysis>,
    pub(super) attention: Vec<String>,
}

pub(super) async fn load(
    p: &Pipeline,
    t: &TenantId,
    id: &ThreadId,
) -> Result<Option<Conversation>, StepError> {
    let mut c = p.store.db.read().await?;
    let thread = match thread::get(&mut c, t, id).await {
        Ok(found) => found,
        Err(store::Error::NotFound(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let messages = message::of_thread(&mut c, t, id).await?;
    let live: Vec<Message> = messages.into_iter().filter(|m| m.state == "understood").collect();
    let answered = live.iter().rposition(|m| m.direction == Direction::Out).map_or(0, |i| i + 1);
    let open: Vec<Message> = live[answered..].to_vec();
    let Some(last) = open.last() else { return Ok(None) };
    let reviews = review::of_thread(&mut c, t, id).await?;
    // A reply is just going out: what the customer wrote meanwhile is answered after it.
    if reviews.iter().any(|r| r.state == State::Sending) {
        return Err(StepError::Later(Duration::from_secs(1)));
    }
    // What was decided on for this very head is the answer.
    let settled = reviews.iter().any(|r| {
        r.head_seq == thread.head_seq && !matches!(r.state, State::Superseded | State::Filed)
    });
    if settled {
        return Ok(None);
    }
    let numbering = threads::numbering(&mut c, t, id).await?;
    let kind = channel::get(&p.store, &mut c, t, &thread.channel).await?.kind;
    let analysis = message::analysis(&mut c, t, &last.id).await?;
    let history = live[..answered]
        .iter()
        .rev()
        .take(HISTORY)
        .rev()
        .map(|m| Turn { direction: m.direction, text: visible(m).render(&numbering) })
        .collect();
    let mut attention = attention(&thread, &open);
    for m in &open {
        let files = message::attachments(&p.store, &mut c, t, m).await?;
        if files.iter().any(|f| !f.allowed) {
            attention.push("attachment_refused".to_owned());
        }
        let read = message::analysis(&mut c, t, &m.id).await?;
        if read.is_some_and(|a| a.injection.flagged) {
            attention.push("injection".to_owned());
        }
    }
    attention.sort();
    attention.dedup();
    Ok(Some(Conversation { thread, kind, numbering, open, history, analysis, attention }))
}

fn attention(thread: &Thread, open: &[Message]) -> Vec<String> {
    let mut all = Vec::new();
    if open.iter().any(|m| m.reply_to_differs) {
        all.push("reply_to_differs".to_owned());
    }
    if open.last().is_some_and(|m| thread.contact.as_ref().is_some_and(|c| *c != m.subject)) {
        all.push("other_recipient".to_owned());
    }
    if open.iter().any(|m| m.oddities.iter().any(|o| o == CUT)) {
        all.push("text_cut".to_owned());
    }
    if thread.related.is_some() {
        all.push("related_thread".to_owned());
    }
    all
}

fn visible(m: &Message) -> MaskedText {
    MaskedText::from_store(m.visible.clone().unwrap_or_default())
}

pub(super) fn question(talk: &Conversation) -> MaskedText {
    let texts: Vec<MaskedText> = talk.open.iter().map(visible).collect();
    let all = MaskedText::join(&texts, "\n\n");
    if all.as_stored().chars().count() <= QUESTION_CHARS {
        return all;
    }
    // The newest part counts; cut where no token is split.
    let len = all.as_stored().len();
    let from = all.as_stored().char_indices().rev().nth(QUESTION_CHARS).map_or(0, |(i, _)| i);
    (from..len).find_map(|i| all.slice(i..len)).unwrap_or_default()
}

/// What is searched for: the question, with the subject before it, which often names the matter that
/// the text only points to ("it still hasn't come").
pub(super) fn query(talk: &Conversation, question: &MaskedText) -> MaskedText {
    let subject = talk.open.iter().rev().find_map(|m| m.subject_masked.as_deref());
    match subject.map(threads::bare_subject).filter(|s| !s.is_empty()) {
        Some(subject) => {
            let subject = MaskedText::from_store(subject.to_owned());
            MaskedText::join(&[subject, question.clone()], "\n\n")
        }
        None => question.clone(),
    }
}

pub(super) fn request(talk: &Conversation, question: &MaskedText, found: &[Found]) -> DraftRequest {
    let numbering = &talk.numbering;
    let analysis = talk.analysis.as_ref();
    let passages = found
        .iter()
        .map(|f| Passage {
            id: f.hit.chunk.to_string(),
            source_id: f.hit.source.clone(),
            title: f.title.clone(),
            text: render_public(&f.text, numbering),
            score: f.hit.score,
            public: true,
        })
        .collect();
    DraftRequest {
        subject: talk
            .open
            .last()
            .and_then(|m| m.subject_masked.clone())
            .filter(|s| !s.trim().is_empty())
            .map(|s| MaskedText::from_store(s).render(numbering)),
        message: question.render(numbering),
        history: talk.history.clone(),
        passages,
        addressee: addressee(talk),
        language: analysis.map_or(LanguageCode::EN, |a| a.language.code),
        channel: talk.kind,
        mood: analysis.map_or(SentimentLabel::Neutral, |a| a.sentiment.label),
        intent: analysis.filter(|a| !a.intent.abstained).map(|a| a.intent.label.clone()),
        tone: None,
    }
}

/// The customer's name as its placeholder, where the sender has one.
fn addressee(talk: &Conversation) -> Option<RenderedText> {
    let sender = MaskedText::from_store(talk.open.last()?.sender.clone()?);
    let person = sender.as_stored().find('⟧').map(|i| i + '⟧'.len_utf8())?;
    let name = sender.slice(0..person)?;
    let is_name = name.as_stored().starts_with("⟦PERSON:") && talk.kind == ChannelKind::Email;
    is_name.then(|| name.render(&talk.numbering))
}

fn render_public(text: &PublicText, numbering: &Numbering) -> RenderedText {
    Outbound::from(text).render(numbering)
}

//! What a signature would bind besides the text: recipients, restored values, the evidence.

use std::ops::Range;

use crate::domain::masking::{MaskedText, Numbering, Refusal, Segment};
use crate::domain::message::ChannelKind;
use crate::http::page::queue::{channel_word, rendered};
use crate::http::page::view::{
    Envelope, Passage, PassageKind, Recipient, RecipientRole, Restoration, highlight,
};
use crate::pipeline::answer::{StoredDetail, StoredPassage};
use crate::review::content::Signable;
use crate::store;
use crate::store::draft::Draft;
use crate::store::review::Review;

pub(super) fn passages(draft: &Draft, detail: &StoredDetail) -> store::Result<Vec<Passage>> {
    let all: Vec<StoredPassage> = serde_json::from_str(&draft.passages)?;
    Ok((1u32..)
        .zip(all)
        .map(|(number, p)| {
            let cited: Vec<Range<usize>> = detail
                .sentences
                .iter()
                .filter(|s| s.citations.iter().any(|c| u32::try_from(*c).ok() == Some(number)))
                .filter_map(|s| p.text.find(s.text.trim()).map(|at| at..at + s.text.trim().len()))
                .collect();
            let is_cited = detail
                .sentences
                .iter()
                .any(|s| s.citations.iter().any(|c| u32::try_from(*c).ok() == Some(number)));
            Passage {
                number,
                kind: PassageKind::Article,
                title: p.title,
                article: Some(p.source),
                score: format!("{:.2}", p.score),
                pieces: highlight(&p.text, cited),
                cited: is_cited,
            }
        })
        .collect())
}

pub(super) fn envelope(s: &Signable, r: &Review, draft: &Draft, numbering: &Numbering) -> Envelope {
    let warning = if r.attention.iter().any(|a| a == "reply_to_differs") {
        Some("The message asked for replies to another domain; this goes to its sender.")
    } else if s.thread.contact.as_ref().is_some_and(|first| *first != s.customer) {
        Some("Somebody else began the conversation; this goes to who wrote last.")
    } else {
        None
    }
    .map(str::to_owned);
    let stored = MaskedText::from_store(draft.body.clone());
    let mut seen = Vec::new();
    let restorations = stored
        .segments()
        .filter_map(|x| match x {
            Segment::Token { id, .. } if !seen.contains(&id) => {
                seen.push(id);
                let refused = s.body.refused.iter().find(|(other, _)| *other == id);
                Some(Restoration {
                    placeholder: numbering
                        .placeholder(&id)
                        .map_or_else(|| "<MASKED>".into(), ToString::to_string),
                    restored: refused.is_none(),
                    reason: refused.map(|(_, why)| why_not(*why).to_owned()),
                })
            }
            _ => None,
        })
        .collect();
    Envelope {
        channel: channel_word(s.channel.kind.as_str()),
        sender: s.content.sender.clone(),
        recipients: s
            .content
            .to
            .iter()
            .map(|_| Recipient {
                role: RecipientRole::To,
                address: recipient(s, numbering),
                warning: warning.clone(),
            })
            .collect(),
        subject: (s.channel.kind == ChannelKind::Email)
            .then(|| rendered(Some(&s.content.subject), numbering)),
        restorations,
    }
}

/// Who gets it, as the message that is answered named them.
pub(super) fn recipient(s: &Signable, numbering: &Numbering) -> String {
    match s.customer_masked.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => format!("{}, who sent the message", rendered(Some(name), numbering)),
        None => "the sender of the message".to_owned(),
    }
}

fn why_not(r: Refusal) -> &'static str {
    match r {
        Refusal::NotSendable => "values of this type are never sent",
        Refusal::NotOwned => "it belongs to another conversation",
        Refusal::Erased => "the value has been erased",
    }
}

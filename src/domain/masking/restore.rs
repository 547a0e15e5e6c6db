//! Values back for placeholders: for the sender, and for an audited reveal.

use std::fmt;

use super::entity::Entity;
use super::numbering::Numbering;
use super::placeholder::{Mention, mentions};
use super::stored::{MaskedText, Segment};
use super::vault::VaultId;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestorePolicy {
    /// A reply on its way out: only types that are [sendable](Entity::is_sendable).
    ForSend,
    /// A person with the right to see the values: all types.
    Reveal,
}

/// Why a value stays masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Values of this type are never sent.
    NotSendable,
    /// The vault entry belongs to another thread.
    NotOwned,
    /// The thread owns the entry but the vault has no value for it, as after an erasure.
    Erased,
}

/// A text with values in it. Its Debug form does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Restored {
    /// The text. Placeholders that were refused or unknown still stand in it.
    pub text: String,
    /// The entries whose values are in the text, in order, repeated as they occur.
    pub restored: Vec<VaultId>,
    /// What stayed masked, and why.
    pub refused: Vec<(VaultId, Refusal)>,
    /// What looks like a placeholder but names no value: a number that was never given out, a
    /// label without one (`<EMAIL>`, as another thread's values are rendered), and a placeholder
    /// of the thread that lost its brackets (`EMAIL_1`). A sender should not let them pass unseen.
    pub unknown: Vec<String>,
}

impl Restored {
    /// Whether every placeholder got its value.
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty() && self.unknown.is_empty()
    }
}

impl fmt::Debug for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restored")
            .field("text", &format_args!("{} bytes", self.text.len()))
            .field("restored", &self.restored)
            .field("refused", &self.refused)
            .field("unknown", &self.unknown)
            .finish()
    }
}

/// Restores a text that a model or a person wrote around a thread's placeholders.
///
/// Accepts the spellings listed in `placeholder`; undoes the escapes that rendering made. One pass:
/// a value that itself looks like a placeholder is not read again. Stored tokens (`⟦…⟧`) in the
/// text are somebody's typing and stay as they are.
pub fn restore(
    text: &str,
    numbering: &Numbering,
    lookup: &dyn Fn(&VaultId) -> Option<String>,
    policy: RestorePolicy,
) -> Restored {
    let mut out = Restoring::new(policy, lookup, text.len());
    let mut done = 0;
    for m in mentions(text, numbering.labels()) {
        out.literal(&text[done..m.range.start], numbering);
        done = m.range.end;
        let written = &text[m.range.clone()];
        if m.escapes > 0 {
            out.into.text.push_str(&unescaped(written, &m));
        } else if let Some(owner) = numbering.owner(&m.placeholder) {
            out.value(&owner.entity, &owner.ids, written);
        } else {
            out.into.unknown.push(written.to_owned());
            out.into.text.push_str(written);
        }
    }
    out.literal(&text[done..], numbering);
    out.into
}

/// A mention's text with one `=` less.
pub(super) fn unescaped(written: &str, mention: &Mention) -> String {
    let at = mention.escape_at - mention.range.start;
    let mut text = written.to_owned();
    text.remove(at);
    text
}

impl MaskedText {
    /// Restores stored text, as an approved draft is for sending: each token of the thread becomes
    /// the vault's form of the value.
    pub fn restore(
        &self,
        numbering: &Numbering,
        lookup: &dyn Fn(&VaultId) -> Option<String>,
        policy: RestorePolicy,
    ) -> Restored {
        let mut out = Restoring::new(policy, lookup, self.as_stored().len());
        for segment in self.segments() {
            match segment {
                Segment::Literal(text) => out.into.text.push_str(text),
                Segment::Token { entity, id } => {
                    let entity = entity.parse::<Entity>();
                    match (numbering.placeholder(&id), entity) {
                        (Some(p), Ok(entity)) => out.value(&entity, &[id], &p.to_string()),
                        (_, entity) => {
                            let label = entity.as_ref().map_or("MASKED", Entity::label);
                            out.into.text.push_str(&format!("<{label}>"));
                            out.into.refused.push((id, Refusal::NotOwned));
                        }
                    }
                }
            }
        }
        out.into
    }
}

struct Restoring<'a> {
    policy: RestorePolicy,
    lookup: &'a dyn Fn(&VaultId) -> Option<String>,
    into: Restored,
}

impl<'a> Restoring<'a> {
    fn new(
        policy: RestorePolicy,
        lookup: &'a dyn Fn(&VaultId) -> Option<String>,
        bytes: usize,
    ) -> Self {
        let into = Restored {
            text: String::with_capacity(bytes + bytes / 8),
            restored: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
        };
        Self { policy, lookup, into }
    }

    /// The value of the first of `ids` that has one, or `written` and the reason.
    fn value(&mut self, entity: &Entity, ids: &[VaultId], written: &str) {
        let Some(first) = ids.first() else { return };
        if self.policy == RestorePolicy::ForSend && !entity.is_sendable() {
            self.into.refused.push((*first, Refusal::NotSendable));
            self.into.text.push_str(written);
            return;
        }
        match ids.iter().find_map(|id| (self.lookup)(id).map(|value| (*id, value))) {
            Some((id, value)) => {
                self.into.restored.push(id);
                self.into.text.push_str(&value);
            }
            None => {
                self.into.refused.push((*first, Refusal::Erased));
                self.into.text.push_str(written);
            }
        }
    }

    /// Copies text without mentions, noting what is left of placeholders in it.
    fn literal(&mut self, text: &str, numbering: &Numbering) {
        let is_word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let mut at = 0;
        while let Some(skip) = text[at..].find(is_word) {
            let start = at + skip;
            let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |n| start + n);
            at = end;
            // Exact case only: prose has words like `step_1`.
            let word = &text[start..end];
            let (before, behind) = (&text[..start], &text[end..]);
            let alone = !before.ends_with(char::is_alphanumeric)
                && !behind.starts_with(char::is_alphanumeric);
            let bracketed = before.ends_with('<') && behind.starts_with('>')
                || before.ends_with("&lt;") && behind.starts_with("&gt;");
            if bracketed && numbering.labels().contains(word) {
                self.into.unknown.push(format!("<{word}>"));
            } else if alone && word.contains('_') && names_owned(word, numbering) {
                self.into.unknown.push(word.to_owned());
            }
        }
        self.into.text.push_str(text);
    }
}

/// Whether a word without brackets is a placeholder of the thread.
fn names_owned(word: &str, numbering: &Numbering) -> bool {
    let bracketed = format!("<{word}>");
    mentions(&bracketed, numbering.labels()).any(|m| numbering.owner(&m.placeholder).is_some())
}

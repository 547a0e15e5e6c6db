//! Masked text as it is stored, and the way back for one message.
//!
//! A masked value is the token `⟦TYPE:id⟧`; a `⟦` of the source is `⟦=⟧`. So every `⟦` in stored
//! text begins one of the two, nothing a customer types can forge a token, and cutting at tokens
//! needs no look-behind.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::Span;
use super::entity::Entity;
use super::vault::{Surface, VaultId};

const OPEN: &str = "⟦";
const CLOSE: &str = "⟧";
const ESCAPED_OPEN: &str = "⟦=⟧";
/// Longest token in bytes: brackets, a type of 40, a colon, an id of 16.
const MAX_TOKEN: usize = 3 + 40 + 1 + 16 + 3;

/// One masked span of one message, with its own form of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedSpan {
    /// The type.
    pub entity: Entity,
    /// The vault entry that holds the value.
    pub vault_id: VaultId,
    /// Bytes of the text that was masked.
    pub source: Range<usize>,
    /// Bytes of the token in the stored text.
    pub stored: Range<usize>,
    /// What stood at `source`; the vault entry may hold another form of the same value.
    pub surface: Surface,
}

/// What masking one text gives.
#[derive(Debug, Clone)]
pub struct Masked {
    /// The text with tokens.
    pub text: MaskedText,
    /// One per token, in order.
    pub spans: Vec<MaskedSpan>,
}

/// Spans that can't be masked. Masking less than was found would leak, so nothing is masked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Empty, beyond the text or inside a character.
    #[error("the span {start}..{end} does not cut the text at characters")]
    NotInText {
        /// First byte.
        start: usize,
        /// One past the last.
        end: usize,
    },
    /// Two spans share bytes.
    #[error("a span begins at byte {start}, before the one in front of it ends")]
    Overlap {
        /// Where the later span begins.
        start: usize,
    },
}

/// Spans that belong to another text than the one they were used on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token at byte {at} has no span of its own, or the span at that place names another value"
)]
pub struct UnmaskError {
    /// Where in the stored text.
    pub at: usize,
}

/// Text in which personal data is replaced by tokens: the only form in which a message may be
/// chunked, embedded, indexed, prompted with, logged or exported.
///
/// Made by [`MaskedText::apply`], [`remask`](super::remask()) and from other masked text. There is
/// no `From<String>` and no `Deserialize`, on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct MaskedText(String);

/// A part of masked text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'t> {
    /// Text of the source, escapes undone.
    Literal(&'t str),
    /// A masked value.
    Token {
        /// The type's name as written in the token.
        entity: &'t str,
        /// The vault entry.
        id: VaultId,
    },
}

impl MaskedText {
    /// Masks `text` at `spans`, given in any order.
    ///
    /// `mint` gets the type, the normalised value (from `normalise`) and the surface form of each
    /// span in order, and says which vault entry stands for it: equal normalised values of a
    /// thread should get equal ids.
    ///
    /// # Errors
    /// [`SpanError`] if a span is not within the text or two overlap.
    pub fn apply(
        text: &str,
        spans: &[Span],
        normalise: &dyn Fn(&Entity, &str) -> String,
        mint: &mut dyn FnMut(&Entity, &str, &str) -> VaultId,
    ) -> Result<Masked, SpanError> {
        let mut ordered: Vec<&Span> = spans.iter().collect();
        ordered.sort_by_key(|s| s.start);
        let mut out = Builder::default();
        let mut done = 0;
        for span in ordered {
            let Span { start, end, ref entity, .. } = *span;
            if start < done {
                return Err(SpanError::Overlap { start });
            }
            let surface = text
                .get(start..end)
                .filter(|s| !s.is_empty())
                .ok_or(SpanError::NotInText { start, end })?;
            out.literal(&text[done..start]);
            let id = mint(entity, &normalise(entity, surface), surface);
            out.value(entity, id, start..end, surface);
            done = end;
        }
        out.literal(&text[done..]);
        Ok(out.finish())
    }

    /// Takes text as it was stored. For the store only: it must have come out of
    /// [`as_stored`](Self::as_stored), or raw text passes for masked.
    pub fn from_store(stored: String) -> Self {
        Self(stored)
    }

    /// The stored form, tokens and escapes included.
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One text after the other.
    pub fn concat<'t>(parts: impl IntoIterator<Item = &'t MaskedText>) -> Self {
        Self(parts.into_iter().map(Self::as_stored).collect())
    }

    /// Texts with a fixed separator between them.
    pub fn join<'t>(
        parts: impl IntoIterator<Item = &'t MaskedText>,
        separator: &'static str,
    ) -> Self {
        let mut out = Builder::default();
        for (i, part) in parts.into_iter().enumerate() {
            if i > 0 {
                out.literal(separator);
            }
            out.stored.push_str(&part.0);
        }
        Self(out.stored)
    }

    /// The text at bytes `range` of the stored form, or `None` if that is out of bounds or would
    /// cut a token, an escape or a character.
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        let text = self.0.get(range.clone())?;
        let cut = self.splits_token(range.start) || self.splits_token(range.end);
        (!cut).then(|| Self(text.to_owned()))
    }

    /// Whether the character boundary `at` lies inside a token or an escape. Looks at the few bytes
    /// in front of it only, as a long text is cut into many slices.
    fn splits_token(&self, at: usize) -> bool {
        let from =
            (at.saturating_sub(MAX_TOKEN)..=at).find(|&i| self.0.is_char_boundary(i)).unwrap_or(at);
        self.0[from..at].rfind(OPEN).is_some_and(|i| {
            let (len, _) = token(&self.0[from + i..]);
            from + i + len > at
        })
    }

    /// Literal text and tokens in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.located().map(|(_, segment)| segment)
    }

    /// The ids of all tokens in order, repeated as often as they occur.
    pub fn vault_ids(&self) -> impl Iterator<Item = VaultId> + '_ {
        self.segments().filter_map(|s| match s {
            Segment::Token { id, .. } => Some(id),
            Segment::Literal(_) => None,
        })
    }

    /// The text that was masked, byte for byte, from the message's own spans.
    ///
    /// # Errors
    /// [`UnmaskError`] if spans and tokens do not belong together one to one.
    pub fn unmask(&self, spans: &[MaskedSpan]) -> Result<String, UnmaskError> {
        let mut ordered: Vec<&MaskedSpan> = spans.iter().collect();
        ordered.sort_by_key(|s| s.stored.start);
        let mut spans = ordered.into_iter();
        let mut out = String::with_capacity(self.0.len());
        for (range, segment) in self.located() {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Token { id, .. } => match spans.next() {
                    Some(s) if s.stored == range && s.vault_id == id => {
                        out.push_str(s.surface.expose())
                    }
                    _ => return Err(UnmaskError { at: range.start }),
                },
            }
        }
        match spans.next() {
            Some(s) => Err(UnmaskError { at: s.stored.start }),
            None => Ok(out),
        }
    }

    /// Segments with their bytes in the stored form.
    fn located(&self) -> impl Iterator<Item = (Range<usize>, Segment<'_>)> {
        let text = self.0.as_str();
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = text.get(at..).filter(|r| !r.is_empty())?;
            let (len, segment) = match rest.find(OPEN) {
                Some(0) => token(rest),
                Some(next) => (next, Segment::Literal(&rest[..next])),
                None => (rest.len(), Segment::Literal(rest)),
            };
            let range = at..at + len;
            at = range.end;
            Some((range, segment))
        })
    }
}

impl fmt::Display for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The segment at the head of `rest`, which begins with `⟦`, and its length. A bracket that begins
/// neither a token nor an escape can only come from a damaged store; it is literal text.
fn token(rest: &str) -> (usize, Segment<'_>) {
    if rest.starts_with(ESCAPED_OPEN) {
        return (ESCAPED_OPEN.len(), Segment::Literal(&rest[..OPEN.len()]));
    }
    let close = rest.char_indices().take_while(|&(i, _)| i < MAX_TOKEN).find(|&(_, c)| c == '⟧');
    let parsed = close.and_then(|(end, _)| {
        let (entity, id) = rest[OPEN.len()..end].split_once(':')?;
        entity.parse::<Entity>().ok()?;
        let id = id.parse().ok()?;
        Some((end + CLOSE.len(), Segment::Token { entity, id }))
    });
    parsed.unwrap_or((OPEN.len(), Segment::Literal(&rest[..OPEN.len()])))
}

/// Puts stored text together; the one place that writes tokens and escapes.
#[derive(Default)]
pub(super) struct Builder {
    stored: String,
    spans: Vec<MaskedSpan>,
}

impl Builder {
    pub(super) fn literal(&mut self, text: &str) {
        let mut parts = text.split(OPEN);
        self.stored.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.stored.push_str(ESCAPED_OPEN);
            self.stored.push_str(part);
        }
    }

    /// Writes a token for a value that was found at `source`.
    pub(super) fn value(
        &mut self,
        entity: &Entity,
        id: VaultId,
        source: Range<usize>,
        surface: &str,
    ) {
        let stored = self.token(entity, id);
        self.spans.push(MaskedSpan {
            entity: entity.clone(),
            vault_id: id,
            source,
            stored,
            surface: Surface::new(surface),
        });
    }

    /// Writes a token and returns its bytes.
    pub(super) fn token(&mut self, entity: &Entity, id: VaultId) -> Range<usize> {
        let start = self.stored.len();
        self.stored.push_str(&format!("{OPEN}{entity}:{id}{CLOSE}"));
        start..self.stored.len()
    }

    pub(super) fn finish(self) -> Masked {
        Masked { text: MaskedText(self.stored), spans: self.spans }
    }
}

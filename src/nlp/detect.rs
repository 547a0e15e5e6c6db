//! Recognizers and names together: everything that finds personal data in one text.
//!
//! Names need the encoder's token states, so they cost an encoder pass where the recognizers cost
//! microseconds. Whoever wants no names builds a detector without them.

use std::fmt;
use std::sync::Arc;

use crate::domain::masking::{Entity, Span};
use crate::nlp::encoder::Embed;
use crate::nlp::mask::{Finding, Hints, Masker};
use crate::nlp::names::NamesHead;

/// Finds personal data. Made once, shared by all threads.
pub struct Detector {
    masker: Masker,
    names: Option<Names>,
}

struct Names {
    head: NamesHead,
    encoder: Arc<dyn Embed>,
    bias: f32,
}

/// The names head was trained on another encoder's states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the names head reads the states of {head}, not of {encoder}: use that encoder, or set \
     mask.names = false"
)]
pub struct OtherEncoder {
    head: String,
    encoder: String,
}

impl Detector {
    /// Recognizers alone.
    pub fn new(masker: Masker) -> Self {
        Self { masker, names: None }
    }

    /// Recognizers and names. `bias` is the head's recall setting, in nats: the higher, the more is
    /// masked.
    ///
    /// # Errors
    /// [`OtherEncoder`].
    pub fn with_names(
        masker: Masker,
        head: NamesHead,
        encoder: Arc<dyn Embed>,
        bias: f32,
    ) -> Result<Self, OtherEncoder> {
        if !head.reads(encoder.id()) {
            return Err(OtherEncoder {
                head: head.encoder().to_owned(),
                encoder: encoder.id().to_owned(),
            });
        }
        Ok(Self { masker, names: Some(Names { head, encoder, bias }) })
    }

    /// The recognizers.
    pub fn masker(&self) -> &Masker {
        &self.masker
    }

    /// The personal data in `text`, with the reasons: sorted, without overlaps, on character
    /// boundaries. Blocks for an encoder pass if names are looked for.
    pub fn explain(&self, text: &str, hints: &Hints<'_>) -> Vec<Finding> {
        let names = self.names(text, hints);
        if names.is_empty() {
            return self.masker.explain(text, hints);
        }
        let extra = [hints.extra, &names].concat();
        self.masker.explain(text, &Hints { extra: &extra, ..*hints })
    }

    fn names(&self, text: &str, hints: &Hints<'_>) -> Vec<Span> {
        let wanted = |e: &Entity| hints.entities.is_none_or(|only| only.contains(e));
        let Some(names) = self.names.as_ref().filter(|_| Entity::NAMED.iter().any(wanted)) else {
            return Vec::new();
        };
        // Numbers and signs have no names in them, and cost a pass all the same.
        if !text.chars().any(char::is_alphabetic) {
            return Vec::new();
        }
        match names.encoder.read(text) {
            Some(reading) => names.head.find(text, &reading, names.bias),
            None => Vec::new(),
        }
    }
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector")
            .field("masker", &self.masker)
            .field("names", &self.names.as_ref().map(|n| n.bias))
            .finish()
    }
}

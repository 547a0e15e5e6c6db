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
        self.explain_by(text, hints, None)
    }

    /// As [`explain`](Self::explain), with another way to the same encoder: one that has read the
    /// text already, as [`Once`](crate::nlp::once::Once). An encoder that the names head doesn't
    /// understand isn't asked.
    pub fn explain_by(
        &self,
        text: &str,
        hints: &Hints<'_>,
        encoder: Option<&dyn Embed>,
    ) -> Vec<Finding> {
        let names = self.names(text, hints, encoder);
        if names.is_empty() {
            return self.masker.explain(text, hints);
        }
        let extra = [hints.extra, &names].concat();
        self.masker.explain(text, &Hints { extra: &extra, ..*hints })
    }

    fn names(&self, text: &str, hints: &Hints<'_>, encoder: Option<&dyn Embed>) -> Vec<Span> {
        let wanted = |e: &Entity| hints.entities.is_none_or(|only| only.contains(e));
        let Some(names) = self.names.as_ref().filter(|_| Entity::NAMED.iter().any(wanted)) else {
            return Vec::new();
        };
        // Numbers and signs have no names in them, and cost a pass all the same.
        if !text.chars().any(char::is_alphabetic) {
            return Vec::new();
        }
        let own = &*names.encoder;
        match encoder.filter(|e| e.id() == own.id()).unwrap_or(own).read(text) {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::nlp::encoder::{Encoder, Mode};
    use crate::nlp::mask::MaskerConfig;
    use crate::nlp::names::DEFAULT_BIAS;

    fn with_names() -> Detector {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2");
        let encoder = Encoder::load(&folder, Mode::Int8)
            .expect("the model is there after `make test` or `countersign models pull`");
        let config = MaskerConfig::default();
        let masker = Masker::new(config).unwrap();
        Detector::with_names(masker, NamesHead::shipped().unwrap(), Arc::new(encoder), DEFAULT_BIAS)
            .unwrap()
    }

    fn names(by: &Detector, text: &str) -> Vec<String> {
        let found = by.explain(text, &Hints::default()).into_iter();
        found
            .filter(|f| Entity::NAMED.contains(&f.span.entity))
            .map(|f| text[f.span.start..f.span.end].to_owned())
            .collect()
    }

    #[test]
    fn names_are_found_behind_any_white_space() {
        let by = with_names();
        for space in [" ", "\u{a0}", "\u{3000}", "\u{202f}", "\u{2028}"] {
            let text = format!("My name is{space}Anna Smith, thanks");
            assert_eq!(names(&by, &text), ["Anna Smith"], "{space:?}");
        }
    }

    #[test]
    fn any_text_gives_spans_that_fit() {
        let by = with_names();
        let piece = prop_oneof![
            "\\PC{0,6}",
            prop::sample::select(vec![
                "\u{a0}",
                "\u{3000}",
                "\u{202f}",
                "\u{2028}",
                "\u{2029}",
                "\u{85}",
                "\u{1680}",
                "\u{200b}",
                "\u{301}",
                "\u{feff}",
                "\n",
                " ",
                "Anna Smith",
                "Dear",
                "Berlin",
                "passcode: ",
                "my name is",
                "482 913 is your login code",
                "From",
                "I live in",
                "password: ",
                "Acme GmbH",
                "@",
                "12",
                "我叫",
                "é",
                "İ",
            ])
            .prop_map(str::to_owned),
        ];
        let texts = prop::collection::vec(piece, 0..12).prop_map(|v| v.concat());
        // The encoder takes a millisecond and more for each.
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
        runner
            .run(&texts, |text| {
                let mut end = 0;
                for found in by.explain(&text, &Hints::default()) {
                    prop_assert!(end <= found.span.start && found.span.start < found.span.end);
                    prop_assert!(text.get(found.span.start..found.span.end).is_some());
                    end = found.span.end;
                }
                Ok(())
            })
            .unwrap();
    }
}

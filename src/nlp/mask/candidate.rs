//! What a recognizer reports before it is known which of the overlapping finds stand.

use std::borrow::Cow;
use std::ops::Range;

use crate::domain::masking::Entity;

/// A possible span. Offsets are bytes of the folded text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) range: Range<usize>,
    pub(super) entity: Entity,
    /// Confidence with context, 0–1.
    pub(super) score: f32,
    /// Confidence from the match alone.
    pub(super) base: f32,
    pub(super) recognizer: Cow<'static, str>,
    /// The word of the surroundings that raised the score.
    pub(super) context: Option<&'static str>,
    /// The check that the match passed.
    pub(super) validator: Option<&'static str>,
}

/// Whether one of `found`, which are in order, covers the byte `at`.
pub(super) fn is_covered(found: &[Candidate], at: usize) -> bool {
    let earlier = found.partition_point(|c| c.range.start <= at);
    found[..earlier].last().is_some_and(|c| c.range.contains(&at))
}

impl Candidate {
    pub(super) fn new(
        range: Range<usize>,
        entity: Entity,
        base: f32,
        recognizer: &'static str,
    ) -> Self {
        Self {
            range,
            entity,
            score: base,
            base,
            recognizer: Cow::Borrowed(recognizer),
            context: None,
            validator: None,
        }
    }

    /// Notes the check that was passed.
    pub(super) fn checked(mut self, validator: &'static str) -> Self {
        self.validator = Some(validator);
        self
    }

    /// Sets the score that context gives.
    pub(super) fn in_context(mut self, word: Option<&'static str>, score: f32) -> Self {
        self.context = word;
        self.score = score;
        self
    }
}

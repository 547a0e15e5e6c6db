//! What every family of recognizers is to the masker.

use super::candidate::Candidate;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

/// Finds one type of personal data.
///
/// A recognizer matches loosely, then checks what stands around the match and what its digits say,
/// and only then gives a score. It must take time linear in the text, whatever the text is.
pub(super) trait Recognizer: Send + Sync {
    /// The type it reports; it is not asked when that type is not wanted.
    fn entity(&self) -> &Entity;

    /// Whether its type is looked for only when named among `entities`, since replies need it.
    fn only_if_asked(&self) -> bool {
        false
    }

    /// Whether a text with these bytes can hold a match. Decides on the common case, a text
    /// without any, so it must be cheap and must never be wrong when it says no.
    fn may_match(&self, clues: &Clues) -> bool;

    /// Adds what it finds. Finds may overlap each other; offsets are bytes of `source.text()`.
    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>);
}

/// What a recognizer finds in a text of no known language, with the scores: for the tests of each.
#[cfg(test)]
pub(super) fn scored(r: &dyn Recognizer, text: &str) -> Vec<(String, f32)> {
    let mut out = Vec::new();
    r.find(&Source::new(text, None), &mut out);
    out.into_iter().map(|c| (text[c.range].to_owned(), c.score)).collect()
}

/// As [`scored`], without the scores.
#[cfg(test)]
pub(super) fn surfaces(r: &dyn Recognizer, text: &str) -> Vec<String> {
    scored(r, text).into_iter().map(|(surface, _)| surface).collect()
}

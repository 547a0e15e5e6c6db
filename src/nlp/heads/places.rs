//! From bytes of what the encoder read to code points of what the caller gave: the encoder reads the bare
//! subject and the text as one.

use std::ops::Range;

use super::Input;
use crate::domain::triage::{Field, TextSpan};

/// Where subject and text lie in [`Input::encoder_text`].
#[derive(Debug)]
pub struct Places<'a> {
    /// The subject as given, and the bytes before the part of it that is read.
    subject: Option<(&'a str, usize)>,
    text: &'a str,
    /// First byte of the text in what is read.
    start: usize,
}

impl<'a> Places<'a> {
    /// Of a message.
    #[must_use]
    pub fn of(input: &Input<'a>) -> Self {
        let read = input.read_subject();
        let start = read.map_or(0, |read| read.len() + 1);
        let subject = input.subject.zip(read).map(|(subject, read)| {
            let end = subject.trim_end().len();
            (subject, end.saturating_sub(read.len()))
        });
        Self { subject, text: input.text, start }
    }

    /// The text as given.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Bytes of what is read as a span. `None` when they don't lie within one of the texts.
    #[must_use]
    pub fn span(&self, bytes: Range<usize>) -> Option<TextSpan> {
        let (field, whole, range) = if bytes.start >= self.start {
            (Field::Text, self.text, bytes.start - self.start..bytes.end - self.start)
        } else {
            let (subject, before) = self.subject?;
            (Field::Subject, subject, bytes.start + before..bytes.end + before)
        };
        let points = whole.get(range.clone())?.chars().count();
        let start = whole.get(..range.start)?.chars().count();
        Some(TextSpan { field, start, end: start + points })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_code_points_of_the_field_they_lie_in() {
        let input = Input { subject: Some(" Re: Größe 😀 "), ..Input::of("Schön, größer?") };
        let (read, places) = (input.encoder_text(), Places::of(&input));
        assert_eq!(read, "Größe 😀\nSchön, größer?");
        let span = |word: &str, from: usize| {
            let at = read[from..].find(word).unwrap() + from;
            places.span(at..at + word.len()).unwrap()
        };
        let at = |field, start, end| TextSpan { field, start, end };
        assert_eq!(span("Größe", 0), at(Field::Subject, 5, 10));
        assert_eq!(span("größer", read.find('\n').unwrap()), at(Field::Text, 7, 13));
        assert_eq!(places.span(read.find('\n').unwrap() - 4..read.len()), None);
        assert_eq!(Places::of(&Input::of("ab")).span(1..2), Some(at(Field::Text, 1, 2)));
    }
}

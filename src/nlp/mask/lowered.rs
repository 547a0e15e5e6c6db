//! Text in lower case, for automata that compare it without regard to case.

/// Lower-cased text with the way back, as lower-casing can change lengths.
pub(super) struct Lowered {
    text: String,
    /// For each byte of `text`: where its character begins in the source, and where it ends.
    origin: Option<Vec<(usize, usize)>>,
}

impl Lowered {
    pub(super) fn new(source: &str) -> Self {
        if source.is_ascii() {
            return Self { text: source.to_ascii_lowercase(), origin: None };
        }
        let mut text = String::with_capacity(source.len());
        let mut origin = Vec::with_capacity(source.len());
        for (at, c) in source.char_indices() {
            text.extend(c.to_lowercase());
            origin.resize(text.len(), (at, at + c.len_utf8()));
        }
        Self { text, origin: Some(origin) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The characters of the source that a range of the lower-cased text stands for.
    pub(super) fn to_source(
        &self,
        range: std::ops::Range<usize>,
    ) -> Option<std::ops::Range<usize>> {
        match &self.origin {
            None => Some(range),
            Some(origin) => {
                Some(origin.get(range.start)?.0..origin.get(range.end.checked_sub(1)?)?.1)
            }
        }
    }
}

//! Words that tell what stands beside them: greetings, closings, titles, labels of fields, legal
//! forms, streets and so on, in ten languages. The encoder is English; these words are what lets
//! the head read the form of a letter in another language.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The classes, in the order of their bits.
const CLASSES: [&str; Cues::COUNT] = [
    "greeting", "closing", "title", "label", "legal", "street", "unit", "month", "particle",
    "place", "person", "firm", "common",
];

/// The classes that a word is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cues(u16);

impl Cues {
    /// How many classes there are.
    pub(super) const COUNT: usize = 13;
    pub(super) const GREETING: Cues = Cues(1);
    pub(super) const CLOSING: Cues = Cues(1 << 1);
    pub(super) const TITLE: Cues = Cues(1 << 2);
    pub(super) const LABEL: Cues = Cues(1 << 3);

    /// Whether the word is in any of these classes.
    pub(super) fn has(self, classes: Cues) -> bool {
        self.0 & classes.0 != 0
    }

    /// One flag for each class.
    pub(super) fn flags(self) -> [bool; Self::COUNT] {
        std::array::from_fn(|i| self.0 >> i & 1 == 1)
    }

    /// The classes of a word in lower case.
    pub(super) fn of(lower: &str) -> Cues {
        WORDS.get(lower).copied().unwrap_or_default()
    }
}

static WORDS: LazyLock<HashMap<&'static str, Cues>> = LazyLock::new(|| {
    let mut words: HashMap<&'static str, Cues> = HashMap::new();
    for (class, list) in super::generate::sections(include_str!("data/cues.txt")) {
        let Some(bit) = CLASSES.iter().position(|c| *c == class) else { continue };
        for word in list.iter().flat_map(|line| line.split_whitespace()) {
            words.entry(word).or_default().0 |= 1 << bit;
        }
    }
    words
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_the_file_is_known_and_used() {
        let sections = super::super::generate::sections(include_str!("data/cues.txt"));
        let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, CLASSES);
        assert!(Cues::of("grüße").has(Cues::CLOSING) && Cues::of("mrs").has(Cues::TITLE));
        assert_eq!(Cues::of("xyzzy"), Cues::default());
    }
}

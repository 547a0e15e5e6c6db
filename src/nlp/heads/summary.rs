//! One line for a list of messages: the sentence that carries the wish, in its own words. Nothing is made up,
//! and what was masked before stays masked.

use crate::nlp::sentence::asks;

/// Characters of a summary.
pub const MOST: usize = 120;

/// The first thing asked or, where nothing is, the beginning of what is told; cut between words at [`MOST`]
/// characters. `None` of a text that says nothing.
#[must_use]
pub fn summary(text: &str) -> Option<String> {
    match asks::first(text) {
        Some(ask) => Some(cut(&ask)),
        None => {
            let mut lines = text.lines().map(str::trim);
            lines.find(|line| line.chars().any(char::is_alphanumeric)).map(cut)
        }
    }
}

/// White space made one blank each, and an ellipsis where something is left out.
fn cut(line: &str) -> String {
    let mut short = String::new();
    for word in line.split_whitespace() {
        let room = MOST - short.chars().count();
        let blank = usize::from(!short.is_empty());
        if word.chars().count() + blank + 1 > room {
            if short.is_empty() {
                short.extend(word.chars().take(MOST - 1));
            }
            short.push('…');
            return short;
        }
        if blank == 1 {
            short.push(' ');
        }
        short.push_str(word);
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wish_is_found_among_the_rest() {
        let text = "Hello,\n\nI hope you are well. I bought a lamp last week. \
                    Could you tell me how I can return it?\n\nKind regards\nAnna";
        let line = summary(text).unwrap();
        assert!(line.contains("how I can return it"), "{line}");
        assert_eq!(summary("still nothing").as_deref(), Some("still nothing"));
        assert_eq!(summary("  ...\n "), None);
    }

    proptest! {
        #[test]
        fn a_summary_is_short_and_in_the_words_of_the_text(text in "\\PC{0,300}") {
            if let Some(line) = summary(&text) {
                prop_assert!(line.chars().count() <= MOST);
                for word in line.trim_end_matches('…').split_whitespace() {
                    prop_assert!(text.contains(word));
                }
            }
        }
    }
}

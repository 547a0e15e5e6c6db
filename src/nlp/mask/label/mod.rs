//! Words that announce a value: "my password is …", "geboren am …", "nº de pedido: …".
//!
//! One automaton reads a text once for all recognizers that live by such words; a text without any
//! costs that one pass. The words are those of eleven languages. What a label announces is looked
//! for a few words further on, behind a sign or a verb.

mod announced;
mod words;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

pub(super) use self::announced::{Announced, Link, announced, token};

/// What a label announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Password,
    /// Short forms such as `pw`, which are labels only before a sign.
    PasswordShort,
    /// A number of a few digits that is kept secret: PIN, card verification value.
    Pin,
    /// A one-time code.
    Code,
    /// The word "code" with its owner, which may be anything in fewer than four digits.
    CodeOfSomebody,
    /// The word "code" alone: of anything, unless it has the form that one-time codes are sent in.
    CodeAlone,
    /// A key, token or secret of a programming interface.
    Key,
    Birth,
    Username,
    Plate,
    Vehicle,
    Serial,
    Imei,
    Order,
    Customer,
    Tracking,
    Postcode,
    Coordinates,
    Wallet,
    /// The spoken dot of an address.
    Dot,
    /// A place follows: "live in", "komme aus".
    Lives,
    /// Two streets follow.
    Corner,
}

/// A label in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) topic: Topic,
    /// Bytes of the folded text.
    pub(super) range: Range<usize>,
}

struct Automaton {
    automaton: AhoCorasick,
    /// The topic of each pattern.
    topics: Vec<Topic>,
}

static AUTOMATON: LazyLock<Option<Automaton>> = LazyLock::new(|| {
    let patterns = || words::WORDS.iter().flat_map(|(t, words)| words.split('|').map(|w| (*t, w)));
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(patterns().map(|(_, w)| w))
        .ok()?;
    Some(Automaton { automaton, topics: patterns().map(|(t, _)| t).collect() })
});

/// The labels of `text`, in order. Each is a word of its own, or the last one of `db_password`.
pub(super) fn find(text: &str) -> Vec<Label> {
    let Some(automaton) = AUTOMATON.as_ref() else { return Vec::new() };
    let continues = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut labels = Vec::new();
    let mut at = 0;
    while let Some(hit) = automaton.automaton.find(Input::new(text).span(at..text.len())) {
        let (before, behind) = (&text[..hit.start()], &text[hit.end()..]);
        let whole = !continues(before.chars().next_back()) && !continues(behind.chars().next());
        // The "le code" of "Google code" is none, but the "code" in it is. A label is short, so the
        // way back is.
        at = if whole { hit.end() } else { hit.start() + 1 };
        if let Some(&topic) = automaton.topics.get(hit.pattern().as_usize()).filter(|_| whole) {
            labels.push(Label { topic, range: hit.range() });
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<(Topic, Link, String)> {
        let label = find(text).into_iter().next()?;
        let value = announced(text, label.range.end)?;
        Some((label.topic, value.link, text[token(text, &value)].to_owned()))
    }

    #[test]
    fn values_follow_their_labels() {
        for (text, topic, link, expected) in [
            ("my password is hunter2.", Topic::Password, Link::Verb, "hunter2"),
            ("Passwort: hunter2", Topic::Password, Link::Sign, "hunter2"),
            ("\"password\": \"a b c\"", Topic::Password, Link::Sign, "a b c"),
            ("**Password:** x1y2z3, ok", Topic::Password, Link::Sign, "x1y2z3"),
            ("password for the wifi is abc123", Topic::Password, Link::Verb, "abc123"),
            ("mot de passe est « bleu12 »", Topic::Password, Link::Verb, "bleu12"),
            ("Nº de pedido: 12-3", Topic::Order, Link::Sign, "12-3"),
            ("order no. 4711", Topic::Order, Link::Bare, "4711"),
            ("Kundennummer lautet 12345", Topic::Customer, Link::Verb, "12345"),
            ("Tracking number:\nAB123", Topic::Tracking, Link::Sign, "AB123"),
            ("DB_PASSWORD=x9!y", Topic::Password, Link::Sign, "x9!y"),
        ] {
            assert_eq!(value(text), Some((topic, link, expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn labels_are_whole_words() {
        assert_eq!(find("passwordless spinning borderline recorder"), []);
        assert_eq!(find("Kennwort and PIN").len(), 2);
    }
}

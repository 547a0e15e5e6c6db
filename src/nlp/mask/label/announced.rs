//! Where the value begins that a label announces: behind a sign, a verb, a few words of filling.

use std::ops::Range;

use crate::nlp::mask::context::{WordSet, floor};

/// How a value is tied to its label. The later, the closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::nlp::mask) enum Link {
    /// It only follows.
    Bare,
    /// By a verb: "is", "lautet".
    Verb,
    /// By a sign: `:`, `=`, `#`.
    Sign,
}

/// Where a value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nlp::mask) struct Announced {
    pub(in crate::nlp::mask) at: usize,
    pub(in crate::nlp::mask) link: Link,
    /// The quotation mark that closes the value, if one opened it.
    pub(in crate::nlp::mask) closed_by: Option<char>,
    /// Words between label and value that are no filling, as in "password for the wifi is".
    pub(in crate::nlp::mask) words: usize,
}

static VERBS: WordSet = WordSet::new(
    "are be become becomes e er es est foi ist is jest lautet lauten on oli op reads sind sono sont to var war was were zijn \
     är é è są era fue será wird wäre brzmi",
);

static FILLERS: WordSet = WordSet::new(
    "a an code den der die el id il la le my n nbr no nr nro num number numbers nummer numer numero numéro número \
     nº n° the with ending currently now still also now und and",
);

/// Longest way from a label to its value, in bytes.
const MAX_WAY: usize = 64;
const MAX_WORDS: usize = 4;

/// Where the value that the label before `at` announces begins: behind the next sign or verb if
/// one is near, else right there.
pub(in crate::nlp::mask) fn announced(text: &str, at: usize) -> Option<Announced> {
    let limit = floor(text, (at + MAX_WAY).min(text.len()));
    let near = tied(text, at, limit);
    if near.link > Link::Bare {
        return Some(near).filter(|n| n.at < text.len());
    }
    // "password for the wifi is …": over a few words to the verb, not over the end of a clause.
    let mut word_at = near.at;
    for words in 1..=MAX_WORDS {
        let rest = &text[word_at..limit];
        let len: usize = rest
            .chars()
            .take_while(|c| c.is_alphabetic() || matches!(c, '\'' | '-'))
            .map(char::len_utf8)
            .sum();
        if len == 0 {
            break;
        }
        let next = tied(text, word_at + len, limit);
        if next.link > Link::Bare {
            return Some(Announced { words, ..next }).filter(|n| n.at < text.len());
        }
        if next.at == word_at + len {
            break;
        }
        word_at = next.at;
    }
    Some(near).filter(|n| n.at < text.len())
}

/// Skips signs, verbs and filling words from `at` on.
fn tied(text: &str, at: usize, limit: usize) -> Announced {
    let mut found = Announced { at, link: Link::Bare, closed_by: None, words: 0 };
    let mut breaks = 0;
    while found.at < limit {
        let rest = &text[found.at..limit];
        let Some(c) = rest.chars().next() else { break };
        match c {
            ' ' | '\t' | '*' | '`' | '>' | '\\' if c != '>' || found.link == Link::Sign => {}
            '\n' | '\r' if found.link == Link::Sign && breaks < 2 => breaks += 1,
            ':' | '=' | '#' | '→' if found.closed_by != Some('(') => {
                found.link = Link::Sign;
                found.closed_by = None;
            }
            '-' if rest.starts_with("->") || rest.starts_with("- ") => found.link = Link::Sign,
            '"' | '\'' | '“' | '„' | '«' | '‘' | '‹' | '”' => {
                found.closed_by = Some(closing(c))
            }
            '(' | '[' | '<' => {}
            '.' if rest[1..].starts_with([' ', ':']) && at == found.at => {}
            ')' | ']' if found.link == Link::Bare => {}
            _ => {
                let len = word_len(rest);
                let word = rest[..len].to_lowercase();
                let word = word.trim_end_matches('.');
                let whole =
                    rest[len..].starts_with([' ', ':', '=', '#', '\t', '"', '\'', '\n', '“', '„']);
                if len == 0 || !whole || found.closed_by.is_some() {
                    break;
                }
                if VERBS.contains(word) {
                    found.link = found.link.max(Link::Verb);
                } else if !FILLERS.contains(word) {
                    break;
                }
                found.at += len;
                continue;
            }
        }
        found.at += c.len_utf8();
    }
    found
}

/// Bytes of the word at the head of `rest`, with the full stop or degree sign of `no.` and `n°`.
fn word_len(rest: &str) -> usize {
    let letters: usize = rest.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    let sign =
        rest[letters..].chars().next().filter(|c| letters > 0 && matches!(c, '.' | '°' | 'º'));
    let sign = sign.filter(|_| letters <= 4);
    letters + sign.map_or(0, char::len_utf8)
}

fn closing(open: char) -> char {
    match open {
        '“' | '„' | '”' => '”',
        '«' => '»',
        '‘' => '’',
        '‹' => '›',
        c => c,
    }
}

/// The word without spaces that begins at `value.at`: up to its closing quotation mark if it has
/// one, else without the sentence's punctuation behind it.
pub(in crate::nlp::mask) fn token(text: &str, value: &Announced) -> Range<usize> {
    const MAX_TOKEN: usize = 512;
    const MAX_QUOTED: usize = 128;
    let to = floor(text, (value.at + MAX_TOKEN).min(text.len()));
    let rest = &text[value.at..to];
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    if let Some(close) = value.closed_by {
        let near = &line[..floor(line, MAX_QUOTED + 1)];
        if let Some(len) = near.find(|c| c == close || close == '”' && matches!(c, '“' | '"')) {
            let quoted = &line[..len];
            let start = value.at + len - quoted.trim_start().len();
            return start..value.at + quoted.trim_end().len().max(start - value.at);
        }
    }
    let len = line
        .find(|c: char| {
            c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"' | '“' | '”' | '`' | '|')
        })
        .unwrap_or(line.len());
    let word =
        line[..len].trim_end_matches(['.', ',', ';', ':', ')', ']', '\'', '’', '*', '?', '»']);
    value.at..value.at + word.len()
}

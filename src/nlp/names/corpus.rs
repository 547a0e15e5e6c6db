//! Labelled texts, and the public corpora to learn from: WNUT17 and the Broad Twitter Corpus, both
//! CC BY 4.0, as JSON Lines of `text` and `spans` (code points).

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Kind;
use super::generate::random::Random;

/// A name in a text: bytes, half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it names.
    pub kind: Kind,
}

/// A text and its names, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub text: String,
    /// Its names.
    pub names: Vec<Marked>,
}

impl Example {
    /// Appends a piece of text, which may be a name.
    pub(super) fn push(&mut self, piece: &str, kind: Option<Kind>) {
        let start = self.text.len();
        self.text.push_str(piece);
        if let Some(kind) = kind {
            let lead = piece.len() - piece.trim_start().len();
            let (start, end) = (start + lead, start + piece.trim_end().len());
            if start < end {
                self.names.push(Marked { start, end, kind });
            }
        }
    }

    /// Replaces stretches of the text, given in order and without overlaps; names move along, and
    /// one that is left empty goes.
    pub(super) fn replace(&mut self, edits: Vec<(Range<usize>, String)>) {
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        // Old offset from which on the new offset is this much.
        let mut shifts = vec![(0usize, 0isize)];
        for (range, with) in edits {
            text.push_str(&self.text[at..range.start]);
            text.push_str(&with);
            at = range.end;
            shifts.push((range.end, text.len() as isize - range.end as isize));
        }
        text.push_str(&self.text[at..]);
        let moved = |old: usize| {
            let i = shifts.partition_point(|(from, _)| *from <= old).saturating_sub(1);
            (old as isize + shifts[i].1).max(0) as usize
        };
        for name in &mut self.names {
            (name.start, name.end) = (moved(name.start), moved(name.end));
        }
        self.names.retain(|n| n.start < n.end);
        self.text = text;
    }
}

/// A corpus that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// No such file, or not readable.
    #[error("{}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line that isn't what it should be.
    #[error("{}, line {line}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    spans: Vec<RowSpan>,
}

#[derive(Deserialize)]
struct RowSpan {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    label: String,
}

/// The files of the two corpora that the head is trained on, below the data folder.
pub const TRAINING_FILES: [&str; 6] = [
    "ner/wnut17.train.jsonl",
    "ner/btc_a.train.jsonl",
    "ner/btc_b.train.jsonl",
    "ner/btc_e.train.jsonl",
    "ner/btc_g.train.jsonl",
    "ner/btc_h.train.jsonl",
];

/// Reads a file of labelled texts. Labels that are no names, such as products, are left out; so are
/// handles, which corpora label both ways.
///
/// # Errors
/// [`CorpusError`] names the file and the line.
pub fn read(path: &Path) -> Result<Vec<Example>, CorpusError> {
    let file = std::fs::read_to_string(path)
        .map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
    let mut examples = Vec::new();
    for (i, line) in file.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let row: Row = serde_json::from_str(line).map_err(|source| CorpusError::Line {
            path: path.to_owned(),
            line: i + 1,
            source,
        })?;
        examples.push(example(row));
    }
    Ok(examples)
}

fn kind(label: &str) -> Option<Kind> {
    match label {
        "person" | "PER" | "PERSON" => Some(Kind::Person),
        "location" | "LOC" | "LOCATION" | "GPE" | "STREET_ADDRESS" | "ZIP_CODE" => {
            Some(Kind::Location)
        }
        "corporation" | "group" | "ORG" | "ORGANIZATION" => Some(Kind::Organization),
        _ => None,
    }
}

fn example(row: Row) -> Example {
    let mut bytes: Vec<usize> = row.text.char_indices().map(|(i, _)| i).collect();
    bytes.push(row.text.len());
    let at = |point: usize| bytes.get(point).copied().unwrap_or(row.text.len());
    let mut names: Vec<Marked> = row
        .spans
        .iter()
        .filter_map(|s| {
            kind(&s.label).map(|kind| Marked { start: at(s.start), end: at(s.end), kind })
        })
        .filter(|n| {
            let before = row.text[..n.start].trim_end();
            n.start < n.end && !before.ends_with('@') && !row.text[n.start..].starts_with('@')
        })
        .collect();
    names.sort_by_key(|n| (n.start, n.end));
    names.dedup_by(|b, a| b.start < a.end);
    Example { text: row.text, names }
}

/// Puts tokenised text together as people write it: no blank before `,` or after `@`. The corpora
/// have a blank around every mark, and messages haven't.
pub(super) fn join_tokens(example: &mut Example, r: &mut Random) {
    let text = &example.text;
    let blank = |at: usize| {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let rest = &text[at + 1..];
        let after = rest.chars().next().unwrap_or(' ');
        let alone = rest.chars().nth(1).is_none_or(char::is_whitespace);
        let closes = matches!(after, ',' | '.' | '!' | '?' | ':' | ';' | ')' | '\'' | '’' | '%');
        let opens = matches!(before, '@' | '#' | '(' | '$' | '“');
        let joins = matches!(before, '\'' | '’') && after == 's';
        opens || joins || closes && (alone || matches!(after, '\'' | '’' | '.'))
    };
    let blanks = text.match_indices(' ').map(|(at, _)| at);
    let edits: Vec<_> = blanks
        .filter(|at| blank(*at) && r.chance(0.95))
        .map(|at| (at..at + 1, String::new()))
        .collect();
    example.replace(edits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_become_bytes_and_handles_are_no_names() -> Result<(), serde_json::Error> {
        let row = r#"{"text": "é @ anna Anna , x", "spans": [
            {"start": 4, "end": 8, "type": "PER"}, {"start": 9, "end": 13, "type": "person"},
            {"start": 16, "end": 17, "type": "product"}]}"#;
        let mut e = example(serde_json::from_str(row)?);
        assert_eq!(e.names, [Marked { start: 10, end: 14, kind: Kind::Person }]);
        join_tokens(&mut e, &mut Random::new(1));
        assert_eq!(e.text, "é @anna Anna, x");
        assert_eq!(&e.text[e.names[0].start..e.names[0].end], "Anna");
        Ok(())
    }
}

//! From each word's log-odds to spans: the best sequence of labels in which no name begins in its
//! middle.

use super::words::Word;
use super::{Kind, Logits, network::CLASSES};

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// No name.
    Outside,
    /// The first word of a name.
    Begins(Kind),
    /// A later one.
    Continues(Kind),
}

impl Label {
    /// All labels, in the order of the network's outputs.
    pub(super) const ALL: [Label; CLASSES] = [
        Label::Outside,
        Label::Begins(Kind::Person),
        Label::Continues(Kind::Person),
        Label::Begins(Kind::Location),
        Label::Continues(Kind::Location),
        Label::Begins(Kind::Organization),
        Label::Continues(Kind::Organization),
    ];

    /// Its place in [`ALL`](Self::ALL).
    pub(super) fn index(self) -> usize {
        Self::ALL.iter().position(|l| *l == self).unwrap_or(0)
    }

    fn may_follow(self, before: Option<Label>) -> bool {
        match self {
            Label::Continues(kind) => matches!(
                before,
                Some(Label::Begins(k) | Label::Continues(k)) if k == kind
            ),
            _ => true,
        }
    }
}

/// A run of words that is one name, with how sure each verdict was.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// First word.
    pub first: usize,
    /// One past the last word.
    pub last: usize,
    pub kind: Kind,
    /// Mean over the words of the probability of any name label, 0–1.
    pub score: f32,
}

/// The sequence of labels with the highest sum of log-probabilities among those allowed.
pub(super) fn viterbi(logits: &[Logits]) -> Vec<Label> {
    let mut allowed = [[false; CLASSES]; CLASSES];
    for (to, label) in Label::ALL.iter().enumerate() {
        for (from, before) in Label::ALL.iter().enumerate() {
            allowed[to][from] = label.may_follow(Some(*before));
        }
    }
    let Some(first) = logits.first() else { return Vec::new() };
    let mut best = log_softmax(first);
    for (to, label) in Label::ALL.iter().enumerate() {
        if !label.may_follow(None) {
            best[to] = f32::NEG_INFINITY;
        }
    }
    let mut back: Vec<[u8; CLASSES]> = Vec::with_capacity(logits.len());
    for row in &logits[1..] {
        let own = log_softmax(row);
        let (mut next, mut from_where) = ([f32::NEG_INFINITY; CLASSES], [0u8; CLASSES]);
        for to in 0..CLASSES {
            for from in 0..CLASSES {
                if allowed[to][from] && best[from] > next[to] {
                    (next[to], from_where[to]) = (best[from], from as u8);
                }
            }
            next[to] += own[to];
        }
        best = next;
        back.push(from_where);
    }
    let mut at = (0..CLASSES).fold(0, |top, i| if best[i] > best[top] { i } else { top });
    let mut labels = vec![Label::ALL[at]];
    for from_where in back.iter().rev() {
        at = usize::from(from_where[at]);
        labels.push(Label::ALL[at]);
    }
    labels.reverse();
    labels
}

/// The names among the words.
pub(super) fn parts(words: &[Word], logits: &[Logits], labels: &[Label]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, label) in labels.iter().enumerate().take(words.len()) {
        let named = 1.0 - log_softmax(&logits[i])[0].exp();
        match (*label, parts.last_mut()) {
            (Label::Outside, _) => {}
            (Label::Continues(_), Some(part)) => {
                let n = (part.last - part.first) as f32;
                part.score = (part.score * n + named) / (n + 1.0);
                part.last = i + 1;
            }
            (Label::Begins(kind) | Label::Continues(kind), _) => {
                parts.push(Part { first: i, last: i + 1, kind, score: named });
            }
        }
    }
    parts
}

/// Log-probabilities.
pub(super) fn log_softmax(row: &Logits) -> Logits {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = row.iter().map(|x| (x - top).exp()).sum();
    let norm = top + sum.ln();
    row.map(|x| x - norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: Label, strength: f32) -> Logits {
        let mut row = [0.0; CLASSES];
        row[label.index()] = strength;
        row
    }

    #[test]
    fn a_name_never_begins_in_its_middle() {
        use Label::{Begins, Continues, Outside};
        let (person, place) = (Kind::Person, Kind::Location);
        let logits = [
            row(Continues(person), 5.0),
            row(Continues(person), 5.0),
            row(Outside, 5.0),
            row(Begins(place), 5.0),
            row(Continues(person), 1.0),
        ];
        let labels = viterbi(&logits);
        assert_eq!(labels[..4], [Begins(person), Continues(person), Outside, Begins(place)]);
        assert_ne!(labels[4], Continues(person));
        assert!(viterbi(&[]).is_empty());
    }
}

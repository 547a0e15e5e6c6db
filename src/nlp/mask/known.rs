//! Names and addresses that are known beforehand: those of the thread's participants, as their
//! mail headers or profiles give them.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::candidate::Candidate;
use super::context::WordSet;
use super::lowered::Lowered;
use super::source::Source;
use crate::domain::masking::{Entity, Span};

/// Shortest name that is looked for; shorter ones are words of some language.
const MIN_LETTERS: usize = 3;

/// Words in display names that are not a person's, and given names that are everyday words even
/// with a capital at the start of a sentence.
static COMMON: WordSet = WordSet::new(
    "admin april art august bill billing bot care chat company contact customer drew faith frank \
    gmbh grace grant help helpdesk hope inc info joy june llc ltd mail mark may miles news noreply \
    notifications office pat reply rich rob rose sales service services shop store sue support \
    system team the victor will",
);

/// One thing to look for.
struct Needle {
    entity: Entity,
    /// Part of a name: only with its capital, as `Baker` is also a baker.
    cased: bool,
}

const SCORE: f32 = 0.95;
const NAME: &str = "known";

/// Display names and addresses to look for, prepared once for many texts. Its Debug form counts
/// them instead of showing them.
#[derive(Default)]
pub struct Known {
    needles: Vec<Needle>,
    /// None when there is nothing to look for.
    automaton: Option<AhoCorasick>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("needles", &self.needles.len()).finish()
    }
}

impl Known {
    /// Looks for these, wherever they stand as whole words, in any case; of a name with several
    /// words also each word that is long enough and no everyday word, as written or in capitals.
    pub fn new(known: &[&str]) -> Self {
        let (patterns, needles) = needles(known);
        if patterns.is_empty() {
            return Self::default();
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
        // Too many participants for an automaton do not exist; without one nothing is found.
        Self { needles, automaton: built.ok() }
    }

    /// Where they stand in `text`, as spans that [`Hints::extra`](super::Hints) takes.
    pub fn find(&self, text: &str) -> Vec<Span> {
        if self.automaton.is_none() {
            return Vec::new();
        }
        let source = Source::new(text, None);
        let mut found = Vec::new();
        self.find_in(&source, &mut found);
        let span = |c: Candidate| {
            let Range { start, end } = source.to_original(c.range);
            Span { start, end, entity: c.entity, score: c.score, recognizer: c.recognizer }
        };
        found.into_iter().map(span).collect()
    }

    pub(super) fn find_in(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let Some(automaton) = &self.automaton else { return };
        let (text, lower) = (source.text(), Lowered::new(source.text()));
        for hit in automaton.find_iter(lower.text()) {
            let Some(range) = lower.to_source(hit.range()) else { continue };
            let needle = &self.needles[hit.pattern().as_usize()];
            let written = &text[range.clone()];
            let cased = !needle.cased || written.starts_with(char::is_uppercase);
            if cased && source.stands_alone(&range) {
                out.push(Candidate::new(range, needle.entity.clone(), SCORE, NAME));
            }
        }
    }
}

fn needles(known: &[&str]) -> (Vec<String>, Vec<Needle>) {
    let mut seen = HashSet::new();
    let mut patterns = Vec::new();
    let mut needles = Vec::new();
    let mut add = |text: &str, entity: Entity, cased: bool| {
        let pattern = text.to_lowercase();
        if seen.insert(pattern.clone()) {
            patterns.push(pattern);
            needles.push(Needle { entity, cased });
        }
    };
    for name in known {
        let name = name.trim().trim_matches(['"', '\'']);
        if let Some((local, _)) = name.split_once('@') {
            if !local.is_empty() && !name.contains(char::is_whitespace) {
                add(name, Entity::EMAIL_ADDRESS, false);
            }
            continue;
        }
        let words: Vec<&str> =
            name.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()).collect();
        let common = |w: &str| COMMON.contains(&w.to_lowercase());
        let is_name = |w: &&&str| {
            w.chars().filter(|c| c.is_alphabetic()).count() >= MIN_LETTERS
                && !common(w)
                && w.chars().all(in_names)
        };
        if words.is_empty() || words.iter().filter(is_name).count() == 0 {
            continue;
        }
        // "Acme Support" is nobody; neither it nor "Acme" is masked as a person.
        if words.iter().any(|w| is_role(&w.to_lowercase())) {
            continue;
        }
        if words.len() > 1 {
            add(name, Entity::PERSON, false);
        }
        for word in words.iter().filter(is_name) {
            add(word, Entity::PERSON, true);
        }
        // "Smith, Anna" signs as "Anna Smith".
        if let Some((last, first)) = name.split_once(',') {
            add(&format!("{} {}", first.trim(), last.trim()), Entity::PERSON, false);
        }
    }
    (patterns, needles)
}

fn in_names(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.' | '\u{300}'..='\u{36F}')
}

fn is_role(word: &str) -> bool {
    static ROLES: WordSet = WordSet::new(
        "admin billing bot care company customer gmbh helpdesk inc info llc ltd noreply \
        notifications sales service services shop store support system team",
    );
    ROLES.contains(word.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, known: &[&str]) -> Vec<String> {
        let source = Source::new(text, None);
        let mut out = Vec::new();
        Known::new(known).find_in(&source, &mut out);
        out.into_iter().map(|c| text[c.range].to_owned()).collect()
    }

    #[test]
    fn whole_words_in_any_case() {
        let known = ["Anna Smith", "ANNA@example.com"];
        assert_eq!(
            found(
                "anna smith, Anna or SMITH; annals of Smithers, anna@EXAMPLE.com, a smith",
                &known
            ),
            ["anna smith", "Anna", "SMITH", "anna@EXAMPLE.com"]
        );
        assert_eq!(found("ÉLODIE İpek élodie", &["Élodie Dupont"]), ["ÉLODIE"]);
        assert_eq!(found("yours, Anna Smith", &["Smith, Anna"]), ["Anna Smith"]);
    }

    #[test]
    fn roles_and_everyday_words_are_not_names() {
        assert!(
            found("Acme support: the Team will", &["Acme Support", "Team", "The", ""]).is_empty()
        );
        assert_eq!(
            found("Will Baker will come. Will he? Baker", &["Will Baker"]),
            ["Will Baker", "Baker"]
        );
        assert!(found("Jo is here", &["Jo"]).is_empty());
    }
}

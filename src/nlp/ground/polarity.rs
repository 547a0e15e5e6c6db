//! Whether a sentence says the opposite of its evidence in nearly the same words: a "not" more or less, or a word that
//! is swapped for its opposite.

use std::collections::HashSet;

use crate::nlp::lexical::terms;

/// Words that turn a sentence round, as terms; en, de, es, fr, it, pt, nl.
const NEGATIONS: &[&str] = &[
    "not", "no", "never", "none", "cannot", "without", "neither", "nor", "nothing", "don", "doesn",
    "didn", "isn", "aren", "wasn", "weren", "won", "wouldn", "shouldn", "couldn", "can t", "hasn",
    "haven", "hadn", "unable", "refuses", "declined", "nicht", "kein", "keine", "keinen", "keinem",
    "keiner", "nie", "niemals", "ohne", "weder", "no", "nunca", "ningun", "ninguna", "sin",
    "tampoco", "ne", "pas", "jamais", "aucun", "aucune", "sans", "non", "mai", "nessun", "nessuna",
    "senza", "nao", "nenhum", "nenhuma", "sem", "niet", "geen", "nooit", "zonder",
];

/// Pairs of opposites, as terms; en and de. Both directions count.
const OPPOSITES: &[(&str, &str)] = &[
    ("increase", "decrease"),
    ("increased", "decreased"),
    ("more", "less"),
    ("higher", "lower"),
    ("high", "low"),
    ("cheap", "expensive"),
    ("free", "paid"),
    ("include", "exclude"),
    ("includes", "excludes"),
    ("included", "excluded"),
    ("before", "after"),
    ("open", "closed"),
    ("opens", "closes"),
    ("accept", "reject"),
    ("accepted", "rejected"),
    ("accept", "refuse"),
    ("agreed", "refused"),
    ("agreed", "declined"),
    ("accepts", "declines"),
    ("allow", "forbid"),
    ("allowed", "forbidden"),
    ("always", "never"),
    ("possible", "impossible"),
    ("first", "last"),
    ("buy", "sell"),
    ("bought", "sold"),
    ("best", "worst"),
    ("better", "worse"),
    ("large", "small"),
    ("larger", "smaller"),
    ("big", "small"),
    ("wide", "narrow"),
    ("wide", "limited"),
    ("long", "short"),
    ("longer", "shorter"),
    ("early", "late"),
    ("earlier", "later"),
    ("minimum", "maximum"),
    ("least", "most"),
    ("available", "unavailable"),
    ("new", "old"),
    ("satisfied", "dissatisfied"),
    ("happy", "unhappy"),
    ("interested", "uninterested"),
    ("positive", "negative"),
    ("specific", "general"),
    ("monthly", "yearly"),
    ("month", "year"),
    ("week", "month"),
    ("day", "week"),
    ("daily", "weekly"),
    ("today", "tomorrow"),
    ("start", "end"),
    ("begin", "end"),
    ("beginning", "end"),
    ("push", "pull"),
    ("inside", "outside"),
    ("indoors", "outdoors"),
    ("with", "without"),
    ("required", "optional"),
    ("must", "may"),
    ("public", "private"),
    ("same", "different"),
    ("easy", "difficult"),
    ("simple", "complex"),
    ("fast", "slow"),
    ("faster", "slower"),
    ("success", "failure"),
    ("win", "lose"),
    ("won", "lost"),
    ("strong", "weak"),
    ("full", "empty"),
    ("buyer", "seller"),
    ("customer", "agent"),
    ("male", "female"),
    ("north", "south"),
    ("east", "west"),
    ("left", "right"),
    ("up", "down"),
    ("kostenlos", "kostenpflichtig"),
    ("vor", "nach"),
    ("mehr", "weniger"),
    ("offen", "geschlossen"),
    ("geoffnet", "geschlossen"),
    ("immer", "nie"),
    ("moglich", "unmoglich"),
    ("mindestens", "hochstens"),
    ("neu", "alt"),
];

/// What a text says of yes and no.
#[derive(Debug, Clone)]
pub struct Polarity {
    words: HashSet<String>,
    negated: bool,
}

impl Polarity {
    /// Reads a text.
    pub fn read(text: &str) -> Self {
        // "Can't" folds to "can"; the apostrophe has to be looked for before.
        let lower = text.to_lowercase().replace('’', "'");
        let contracted = lower.contains("n't ")
            || lower.contains("n't.")
            || lower.contains("n't,")
            || lower.ends_with("n't");
        let words: HashSet<String> = terms(text).into_iter().collect();
        let negated = contracted || NEGATIONS.iter().any(|n| words.contains(*n));
        Self { words, negated }
    }

    /// Whether exactly one of the two is negated.
    pub fn differs(&self, evidence: &Self) -> bool {
        self.negated != evidence.negated
    }

    /// How many words of this text are absent from the evidence while their opposite is there and not here.
    pub fn opposites(&self, evidence: &Self) -> usize {
        let swapped = |mine: &str, theirs: &str| {
            self.words.contains(mine)
                && !self.words.contains(theirs)
                && evidence.words.contains(theirs)
                && !evidence.words.contains(mine)
        };
        OPPOSITES.iter().filter(|(a, b)| swapped(a, b) || swapped(b, a)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negation_and_opposites_are_seen() {
        let evidence = Polarity::read("Returns are free and can be made before May.");
        assert!(Polarity::read("Returns aren't free.").differs(&evidence));
        assert!(Polarity::read("Retouren sind nicht kostenlos").differs(&evidence));
        assert!(!Polarity::read("Returns are free.").differs(&evidence));
        assert_eq!(Polarity::read("It can be made after May.").opposites(&evidence), 1);
        assert_eq!(Polarity::read("It can be made before May.").opposites(&evidence), 0);
    }
}

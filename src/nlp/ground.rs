//! Checks a reply against its evidence, sentence by sentence.
//!
//! Two questions are kept apart. Is every number, amount, date, link and name of the sentence in the passages? That has
//! a yes or no. And is what it says in them at all? That is judged by the words and the meaning it shares with the best
//! few sentences of the evidence, as a probability. A sentence close to its evidence that differs in a figure or a "not"
//! is called contradicted, which is worse than unsupported: somebody would believe it.

mod courtesy;
mod evidence;
mod polarity;
mod specifics;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::draft::{Passage, Sentence, SentenceRole};
use crate::nlp::encoder::Embed;
pub use courtesy::{reads_as_courtesy, regrets_what_was_told};
use evidence::Evidence;
pub use evidence::Features;

/// What the evidence says of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The evidence says it.
    Supported,
    /// The evidence comes near, without saying it outright.
    Inferred,
    /// The evidence does not say it.
    Unsupported,
    /// The evidence says something else.
    Contradicted,
}

/// A sentence to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The sentence.
    pub text: &'a str,
    /// Numbers of the passages that it cites, from 1; only these count. None: all passages are searched.
    pub citations: Option<&'a [usize]>,
    /// It only greets, thanks, regrets or closes.
    pub courtesy: bool,
}

/// What the check found for one sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// In a word.
    pub verdict: Verdict,
    /// Probability that the evidence supports the sentence, 0–1.
    pub score: f32,
    /// The passage that comes nearest, from 1.
    pub passage: Option<usize>,
    /// The bytes of that passage's text that come nearest.
    pub span: Option<Range<usize>>,
    /// Figures, links and names of the sentence that the evidence lacks, as written.
    pub missing: Vec<String>,
}

/// What the check found for a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Grounding {
    /// Probability that the whole reply is supported, 0–1.
    pub score: f32,
    /// Whether it is taken to be supported.
    pub supported: bool,
    /// One for each sentence, in order.
    pub sentences: Vec<Judgement>,
}

/// From this probability a sentence counts as supported, and from the second as inferred.
const SUPPORTED: f32 = 0.6;
const INFERRED: f32 = 0.4;
/// Highest score of a sentence that the evidence contradicts.
const CONTRADICTED: f32 = 0.2;
/// Share of a sentence's words that must be in the nearest evidence for another figure or an opposite to count as a
/// contradiction, and for a "not" more or less, which proves less.
const CLOSE: f32 = 0.6;
const CLOSE_NEGATION: f32 = 0.85;

/// Checks a draft's sentences against the passages that it was written from.
#[must_use]
pub fn check(embed: &dyn Embed, sentences: &[Sentence], passages: &[Passage]) -> Grounding {
    let texts: Vec<(&str, &str)> =
        passages.iter().map(|p| (p.title.as_str(), p.text.as_str())).collect();
    check_claims(embed, &claims(sentences), &texts)
}

fn claims(sentences: &[Sentence]) -> Vec<Claim<'_>> {
    sentences
        .iter()
        .map(|s| Claim {
            text: &s.text,
            citations: Some(&s.citations),
            courtesy: s.role == SentenceRole::Courtesy,
        })
        .collect()
}

/// Checks claims against passages, given as title (may be empty) and text.
#[must_use]
pub fn check_claims(
    embed: &dyn Embed,
    claims: &[Claim<'_>],
    passages: &[(&str, &str)],
) -> Grounding {
    let evidence = Evidence::read(embed, passages);
    let sentences: Vec<Judgement> = evidence
        .features(embed, claims)
        .into_iter()
        .zip(claims)
        .map(|(f, claim)| judge(f, claim, &evidence))
        .collect();
    let says_something =
        |(j, c): &(&Judgement, &Claim<'_>)| !c.courtesy || j.verdict != Verdict::Supported;
    let checked = || sentences.iter().zip(claims).filter(says_something).map(|(j, _)| j);
    let supported = checked().all(|j| matches!(j.verdict, Verdict::Supported | Verdict::Inferred));
    // One bad sentence spoils a reply, so it is as good as its weakest.
    let score = checked().map(|j| j.score).fold(1.0, f32::min);
    Grounding { score, supported, sentences }
}

/// The numbers behind the judgements, one for each claim: for fitting and for explaining them.
#[must_use]
pub fn features(
    embed: &dyn Embed,
    claims: &[Claim<'_>],
    passages: &[(&str, &str)],
) -> Vec<Option<Features>> {
    Evidence::read(embed, passages).features(embed, claims)
}

fn judge(features: Option<Features>, claim: &Claim<'_>, evidence: &Evidence<'_>) -> Judgement {
    let bare = |verdict, score| Judgement {
        verdict,
        score,
        passage: None,
        span: None,
        missing: Vec::new(),
    };
    if claim.courtesy {
        // A greeting that carries a figure or a link is no greeting.
        let plain = !specifics::specifics(claim.text).iter().any(specifics::Specific::is_hard);
        return if plain { bare(Verdict::Supported, 1.0) } else { bare(Verdict::Unsupported, 0.0) };
    }
    let Some(f) = features else { return bare(Verdict::Unsupported, 0.0) };
    let place = f.best.and_then(|b| evidence.place(b));
    let score = if f.verbatim { 1.0 } else { f.probability() };
    let verdict = verdict(&f, score, claim.text);
    Judgement {
        verdict,
        score: if verdict == Verdict::Contradicted { score.min(CONTRADICTED) } else { score },
        passage: place.as_ref().map(|p| p.0),
        span: place.map(|p| p.1),
        missing: f.missing,
    }
}

fn verdict(f: &Features, score: f32, text: &str) -> Verdict {
    let close = f.words_near >= CLOSE;
    let turned = f.negation && f.words_near >= CLOSE_NEGATION;
    if f.verbatim {
        Verdict::Supported
    } else if close && (f.rivals > 0 || f.opposites > 0 || turned) {
        Verdict::Contradicted
    } else if regrets_what_was_told(text) {
        Verdict::Inferred
    } else if f.missing_hard > 0 || score < INFERRED {
        Verdict::Unsupported
    } else if score < SUPPORTED {
        Verdict::Inferred
    } else {
        Verdict::Supported
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::encoder::Encoding;
    use crate::nlp::lexical::keywords;

    /// Texts are alike as far as they share keywords.
    struct Words;

    impl Embed for Words {
        fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
            let vector = |text: &&str| {
                let mut v = vec![0.0f32; 128];
                for word in keywords(text) {
                    v[word.bytes().fold(3usize, |h, b| (h * 31 + usize::from(b)) % 127)] += 1.0;
                }
                let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
                v.iter_mut().for_each(|x| *x /= norm);
                Encoding { embedding: v, layer4: Vec::new(), tokens: 1 }
            };
            texts.iter().map(vector).collect()
        }
        fn id(&self) -> &str {
            "words"
        }
        fn dims(&self) -> usize {
            128
        }
    }

    const RETURNS: &str = "You can return any unused item within 30 days of delivery. Register the return at \
                           https://help.shop.example/r. Returns from Germany are free of charge.";
    const SHIPPING: &str = "Standard shipping takes 3 to 5 working days and costs €4.90.";

    fn judged(text: &str, citations: Option<&[usize]>) -> Judgement {
        let claim = Claim { text, citations, courtesy: false };
        check_claims(&Words, &[claim], &[("Returns", RETURNS), ("Shipping", SHIPPING)])
            .sentences
            .remove(0)
    }

    fn verdict_of(text: &str) -> Verdict {
        judged(text, None).verdict
    }

    #[test]
    fn what_the_evidence_says_is_supported_and_pointed_at() {
        let j = judged("Returns from Germany are free of charge.", Some(&[1]));
        assert_eq!((j.verdict, j.score, j.passage), (Verdict::Supported, 1.0, Some(1)));
        assert_eq!(j.span.map(|s| &RETURNS[s]), Some("Returns from Germany are free of charge."));
        assert_eq!(
            verdict_of("Any unused item can be returned within thirty days of its delivery."),
            Verdict::Supported
        );
        assert_eq!(
            verdict_of("Shipping costs 4,90 € and takes 3–5 working days."),
            Verdict::Supported
        );
    }

    #[test]
    fn another_figure_link_or_not_contradicts() {
        let j = judged("You can return any unused item within 60 days of delivery.", Some(&[1]));
        assert_eq!((j.verdict, j.missing), (Verdict::Contradicted, vec!["60".to_owned()]));
        assert!(j.score <= CONTRADICTED);
        assert_eq!(
            verdict_of("Register the return at https://evil.example/r."),
            Verdict::Contradicted
        );
        assert_eq!(
            verdict_of("Returns from Germany are not free of charge."),
            Verdict::Contradicted
        );
    }

    #[test]
    fn what_is_elsewhere_or_uncited_is_unsupported() {
        assert_eq!(verdict_of("Our shop opens on Sundays at noon."), Verdict::Unsupported);
        assert_eq!(
            judged("Returns from Germany are free of charge.", Some(&[])).verdict,
            Verdict::Unsupported
        );
        assert_eq!(
            judged("Returns from Germany are free of charge.", Some(&[9])).verdict,
            Verdict::Unsupported
        );
        assert_eq!(
            judged("Standard shipping costs €4.90.", Some(&[1])).verdict,
            Verdict::Unsupported
        );
    }

    #[test]
    fn courtesies_need_no_evidence_unless_they_carry_a_figure() {
        let sentences = [
            Sentence::courtesy("", "Hello <PERSON_1>,"),
            Sentence::statement("\n\n", "Returns from Germany are free of charge.", vec![1]),
        ];
        let checked = check_claims(&Words, &claims(&sentences), &[("", RETURNS)]);
        assert!(checked.supported && checked.score == 1.0);
        let sentences = [Sentence::courtesy("", "Call 555 0100!")];
        let checked = check_claims(&Words, &claims(&sentences), &[("", RETURNS)]);
        assert!(!checked.supported && checked.score == 0.0);
    }

    #[test]
    fn regret_for_what_was_told_is_inferred_at_best() {
        assert_eq!(
            verdict_of("I'm sorry that your tent arrived with a broken pole."),
            Verdict::Inferred
        );
    }

    #[test]
    fn a_reply_is_as_good_as_its_weakest_sentence() {
        let good = Claim {
            text: "Returns from Germany are free of charge.",
            citations: None,
            courtesy: false,
        };
        let bad = Claim { text: "Your kayak is on its way.", ..good };
        let checked = check_claims(&Words, &[good, bad], &[("", RETURNS)]);
        assert!(!checked.supported && checked.score == checked.sentences[1].score);
        assert!(check_claims(&Words, &[], &[]).supported);
        assert_eq!(check_claims(&Words, &[good], &[]).sentences[0].verdict, Verdict::Unsupported);
    }
}

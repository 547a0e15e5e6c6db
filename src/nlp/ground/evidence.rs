//! What a sentence and its evidence have in common, in numbers, and how likely that makes it that one supports the
//! other.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::Claim;
use super::polarity::Polarity;
use super::specifics::{Known, specifics};
use crate::nlp::encoder::Embed;
use crate::nlp::lexical::keywords;
use crate::nlp::sentence::sentences;

/// Sentences of evidence that are read at most.
const MAX_SENTENCES: usize = 400;
/// How many sentences to either side belong to a sentence's surroundings.
const REACH: usize = 1;

/// The evidence, sentence by sentence.
pub(super) struct Evidence<'t> {
    units: Vec<Unit<'t>>,
    spread: HashMap<String, f32>,
}

struct Unit<'t> {
    /// From 1.
    passage: usize,
    span: Range<usize>,
    text: &'t str,
    keywords: HashSet<String>,
    embedding: Vec<f32>,
}

/// What speaks for and against a sentence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Features {
    /// The sentence of the evidence that comes nearest, by its number.
    pub best: Option<usize>,
    /// The sentence stands in the evidence, word for word.
    pub verbatim: bool,
    /// Share of the sentence's keywords in the nearest sentences of the evidence, rare ones counting more.
    pub words_near: f32,
    /// Greatest cosine to a sentence of the evidence.
    pub meaning: f32,
    /// Figures, months and links that the evidence lacks, and how many of them have another value there.
    pub missing_hard: usize,
    /// Of these, those for which the nearest sentences have another value.
    pub rivals: usize,
    /// Names that the evidence lacks.
    pub missing_names: usize,
    /// The sentence is negated and its nearest evidence is not, or the other way round.
    pub negation: bool,
    /// Words that stand in the evidence as their opposites.
    pub opposites: usize,
    /// What is missing, as written.
    pub missing: Vec<String>,
}

impl<'t> Evidence<'t> {
    pub(super) fn read(embed: &dyn Embed, passages: &[(&'t str, &'t str)]) -> Self {
        let mut units = Vec::new();
        for (number, (title, text)) in (1..).zip(passages) {
            for span in sentences(text) {
                let sentence = &text[span.clone()];
                let keywords = keywords(&format!("{title} {sentence}"));
                units.push(Unit {
                    passage: number,
                    span,
                    text: sentence,
                    keywords,
                    embedding: Vec::new(),
                });
            }
        }
        units.truncate(MAX_SENTENCES);
        let texts: Vec<&str> = units.iter().map(|u| u.text).collect();
        for (unit, encoding) in units.iter_mut().zip(embed.embed(&texts)) {
            unit.embedding = encoding.embedding;
        }
        let mut spread: HashMap<String, f32> = HashMap::new();
        for word in units.iter().flat_map(|u| &u.keywords) {
            *spread.entry(word.clone()).or_default() += 1.0;
        }
        Self { units, spread }
    }

    /// The passage's number and the bytes of a sentence.
    pub(super) fn place(&self, unit: usize) -> Option<(usize, Range<usize>)> {
        self.units.get(unit).map(|u| (u.passage, u.span.clone()))
    }

    /// One for each claim that says something, if there is any evidence for it.
    pub(super) fn features(
        &self,
        embed: &dyn Embed,
        claims: &[Claim<'_>],
    ) -> Vec<Option<Features>> {
        let texts: Vec<&str> = claims.iter().map(|c| c.text).collect();
        let encodings = embed.embed(&texts);
        let compare = |(claim, encoding): (&Claim<'_>, crate::nlp::encoder::Encoding)| {
            if claim.courtesy { None } else { self.compare(claim, &encoding.embedding) }
        };
        claims.iter().zip(encodings).map(compare).collect()
    }

    fn compare(&self, claim: &Claim<'_>, embedding: &[f32]) -> Option<Features> {
        let cited = |u: &Unit<'_>| claim.citations.is_none_or(|c| c.contains(&u.passage));
        let allowed: Vec<usize> =
            (0..self.units.len()).filter(|&i| cited(&self.units[i])).collect();
        let mut words: Vec<String> = keywords(claim.text).into_iter().collect();
        words.sort_unstable();
        let cosine = |i: usize| -> f32 {
            embedding.iter().zip(&self.units[i].embedding).map(|(a, b)| a * b).sum()
        };
        let fit = |i: usize| 0.5 * cosine(i) + 0.5 * self.coverage(&words, &self.surroundings(i));
        let ranked = allowed
            .iter()
            .map(|&i| (i, fit(i)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let (best, _) = ranked?;
        let near = self.surroundings(best);
        let text_of = |units: &[usize]| {
            units.iter().map(|&i| self.units[i].text).collect::<Vec<_>>().join(" ")
        };
        let near_text = text_of(&near);
        let (near_known, all_known) = (Known::read(&near_text), Known::read(&text_of(&allowed)));
        let lacking: Vec<_> =
            specifics(claim.text).into_iter().filter(|s| !s.is_in(&all_known)).collect();
        let said = Polarity::read(claim.text);
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let quoted = plain(claim.text.trim_end_matches('.'));
        Some(Features {
            best: Some(best),
            verbatim: !quoted.is_empty() && plain(&text_of(&allowed)).contains(&quoted),
            words_near: self.coverage(&words, &near),
            meaning: allowed.iter().map(|&i| cosine(i)).fold(-1.0, f32::max),
            missing_hard: lacking.iter().filter(|s| s.is_hard()).count(),
            rivals: lacking.iter().filter(|s| s.is_hard() && s.has_rival_in(&near_known)).count(),
            missing_names: lacking.iter().filter(|s| !s.is_hard()).count(),
            negation: said.differs(&Polarity::read(self.units[best].text))
                && said.differs(&Polarity::read(&near_text)),
            opposites: said.opposites(&Polarity::read(&near_text)),
            missing: lacking.into_iter().map(|s| s.text).collect(),
        })
    }

    /// The sentence and its neighbours in the same passage.
    fn surroundings(&self, unit: usize) -> Vec<usize> {
        let low = unit.saturating_sub(REACH);
        let high = (unit + REACH).min(self.units.len().saturating_sub(1));
        (low..=high).filter(|&i| self.units[i].passage == self.units[unit].passage).collect()
    }

    fn coverage(&self, words: &[String], units: &[usize]) -> f32 {
        let weight = |word: &String| {
            let spread = self.spread.get(word).copied().unwrap_or_default();
            (1.0 + self.units.len() as f32 / (1.0 + spread)).ln()
        };
        let held = |word: &&String| units.iter().any(|&i| self.units[i].keywords.contains(*word));
        let all: f32 = words.iter().map(weight).sum();
        let shared: f32 = words.iter().filter(held).map(weight).sum();
        if all > 0.0 { shared / all } else { 1.0 }
    }
}

impl Features {
    /// Probability that the evidence supports the sentence: a logistic regression, fitted with equal weight of both
    /// classes on 1,044 development answers (edited summaries, claims about web pages, claims with foreign pages). In
    /// cross-validation it ranks a supported claim over an unsupported one in 84 of 100 pairs where claims are about web
    /// pages, 99 where the page is foreign, 72 where single words of a summary were edited.
    pub(super) fn probability(&self) -> f32 {
        let z = -1.24 + 1.79 * self.words_near + 2.17 * self.meaning
            - 2.62 * self.missing_hard as f32
            - 1.1 * self.missing_names as f32
            - 1.2 * f32::from(u8::from(self.negation));
        1.0 / (1.0 + (-z).exp())
    }
}

//! From labelled texts to what the learner sees of them.

use std::collections::HashMap;

use super::super::features::{Features, Weights};
use super::super::fit::injection_head;
use super::super::injection::{self, InjectionHead, Orders, Score};
use super::super::patterns::InjectionPatterns;
use super::super::surface::{Surface, SurfaceReader};
use super::super::{DEFAULT_TAXONOMY, Input, Taxonomy, Triage};
use super::fit::{Example, FitError};
use super::head::{Seen, features};
use super::task::Task;
use crate::nlp::encoder::{Embed, Reading};

/// Texts encoded together.
const BATCH: usize = 64;

/// What a built-in head says of a text.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum BuiltIn {
    Spam(f32),
    Injection(Score),
}

impl BuiltIn {
    /// How likely it isn't ham, or holds an order.
    pub fn score(self) -> f32 {
        match self {
            Self::Spam(score) => score,
            Self::Injection(score) => score.joint(),
        }
    }
}

/// What turns examples into features.
pub(in super::super) struct Texts<'a> {
    pub task: Task,
    pub weights: Weights,
    surface: SurfaceReader,
    patterns: InjectionPatterns,
    /// The shipped head, where the new one stands beside it, and how likely each of its own examples is an attack by a
    /// fit without it.
    shipped: Option<(InjectionHead, HashMap<String, f32>)>,
    /// What is built in, where it has a say beside the new head, see [`About::beside`](super::About::beside).
    beside: Option<&'a Triage>,
    embed: &'a dyn Embed,
}

impl<'a> Texts<'a> {
    pub fn new(
        task: Task,
        weights: Weights,
        beside: Option<&'a Triage>,
        embed: &'a dyn Embed,
    ) -> Result<Self, FitError> {
        let surface = SurfaceReader::builtin()?;
        let shipped = match task {
            Task::Injection => {
                let taxonomy = Taxonomy::parse(DEFAULT_TAXONOMY)?;
                Some(injection_head(&taxonomy, &surface, embed).map_err(Box::new)?)
            }
            _ => None,
        };
        let beside = beside.filter(|_| task.may_stand_beside());
        let patterns = InjectionPatterns::builtin()?;
        Ok(Self { task, weights, surface, patterns, shipped, beside, embed })
    }

    /// The features of texts, and where a built-in head stands beside the new one what it says.
    pub fn read(
        &self,
        examples: &[Example],
        progress: &dyn Fn(usize),
    ) -> Result<(Vec<Features>, Vec<BuiltIn>), FitError> {
        let mut rows = Vec::with_capacity(examples.len());
        let mut built_in = Vec::new();
        for batch in examples.chunks(BATCH) {
            let texts: Vec<&str> = batch.iter().map(|e| e.text.as_str()).collect();
            let readings: Vec<Reading> = match self.shipped {
                Some(_) => self.embed.read_many(&texts),
                None => self.embed.embed(&texts).into_iter().map(Reading::whole).collect(),
            };
            if readings.len() != texts.len() {
                return Err(FitError::Encoder { found: readings.len(), wanted: texts.len() });
            }
            for (text, reading) in texts.iter().zip(&readings) {
                let surface = self.surface.read(text, &[]);
                let patterns = self.patterns.read(text).0;
                let orders = self.shipped.as_ref().map(|(head, unseen)| {
                    let orders = self.orders(head, text, &surface, reading);
                    let sentences = unseen.get(*text).map_or(orders.probability(), |p| {
                        // One of the program's own examples, by a fit without it.
                        injection::out_of_place(&[*p])
                    });
                    (sentences, orders)
                });
                let parts = orders.as_ref().map_or([].as_slice(), |(_, orders)| &orders.parts);
                let mut seen = Seen { parts, patterns, ..Seen::of(&surface, &reading.encoding) };
                match (self.task, self.beside) {
                    (Task::Injection, _) => {
                        let sentences = orders.as_ref().map_or(0.0, |(sentences, _)| *sentences);
                        let whole = self.beside.and_then(|t| t.whole.as_ref());
                        let whole = whole.map(|whole| whole.probability(&seen));
                        built_in.push(BuiltIn::Injection(Score { patterns, sentences, whole }));
                    }
                    (task, Some(triage)) => {
                        let analysis = triage.classify_reading(&Input::of(text), reading);
                        seen.rules = Some(analysis.urgency.level);
                        if task == Task::Spam {
                            built_in.push(BuiltIn::Spam(analysis.spam.score.get()));
                        }
                    }
                    (_, None) => {}
                }
                rows.push(features(self.task, &self.weights, &seen));
            }
            progress(rows.len());
        }
        Ok((rows, built_in))
    }

    /// A text's sentences, weighed as when a message is read.
    fn orders<'s>(
        &self,
        head: &InjectionHead,
        text: &str,
        surface: &'s Surface,
        reading: &Reading,
    ) -> Orders<'s> {
        let parts = injection::parts(text, surface, reading, &self.surface);
        let mut orders = Orders::new(parts, head);
        let suspects = orders.suspects();
        if !suspects.is_empty() {
            let sentences: Vec<&str> =
                suspects.iter().map(|at| &text[orders.parts[*at].bytes.clone()]).collect();
            for (at, encoding) in suspects.into_iter().zip(self.embed.embed(&sentences)) {
                orders.look_again(at, encoding, head);
            }
        }
        orders
    }
}

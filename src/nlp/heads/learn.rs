//! Learning from corrections: a head from what people said of messages, beside the examples that the program has,
//! and a judgement of it against what runs now.
//!
//! People correct what is wrong, so what runs now fails on most corrections, and anything that has seen them looks
//! better. Two sets keep that honest:
//!
//! - the **latest** corrections, on which nothing was ever fitted: how it does on what comes next;
//! - a **held-out** part, every fifth row of each label, the program's own examples among them: whether it still
//!   knows what it knew. It is judged by a *twin*, fitted without these rows, against the twin of what runs now. The
//!   head itself is fitted on them too, as examples are few.
//!
//! Rows are held out by their place among those of their label in order of time, so that the same ones are held
//! out from one training to the next.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::trained::{
    self, Example, Figure, FitError, Head, Metrics, Options, Progress, Task, share,
};
use super::{HeadError, Input, Triage, TriageError, fit};
use crate::domain::triage::{Analysis, SpamLabel};
use crate::nlp::encoder::Embed;

/// Of so many rows of a label, one is held out.
const HELD_OUT: usize = 5;
/// Fewest corrections from which something is learnt.
pub const LEAST: usize = 6;
/// The latest corrections are at most this part of all.
const LATEST_PART: usize = 3;

/// What a person said of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Correction {
    /// The subject line, masked; empty where there is none.
    pub subject: String,
    /// The text, masked.
    pub text: String,
    /// The label.
    pub label: String,
}

impl std::fmt::Debug for Correction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Correction").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Correction {
    fn input(&self) -> Input<'_> {
        let subject = Some(self.subject.as_str()).filter(|s| !s.trim().is_empty());
        Input { subject, ..Input::of(&self.text) }
    }

    fn example(&self) -> Example {
        Example { text: self.input().encoder_text().into_owned(), label: self.label.clone() }
    }
}

/// A head as it is kept: itself, and its twin that has seen nothing of the held-out part.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// What reads messages.
    pub head: Arc<Head>,
    /// What is judged on the held-out part.
    pub twin: Arc<Head>,
}

/// How something did on a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of right labels, abstentions not counted as wrong. 95 %, Wilson.
    pub accuracy: Figure,
    /// Share on which it abstained.
    pub abstained: Figure,
}

/// What runs now and what is proposed, on one set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Versus {
    /// Messages of the set.
    pub rows: usize,
    /// Of these, examples of the program and not corrections.
    pub own_rows: usize,
    /// What runs now.
    pub now: Score,
    /// What is proposed.
    pub proposed: Score,
    /// Messages that only the proposal labels right.
    pub gained: usize,
    /// Messages that only what runs now labels right.
    pub lost: usize,
}

/// The judgement of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Corrections that there are.
    pub corrections: usize,
    /// Rows that the head was fitted on, those of the program among them.
    pub fitted_on: usize,
    /// Every fifth row of each label.
    pub held_out: Versus,
    /// The latest corrections.
    pub latest: Versus,
}

impl Comparison {
    /// Why the proposal shouldn't take over; nothing when it is worse on neither set.
    #[must_use]
    pub fn against(&self) -> Vec<String> {
        let sets = [("the held-out set", &self.held_out), ("the latest corrections", &self.latest)];
        sets.iter()
            .filter_map(|(name, v)| {
                let (now, proposed) = (v.now.accuracy.value, v.proposed.accuracy.value);
                if v.rows == 0 {
                    Some(format!("it could not be judged on {name}: there are too few corrections"))
                } else if proposed < now {
                    Some(format!(
                        "it is worse on {name}: {:.1} % right, and what runs now {:.1} % ({} messages)",
                        proposed * 100.0,
                        now * 100.0,
                        v.rows
                    ))
                } else {
                    None
                }
            })
            .collect()
    }
}

/// What was learnt.
#[derive(Debug)]
pub struct Learnt {
    /// The head and its twin.
    pub pair: Pair,
    /// How it does against what runs now.
    pub comparison: Comparison,
    /// How the head did on its own rows, each by a fit without it.
    pub metrics: Metrics,
}

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// Too few corrections.
    #[error("{found} corrections are too few to learn from: {LEAST} are needed")]
    Few {
        /// How many there are.
        found: usize,
    },
    /// A head of the task is configured.
    #[error(
        "{task} is not learnt from corrections alone: what runs now is a head from the configuration, whose data \
         aren't here. Export the corrections with `countersign examples {task}` and train with --data"
    )]
    Configured {
        /// The task.
        task: Task,
    },
    /// The fit.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// What runs now can't be judged.
    #[error("what runs now could not be judged")]
    Now(#[from] TriageError),
    /// A head that doesn't go with the encoder.
    #[error(transparent)]
    Head(#[from] HeadError),
}

/// The program's own examples of a task, label by label. Of urgency it has none: there the rules' verdicts on others'
/// examples are learnt, so that the rules stand wherever nobody corrected them.
fn own(task: Task, base: &Triage, embed: &dyn Embed) -> Result<Vec<Example>, LearnError> {
    match task {
        Task::Intent => Ok(base
            .taxonomy()
            .intents()
            .iter()
            .flat_map(|i| {
                let label = i.name.to_string();
                i.examples.iter().map(move |e| Example { text: e.clone(), label: label.clone() })
            })
            .collect()),
        Task::Sentiment => {
            let labels = crate::domain::triage::SentimentLabel::ALL;
            let examples = fit::sentiment_examples()?;
            let label = |at: usize| labels.get(at).map_or_else(String::new, ToString::to_string);
            Ok(examples
                .texts
                .into_iter()
                .zip(examples.targets)
                .map(|(text, at)| Example { text, label: label(at) })
                .collect())
        }
        Task::Injection => Ok(trained::own_injection()?),
        Task::Spam => own_spam(base),
        Task::Urgency => {
            let mut texts: Vec<String> = [Task::Intent, Task::Sentiment]
                .into_iter()
                .map(|other| own(other, base, embed))
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .map(|example| example.text)
                .collect();
            texts.sort();
            texts.dedup();
            let inputs: Vec<Input<'_>> = texts.iter().map(|text| Input::of(text)).collect();
            let read = base.read_batch(&inputs, embed);
            let levels: Vec<String> = read.iter().map(|a| a.urgency.level.to_string()).collect();
            let labelled = texts.into_iter().zip(levels);
            Ok(labelled.map(|(text, label)| Example { text, label }).collect())
        }
    }
}

/// The program's examples of spam and of ham, and what customers say as ham.
fn own_spam(base: &Triage) -> Result<Vec<Example>, LearnError> {
    let ham = |text| Example { text, label: SpamLabel::Ham.to_string() };
    let examples = fit::spam_examples()?;
    let mut all: Vec<Example> = Vec::with_capacity(examples.texts.len());
    for (text, at) in examples.texts.into_iter().zip(examples.targets) {
        let label = SpamLabel::ALL.get(at).copied().unwrap_or(SpamLabel::Ham);
        all.push(Example { text, label: label.to_string() });
    }
    let asked = fit::utterances(base.taxonomy()).step_by(fit::HAM_STEP);
    all.extend(asked.map(str::to_owned).map(ham));
    all.extend(fit::everyday_examples()?.texts.into_iter().map(ham));
    Ok(all)
}

/// For each row whether it is held out: the last of every [`HELD_OUT`] of its label.
fn held_out<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    labels
        .map(|label| {
            let n = seen.entry(label).or_default();
            *n += 1;
            n.is_multiple_of(HELD_OUT)
        })
        .collect()
}

/// Learns from corrections, oldest first. `base` is what runs where nothing was promoted; `running` is what was.
/// `latest` corrections at most are kept for judging alone.
///
/// # Errors
/// [`LearnError`].
pub fn learn(
    task: Task,
    corrections: &[Correction],
    base: &Triage,
    running: Option<&Pair>,
    embed: &dyn Embed,
    latest: usize,
    progress: &dyn Fn(Progress),
) -> Result<Learnt, LearnError> {
    // The data of a configured head aren't here: what is learnt without them would forget them.
    if running.is_none() && base.trained(task).is_some() {
        return Err(LearnError::Configured { task });
    }
    let base = &base.without_trained(task);
    let own = own(task, base, embed)?;
    if corrections.len() < LEAST {
        return Err(LearnError::Few { found: corrections.len() });
    }
    let last = latest.clamp(1, corrections.len() / LATEST_PART);
    let (earlier, latest) = corrections.split_at(corrections.len() - last);
    let out_of_own = held_out(own.iter().map(|e| e.label.as_str()));
    let out = held_out(earlier.iter().map(|c| c.label.as_str()));
    let rows: Vec<Example> =
        own.iter().cloned().chain(earlier.iter().map(Correction::example)).collect();
    let apart: Vec<Example> = rows
        .iter()
        .zip(out_of_own.iter().chain(&out))
        .filter(|(_, out)| !**out)
        .map(|(e, _)| e.clone())
        .collect();
    let options = Options {
        target_accuracy: base.taxonomy().target_accuracy(),
        max_abstention: base.taxonomy().max_abstention(),
        among_own: false,
        beside: Some(base.clone()),
        ..Options::default()
    };
    let fitted = trained::fit(task, &rows, embed, &options, progress)?;
    let options = Options { like: Some(fitted.choice), ..options };
    let twin = trained::fit(task, &apart, embed, &options, &|_| {})?;
    let pair = Pair { head: Arc::new(fitted.head), twin: Arc::new(twin.head) };

    // What runs now has its own twin where it was learnt, and the built-in head of intents is fitted again without
    // the rows. Others never saw the corrections, but the program's examples would flatter them.
    let builtin = task == Task::Intent && running.is_none();
    // Half of a score for injection or spam is the built-in head's, which has seen them, too.
    let learnt = running.is_some() && !matches!(task, Task::Injection | Task::Spam);
    let judged_on_own = learnt || builtin;
    let (now, now_apart) = match running {
        Some(pair) => (base.learnt(pair.head.clone())?, base.learnt(pair.twin.clone())?),
        None if builtin => (base.clone(), without(base, embed)?),
        None => (base.clone(), base.clone()),
    };
    let mut set: Vec<Correction> = Vec::new();
    if judged_on_own {
        set.extend(own.iter().zip(&out_of_own).filter(|(_, out)| **out).map(|(e, _)| Correction {
            subject: String::new(),
            text: e.text.clone(),
            label: e.label.clone(),
        }));
    }
    let own_rows = set.len();
    set.extend(earlier.iter().zip(&out).filter(|(_, out)| **out).map(|(c, _)| c.clone()));
    let proposed = (base.learnt(pair.head.clone())?, base.learnt(pair.twin.clone())?);
    let comparison = Comparison {
        corrections: corrections.len(),
        fitted_on: rows.len(),
        held_out: versus(task, &set, own_rows, (&now_apart, &proposed.1), embed),
        latest: versus(task, latest, 0, (&now, &proposed.0), embed),
    };
    Ok(Learnt { pair, comparison, metrics: fitted.metrics })
}

/// The built-in head of intents without the examples that are held out.
fn without(base: &Triage, embed: &dyn Embed) -> Result<Triage, TriageError> {
    let less = base.taxonomy().with_examples(|_, place| !(place + 1).is_multiple_of(HELD_OUT));
    base.with_taxonomy(less, embed)
}

/// The label that a head of this task gave, and whether it abstained.
fn answer(task: Task, a: &Analysis) -> (Cow<'_, str>, bool) {
    match task {
        Task::Intent => (Cow::Borrowed(a.intent.label.as_str()), a.intent.abstained),
        Task::Sentiment => (Cow::Borrowed(a.sentiment.label.as_str()), false),
        Task::Urgency => (Cow::Borrowed(a.urgency.level.as_str()), false),
        Task::Spam => (Cow::Borrowed(a.spam.label.as_str()), false),
        Task::Injection => {
            (Cow::Borrowed(if a.injection.flagged { "attack" } else { "benign" }), false)
        }
    }
}

fn versus(
    task: Task,
    set: &[Correction],
    own_rows: usize,
    (now, proposed): (&Triage, &Triage),
    embed: &dyn Embed,
) -> Versus {
    let inputs: Vec<Input<'_>> = set.iter().map(Correction::input).collect();
    // (right, abstained) of each message.
    let judge = |by: &Triage| -> Vec<(bool, bool)> {
        let analyses = by.read_batch(&inputs, embed);
        set.iter()
            .zip(&analyses)
            .map(|(c, a)| {
                let (label, abstained) = answer(task, a);
                (task.label(&c.label).is_ok_and(|gold| gold == label), abstained)
            })
            .collect()
    };
    let score = |judged: &[(bool, bool)]| Score {
        accuracy: share(judged.iter().filter(|j| j.0).count(), set.len()),
        abstained: share(judged.iter().filter(|j| j.1).count(), set.len()),
    };
    let (now, proposed) = (judge(now), judge(proposed));
    let only = |a: &[(bool, bool)], b: &[(bool, bool)]| {
        a.iter().zip(b).filter(|(a, b)| a.0 && !b.0).count()
    };
    Versus {
        rows: set.len(),
        own_rows,
        gained: only(&proposed, &now),
        lost: only(&now, &proposed),
        now: score(&now),
        proposed: score(&proposed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fifth_of_a_label_is_held_out_and_more_rows_change_nothing() {
        let labels = ["a", "a", "b", "a", "a", "a", "b", "a"];
        let out = held_out(labels.into_iter());
        assert_eq!(out, [false, false, false, false, false, true, false, false]);
        let more = held_out(labels.into_iter().chain(["b", "b", "b"]));
        assert_eq!(more[..8], out);
        assert_eq!(more[8..], [false, false, true]);
    }

    #[test]
    fn worse_on_either_set_speaks_against_it() {
        let score = |hits| Score { accuracy: share(hits, 10), abstained: share(0, 10) };
        let set = |now, proposed| Versus {
            rows: 10,
            own_rows: 0,
            now: score(now),
            proposed: score(proposed),
            gained: 0,
            lost: 0,
        };
        let of = |held_out, latest| Comparison { corrections: 30, fitted_on: 50, held_out, latest };
        assert!(of(set(5, 5), set(2, 9)).against().is_empty());
        let worse = of(set(5, 4), set(2, 9)).against();
        assert!(worse.len() == 1 && worse[0].contains("held-out"), "{worse:?}");
        let worse = of(set(5, 6), set(9, 2)).against();
        assert!(worse.len() == 1 && worse[0].contains("latest"), "{worse:?}");
        let none = Versus { rows: 0, ..set(0, 0) };
        assert!(of(none, set(1, 2)).against()[0].contains("too few"));
    }
}

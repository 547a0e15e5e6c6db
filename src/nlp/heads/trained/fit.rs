//! From labelled texts to a head: what the learner sees of them (`texts`), the kernel's width and the penalty
//! (`settle`), the fit, and everything that is set on rows which the fit hasn't seen (`judge`).
//!
//! Kernel ridge regression has exact leave-one-out scores in closed form (`ridge`), so temperature, thresholds,
//! figures and the list of doubtful labels all come from every row scored by a fit without it. Nothing is drawn
//! at random: the same rows give the same head.

use sha2::{Digest, Sha256};

use super::super::calibrate::{Bend, argmax};
use super::super::features::{Features, Weights};
use super::super::fit::{EVERYDAY_EXAMPLES, lists_version};
use super::super::patterns::PatternError;
use super::super::ridge::{Fit, Ridge, RidgeError, RidgeOptions};
use super::super::surface::SurfaceError;
use super::super::{TaxonomyError, Triage, TriageError};
use super::file::FORMAT;
use super::head::{About, Data, Head, average_with};
use super::judge::Judge;
use super::report::{Answers, Findings, Metrics};
use super::settle::{Rows, among_own, settle};
use super::task::{LabelError, Task};
use super::texts::{BuiltIn, Texts};
use crate::nlp::encoder::Embed;

/// Most rows that a head is fitted on: the kernel matrix takes 4 bytes for each pair.
pub const MOST_ROWS: usize = 20_000;
/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The text as the encoder gets it, see [`Input::encoder_text`](super::super::Input::encoder_text).
    pub text: String,
    /// The label as the data has it.
    pub label: String,
}

/// What a fit is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Examples to judge the head on, besides those that it is fitted on.
    pub dev: Vec<Example>,
    /// How often answers given with confidence should be right, where no label marks what is out of scope.
    pub target_accuracy: f32,
    /// Largest share of messages to abstain on for that.
    pub max_abstention: f32,
    /// What a fit to nearly the same examples has settled on; else it is searched for.
    pub like: Option<Choice>,
    /// Whether an injection head sees the program's own examples too. Not if they are among the given ones.
    pub among_own: bool,
    /// What is built in, if it is to have a say beside a head for spam or urgency, see [`About::beside`].
    pub beside: Option<Triage>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dev: Vec::new(),
            target_accuracy: 0.95,
            max_abstention: 0.1,
            like: None,
            among_own: true,
            beside: None,
        }
    }
}

/// What a fit settles on by its examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Kernel width and penalty.
    pub ridge: RidgeOptions,
    /// How much each block of features counts.
    pub weights: Weights,
    /// Whether the names of the labels are examples, too.
    pub names: bool,
}

/// How far a fit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many texts are encoded, of so many.
    Encoded(usize, usize),
    /// Trying settings: so many done, of so many.
    Tried(usize, usize),
    /// The last fit has begun.
    Fitting,
}

/// A head and what is to be said of it.
#[derive(Debug)]
pub struct Fitted {
    /// The head.
    pub head: Head,
    /// By leave-one-out, on the rows that it was fitted on.
    pub metrics: Metrics,
    /// On the dev examples, if there are any.
    pub dev: Option<Metrics>,
    /// What a person should know of the data.
    pub findings: Findings,
    /// What was settled on, for a fit to nearly the same examples.
    pub choice: Choice,
}

/// Examples that don't make a head.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A label that the task hasn't.
    #[error("example {row}")]
    Label {
        /// Its place.
        row: usize,
        /// What is wrong with it.
        #[source]
        source: LabelError,
    },
    /// Nothing to tell apart.
    #[error("a head needs examples of two labels or more, these have {0}")]
    Labels(usize),
    /// More rows than fit.
    #[error("a head is fitted on {MOST_ROWS} examples at most, these are {0}: leave some out")]
    Rows(usize),
    /// No ham among spam, or nothing benign among attacks.
    #[error("the {task} head needs examples labelled {label}")]
    Needed {
        /// The task.
        task: Task,
        /// The label.
        label: &'static str,
    },
    /// A row of the quiet label that scores above all alarms, so that no score could raise one.
    #[error(
        "example {row} is labelled {label} and looks most like what isn't: no threshold finds anything without it. \
         Look at its label, or give more examples of {label}"
    )]
    NoThreshold {
        /// Its place, from 1.
        row: usize,
        /// The quiet label.
        label: String,
    },
    /// The encoder gave nothing for some texts.
    #[error("the encoder gave {found} encodings for {wanted} texts")]
    Encoder {
        /// Encodings.
        found: usize,
        /// Texts.
        wanted: usize,
    },
    /// The word lists.
    #[error("a word list of the heads cannot be read")]
    Surface(#[from] SurfaceError),
    /// The injection patterns.
    #[error("the injection patterns cannot be read")]
    Patterns(#[from] PatternError),
    /// The taxonomy that comes with the program.
    #[error("the built-in taxonomy cannot be read")]
    Taxonomy(#[from] TaxonomyError),
    /// The shipped head beside which the new one will stand.
    #[error("the shipped injection head cannot be made")]
    Shipped(#[from] Box<TriageError>),
    /// Numbers that can't be fitted.
    #[error("the examples cannot be fitted")]
    Ridge(#[from] RidgeError),
}

/// Fits a head. Deterministic; the time goes with the cube of the number of examples, about twenty seconds for ten
/// thousand on two cores.
///
/// # Errors
/// When the labels aren't those of the task or there is nothing to tell apart.
pub fn fit(
    task: Task,
    examples: &[Example],
    embed: &dyn Embed,
    options: &Options,
    progress: &dyn Fn(Progress),
) -> Result<Fitted, FitError> {
    let labels = Labels::of(task, examples)?;
    let all = examples.len() + options.dev.len();
    let weights = match options.like {
        Some(like) => like.weights,
        None => task.weights(examples.len() / labels.names.len()),
    };
    let reader = Texts::new(task, weights, options.beside.as_ref(), embed)?;
    let (rows, shipped) = reader.read(examples, &|done| progress(Progress::Encoded(done, all)))?;
    let rows = Rows { judged: rows.len(), features: rows, targets: labels.targets.clone() };
    let rows = if options.among_own { among_own(rows, &labels, &reader)? } else { rows };
    let (rows, chosen) = settle(rows, &labels, &reader, options.like, progress)?;
    progress(Progress::Fitting);
    let Rows { features, targets, judged } = rows;
    let fit = Ridge::fit_judged_by(judged, features, &targets, labels.names.len(), chosen.ridge)?;
    let mut unseen: Vec<Vec<f32>> =
        (0..examples.len()).map(|row| fit.unseen.row(row).to_vec()).collect();
    beside_shipped(&mut unseen, &shipped);
    let bend = bend(task, &labels, &unseen);
    bend_all(bend, &mut unseen);
    let judge = Judge { task, labels: &labels, options };
    let offsets = judge.offsets(&unseen);
    let threshold = judge.threshold(&unseen)?;
    let given: Vec<usize> = unseen.iter().map(|p| judge.give(p, &offsets, threshold)).collect();
    let answers = Answers {
        labels: &labels.names,
        outside: labels.outside,
        targets: &labels.targets,
        probabilities: &unseen,
        given: &given,
        threshold: judge.abstains_below(threshold),
    };
    let metrics = answers.metrics("leave_one_out");
    let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
    let findings = answers.findings(&fit.nearest, &texts);
    let about = about(
        (task, options),
        examples,
        embed,
        &labels,
        (&fit, chosen),
        (bend, offsets, threshold),
        &metrics,
    );
    let head = Head { about, ridge: fit.ridge };
    let dev = match options.dev.is_empty() {
        true => None,
        false => {
            let (rows, shipped) = reader.read(&options.dev, &|done| {
                progress(Progress::Encoded(examples.len() + done, all));
            })?;
            Some(on_dev(&head, &labels, &options.dev, rows, &shipped)?)
        }
    };
    Ok(Fitted { head, metrics, dev, findings, choice: chosen })
}

fn about(
    (task, options): (Task, &Options),
    examples: &[Example],
    embed: &dyn Embed,
    labels: &Labels,
    (fit, chosen): (&Fit, Choice),
    (bend, offsets, threshold): (Option<Bend>, Vec<f32>, f32),
    metrics: &Metrics,
) -> About {
    let mut digest = Sha256::new();
    for example in examples {
        for part in [&example.label, &example.text] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
    }
    let data = hex::encode(digest.finalize());
    let mut named = format!("{task}\n{}\n{data}", embed.id());
    if task == Task::Injection && options.among_own {
        // The same data with other texts of ours make another head.
        named.push_str(EVERYDAY_EXAMPLES);
        named.push_str(&lists_version());
    }
    let name = hex::encode(Sha256::digest(named));
    let mut by_label = vec![0; labels.names.len()];
    labels.targets.iter().for_each(|target| by_label[*target] += 1);
    About {
        format: FORMAT,
        name: format!("{task}-{}", &name[..8]),
        task,
        encoder: embed.id().to_owned(),
        lists: task.reads_lists().then(lists_version),
        labels: labels.names.clone(),
        outside: labels.outside,
        weights: chosen.weights,
        gamma: chosen.ridge.gamma,
        lambda: chosen.ridge.lambda,
        scale: fit.ridge.scale,
        bend,
        beside: options.beside.is_some() && task.may_stand_beside(),
        offsets,
        threshold,
        data: Data { sha256: data, rows: examples.len(), by_label },
        metrics: metrics.clone(),
    }
}

/// The labels of some examples.
pub(super) struct Labels {
    pub names: Vec<String>,
    pub outside: Option<usize>,
    pub targets: Vec<usize>,
}

impl Labels {
    fn of(task: Task, examples: &[Example]) -> Result<Self, FitError> {
        if examples.len() > MOST_ROWS {
            return Err(FitError::Rows(examples.len()));
        }
        let given = examples
            .iter()
            .enumerate()
            .map(|(row, e)| task.label(&e.label).map_err(|source| FitError::Label { row, source }))
            .collect::<Result<Vec<String>, _>>()?;
        let mut names = given.clone();
        names.sort_by(|a, b| task.rank(a).cmp(&task.rank(b)).then_with(|| a.cmp(b)));
        names.dedup();
        let outside = names.iter().position(|name| task.is_outside(name));
        if names.len() - usize::from(outside.is_some()) < 2 {
            return Err(FitError::Labels(names.len()));
        }
        if let Some(label) = task.needed().filter(|label| !names.iter().any(|n| n == label)) {
            return Err(FitError::Needed { task, label });
        }
        let place =
            |label: &String| names.iter().position(|name| name == label).unwrap_or_default();
        let targets = given.iter().map(place).collect();
        Ok(Self { names, outside, targets })
    }
}

/// How confidences of intents have to be bent. None where a label marks what is out of scope, for there the
/// confidence also says whether a message is about any of the others.
fn bend(task: Task, labels: &Labels, unseen: &[Vec<f32>]) -> Option<Bend> {
    if task != Task::Intent || labels.outside.is_some() {
        return None;
    }
    let judged: Vec<(f32, bool)> = unseen
        .iter()
        .zip(&labels.targets)
        .map(|(p, target)| {
            let best = argmax(p);
            (p[best], best == *target)
        })
        .collect();
    Some(Bend::fit(&judged))
}

fn bend_all(bend: Option<Bend>, probabilities: &mut [Vec<f32>]) {
    if let Some(bend) = bend {
        probabilities.iter_mut().for_each(|p| bend.apply(p));
    }
}

/// Makes each score the mean of it and the built-in head's, as [`Head::injection`] and [`Head::spam`] do.
fn beside_shipped(probabilities: &mut [Vec<f32>], shipped: &[BuiltIn]) {
    for (p, built_in) in probabilities.iter_mut().zip(shipped) {
        average_with(p, built_in.score());
    }
}

/// The head's figures on examples of their own.
fn on_dev(
    head: &Head,
    labels: &Labels,
    dev: &[Example],
    rows: Vec<Features>,
    shipped: &[BuiltIn],
) -> Result<Metrics, FitError> {
    let (task, about) = (head.about.task, &head.about);
    let options = Options::default();
    let judge = Judge { task, labels, options: &options };
    let mut names = labels.names.clone();
    let mut targets = Vec::with_capacity(dev.len());
    for (row, example) in dev.iter().enumerate() {
        let label = task.label(&example.label).map_err(|source| FitError::Label { row, source })?;
        // A label that the head doesn't know is one that it gets wrong.
        let place = names.iter().position(|n| *n == label).unwrap_or_else(|| {
            names.push(label);
            names.len() - 1
        });
        targets.push(place);
    }
    let outside = names.iter().position(|name| task.is_outside(name));
    let found = head.ridge.all_probabilities(rows);
    let mut probabilities: Vec<Vec<f32>> =
        (0..dev.len()).map(|row| found.row(row).to_vec()).collect();
    beside_shipped(&mut probabilities, shipped);
    bend_all(about.bend, &mut probabilities);
    probabilities.iter_mut().for_each(|p| p.resize(names.len(), 0.0));
    let given: Vec<usize> = probabilities
        .iter()
        .map(|p| judge.give(&p[..labels.names.len()], &about.offsets, about.threshold))
        .collect();
    let answers = Answers {
        labels: &names,
        outside,
        targets: &targets,
        probabilities: &probabilities,
        given: &given,
        threshold: judge.abstains_below(about.threshold),
    };
    Ok(answers.metrics("dev"))
}

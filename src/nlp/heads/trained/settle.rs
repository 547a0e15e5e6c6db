//! What a head is fitted on besides the given rows, and with which settings.

use super::super::TriageError;
use super::super::features::Features;
use super::super::fit::{everyday_examples, injection_examples};
use super::super::injection::LABELS;
use super::super::ridge::{Ridge, RidgeOptions};
use super::fit::{Choice, Example, FitError, Labels, Progress};
use super::task::Task;
use super::texts::Texts;

/// Rows on which the kernel's width and the penalty are chosen.
const TRIED: usize = 1500;
/// What is tried.
const GAMMAS: [f32; 2] = [1.0, 2.0];
const LAMBDAS: [f32; 5] = [0.05, 0.1, 0.2, 0.5, 1.0];

/// What a head is fitted on.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub features: Vec<Features>,
    pub targets: Vec<usize>,
    /// So many of them are examples, on which the head is judged; behind them stand texts of our own and names of labels.
    pub judged: usize,
}

/// For injection, the rows and our own examples behind them: data of attacks seldom hold honest mails, and a head that
/// has seen none takes a long one for an attack.
pub(super) fn among_own(rows: Rows, labels: &Labels, reader: &Texts<'_>) -> Result<Rows, FitError> {
    if reader.task != Task::Injection {
        return Ok(rows);
    }
    behind(rows, &own_injection().map_err(Box::new)?, labels, reader)
}

/// The program's own examples of attacks and of what is none, and everyday messages.
pub(in super::super) fn own_injection() -> Result<Vec<Example>, TriageError> {
    let mut all = Vec::new();
    for part in [injection_examples()?, everyday_examples()?] {
        let named = part.texts.into_iter().zip(part.targets);
        all.extend(named.map(|(text, target)| Example { text, label: LABELS[target].to_owned() }));
    }
    Ok(all)
}

/// The rows, and behind them more that the head isn't judged on. Those of labels that the data don't have are left
/// out.
fn behind(
    rows: Rows,
    more: &[Example],
    labels: &Labels,
    reader: &Texts<'_>,
) -> Result<Rows, FitError> {
    let (features, _) = reader.read(more, &|_| ())?;
    let Rows { features: mut all, mut targets, judged } = rows;
    for (features, example) in features.into_iter().zip(more) {
        if let Some(target) = labels.names.iter().position(|name| *name == example.label) {
            all.push(features);
            targets.push(target);
        }
    }
    Ok(Rows { features: all, targets, judged })
}

/// The settings, and the rows with the labels' names behind them where each label has few and the names help.
pub(super) fn settle(
    rows: Rows,
    labels: &Labels,
    reader: &Texts<'_>,
    like: Option<Choice>,
    progress: &dyn Fn(Progress),
) -> Result<(Rows, Choice), FitError> {
    if let Some(like) = like {
        let rows = if like.names { with_names(&rows, labels, reader)? } else { rows };
        return Ok((rows, like));
    }
    let classes = labels.names.len();
    let weights = reader.weights;
    let (loss, ridge) = choose(&rows, classes, progress)?;
    if reader.task.reads_names(rows.judged / classes) {
        let with = with_names(&rows, labels, reader)?;
        let (less, ridge) = choose(&with, classes, progress)?;
        if less < loss {
            return Ok((with, Choice { ridge, weights, names: true }));
        }
    }
    Ok((rows, Choice { ridge, weights, names: false }))
}

/// The rows, and one for the name of each label.
fn with_names(rows: &Rows, labels: &Labels, reader: &Texts<'_>) -> Result<Rows, FitError> {
    let within =
        labels.names.iter().enumerate().filter(|(class, _)| Some(*class) != labels.outside);
    let named = within.filter_map(|(_, name)| {
        Task::name_in_words(name).map(|text| Example { text, label: name.clone() })
    });
    behind(rows.clone(), &named.collect::<Vec<_>>(), labels, reader)
}

/// The width and the penalty with the likeliest leave-one-out answers, on some rows of each label; and how
/// unlikely these are.
fn choose(
    Rows { features: rows, targets, judged }: &Rows,
    classes: usize,
    progress: &dyn Fn(Progress),
) -> Result<(f64, RidgeOptions), FitError> {
    let mut places = some_of_each(&targets[..*judged], classes, TRIED);
    let judged_places = places.len();
    places.extend(*judged..rows.len());
    let targets: Vec<usize> = places.iter().map(|place| targets[*place]).collect();
    let all = GAMMAS.len() * LAMBDAS.len();
    let mut best: Option<(f64, RidgeOptions)> = None;
    for (done, gamma, lambda) in GAMMAS
        .iter()
        .flat_map(|gamma| LAMBDAS.iter().map(move |lambda| (*gamma, *lambda)))
        .enumerate()
        .map(|(done, (gamma, lambda))| (done, gamma, lambda))
    {
        progress(Progress::Tried(done, all));
        let options = RidgeOptions { gamma, lambda };
        let rows = places.iter().map(|place| rows[*place].clone()).collect();
        let fit = Ridge::fit_judged_by(judged_places, rows, &targets, classes, options)?;
        let loss: f64 = targets
            .iter()
            .take(judged_places)
            .enumerate()
            .map(|(i, t)| -f64::from(fit.unseen.row(i)[*t].max(1e-6).ln()))
            .sum();
        if best.is_none_or(|(least, _)| loss < least) {
            best = Some((loss, options));
        }
    }
    Ok(best.unwrap_or((f64::MAX, RidgeOptions { gamma: 2.0, lambda: 0.1 })))
}

/// Places of `most` rows at most, the labels taking turns, each label's rows evenly over the data.
fn some_of_each(targets: &[usize], classes: usize, most: usize) -> Vec<usize> {
    if targets.len() <= most {
        return (0..targets.len()).collect();
    }
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (row, target) in targets.iter().enumerate() {
        by_class[*target].push(row);
    }
    // The largest share of a label that still leaves room for all.
    let mut each = most / classes.max(1);
    while by_class.iter().map(|rows| rows.len().min(each + 1)).sum::<usize>() <= most {
        each += 1;
    }
    let mut places: Vec<usize> = by_class
        .iter()
        .flat_map(|rows| {
            let take = rows.len().min(each);
            (0..take).map(move |i| rows[i * rows.len() / take])
        })
        .collect();
    places.sort_unstable();
    places
}

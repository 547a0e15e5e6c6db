//! The model card of a trained head: what a person reads before using it.

use super::head::About;
use super::report::Figure;

fn percent(figure: &Figure) -> String {
    format!("{:.1} % ({:.1}–{:.1})", figure.value * 100.0, figure.low * 100.0, figure.high * 100.0)
}

/// The card in Markdown.
pub(super) fn card(about: &About) -> String {
    let m = &about.metrics;
    let mut text = format!(
        "# {}\n\nDecides **{}** of a message: {} labels, from {} labelled texts.\n\n",
        about.name,
        about.task,
        about.labels.len(),
        about.data.rows
    );
    text += "## How it did\n\nEvery text was scored by a fit without it (leave-one-out). Intervals are of 95 %.\n\n";
    text += &format!(
        "| | |\n|---|---|\n| accuracy | {} |\n| mean F1 of the labels | {} |\n| mean recall of the labels | {} |\n\
        | calibration error (ECE) | {:.3} |\n",
        percent(&m.accuracy),
        percent(&m.macro_f1),
        percent(&m.macro_recall),
        m.ece
    );
    if about.task == super::Task::Intent {
        text += &format!(
            "| abstains on | {} |\n| accuracy where it doesn't | {} |\n",
            percent(&m.abstained),
            percent(&m.accuracy_kept)
        );
    }
    if let (Some(recall), Some(auroc)) = (&m.outside_recall, m.outside_auroc) {
        text += &format!(
            "| out of scope, found | {} of {} |\n| out of scope, AUROC | {auroc:.3} |\n",
            percent(recall),
            m.outside_rows
        );
    }
    text += "\n| label | texts | precision | recall | F1 |\n|---|---|---|---|---|\n";
    for l in &m.labels {
        let name = l.label.replace('|', "\\|");
        text += &format!(
            "| {name} | {} | {:.3} | {:.3} | {:.3} |\n",
            l.rows, l.precision, l.recall, l.f1
        );
    }
    let lists = about.lists.as_ref().map_or_else(String::new, |l| format!(", word lists `{l}`"));
    text += &format!(
        "\n## What it is\n\nKernel ridge regression (Gaussian kernel, width {}, penalty {}) on the encoder's states and \
        hashed words. Encoder `{}`{lists}. Data: SHA-256 `{}` over labels and texts in their order. It was fitted \
        without chance: the same data, encoder and version of the program give the same head.\n\n\
        The weights hold vectors of the texts that it was trained on, from which parts of them can be guessed. Keep \
        them where the texts may be kept.\n\n\
        ## How it was made\n\n`countersign train {} --data …`\n",
        about.gamma, about.lambda, about.encoder, about.data.sha256, about.task
    );
    text
}

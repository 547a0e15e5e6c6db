//! `examples`: what reviewers said that heads should have said, as lines that `train` takes. The text is
//! the masked one with each value as its type in plain words, which is what heads read.

use std::process::ExitCode;

use serde_json::json;

use super::{done, open, row};
use crate::app;
use crate::config::Config;
use crate::domain::masking::MaskedText;
use crate::store::example;

/// Options of `examples`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// intent, sentiment, urgency, spam or injection.
    task: String,
    /// Whose.
    #[arg(long, default_value = app::HOME)]
    tenant: String,
}

/// `examples`: `{id, text, subject?, label, found, abstained, by, at}`.
pub async fn run(config: &Config, a: Args) -> anyhow::Result<ExitCode> {
    const TASKS: [&str; 5] = ["intent", "sentiment", "urgency", "spam", "injection"];
    anyhow::ensure!(TASKS.contains(&a.task.as_str()), "expected one of {}", TASKS.join(", "));
    let (store, t) = open(config, &a.tenant).await?;
    let mut c = store.db.read().await?;
    for e in example::of_task(&store, &mut c, &t.id, &a.task).await? {
        let words = |stored: String| MaskedText::from_store(stored).as_words();
        let subject = words(e.text.subject);
        row(&json!({"id": e.message, "text": words(e.text.text),
            "subject": (!subject.trim().is_empty()).then_some(subject), "label": e.label,
            "found": e.found, "abstained": e.abstained, "by": e.user, "at": e.at.rfc3339()}));
    }
    drop(c);
    done(store).await
}

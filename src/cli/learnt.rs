//! `train TASK --from-store` and `models list|show|promote|rollback`: heads learnt from corrections.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{done, out, row, say};
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::ids::{ModelId, Slug};
use crate::nlp::encoder::Embed;
use crate::nlp::heads::learn::{Comparison, Versus};
use crate::nlp::heads::trained::{Figure, Progress, Task};
use crate::pipeline::learning::{self, Judgement, LearningError};
use crate::store::model::{self, Model};
use crate::store::tenant::{self, Tenant};
use crate::store::{Error, Store};

/// The store, also while the service runs on it, and the tenant of a name, which must be there.
async fn open(config: &Config, name: &str) -> anyhow::Result<(Store, Tenant)> {
    let store = app::open_store_beside(config).await?;
    let slug: Slug = name.parse()?;
    let all = tenant::all(&mut *store.db.read().await?).await?;
    match all.into_iter().find(|t| t.slug == slug) {
        Some(t) => Ok((store, t)),
        None => anyhow::bail!("there is no tenant `{slug}`"),
    }
}

/// What a command prints, or status 1 with the reason where a step wasn't taken.
async fn told(store: Store, what: Result<Vec<Value>, LearningError>) -> anyhow::Result<ExitCode> {
    let status = match what {
        Ok(rows) => {
            rows.iter().for_each(row);
            ExitCode::SUCCESS
        }
        Err(LearningError::Store(e)) if !matches!(e, Error::NotFound(_)) => return Err(e.into()),
        Err(e) => {
            say(&format!("countersign: {:#}", anyhow::Error::new(e)));
            ExitCode::FAILURE
        }
    };
    done(store).await?;
    Ok(status)
}

/// `train TASK --from-store`.
pub async fn train(
    config: &Config,
    task: Task,
    tenant: &str,
    latest: usize,
) -> anyhow::Result<ExitCode> {
    let (store, t) = open(config, tenant).await?;
    let encoder = app::encoder(config)?;
    let base = app::triage(config, &*encoder)?;
    let progress = |p: Progress| {
        if let (Progress::Fitting, true) = (p, std::io::stderr().is_terminal()) {
            say("fitting");
        }
    };
    let by = Actor::Operator;
    let with = (&base, &*encoder as &dyn Embed);
    let made = learning::propose(&store, &t.id, (task, latest), with, &by, &progress).await;
    let made = match made {
        Ok(made) => made,
        Err(e) => return told(store, Err(e)).await,
    };
    show_one(&made)?;
    done(store).await
}

/// A model in one line.
fn line(m: &Model) -> Value {
    json!({"id": m.id, "task": m.task, "state": m.state.as_str(), "name": m.name,
        "parent": m.parent, "encoder": m.encoder, "created": m.created_at.rfc3339(),
        "changed": m.changed_at.rfc3339()})
}

/// A model with its judgement: JSON in a pipe, a table on a terminal.
fn show_one(m: &Model) -> anyhow::Result<()> {
    let judgement: Judgement = serde_json::from_value(m.metrics.clone())?;
    let against = judgement.comparison.against();
    if !std::io::stdout().is_terminal() {
        let mut all = line(m);
        all["data_sha256"] = json!(m.data_hash);
        all["metrics"] = m.metrics.clone();
        all["against"] = json!(against);
        out(&all.to_string());
        return Ok(());
    }
    out(&format!("{} {} ({}), {}", m.task, m.name, m.state.as_str(), m.id));
    table(&judgement.comparison);
    for why in &against {
        out(&format!("  {why}"));
    }
    if against.is_empty() {
        out(&format!("  worse on neither set; to use it: countersign models promote {}", m.id));
    }
    Ok(())
}

fn table(c: &Comparison) {
    out(&format!("{} corrections, fitted on {} texts\n", c.corrections, c.fitted_on));
    let cell = |f: &Figure| format!("{:.3} ({:.3}–{:.3})", f.value, f.low, f.high);
    out(&format!(
        "{:<20}{:>6}  {:<22}{:<22}{:>7}{:>6}",
        "", "rows", "right now", "proposed", "gained", "lost"
    ));
    let one = |name: &str, v: &Versus| {
        out(&format!(
            "{name:<20}{:>6}  {:<22}{:<22}{:>7}{:>6}",
            v.rows,
            cell(&v.now.accuracy),
            cell(&v.proposed.accuracy),
            v.gained,
            v.lost
        ));
        out(&format!(
            "{:<20}{:>6}  {:<22}{:<22}",
            "  abstains on",
            "",
            cell(&v.now.abstained),
            cell(&v.proposed.abstained)
        ));
    };
    one("held out", &c.held_out);
    one("latest corrections", &c.latest);
}

/// `models list`.
pub async fn list(config: &Config, tenant: &str) -> anyhow::Result<ExitCode> {
    let (store, t) = open(config, tenant).await?;
    let all = model::list(&mut *store.db.read().await?, &t.id).await?;
    for m in &all {
        row(&line(m));
    }
    done(store).await
}

/// `models show ID`.
pub async fn show(config: &Config, tenant: &str, id: &ModelId) -> anyhow::Result<ExitCode> {
    let (store, t) = open(config, tenant).await?;
    let found = model::get(&mut *store.db.read().await?, &t.id, id).await;
    match found {
        Ok(m) => {
            show_one(&m)?;
            done(store).await
        }
        Err(e) => told(store, Err(e.into())).await,
    }
}

/// `models promote ID`.
pub async fn promote(
    config: &Config,
    tenant: &str,
    id: &ModelId,
    reason: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let (store, t) = open(config, tenant).await?;
    let encoder = app::encoder(config)?;
    let done = learning::promote(&store, &t.id, id, encoder.id(), reason, &Actor::Operator).await;
    told(store, done.map(|m| vec![line(&m)])).await
}

/// `models rollback TASK`.
pub async fn rollback(
    config: &Config,
    tenant: &str,
    task: Task,
    builtin: bool,
) -> anyhow::Result<ExitCode> {
    let (store, t) = open(config, tenant).await?;
    let encoder = app::encoder(config)?;
    let (by, encoder) = (Actor::Operator, encoder.id());
    let done = learning::rollback(&store, &t.id, task, builtin, encoder, &by).await;
    told(
        store,
        done.map(|(gone, came)| {
            let runs = came.map_or_else(|| "built-in".to_owned(), |m| m.name);
            vec![json!({"task": task, "retired": gone.id, "runs": runs})]
        }),
    )
    .await
}

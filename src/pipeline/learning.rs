//! From a tenant's corrections to a proposal, from a proposal to what runs, and back again.
//!
//! A proposal is judged when it is made, against what runs then. It is promoted only when it was worse on neither set
//! and the same still runs; anything else needs a reason, which is kept in the audit log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AnyConnection;

use crate::domain::audit::Actor;
use crate::domain::ids::{ModelId, TenantId};
use crate::domain::masking::MaskedText;
use crate::domain::vectors::comparable;
use crate::nlp::encoder::Embed;
use crate::nlp::heads::learn::{Comparison, Correction, LearnError, Learnt, Pair, learn};
use crate::nlp::heads::trained::{Figure, FileError, Head, Metrics, Progress, Task};
use crate::nlp::heads::{HeadError, Triage};
use crate::store::model::{self, Model, ModelState, Step, Weights};
use crate::store::{self, Store, audit, example};

/// Corrections that are kept for judging alone, unless told otherwise.
pub const LATEST: usize = 20;

/// Why a step wasn't taken.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Nothing can be learnt.
    #[error("nothing can be learnt")]
    Learn(#[source] LearnError),
    /// What runs can't be read.
    #[error("the promoted model can't be read")]
    File(#[from] FileError),
    /// A promotion that needs a reason.
    #[error("not promoted: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// It already runs.
    #[error("this model runs already")]
    Runs,
    /// Made for another encoder.
    #[error(
        "the model {name} was trained on the encoder {wanted}, and {found} is in use: train again"
    )]
    Encoder {
        /// The model.
        name: String,
        /// Its encoder.
        wanted: String,
        /// The one in use.
        found: String,
    },
    /// It goes with other word lists than the program's.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Nothing to go back from.
    #[error("no model of this task is promoted: the built-in head runs")]
    Nothing,
}

impl From<sqlx::Error> for LearningError {
    fn from(e: sqlx::Error) -> Self {
        Self::Store(e.into())
    }
}

impl From<serde_json::Error> for LearningError {
    fn from(e: serde_json::Error) -> Self {
        Self::Store(e.into())
    }
}

/// What is stored of the judgement.
#[derive(Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// Against what ran.
    pub comparison: Comparison,
    /// On its own rows, each by a fit without it.
    pub leave_one_out: Metrics,
}

/// The share of right answers, 0 to 1, with its interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The share.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl From<Figure> for Share {
    fn from(f: Figure) -> Self {
        Self { value: f.value, low: f.low, high: f.high }
    }
}

/// How a proposal did on a set of messages, beside what ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Which set.
    pub set: &'static str,
    /// Its messages.
    pub rows: usize,
    /// What ran.
    pub now: Share,
    /// What was proposed.
    pub proposed: Share,
    /// Messages that only the proposal labelled right.
    pub gained: usize,
    /// Messages that only what ran labelled right.
    pub lost: usize,
}

/// How a model did when it was judged, set by set.
///
/// # Errors
/// When its judgement can't be read.
pub fn outcomes(m: &Model) -> Result<[Outcome; 2], LearningError> {
    let Judgement { comparison, .. } = serde_json::from_value(m.metrics.clone())?;
    let sets = [("held out", comparison.held_out), ("latest corrections", comparison.latest)];
    Ok(sets.map(|(set, v)| Outcome {
        set,
        rows: v.rows,
        now: v.now.accuracy.into(),
        proposed: v.proposed.accuracy.into(),
        gained: v.gained,
        lost: v.lost,
    }))
}

/// What people said, oldest first, as heads read it. Labels that the taxonomy no longer has are left out.
async fn corrections(
    store: &Store,
    tenant: &TenantId,
    task: Task,
    base: &Triage,
) -> store::Result<Vec<Correction>> {
    let mut c = store.db.read().await?;
    let words = |stored: String| MaskedText::from_store(stored).as_words();
    let known = |label: &str| {
        task != Task::Intent || label.parse().is_ok_and(|l| base.taxonomy().get(&l).is_some())
    };
    let all = example::of_task(store, &mut c, tenant, task.as_str()).await?;
    Ok(all
        .into_iter()
        .filter(|e| known(&e.label))
        .map(|e| Correction {
            subject: words(e.text.subject),
            text: words(e.text.text),
            label: e.label,
        })
        .collect())
}

/// Learns from the tenant's corrections and stores a proposal. `base` is what runs where nothing is promoted.
///
/// # Errors
/// [`LearningError`]; nothing is stored then.
pub async fn propose(
    store: &Store,
    tenant: &TenantId,
    (task, latest): (Task, usize),
    (base, encoder): (&Triage, &dyn Embed),
    by: &Actor,
    progress: &dyn Fn(Progress),
) -> Result<Model, LearningError> {
    let said = corrections(store, tenant, task, base).await?;
    let (parent, running) = running(store, tenant, task).await?;
    let learnt =
        super::blocking(|| learn(task, &said, base, running.as_ref(), encoder, latest, progress));
    let Learnt { pair, comparison, metrics } = learnt.map_err(LearningError::Learn)?;
    let about = pair.head.about();
    let now = store.host.now();
    let made = Model {
        id: ModelId::from_uuid(store.host.uuid()),
        task: task.to_string(),
        state: ModelState::Proposed,
        parent,
        name: about.name.clone(),
        encoder: about.encoder.clone(),
        data_hash: about.data.sha256.clone(),
        metrics: serde_json::to_value(Judgement { comparison, leave_one_out: metrics })?,
        created_at: now,
        changed_at: now,
    };
    let weights = Weights { head: pair.head.to_bytes()?, twin: pair.twin.to_bytes()? };
    let mut tx = store.db.begin().await?;
    model::propose(store, &mut tx, tenant, &made, &weights).await?;
    let detail = json!({"task": made.task, "name": made.name, "data": made.data_hash,
        "against": made.parent});
    let object = format!("model:{}", made.id);
    audit::append(store, &mut tx, tenant, by, "model.proposed", object, detail).await?;
    tx.commit().await?;
    Ok(made)
}

/// What is promoted for a task, with its weights.
async fn running(
    store: &Store,
    tenant: &TenantId,
    task: Task,
) -> Result<(Option<ModelId>, Option<Pair>), LearningError> {
    let mut c = store.db.read().await?;
    let Some(id) = model::running(&mut c, tenant, task.as_str()).await? else {
        return Ok((None, None));
    };
    let weights = model::weights(store, &mut c, tenant, &id).await?;
    let name = format!("model {id}");
    let read = |bytes: &[u8]| Head::from_bytes(bytes, &name).map(Arc::new);
    let pair = Pair { head: read(&weights.head)?, twin: read(&weights.twin)? };
    Ok((Some(id), Some(pair)))
}

/// What speaks against promoting a model, the one that runs being `running`; nothing if it is that one.
///
/// # Errors
/// When its judgement can't be read.
pub fn against(m: &Model, running: Option<&ModelId>) -> Result<Vec<String>, LearningError> {
    if m.state == ModelState::Promoted {
        return Ok(Vec::new());
    }
    let judgement: Judgement = serde_json::from_value(m.metrics.clone())?;
    let mut all = judgement.comparison.against();
    if m.state == ModelState::Rejected {
        all.push("a newer proposal has taken its place".to_owned());
    }
    if m.parent.as_ref() != running {
        all.push(
            "it was judged against another model than the one that runs now: train again"
                .to_owned(),
        );
    }
    Ok(all)
}

/// Refuses a model that goes with another encoder or other word lists than are in use.
async fn usable(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    m: &Model,
    encoder: &str,
) -> Result<(), LearningError> {
    if !comparable(&m.encoder, encoder) {
        let (wanted, found) = (m.encoder.clone(), encoder.to_owned());
        return Err(LearningError::Encoder { name: m.name.clone(), wanted, found });
    }
    let weights = model::weights(store, c, tenant, &m.id).await?;
    Ok(Head::from_bytes(&weights.head, &m.name)?.check(encoder)?)
}

/// Promotes a model: from the next second on it reads the tenant's messages. `reason` overrides what speaks against
/// it; the encoder can't be overridden. Gives the model as it is then.
///
/// # Errors
/// [`LearningError::Refused`] with what speaks against it; others as they say.
pub async fn promote(
    store: &Store,
    tenant: &TenantId,
    id: &ModelId,
    encoder: &str,
    reason: Option<&str>,
    by: &Actor,
) -> Result<Model, LearningError> {
    let mut tx = store.db.begin().await?;
    store::tenant::lock(&mut tx, tenant).await?;
    let m = model::get(&mut tx, tenant, id).await?;
    if m.state == ModelState::Promoted {
        return Err(LearningError::Runs);
    }
    usable(store, &mut tx, tenant, &m, encoder).await?;
    let running = model::running(&mut tx, tenant, &m.task).await?;
    let against = against(&m, running.as_ref())?;
    if !against.is_empty() && reason.is_none() {
        return Err(LearningError::Refused(against));
    }
    let before = model::replace(store, &mut tx, tenant, &m.task, Some((id, Step::Forward))).await?;
    let detail = json!({"task": m.task, "name": m.name, "before": before, "against": against,
        "reason": reason});
    audit::append(store, &mut tx, tenant, by, "model.promoted", format!("model:{id}"), detail)
        .await?;
    let m = model::get(&mut tx, tenant, id).await?;
    tx.commit().await?;
    Ok(m)
}

/// Takes the promoted model of a task back: what ran before it runs again, or with `builtin` the built-in head.
/// Gives what went and what came.
///
/// # Errors
/// [`LearningError::Nothing`] when none is promoted; when what ran before goes with another encoder or other word
/// lists than are in use; store errors.
pub async fn rollback(
    store: &Store,
    tenant: &TenantId,
    task: Task,
    builtin: bool,
    encoder: &str,
    by: &Actor,
) -> Result<(Model, Option<Model>), LearningError> {
    let mut tx = store.db.begin().await?;
    store::tenant::lock(&mut tx, tenant).await?;
    let running = model::running(&mut tx, tenant, task.as_str()).await?;
    let gone = model::get(&mut tx, tenant, &running.ok_or(LearningError::Nothing)?).await?;
    let back = gone.parent.clone().filter(|_| !builtin);
    if let Some(id) = &back {
        let before = model::get(&mut tx, tenant, id).await?;
        usable(store, &mut tx, tenant, &before, encoder).await?;
    }
    let next = back.as_ref().map(|id| (id, Step::Back));
    model::replace(store, &mut tx, tenant, task.as_str(), next).await?;
    let detail = json!({"task": gone.task, "name": gone.name, "after": back});
    let object = format!("model:{}", gone.id);
    audit::append(store, &mut tx, tenant, by, "model.rolled_back", object, detail).await?;
    let came = match &back {
        Some(id) => Some(model::get(&mut tx, tenant, id).await?),
        None => None,
    };
    tx.commit().await?;
    Ok((gone, came))
}

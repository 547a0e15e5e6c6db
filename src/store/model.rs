//! Heads learnt from a tenant's corrections: proposals, which one runs, and the way back.
//!
//! At most one head of a task is promoted. Which one that is, is looked up by every process every second or so
//! ([`promoted`]); the heads themselves are read when that changes.

use serde_json::Value;
use sqlx::AnyConnection;

use super::sealing::TENANT_SUBJECT;
use super::{Error, Result, Store, parse, q, tenant};
use crate::domain::ids::{Micros, ModelId, TenantId};

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelState {
    /// Waits for a decision.
    Proposed,
    /// Reads the tenant's messages.
    Promoted,
    /// Did so once.
    Retired,
    /// A newer proposal took its place before it was promoted.
    Rejected,
}

impl ModelState {
    /// As it is stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Promoted => "promoted",
            Self::Retired => "retired",
            Self::Rejected => "rejected",
        }
    }
}

impl std::str::FromStr for ModelState {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        [Self::Proposed, Self::Promoted, Self::Retired, Self::Rejected]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| "a state that there isn't".to_owned())
    }
}

/// A model without its weights.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// What it decides.
    pub task: String,
    /// Where it stands.
    pub state: ModelState,
    /// What ran when it was judged or, later, promoted; none for the built-in head.
    pub parent: Option<ModelId>,
    /// As `versions.heads` says it.
    pub name: String,
    /// Whose states it reads.
    pub encoder: String,
    /// SHA-256 over what it was fitted on.
    pub data_hash: String,
    /// How it does.
    pub metrics: Value,
    /// When it was made.
    pub created_at: Micros,
    /// When its state changed last.
    pub changed_at: Micros,
}

/// The weights of a model.
#[derive(Clone, PartialEq, Eq)]
pub struct Weights {
    /// The head.
    pub head: Vec<u8>,
    /// Its twin.
    pub twin: Vec<u8>,
}

const HEAD: &str = "model.head";
const TWIN: &str = "model.twin";

/// How many rejected proposals of a task are kept.
pub const KEPT_REJECTED: i64 = 5;

/// Stores a proposal. An earlier one of the task that still waits is rejected by it, and the oldest rejected ones
/// are deleted.
///
/// # Errors
/// Database and key errors.
pub async fn propose(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    m: &Model,
    weights: &Weights,
) -> Result<()> {
    store.keys.ensure(c, tenant, &[TENANT_SUBJECT], m.created_at).await?;
    let seal = |column, bytes: &[u8]| {
        store.keys.seal(tenant, TENANT_SUBJECT, column, m.id.as_str(), bytes)
    };
    q("update model set state = 'rejected', changed_at = $3
       where tenant_id = $1 and task = $2 and state = 'proposed'")
    .bind(tenant.as_str().to_owned())
    .bind(m.task.clone())
    .bind(m.created_at.0)
    .execute(&mut *c)
    .await?;
    // Weights are large, and nobody goes back to what never ran.
    q("delete from model where tenant_id = $1 and task = $2 and state = 'rejected' and id not in (
         select id from model where tenant_id = $1 and task = $2 and state = 'rejected'
         order by created_at desc, id desc limit $3)")
    .bind(tenant.as_str().to_owned())
    .bind(m.task.clone())
    .bind(KEPT_REJECTED)
    .execute(&mut *c)
    .await?;
    q("insert into model (tenant_id, id, task, state, parent_id, name, encoder, data_hash, metrics,
         created_at, changed_at, head_sealed, twin_sealed)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(tenant.as_str().to_owned())
    .bind(m.id.as_str().to_owned())
    .bind(m.task.clone())
    .bind(m.state.as_str())
    .bind(m.parent.as_ref().map(|id| id.as_str().to_owned()))
    .bind(m.name.clone())
    .bind(m.encoder.clone())
    .bind(m.data_hash.clone())
    .bind(m.metrics.to_string())
    .bind(m.created_at.0)
    .bind(m.changed_at.0)
    .bind(seal(HEAD, &weights.head)?)
    .bind(seal(TWIN, &weights.twin)?)
    .execute(c)
    .await?;
    Ok(())
}

type Row = (String, String, String, Option<String>, String, String, String, String, i64, i64);

fn model(row: Row) -> Result<Model> {
    let (id, task, state, parent, name, encoder, data_hash, metrics, created, changed) = row;
    Ok(Model {
        id: parse("model.id", &id)?,
        task,
        state: parse("model.state", &state)?,
        parent: parent.map(|p| parse("model.parent_id", &p)).transpose()?,
        name,
        encoder,
        data_hash,
        metrics: serde_json::from_str(&metrics)?,
        created_at: Micros(created),
        changed_at: Micros(changed),
    })
}

/// A tenant's models, the newest first.
///
/// # Errors
/// Database errors.
pub async fn list(c: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<Model>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, task, state, parent_id, name, encoder, data_hash, metrics, created_at,
           changed_at
         from model where tenant_id = $1 order by created_at desc, id desc",
    )
    .bind(tenant.as_str())
    .fetch_all(c)
    .await?;
    rows.into_iter().map(model).collect()
}

/// One model.
///
/// # Errors
/// [`Error::NotFound`], or database errors.
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &ModelId) -> Result<Model> {
    let row: Option<Row> = sqlx::query_as(
        "select id, task, state, parent_id, name, encoder, data_hash, metrics, created_at,
           changed_at
         from model where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(c)
    .await?;
    row.map(model).transpose()?.ok_or(Error::NotFound("model"))
}

/// The weights of a model.
///
/// # Errors
/// [`Error::NotFound`], key errors, or database errors.
pub async fn weights(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ModelId,
) -> Result<Weights> {
    let row: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select head_sealed, twin_sealed from model where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(&mut *c)
    .await?;
    let (head, twin) = row.ok_or(Error::NotFound("model"))?;
    let name = id.as_str();
    Ok(Weights {
        head: store.keys.open(c, tenant, TENANT_SUBJECT, HEAD, name, &head).await?,
        twin: store.keys.open(c, tenant, TENANT_SUBJECT, TWIN, name, &twin).await?,
    })
}

/// Every promoted model of every tenant, in a stable order.
///
/// # Errors
/// Database errors.
pub async fn promoted(c: &mut AnyConnection) -> Result<Vec<(TenantId, ModelId)>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select tenant_id, id from model where state = 'promoted' order by tenant_id, task",
    )
    .fetch_all(c)
    .await?;
    rows.into_iter()
        .map(|(t, id)| Ok((parse("model.tenant_id", &t)?, parse("model.id", &id)?)))
        .collect()
}

/// The promoted model of a task.
///
/// # Errors
/// Database errors.
pub async fn running(
    c: &mut AnyConnection,
    tenant: &TenantId,
    task: &str,
) -> Result<Option<ModelId>> {
    let row: Option<(String,)> = sqlx::query_as(
        "select id from model where tenant_id = $1 and task = $2 and state = 'promoted'",
    )
    .bind(tenant.as_str())
    .bind(task)
    .fetch_optional(c)
    .await?;
    row.map(|(id,)| parse("model.id", &id)).transpose()
}

/// Puts `next` in the place of what runs for a task; without one the built-in head runs again. A promoted model
/// remembers whose place it took, unless it comes back. Takes the tenant's lock; gives what ran before.
///
/// # Errors
/// [`Error::NotFound`] when there is no such model, or database errors.
pub async fn replace(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    task: &str,
    next: Option<(&ModelId, Step)>,
) -> Result<Option<ModelId>> {
    tenant::lock(c, tenant).await?;
    let now = store.host.now().0;
    let before = running(c, tenant, task).await?;
    q("update model set state = 'retired', changed_at = $3
       where tenant_id = $1 and task = $2 and state = 'promoted'")
    .bind(tenant.as_str().to_owned())
    .bind(task.to_owned())
    .bind(now)
    .execute(&mut *c)
    .await?;
    let Some((id, step)) = next else { return Ok(before) };
    let parent = match step {
        Step::Forward => before.clone(),
        Step::Back => get(c, tenant, id).await?.parent,
    };
    let done = q("update model set state = 'promoted', parent_id = $4, changed_at = $5
       where tenant_id = $1 and id = $2 and task = $3")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(task.to_owned())
    .bind(parent.map(|id| id.as_str().to_owned()))
    .bind(now)
    .execute(c)
    .await?;
    if done.rows_affected() == 1 { Ok(before) } else { Err(Error::NotFound("model")) }
}

/// Which way a model comes into its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is promoted over what runs.
    Forward,
    /// What took its place goes.
    Back,
}

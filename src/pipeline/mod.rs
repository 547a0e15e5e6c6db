//! The way of a message, step by step.
//!
//! | job | steps | files |
//! |---|---|---|
//! | (request) | 1 receive | `intake`, `http` |
//! | understand | 2 normalise, 3 thread, 4 read, 5 mask, 6 chunk, 7 embed | [`normalise`], [`threads`], [`understand`] |
//! | answer | 8 retrieve, 9 draft, 10 ground, 11 review | [`retrieve`], [`answer`] |
//! | send | 12 send | [`send`] |
//! | reembed | 7 again, after a change of the encoder | [`reembed`] |
//! | deliver | tells those who listen | [`events`] |
//! | report | tells an inbox platform | [`report`] |
//!
//! Each job works without a transaction open, then commits its result, the next job's row, the
//! audit row and its own completion in one transaction that is fenced by the claim's token.

pub mod anonymise;
pub mod answer;
pub mod classify;
pub mod events;
pub mod learning;
pub mod masking;
pub mod normalise;
pub mod promoted;
pub mod prompt;
pub mod reembed;
pub mod report;
pub mod retrieve;
pub mod send;
pub mod threads;
pub mod topics;
pub mod understand;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use self::promoted::Promoted;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::ids::TenantId;
use crate::nlp::encoder::Embed;
use crate::ports::platform::Platform;
use crate::ports::poster::Poster;
use crate::review::supersede;
use crate::store::job::{self, Claim, Kind};
use crate::store::{self, Store, audit, tenant};
use masking::Maskings;

/// Why a job did not get done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Not now: what it read has changed, or a rate limit holds. Doesn't count as an attempt.
    #[error("put off for {0:?}")]
    Later(Duration),
    /// It may work next time.
    #[error("{why}")]
    Retry {
        /// Why, without any message's text.
        why: String,
        /// The other side's wish.
        after: Option<Duration>,
    },
    /// It will never work.
    #[error("{why}")]
    Fail {
        /// Why, without any message's text.
        why: String,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl StepError {
    /// A failure that no repetition mends.
    pub fn fail(why: impl Into<String>) -> Self {
        Self::Fail { why: why.into() }
    }

    /// A failure that may pass.
    pub fn retry(why: impl Into<String>) -> Self {
        Self::Retry { why: why.into(), after: None }
    }

    /// How long the other side asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, .. } => *after,
            _ => None,
        }
    }
}

impl From<sqlx::Error> for StepError {
    fn from(e: sqlx::Error) -> Self {
        Self::Store(e.into())
    }
}

/// Everything that the steps need.
pub struct Pipeline {
    /// The database.
    pub store: Store,
    /// Settings.
    pub config: Arc<Config>,
    /// The encoder.
    pub encoder: Arc<dyn Embed>,
    /// The same, with a memory for the sentences that replies are drafted from and checked against.
    pub evidence: Arc<dyn Embed>,
    /// Finds personal data.
    pub masking: Arc<Maskings>,
    /// Classifies, for each tenant by its own heads.
    pub heads: Arc<Promoted>,
    /// Searches.
    pub search: retrieve::Search,
    /// Drafts.
    pub drafter: answer::Drafter,
    /// Sends.
    pub senders: send::Senders,
    /// Posts events.
    pub poster: Arc<dyn Poster>,
    /// Tells inbox platforms.
    pub platform: Arc<dyn Platform>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipeline")
    }
}

impl Pipeline {
    /// Runs a claimed job to its commit.
    ///
    /// # Errors
    /// [`StepError`] says whether it is worth another try.
    pub async fn run(&self, job: &Claim) -> Result<(), StepError> {
        match job.kind {
            Kind::Understand => understand::run(self, job).await,
            Kind::Answer => answer::run(self, job).await,
            Kind::Send => send::run(self, job).await,
            Kind::Reembed => reembed::run(self, job).await,
            Kind::Deliver => events::deliver(self, job).await,
            Kind::Report => report::run(self, job).await,
        }
    }
}

/// Runs something CPU-bound without holding up the other tasks of this thread.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let multi = tokio::runtime::Handle::try_current()
        .is_ok_and(|h| h.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    if multi { tokio::task::block_in_place(work) } else { work() }
}

/// Puts a tenant's dead letters back to work; returns how many. A review that is empty because its
/// draft had failed makes room for a new one.
///
/// # Errors
/// Store errors.
pub async fn replay(store: &Store, tenant: &TenantId) -> store::Result<u64> {
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, tenant).await?;
    for thread in job::dead(&mut tx, tenant, Kind::Answer).await? {
        let thread = store::parse("job.ref_id", &thread)?;
        supersede::failed_draft(store, &mut tx, tenant, &thread, "drafted again").await?;
    }
    let now = store.db.now(&mut tx).await?;
    let n = job::replay(&mut tx, tenant, now).await?;
    let (object, detail) = (format!("tenant:{tenant}"), json!({"jobs": n}));
    audit::append(store, &mut tx, tenant, &Actor::System, "jobs.replayed", object, detail).await?;
    tx.commit().await?;
    Ok(n)
}

/// Gives a job up. What it was for doesn't vanish: a message that can't be understood or answered
/// comes before a person, a send that can't be made fails its review.
///
/// # Errors
/// Store errors; [`store::Error::Fenced`] when the claim was lost.
pub async fn bury(store: &Store, job: &Claim, why: &str) -> store::Result<()> {
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, &job.tenant).await?;
    let now = store.db.now(&mut tx).await?;
    job::bury(&mut tx, job, now, why).await?;
    match job.kind {
        Kind::Understand => understand::give_up(store, &mut tx, job).await?,
        Kind::Answer => answer::give_up(store, &mut tx, job).await?,
        Kind::Send => send::give_up(store, &mut tx, job, why).await?,
        // Its chunks stay unfound, as `doctor` says; nobody waits for it. What waits for an endpoint
        // gets another job with the next event; what a platform was not told, the page shows.
        Kind::Reembed | Kind::Deliver | Kind::Report => {}
    }
    let detail = json!({"kind": job.kind.as_str(), "ref": job.ref_id, "attempts": job.attempt});
    let object = format!("job:{}", job.id);
    audit::append(store, &mut tx, &job.tenant, &Actor::System, "job.dead", object, detail).await?;
    Ok(tx.commit().await?)
}

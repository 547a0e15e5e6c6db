//! Chunks that another encoder embedded are embedded anew: after a change of the model or its mode.
//! Until then a search doesn't find them, so articles come first and answers wait for them.
//!
//! A durable job does some at a time and enqueues the next, so that messages come between, and a
//! process that dies loses seconds of work. `kb reembed` does the same without the service.

use std::time::Duration;

use sqlx::AnyConnection;

use super::{Pipeline, StepError, blocking};
use crate::domain::ids::{ArticleId, TenantId};
use crate::domain::masking::MaskedText;
use crate::domain::vectors::comparable;
use crate::nlp::encoder::Embed;
use crate::ports::ChunkKind;
use crate::store::chunk::{self, Foreign, Outdated};
use crate::store::job::{self, Claim, Kind};
use crate::store::{self, Store, article, tenant};

/// Chunks of one job: a second or two of work.
const BATCH: i64 = 32;

/// How long a job for another encoder waits for a process that has it.
const NOT_OURS: Duration = Duration::from_secs(30);

/// New vectors for some chunks of one group.
pub struct Batch {
    of: Foreign,
    vectors: Vec<(Outdated, Vec<f32>)>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("chunks", &self.vectors.len()).finish_non_exhaustive()
    }
}

impl Batch {
    /// Embeds the next chunks of a tenant; none if there are no more.
    ///
    /// # Errors
    /// Store errors.
    pub async fn next(
        store: &Store,
        encoder: &dyn Embed,
        tenant: &TenantId,
    ) -> store::Result<Option<Self>> {
        let (of, chunks, texts) = {
            let mut c = store.db.read().await?;
            let Some(of) = chunk::foreign(&mut c, tenant, encoder.id()).await?.into_iter().next()
            else {
                return Ok(None);
            };
            let chunks = chunk::outdated(&mut c, tenant, &of, BATCH).await?;
            let texts = texts(&mut c, tenant, &of, &chunks).await?;
            (of, chunks, texts)
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let encoded = blocking(|| encoder.embed(&texts));
        let vectors = chunks.into_iter().zip(encoded.into_iter().map(|e| e.embedding)).collect();
        Ok(Some(Self { of, vectors }))
    }

    /// Writes them. The caller holds the tenant's lock.
    ///
    /// # Errors
    /// Store errors.
    pub async fn keep(
        &self,
        c: &mut AnyConnection,
        encoder: &dyn Embed,
        tenant: &TenantId,
    ) -> store::Result<()> {
        chunk::reembedded(c, tenant, &self.of, encoder.id(), &self.vectors).await
    }

    /// How many chunks.
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }
}

/// What each chunk was embedded from: a paragraph of an article stands under its title, a message is
/// read as words.
async fn texts(
    c: &mut AnyConnection,
    tenant: &TenantId,
    of: &Foreign,
    chunks: &[Outdated],
) -> store::Result<Vec<String>> {
    let kind: ChunkKind = store::parse("chunk.kind", &of.kind)?;
    let mut texts = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        texts.push(match kind {
            ChunkKind::Article => {
                let id: ArticleId = store::parse("chunk.source_id", &chunk.source)?;
                match article::get(c, tenant, &id).await {
                    Ok(a) => format!("{}\n{}", a.title, chunk.body),
                    Err(store::Error::NotFound(_)) => chunk.body.clone(),
                    Err(e) => return Err(e),
                }
            }
            ChunkKind::Message | ChunkKind::Reply => {
                MaskedText::from_store(chunk.body.clone()).as_words()
            }
        });
    }
    Ok(texts)
}

/// Runs the job: some chunks, and the next job if there are more.
///
/// # Errors
/// [`StepError`].
pub async fn run(p: &Pipeline, job: &Claim) -> Result<(), StepError> {
    let (store, t, encoder) = (&p.store, &job.tenant, &*p.encoder);
    if !comparable(&job.ref_id, encoder.id()) {
        return Err(StepError::Later(NOT_OURS));
    }
    let batch = Batch::next(store, encoder, t).await?;
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, t).await?;
    let now = store.db.now(&mut tx).await?;
    if let Some(batch) = &batch {
        batch.keep(&mut tx, encoder, t).await?;
        tracing::info!(chunks = batch.len(), "embedded anew");
    }
    job::complete(&mut tx, job, now).await?;
    if !chunk::foreign(&mut tx, t, encoder.id()).await?.is_empty() {
        job::enqueue_once(store, &mut tx, t, Kind::Reembed, encoder.id(), now).await?;
    }
    Ok(tx.commit().await?)
}

impl Pipeline {
    /// Enqueues a job for each tenant that has chunks of another encoder.
    ///
    /// # Errors
    /// Store errors.
    pub async fn refill(&self) -> store::Result<()> {
        let (store, encoder) = (&self.store, self.encoder.id());
        let tenants = {
            let mut c = store.db.read().await?;
            tenant::all(&mut c).await?
        };
        for t in tenants {
            let foreign = {
                let mut c = store.db.read().await?;
                chunk::foreign(&mut c, &t.id, encoder).await?
            };
            if foreign.is_empty() {
                continue;
            }
            let chunks: i64 = foreign.iter().map(|f| f.chunks).sum();
            tracing::warn!(tenant = %t.id, chunks, encoder, "another encoder embedded these: anew");
            let mut tx = store.db.begin().await?;
            tenant::lock(&mut tx, &t.id).await?;
            let now = store.db.now(&mut tx).await?;
            job::enqueue_once(store, &mut tx, &t.id, Kind::Reembed, encoder, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Whether knowledge is just being embedded anew, so that an answer would miss it.
    ///
    /// # Errors
    /// Store errors.
    pub(super) async fn is_refilling(&self, t: &TenantId) -> store::Result<bool> {
        let mut c = self.store.db.read().await?;
        if !job::is_due(&mut c, t, Kind::Reembed, self.encoder.id()).await? {
            return Ok(false);
        }
        let foreign = chunk::foreign(&mut c, t, self.encoder.id()).await?;
        Ok(foreign.iter().any(|f| f.kind == ChunkKind::Article.as_str()))
    }
}

//! Step 8: brings the index up to the rows and asks it. The rows are the truth; the index follows
//! the tenant's change sequence and is caught up before every query, so a freshly added article is
//! found by the next draft, and an index that was lost is rebuilt by the first query.

use std::sync::Arc;

use super::{Pipeline, anonymise, blocking};
use crate::domain::ids::{ArticleId, TenantId};
use crate::domain::masking::{MaskedText, PublicText};
use crate::ports::{
    Change, ChangeOp, ChunkKind, Hit, IndexError, IndexText, IndexedChunk, Query, SearchMode,
    VectorIndex,
};
use crate::store::{self, Store, article, chunk};

/// Rows in one batch of catching up.
const BATCH: i64 = 2000;

/// Why a search gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The rows.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// An index that follows the rows.
#[derive(Clone)]
pub struct Search {
    index: Arc<dyn VectorIndex>,
    encoder: String,
    // One catch-up at a time; queries go on meanwhile.
    following: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Search")
    }
}

/// A passage as found: article, title and text of the chunk.
#[derive(Debug, Clone)]
pub struct Found {
    /// The chunk.
    pub hit: Hit,
    /// The article's title.
    pub title: String,
    /// The chunk's text.
    pub text: PublicText,
}

impl Search {
    /// Over an index that holds vectors of `encoder`.
    pub fn new(index: Arc<dyn VectorIndex>, encoder: &str) -> Self {
        Self { index, encoder: encoder.to_owned(), following: Arc::default() }
    }

    /// Applies what has changed since.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn catch_up(&self, store: &Store, tenant: &TenantId) -> Result<(), SearchError> {
        let _alone = self.following.lock().await;
        loop {
            let since = self.index.applied_seq(tenant).await?;
            let mut c = store.db.read().await?;
            let rows = chunk::changes(&mut c, tenant, &self.encoder, since, BATCH).await?;
            let full = i64::try_from(rows.len()).unwrap_or(0) == BATCH;
            if rows.is_empty() {
                return Ok(());
            }
            let mut changes = Vec::with_capacity(rows.len());
            for row in rows {
                changes.push(change(&mut c, tenant, row).await?);
            }
            drop(c);
            self.index.apply(tenant, changes).await?;
            if !full {
                return Ok(());
            }
        }
    }

    /// Published passages for a query, best first.
    ///
    /// # Errors
    /// [`SearchError`].
    pub async fn passages(
        &self,
        store: &Store,
        tenant: &TenantId,
        query: &Query,
    ) -> Result<Vec<Found>, SearchError> {
        self.catch_up(store, tenant).await?;
        let hits = self.index.search(tenant, query).await?;
        let mut c = store.db.read().await?;
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            // Deleted between the search and now: it is no evidence any more.
            let Some((kind, source, text)) =
                chunk::get(&mut c, tenant, &hit.chunk.to_string()).await?
            else {
                continue;
            };
            if kind != ChunkKind::Article.as_str() {
                continue;
            }
            let id: ArticleId = store::parse("chunk.source_id", &source)?;
            match article::get(&mut c, tenant, &id).await {
                Ok(a) => found.push(Found { hit, title: a.title, text: PublicText::new(text) }),
                Err(store::Error::NotFound(_)) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(found)
    }
}

/// Published passages for a question that somebody asks outside any conversation, best first. Personal
/// data in it is masked: an index may be another machine.
///
/// # Errors
/// [`SearchError`].
pub async fn ask(
    p: &Pipeline,
    tenant: &TenantId,
    question: &str,
    k: usize,
) -> Result<Vec<Found>, SearchError> {
    let by = p.masking.of(tenant).anonymiser(p.store.keys.operator_key(tenant));
    let masked = blocking(|| {
        by.text(question, &anonymise::Options::default(), &mut anonymise::Conversation::default())
    });
    // What can't be masked isn't looked for.
    let Ok(masked) = masked else { return Ok(Vec::new()) };
    let text = PublicText::new(masked.text);
    let embedding = blocking(|| p.encoder.embed(&[text.as_str()])).pop();
    let query = Query {
        embedding: embedding.map(|e| e.embedding).unwrap_or_default(),
        text: IndexText::from(&text),
        k,
        mode: SearchMode::Hybrid,
        kinds: vec![ChunkKind::Article],
        except_source: None,
    };
    p.search.passages(&p.store, tenant, &query).await
}

async fn change(
    c: &mut sqlx::AnyConnection,
    tenant: &TenantId,
    row: chunk::Change,
) -> Result<Change, SearchError> {
    let Some((body, embedding)) = row.content else {
        return Ok(Change { seq: row.seq, op: ChangeOp::Delete(row.id) });
    };
    let kind: ChunkKind = store::parse("chunk.kind", &row.kind)?;
    let text = match kind {
        ChunkKind::Article => {
            let id: ArticleId = store::parse("chunk.source_id", &row.source)?;
            let title = match article::get(c, tenant, &id).await {
                Ok(a) => a.title,
                Err(store::Error::NotFound(_)) => String::new(),
                Err(e) => return Err(e.into()),
            };
            IndexText::from(&PublicText::new(format!("{title}\n{body}")))
        }
        ChunkKind::Message | ChunkKind::Reply => IndexText::from(&MaskedText::from_store(body)),
    };
    let chunk = IndexedChunk { id: row.id, kind, source: row.source, text, embedding };
    Ok(Change { seq: row.seq, op: ChangeOp::Upsert(chunk) })
}

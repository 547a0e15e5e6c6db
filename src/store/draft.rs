//! Drafts: immutable revisions. An edit is the next revision, never a change of one.

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::ids::{DraftId, Micros, TenantId, ThreadId};

/// One revision.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The draft.
    pub id: DraftId,
    /// From 1.
    pub revision: i64,
    /// The conversation.
    pub thread: ThreadId,
    /// `extractive`, `model:<name>` or `person:<user id>`.
    pub author: String,
    /// Masked body, stored form.
    pub body: String,
    /// Sentences, citations, verdicts, tone: JSON.
    pub detail: String,
    /// The evidence as it was: JSON.
    pub passages: String,
    /// Content hash of the prompt, for a model's draft.
    pub prompt_hash: Option<String>,
    /// When.
    pub created_at: Micros,
}

/// Stores a revision.
///
/// # Errors
/// A unique violation when the revision exists: somebody else was first.
pub async fn put(store: &Store, c: &mut AnyConnection, tenant: &TenantId, d: &Draft) -> Result<()> {
    q("insert into draft (tenant_id, id, revision, thread_id, author, body_masked, detail,
         passages, prompt_hash, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(tenant.as_str().to_owned())
    .bind(d.id.as_str().to_owned())
    .bind(d.revision)
    .bind(d.thread.as_str().to_owned())
    .bind(d.author.clone())
    .bind(d.body.clone())
    .bind(d.detail.clone())
    .bind(d.passages.clone())
    .bind(d.prompt_hash.clone())
    .bind(store.host.now().0)
    .execute(c)
    .await?;
    Ok(())
}

/// One revision.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &DraftId,
    revision: i64,
) -> Result<Draft> {
    type Row = (String, String, String, String, String, Option<String>, i64);
    let row: Option<Row> = sqlx::query_as(
        "select thread_id, author, body_masked, detail, passages, prompt_hash, created_at
         from draft where tenant_id = $1 and id = $2 and revision = $3",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(revision)
    .fetch_optional(c)
    .await?;
    let (thread, author, body, detail, passages, prompt_hash, created_at) =
        row.ok_or(Error::NotFound("draft"))?;
    Ok(Draft {
        id: id.clone(),
        revision,
        thread: parse("draft.thread_id", &thread)?,
        author,
        body,
        detail,
        passages,
        prompt_hash,
        created_at: Micros(created_at),
    })
}

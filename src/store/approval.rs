//! Countersignatures. A row is never deleted; taking one back sets `live` to 0, which the database
//! refuses once a send row refers to it.

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::approval::{Approver, Digest, SignedContent};
use crate::domain::ids::{ApprovalId, ContactId, Micros, ReviewId, TenantId};

/// A countersignature's row.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Of which review.
    pub review: ReviewId,
    /// What was signed.
    pub digest: Digest,
    /// Whether it stands.
    pub live: bool,
    /// Who signed.
    pub approver: Approver,
    /// When.
    pub created_at: Micros,
}

/// Stores a signature.
///
/// # Errors
/// A unique violation when the review has a live one; key errors.
pub async fn create(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    a: &Approval,
    subject: &ContactId,
    content: &SignedContent,
) -> Result<()> {
    store.keys.ensure(c, tenant, &[subject.as_str()], a.created_at).await?;
    let sealed = store.keys.seal(
        tenant,
        subject.as_str(),
        "approval.signed",
        a.id.as_str(),
        &content.canonical()?,
    )?;
    let (kind, who) = a.approver.parts();
    q("insert into approval (tenant_id, id, review_id, digest, live, approver_kind, approver,
         signed_sealed, subject_id, created_at) values ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9)")
    .bind(tenant.as_str().to_owned())
    .bind(a.id.as_str().to_owned())
    .bind(a.review.as_str().to_owned())
    .bind(a.digest.as_str().to_owned())
    .bind(kind)
    .bind(who.to_owned())
    .bind(sealed)
    .bind(subject.as_str().to_owned())
    .bind(a.created_at.0)
    .execute(c)
    .await?;
    Ok(())
}

/// One signature.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &ApprovalId) -> Result<Approval> {
    type Row = (String, String, i64, String, String, i64);
    let row: Option<Row> = sqlx::query_as(
        "select review_id, digest, live, approver_kind, approver, created_at from approval
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(c)
    .await?;
    let (review, digest, live, kind, who, created_at) = row.ok_or(Error::NotFound("approval"))?;
    Ok(Approval {
        id: id.clone(),
        review: parse("approval.review_id", &review)?,
        digest: parse("approval.digest", &digest)?,
        live: live == 1,
        approver: Approver::from_parts(&kind, &who)
            .map_err(|e| Error::Corrupt { what: "approval.approver", why: e.to_string() })?,
        created_at: Micros(created_at),
    })
}

/// Takes a signature back.
///
/// # Errors
/// A foreign-key violation once sending has begun; [`Error::Fenced`] when it wasn't live.
pub async fn void(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ApprovalId,
    reason: &str,
) -> Result<()> {
    let n = q("update approval set live = 0, voided_at = $3, void_reason = $4
               where tenant_id = $1 and id = $2 and live = 1")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(store.host.now().0)
    .bind(reason.to_owned())
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::Fenced) }
}

//! Attachments as recorded: what they claim to be and what the policy said. Their content is not kept
//! here; their names, which are personal, are sealed.

use sqlx::AnyConnection;

use super::Message;
use crate::domain::ids::TenantId;
use crate::domain::media;
use crate::store::{Result, Store, q};

/// An attachment as it came.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Sealed in storage.
    pub name: String,
    /// As declared; only what is on our list is stored.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Hex; stored keyed.
    pub sha256: String,
    /// By the policy.
    pub allowed: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// The stored form of a content's hash, `hmac:` + hex: a plain one would tell whoever has the same file
/// that it was here.
pub(in crate::store) fn keyed(store: &Store, tenant: &TenantId, sha256: &str) -> String {
    format!("hmac:{}", store.keys.hash_full(tenant, "attachment", sha256.as_bytes()))
}

/// An attachment as recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Sealed in storage.
    pub name: String,
    /// From our list.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Keyed: equal for equal content within a tenant, and nowhere else.
    pub hash: String,
    /// By the policy.
    pub allowed: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Replaces a message's attachments.
///
/// # Errors
/// Database and key errors.
pub async fn put_attachments(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
    all: &[Attachment],
) -> Result<()> {
    q("delete from attachment where tenant_id = $1 and message_id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(row.id.as_str().to_owned())
        .execute(&mut *c)
        .await?;
    for a in all {
        let id = store.host.uuid().hyphenated().to_string();
        let name = store.keys.seal(
            tenant,
            row.subject.as_str(),
            "attachment.name",
            &id,
            a.name.as_bytes(),
        )?;
        q("insert into attachment (tenant_id, id, message_id, name_sealed, content_type,
             size_bytes, content_hash, allowed, reason) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(tenant.as_str().to_owned())
        .bind(id)
        .bind(row.id.as_str().to_owned())
        .bind(name)
        .bind(media::known(&a.content_type))
        .bind(i64::try_from(a.size).unwrap_or(i64::MAX))
        .bind(keyed(store, tenant, &a.sha256))
        .bind(i64::from(a.allowed))
        .bind(a.reason.clone())
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// The attachments of a message.
///
/// # Errors
/// Database and key errors.
pub async fn attachments(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    row: &Message,
) -> Result<Vec<Recorded>> {
    type Row = (String, Vec<u8>, String, i64, String, i64, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select id, name_sealed, content_type, size_bytes, content_hash, allowed, reason
         from attachment where tenant_id = $1 and message_id = $2 order by id",
    )
    .bind(tenant.as_str())
    .bind(row.id.as_str())
    .fetch_all(&mut *c)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (id, name, content_type, size, hash, allowed, reason) in rows {
        let s = row.subject.as_str();
        all.push(Recorded {
            name: store.keys.open_text(c, tenant, s, "attachment.name", &id, &name).await?,
            content_type,
            size: u64::try_from(size).unwrap_or(0),
            hash,
            allowed: allowed != 0,
            reason,
        });
    }
    Ok(all)
}

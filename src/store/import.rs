//! How far an import came, so that it goes on where it was interrupted.

use sqlx::AnyConnection;

use super::{Result, Store, q};
use crate::domain::ids::TenantId;

/// How many items of this source have been taken, if it still looks the same.
///
/// # Errors
/// Database errors.
pub async fn position(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    source: &str,
    fingerprint: &str,
) -> Result<u64> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "select position, fingerprint from import_checkpoint
         where tenant_id = $1 and source_hash = $2",
    )
    .bind(tenant.as_str())
    .bind(store.keys.hash(tenant, "import", source))
    .fetch_optional(c)
    .await?;
    Ok(row.filter(|(_, f)| f == fingerprint).and_then(|(p, _)| u64::try_from(p).ok()).unwrap_or(0))
}

/// Notes how far it came.
///
/// # Errors
/// Database errors.
pub async fn checkpoint(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    source: &str,
    fingerprint: &str,
    position: u64,
) -> Result<()> {
    q("insert into import_checkpoint (tenant_id, source_hash, position, fingerprint, updated_at)
       values ($1, $2, $3, $4, $5)
       on conflict (tenant_id, source_hash) do update set position = excluded.position,
         fingerprint = excluded.fingerprint, updated_at = excluded.updated_at")
    .bind(tenant.as_str().to_owned())
    .bind(store.keys.hash(tenant, "import", source))
    .bind(i64::try_from(position).unwrap_or(i64::MAX))
    .bind(fingerprint.to_owned())
    .bind(store.host.now().0)
    .execute(c)
    .await?;
    Ok(())
}

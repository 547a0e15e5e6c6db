//! The vault: what each placeholder of a thread stands for. Ids are keyed hashes of (thread, type,
//! normalised value), so masking needs no look-up and two workers give the same value the same id.

use std::fmt;

use sqlx::AnyConnection;

use super::{Result, Store, q};
use crate::domain::ids::{ContactId, TenantId, ThreadId};

/// An entry; Debug leaves the value out.
#[derive(Clone)]
pub struct Entry {
    /// The vault id, 16 hex digits.
    pub id: String,
    /// The entity type, as `EMAIL_ADDRESS`.
    pub entity: String,
    /// Keyed hash of (type, normalised value), equal across threads.
    pub value_hash: String,
    /// The first surface form.
    pub surface: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("entity", &self.entity)
            .finish_non_exhaustive()
    }
}

/// The id that a value has in a thread.
pub fn id_of(
    store: &Store,
    tenant: &TenantId,
    thread: &ThreadId,
    entity: &str,
    normalised: &str,
) -> String {
    let key = format!("{thread}|{entity}|{normalised}");
    store.keys.hash(tenant, "vault", &key)[..16].to_owned()
}

/// The hash that a value has in every thread.
pub fn value_hash(store: &Store, tenant: &TenantId, entity: &str, normalised: &str) -> String {
    store.keys.hash(tenant, "value", &format!("{entity}|{normalised}"))
}

/// Stores entries that aren't there yet, numbered after those that are. The caller holds the
/// tenant's lock.
///
/// # Errors
/// Database and key errors.
pub async fn put(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
    subject: &ContactId,
    entries: &[Entry],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut ordinal,): (i64,) = sqlx::query_as(
        "select coalesce(max(ordinal), 0) from vault_entry where tenant_id = $1 and thread_id = $2",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .fetch_one(&mut *c)
    .await?;
    for e in entries {
        ordinal += 1;
        let row = format!("{thread}|{}", e.id);
        let sealed = store.keys.seal(
            tenant,
            subject.as_str(),
            "vault.surface",
            &row,
            e.surface.as_bytes(),
        )?;
        q("insert into vault_entry (tenant_id, id, thread_id, entity, value_hash, surface_sealed,
             subject_id, ordinal, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing")
        .bind(tenant.as_str().to_owned())
        .bind(e.id.clone())
        .bind(thread.as_str().to_owned())
        .bind(e.entity.clone())
        .bind(e.value_hash.clone())
        .bind(sealed)
        .bind(subject.as_str().to_owned())
        .bind(ordinal)
        .bind(store.host.now().0)
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// The entries of a thread in order of first appearance: id, type and value hash, no values.
///
/// # Errors
/// Database errors.
pub async fn outline(
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
) -> Result<Vec<(String, String, String)>> {
    Ok(sqlx::query_as(
        "select id, entity, value_hash from vault_entry
         where tenant_id = $1 and thread_id = $2 order by ordinal, id",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .fetch_all(c)
    .await?)
}

/// The entries of a thread with their values: for the sender and for an audited reveal only.
///
/// # Errors
/// Database and key errors.
pub async fn values(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    thread: &ThreadId,
) -> Result<Vec<Entry>> {
    let rows: Vec<(String, String, String, Vec<u8>, String)> = sqlx::query_as(
        "select id, entity, value_hash, surface_sealed, subject_id from vault_entry
         where tenant_id = $1 and thread_id = $2 order by ordinal, id",
    )
    .bind(tenant.as_str())
    .bind(thread.as_str())
    .fetch_all(&mut *c)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (id, entity, value_hash, sealed, subject) in rows {
        let row = format!("{thread}|{id}");
        let surface =
            store.keys.open_text(c, tenant, &subject, "vault.surface", &row, &sealed).await?;
        all.push(Entry { id, entity, value_hash, surface });
    }
    Ok(all)
}

//! Tenants, and the row lock that serialises what must be serial within one.

use sqlx::AnyConnection;

use super::{Result, Store, parse, q};
use crate::domain::ids::{Slug, TenantId};

/// A tenant's row.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its short name.
    pub slug: Slug,
}

/// Finds a tenant by its short name, or makes it.
///
/// # Errors
/// Database errors.
pub async fn ensure(store: &Store, slug: &Slug) -> Result<Tenant> {
    // An insert waits for whoever holds the tenant's lock, even where it has nothing to insert; a
    // process must be able to start beside one that hangs.
    let known: Option<(String,)> = sqlx::query_as("select id from tenant where slug = $1")
        .bind(slug.as_str())
        .fetch_optional(&mut *store.db.read().await?)
        .await?;
    if let Some((id,)) = known {
        return Ok(Tenant { id: parse("tenant.id", &id)?, slug: slug.clone() });
    }
    let mut tx = store.db.begin().await?;
    let id = TenantId::from_uuid(store.host.uuid());
    q("insert into tenant (id, slug, created_at) values ($1, $2, $3) on conflict do nothing")
        .bind(id.as_str().to_owned())
        .bind(slug.as_str().to_owned())
        .bind(store.host.now().0)
        .execute(&mut *tx)
        .await?;
    let (id,): (String,) = sqlx::query_as("select id from tenant where slug = $1")
        .bind(slug.as_str())
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Tenant { id: parse("tenant.id", &id)?, slug: slug.clone() })
}

/// Every tenant.
///
/// # Errors
/// Database errors.
pub async fn all(c: &mut AnyConnection) -> Result<Vec<Tenant>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select id, slug from tenant order by id").fetch_all(c).await?;
    rows.into_iter()
        .map(|(id, slug)| {
            Ok(Tenant { id: parse("tenant.id", &id)?, slug: parse("tenant.slug", &slug)? })
        })
        .collect()
}

/// Takes the tenant's row lock until the transaction ends (on SQLite the transaction is already
/// alone). Threading, superseding and approving go under it, so that none of them acts on a head
/// that another has just moved.
///
/// # Errors
/// Database errors.
pub async fn lock(c: &mut AnyConnection, tenant: &TenantId) -> Result<()> {
    q("update tenant set turn = turn + 1 where id = $1")
        .bind(tenant.as_str().to_owned())
        .execute(c)
        .await?;
    Ok(())
}

/// The next `n` numbers of the tenant's change sequence; the first of them is returned.
///
/// # Errors
/// Database errors.
pub async fn next_changes(c: &mut AnyConnection, tenant: &TenantId, n: i64) -> Result<i64> {
    let (last,): (i64,) = sqlx::query_as(
        "update tenant set change_seq = change_seq + $1 where id = $2 returning change_seq",
    )
    .bind(n)
    .bind(tenant.as_str())
    .fetch_one(c)
    .await?;
    Ok(last - n + 1)
}

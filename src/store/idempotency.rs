//! Stored responses of writes that carried an `Idempotency-Key`.

use std::time::Duration;

use sqlx::AnyConnection;

use super::{Result, Store, q};
use crate::domain::ids::{Micros, TenantId};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is ours now, and the caller runs the request.
    Fresh,
    /// The first request is still running (or its process died within the last minute).
    Running,
    /// The same request was answered so.
    Done(u16, String),
    /// The key was used with other parameters.
    Differs,
}

/// Claims a key for a request. A claim that was not answered within `stale` is given up: its process died.
///
/// # Errors
/// Database errors.
pub async fn claim(
    store: &Store,
    tenant: &TenantId,
    key: &str,
    request_hash: &str,
    stale: Duration,
) -> Result<Known> {
    let mut tx = store.db.begin().await?;
    let now = store.host.now();
    let key = store.keys.hash(tenant, "idempotency", key);
    q("delete from idempotency where tenant_id = $1 and key_hash = $2
         and ((status = 0 and created_at < $3) or created_at < $4)")
    .bind(tenant.as_str().to_owned())
    .bind(key.clone())
    .bind(now.0 - i64::try_from(stale.as_micros()).unwrap_or(i64::MAX))
    .bind(now.0 - 86_400_000_000)
    .execute(&mut *tx)
    .await?;
    let n =
        q("insert into idempotency (tenant_id, key_hash, request_hash, status, body, created_at)
               values ($1, $2, $3, 0, '', $4) on conflict do nothing")
        .bind(tenant.as_str().to_owned())
        .bind(key.clone())
        .bind(request_hash.to_owned())
        .bind(now.0)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    let known = if n == 1 {
        Known::Fresh
    } else {
        let (hash, status, body): (String, i64, String) = sqlx::query_as(
            "select request_hash, status, body from idempotency
             where tenant_id = $1 and key_hash = $2",
        )
        .bind(tenant.as_str())
        .bind(key)
        .fetch_one(&mut *tx)
        .await?;
        match u16::try_from(status).unwrap_or(0) {
            _ if hash != request_hash => Known::Differs,
            0 => Known::Running,
            status => Known::Done(status, body),
        }
    };
    tx.commit().await?;
    Ok(known)
}

/// Stores the answer, or with `None` lets go of the key (the request failed on our side and may be
/// tried again).
///
/// # Errors
/// Database errors.
pub async fn settle(
    store: &Store,
    tenant: &TenantId,
    key: &str,
    answer: Option<(u16, &str)>,
) -> Result<()> {
    let mut tx = store.db.begin().await?;
    let key = store.keys.hash(tenant, "idempotency", key);
    match answer {
        Some((status, body)) => {
            q("update idempotency set status = $3, body = $4
               where tenant_id = $1 and key_hash = $2")
            .bind(tenant.as_str().to_owned())
            .bind(key)
            .bind(i64::from(status))
            .bind(body.to_owned())
            .execute(&mut *tx)
            .await?;
        }
        None => {
            q("delete from idempotency where tenant_id = $1 and key_hash = $2")
                .bind(tenant.as_str().to_owned())
                .bind(key)
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Forgets answers older than a day.
///
/// # Errors
/// Database errors.
pub async fn prune(c: &mut AnyConnection, now: Micros) -> Result<()> {
    q("delete from idempotency where created_at < $1")
        .bind(now.0 - 86_400_000_000)
        .execute(c)
        .await?;
    Ok(())
}

//! The sandbox channel's deliveries: sealed, one a send, shown on the page.

use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Result, Store, parse, q};
use crate::domain::ids::{ContactId, Micros, SendId, TenantId};

/// What the customer would see; Debug shows nothing of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Content {
    /// The recipient's address.
    pub to: String,
    /// The subject, where the channel has one.
    pub subject: String,
    /// The body, restored.
    pub body: String,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

/// Delivers. Repeating a send id changes nothing, which is what makes the sandbox idempotent.
///
/// # Errors
/// Database and key errors.
pub async fn deliver(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    send: &SendId,
    subject: &ContactId,
    content: &Content,
) -> Result<()> {
    let now = store.host.now();
    store.keys.ensure(c, tenant, &[subject.as_str()], now).await?;
    let plain = serde_json::to_vec(content)?;
    let sealed =
        store.keys.seal(tenant, subject.as_str(), "sandbox.content", send.as_str(), &plain)?;
    q("insert into sandbox_delivery (tenant_id, send_id, subject_id, content_sealed, delivered_at)
       values ($1, $2, $3, $4, $5) on conflict do nothing")
    .bind(tenant.as_str().to_owned())
    .bind(send.as_str().to_owned())
    .bind(subject.as_str().to_owned())
    .bind(sealed)
    .bind(now.0)
    .execute(c)
    .await?;
    Ok(())
}

/// The newest deliveries.
///
/// # Errors
/// Database and key errors.
pub async fn list(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    limit: i64,
) -> Result<Vec<(SendId, Content, Micros)>> {
    let rows: Vec<(String, String, Vec<u8>, i64)> = sqlx::query_as(
        "select send_id, subject_id, content_sealed, delivered_at from sandbox_delivery
         where tenant_id = $1 order by delivered_at desc, send_id desc limit $2",
    )
    .bind(tenant.as_str())
    .bind(limit)
    .fetch_all(&mut *c)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (send, subject, sealed, at) in rows {
        let plain = store.keys.open(c, tenant, &subject, "sandbox.content", &send, &sealed).await?;
        all.push((
            parse("sandbox_delivery.send_id", &send)?,
            serde_json::from_slice(&plain)?,
            Micros(at),
        ));
    }
    Ok(all)
}

//! What earlier versions stored plain is sealed or keyed at the start, when the key is there. It is done
//! row by row and may be repeated: a process that dies in between, or two that start at once, do no harm.

use super::{ROWS, Result, Store, channel, parse, q, tenant};
use crate::domain::ids::TenantId;
use crate::store::message::keyed;

/// Seals the URLs of channels and keys the hashes of attachments; gives how many rows were changed.
///
/// # Errors
/// Database and key errors.
pub async fn run(store: &Store) -> Result<u64> {
    let tenants = {
        let mut c = store.db.read().await?;
        tenant::all(&mut c).await?
    };
    let mut changed = 0;
    for t in tenants {
        changed += channels(store, &t.id).await?;
        loop {
            let n = attachments(store, &t.id).await?;
            changed += n;
            if n == 0 {
                break;
            }
        }
    }
    Ok(changed)
}

async fn channels(store: &Store, t: &TenantId) -> Result<u64> {
    let mut tx = store.db.begin().await?;
    let rows: Vec<(String,)> = sqlx::query_as(
        "select id from channel where tenant_id = $1 and config like '%\"url\":\"%'",
    )
    .bind(t.as_str())
    .fetch_all(&mut *tx)
    .await?;
    for (id,) in &rows {
        let id = parse("channel.id", id)?;
        let ch = channel::get(store, &mut tx, t, &id).await?;
        channel::rewrite(store, &mut tx, t, &ch).await?;
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}

/// One batch, so that no write waits long for this one.
async fn attachments(store: &Store, t: &TenantId) -> Result<u64> {
    let mut tx = store.db.begin().await?;
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select id, content_hash from attachment
         where tenant_id = $1 and content_hash not like 'hmac:%' order by id limit $2",
    )
    .bind(t.as_str())
    .bind(ROWS as i64)
    .fetch_all(&mut *tx)
    .await?;
    for (id, plain) in &rows {
        q("update attachment set content_hash = $3
           where tenant_id = $1 and id = $2 and content_hash = $4")
        .bind(t.as_str().to_owned())
        .bind(id.clone())
        .bind(keyed(store, t, plain))
        .bind(plain.clone())
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(rows.len() as u64)
}

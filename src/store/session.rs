//! Sessions of the page: hashed at rest, revocable here, expiring by the clock.

use sqlx::AnyConnection;

use super::{Result, parse, q};
use crate::domain::approval::Digest;
use crate::domain::ids::{Micros, TenantId, UserId};

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose data it may see.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
    /// What forms must carry.
    pub csrf: String,
}

fn hash(cookie: &str) -> String {
    Digest::of(cookie.as_bytes()).as_str().to_owned()
}

/// Begins a session; `cookie` is its secret value.
///
/// # Errors
/// Database errors.
pub async fn create(
    c: &mut AnyConnection,
    cookie: &str,
    s: &Session,
    now: Micros,
    expires: Micros,
) -> Result<()> {
    q("delete from session where expires_at < $1").bind(now.0).execute(&mut *c).await?;
    q("insert into session (tenant_id, id_hash, user_id, csrf, created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6)")
    .bind(s.tenant.as_str().to_owned())
    .bind(hash(cookie))
    .bind(s.user.as_str().to_owned())
    .bind(s.csrf.clone())
    .bind(now.0)
    .bind(expires.0)
    .execute(c)
    .await?;
    Ok(())
}

/// The session of a cookie, if it stands.
///
/// # Errors
/// Database errors.
pub async fn get(c: &mut AnyConnection, cookie: &str, now: Micros) -> Result<Option<Session>> {
    let row: Option<(String, String, String)> = sqlx::query_as(
        "select tenant_id, user_id, csrf from session where id_hash = $1 and expires_at > $2",
    )
    .bind(hash(cookie))
    .bind(now.0)
    .fetch_optional(c)
    .await?;
    row.map(|(t, u, csrf)| {
        Ok(Session {
            tenant: parse("session.tenant_id", &t)?,
            user: parse("session.user_id", &u)?,
            csrf,
        })
    })
    .transpose()
}

/// Ends a session.
///
/// # Errors
/// Database errors.
pub async fn delete(c: &mut AnyConnection, cookie: &str) -> Result<()> {
    q("delete from session where id_hash = $1").bind(hash(cookie)).execute(c).await?;
    Ok(())
}

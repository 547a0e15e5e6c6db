//! People with a login.

use std::fmt;

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::review::Role;

/// A person; Debug leaves the password's hash out.
#[derive(Clone)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their login name.
    pub name: String,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// Whether the login is switched off.
    pub disabled: bool,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

type Row = (String, String, String, String, Option<i64>);

macro_rules! select {
    ($($tail:literal)*) => {
        concat!("select id, name, password_hash, role, disabled_at from app_user ", $($tail)*)
    };
}

fn read(r: Row) -> Result<User> {
    Ok(User {
        id: parse("app_user.id", &r.0)?,
        name: r.1,
        password_hash: r.2,
        role: parse("app_user.role", &r.3)?,
        disabled: r.4.is_some(),
    })
}

/// Makes a login or changes the one of that name; a change ends its sessions, as whoever knew the old
/// password may have opened them.
///
/// # Errors
/// Database errors.
pub async fn put(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    name: &str,
    password_hash: &str,
    role: Role,
) -> Result<UserId> {
    let (id,): (String,) = sqlx::query_as(
        "insert into app_user (tenant_id, id, name, password_hash, role, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (tenant_id, name) do update set password_hash = excluded.password_hash,
           role = excluded.role, disabled_at = null
         returning id",
    )
    .bind(tenant.as_str())
    .bind(store.host.uuid().hyphenated().to_string())
    .bind(name)
    .bind(password_hash)
    .bind(role.as_str())
    .bind(store.host.now().0)
    .fetch_one(&mut *c)
    .await?;
    let id = parse("app_user.id", &id)?;
    end_sessions(c, tenant, &id).await?;
    Ok(id)
}

async fn end_sessions(c: &mut AnyConnection, tenant: &TenantId, id: &UserId) -> Result<()> {
    q("delete from session where tenant_id = $1 and user_id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .execute(c)
        .await?;
    Ok(())
}

/// By login name.
///
/// # Errors
/// Database errors.
pub async fn by_name(c: &mut AnyConnection, tenant: &TenantId, name: &str) -> Result<Option<User>> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and name = $2"))
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(c)
        .await?;
    row.map(read).transpose()
}

/// By id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &UserId) -> Result<User> {
    let row: Option<Row> = sqlx::query_as(select!("where tenant_id = $1 and id = $2"))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await?;
    read(row.ok_or(Error::NotFound("user"))?)
}

/// All of a tenant.
///
/// # Errors
/// Database errors.
pub async fn list(c: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<User>> {
    let rows: Vec<Row> = sqlx::query_as(select!("where tenant_id = $1 order by name"))
        .bind(tenant.as_str())
        .fetch_all(c)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Switches a login off and ends its sessions; its keys are refused from then on.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn disable(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &UserId,
) -> Result<()> {
    let n = q("update app_user set disabled_at = $3 where tenant_id = $1 and id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .bind(store.host.now().0)
        .execute(&mut *c)
        .await?
        .rows_affected();
    end_sessions(c, tenant, id).await?;
    if n == 1 { Ok(()) } else { Err(Error::NotFound("user")) }
}

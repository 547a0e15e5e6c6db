//! Knowledge: published articles that drafts are grounded in.

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::ids::{ArticleId, Micros, TenantId};

/// An article.
#[derive(Debug, Clone)]
pub struct Article {
    /// Its id.
    pub id: ArticleId,
    /// Its title.
    pub title: String,
    /// A path or URL; the same source replaces the article.
    pub source: String,
    /// Plain text.
    pub body: String,
    /// SHA-256 of title and body, hex.
    pub sha256: String,
    /// ISO 639-1.
    pub language: String,
    /// When it last changed.
    pub updated_at: Micros,
}

type Row = (String, String, String, String, String, String, i64);

macro_rules! select {
    ($($tail:literal)*) => {
        concat!("select id, title, source, body, sha256, language, updated_at from article ", $($tail)*)
    };
}

fn read(r: Row) -> Result<Article> {
    Ok(Article {
        id: parse("article.id", &r.0)?,
        title: r.1,
        source: r.2,
        body: r.3,
        sha256: r.4,
        language: r.5,
        updated_at: Micros(r.6),
    })
}

/// Stores an article; returns its id and whether anything changed.
///
/// # Errors
/// Database errors.
pub async fn put(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    a: &Article,
) -> Result<(ArticleId, bool)> {
    if let Some(old) = by_source(c, tenant, &a.source).await?
        && old.sha256 == a.sha256
    {
        return Ok((old.id, false));
    }
    let now = store.host.now();
    let (id,): (String,) = sqlx::query_as(
        "insert into article (tenant_id, id, title, source, body, sha256, language, created_at,
           updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         on conflict (tenant_id, source) do update set title = excluded.title,
           body = excluded.body, sha256 = excluded.sha256, language = excluded.language,
           updated_at = excluded.updated_at, deleted_at = null
         returning id",
    )
    .bind(tenant.as_str())
    .bind(a.id.as_str())
    .bind(a.title.as_str())
    .bind(a.source.as_str())
    .bind(a.body.as_str())
    .bind(a.sha256.as_str())
    .bind(a.language.as_str())
    .bind(now.0)
    .fetch_one(c)
    .await?;
    Ok((parse("article.id", &id)?, true))
}

/// By source.
///
/// # Errors
/// Database errors.
pub async fn by_source(
    c: &mut AnyConnection,
    tenant: &TenantId,
    source: &str,
) -> Result<Option<Article>> {
    let row: Option<Row> =
        sqlx::query_as(select!("where tenant_id = $1 and source = $2 and deleted_at is null"))
            .bind(tenant.as_str())
            .bind(source)
            .fetch_optional(c)
            .await?;
    row.map(read).transpose()
}

/// By id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(c: &mut AnyConnection, tenant: &TenantId, id: &ArticleId) -> Result<Article> {
    let row: Option<Row> =
        sqlx::query_as(select!("where tenant_id = $1 and id = $2 and deleted_at is null"))
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(c)
            .await?;
    read(row.ok_or(Error::NotFound("article"))?)
}

/// All, by title.
///
/// # Errors
/// Database errors.
pub async fn list(c: &mut AnyConnection, tenant: &TenantId, limit: i64) -> Result<Vec<Article>> {
    let rows: Vec<Row> = sqlx::query_as(select!(
        "where tenant_id = $1 and deleted_at is null order by title, id limit $2"
    ))
    .bind(tenant.as_str())
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.into_iter().map(read).collect()
}

/// A page of them in the order of their ids, which is that of their making.
///
/// # Errors
/// Database errors.
pub async fn page(
    c: &mut AnyConnection,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<Article>> {
    let rows: Vec<Row> = sqlx::query_as(select!(
        "where tenant_id = $1 and deleted_at is null and id > $2 order by id limit $3"
    ))
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.into_iter().map(read).collect()
}

/// Takes an article out.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ArticleId,
) -> Result<()> {
    let n = q("update article set deleted_at = $3, body = '' where tenant_id = $1 and id = $2
               and deleted_at is null")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(store.host.now().0)
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::NotFound("article")) }
}

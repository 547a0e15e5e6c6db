//! Chunks: the truth that every search index is a cache of. Each change takes the next number of
//! the tenant's sequence; an index asks for what came after the number it has.

use sqlx::AnyConnection;

use super::{Result, Store, parse, q, tenant};
use crate::domain::ids::{ChunkId, MessageId, TenantId};
use crate::domain::vectors::comparable;

/// A chunk to be stored.
#[derive(Debug, Clone)]
pub struct NewChunk {
    /// Byte offsets into the source's text.
    pub start: usize,
    /// End of the range.
    pub end: usize,
    /// Masked (message) or public (article) text.
    pub body: String,
    /// `dims` values, L2-normalised.
    pub embedding: Vec<f32>,
}

/// A chunk as an index follows it.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its number in the tenant's sequence.
    pub seq: i64,
    /// The chunk.
    pub id: ChunkId,
    /// `message` or `article`.
    pub kind: String,
    /// The message's or article's id.
    pub source: String,
    /// Text and embedding; none when it was deleted, or embedded by another encoder.
    pub content: Option<(String, Vec<f32>)>,
}

/// Replaces the chunks of a source.
///
/// # Errors
/// Database errors.
pub async fn replace(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: &'static str,
    source: &str,
    encoder: &str,
    chunks: &[NewChunk],
) -> Result<()> {
    remove(c, tenant, kind, source).await?;
    if chunks.is_empty() {
        return Ok(());
    }
    let first = tenant::next_changes(c, tenant, count(chunks.len())).await?;
    for (i, k) in (0i64..).zip(chunks) {
        q("insert into chunk (tenant_id, id, kind, source_id, seq, start_at, end_at, body,
             embedding, encoder, change_seq)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(tenant.as_str().to_owned())
        .bind(store.host.uuid().hyphenated().to_string())
        .bind(kind)
        .bind(source.to_owned())
        .bind(i)
        .bind(count(k.start))
        .bind(count(k.end))
        .bind(k.body.clone())
        .bind(to_bytes(&k.embedding))
        .bind(encoder.to_owned())
        .bind(first + i)
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// Removes the chunks of a source: the rows stay as tombstones without content, so that indexes
/// learn of it.
///
/// # Errors
/// Database errors.
pub async fn remove(
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: &'static str,
    source: &str,
) -> Result<()> {
    let ids: Vec<(String,)> = sqlx::query_as(
        "select id from chunk where tenant_id = $1 and kind = $2 and source_id = $3 and deleted = 0",
    )
    .bind(tenant.as_str())
    .bind(kind)
    .bind(source)
    .fetch_all(&mut *c)
    .await?;
    if ids.is_empty() {
        return Ok(());
    }
    let first = tenant::next_changes(c, tenant, count(ids.len())).await?;
    for (i, (id,)) in (0i64..).zip(ids) {
        q("update chunk set deleted = 1, body = '', embedding = $3, change_seq = $4
           where tenant_id = $1 and id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(id)
        .bind(Vec::<u8>::new())
        .bind(first + i)
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// What changed after `since`, in order, at most `limit` rows. A chunk whose vector doesn't compare with
/// those of `encoder` counts as gone, until it is embedded anew.
///
/// # Errors
/// Database errors.
pub async fn changes(
    c: &mut AnyConnection,
    tenant: &TenantId,
    encoder: &str,
    since: i64,
    limit: i64,
) -> Result<Vec<Change>> {
    type Row = (i64, String, String, String, String, Vec<u8>, String, i64);
    let rows: Vec<Row> = sqlx::query_as(
        "select change_seq, id, kind, source_id, body, embedding, encoder, deleted from chunk
         where tenant_id = $1 and change_seq > $2 order by change_seq limit $3",
    )
    .bind(tenant.as_str())
    .bind(since)
    .bind(limit)
    .fetch_all(c)
    .await?;
    rows.into_iter()
        .map(|(seq, id, kind, source, body, embedding, made_by, deleted)| {
            let usable = deleted == 0 && comparable(&made_by, encoder);
            let content = usable.then(|| (body, from_bytes(&embedding)));
            Ok(Change { seq, id: parse("chunk.id", &id)?, kind, source, content })
        })
        .collect()
}

/// Chunks of one kind that an encoder embedded whose vectors don't compare with ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Whose vectors they are.
    pub encoder: String,
    /// `message` or `article`.
    pub kind: String,
    /// How many.
    pub chunks: i64,
}

/// What has to be embedded anew before `encoder` finds it, articles first.
///
/// # Errors
/// Database errors.
pub async fn foreign(
    c: &mut AnyConnection,
    tenant: &TenantId,
    encoder: &str,
) -> Result<Vec<Foreign>> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select encoder, kind, cast(count(*) as bigint) from chunk
         where tenant_id = $1 and deleted = 0 group by encoder, kind order by kind, encoder",
    )
    .bind(tenant.as_str())
    .fetch_all(c)
    .await?;
    let foreign = |(made_by, kind, chunks): (String, String, i64)| {
        (!comparable(&made_by, encoder)).then_some(Foreign { encoder: made_by, kind, chunks })
    };
    Ok(rows.into_iter().filter_map(foreign).collect())
}

/// A chunk that has to be embedded anew.
#[derive(Debug, Clone)]
pub struct Outdated {
    /// Its id.
    pub id: String,
    /// The message's or article's id.
    pub source: String,
    /// Its text.
    pub body: String,
}

/// Some chunks of a group.
///
/// # Errors
/// Database errors.
pub async fn outdated(
    c: &mut AnyConnection,
    tenant: &TenantId,
    of: &Foreign,
    limit: i64,
) -> Result<Vec<Outdated>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select id, source_id, body from chunk
         where tenant_id = $1 and encoder = $2 and kind = $3 and deleted = 0 limit $4",
    )
    .bind(tenant.as_str())
    .bind(of.encoder.as_str())
    .bind(of.kind.as_str())
    .bind(limit)
    .fetch_all(c)
    .await?;
    Ok(rows.into_iter().map(|(id, source, body)| Outdated { id, source, body }).collect())
}

/// Gives chunks new vectors; those that were deleted, replaced or embedded meanwhile are left. The
/// caller holds the tenant's lock.
///
/// # Errors
/// Database errors.
pub async fn reembedded(
    c: &mut AnyConnection,
    tenant: &TenantId,
    of: &Foreign,
    encoder: &str,
    vectors: &[(Outdated, Vec<f32>)],
) -> Result<()> {
    let first = tenant::next_changes(c, tenant, count(vectors.len())).await?;
    for (i, (chunk, vector)) in (0i64..).zip(vectors) {
        q("update chunk set embedding = $3, encoder = $4, change_seq = $5
           where tenant_id = $1 and id = $2 and encoder = $6 and deleted = 0")
        .bind(tenant.as_str().to_owned())
        .bind(chunk.id.clone())
        .bind(to_bytes(vector))
        .bind(encoder.to_owned())
        .bind(first + i)
        .bind(of.encoder.clone())
        .execute(&mut *c)
        .await?;
    }
    Ok(())
}

/// Texts of chunks by id, for the passages of a draft.
///
/// # Errors
/// Database errors.
pub async fn get(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<(String, String, String)>> {
    Ok(sqlx::query_as(
        "select kind, source_id, body from chunk where tenant_id = $1 and id = $2 and deleted = 0",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(c)
    .await?)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn to_bytes(v: &[f32]) -> Vec<u8> {
    v.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn from_bytes(b: &[u8]) -> Vec<f32> {
    b.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect()
}

/// How many chunks a source has.
///
/// # Errors
/// Database errors.
pub async fn count_of(
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: &str,
    source: &str,
) -> Result<i64> {
    let (n,): (i64,) = sqlx::query_as(
        "select cast(count(*) as bigint) from chunk
         where tenant_id = $1 and kind = $2 and source_id = $3 and deleted = 0",
    )
    .bind(tenant.as_str())
    .bind(kind)
    .bind(source)
    .fetch_one(c)
    .await?;
    Ok(n)
}

/// A customer's message whose intent the head abstained from, with the vectors of its chunks.
#[derive(Debug, Clone)]
pub struct Abstained {
    /// The message's id.
    pub message: MessageId,
    /// Masked visible text, stored form.
    pub text: String,
    /// The vectors of its chunks, all of one encoder.
    pub vectors: Vec<Vec<f32>>,
}

/// The newest messages that the intent head abstained from and that nobody has labelled since, oldest
/// first. Those embedded by another encoder than the newest are left out: they don't compare.
///
/// # Errors
/// Database errors.
pub async fn abstained(
    c: &mut AnyConnection,
    tenant: &TenantId,
    limit: i64,
) -> Result<Vec<Abstained>> {
    let rows: Vec<(String, String, String, Vec<u8>)> = sqlx::query_as(
        "select m.id, m.visible_masked, k.encoder, k.embedding
         from (select m.tenant_id, m.id, m.visible_masked from analysis a
               join message m on m.tenant_id = a.tenant_id and m.id = a.message_id
               where a.tenant_id = $1 and a.abstained = 1 and m.state = 'understood'
                 and m.visible_masked is not null
                 and not exists (select 1 from example e where e.tenant_id = m.tenant_id
                   and e.message_id = m.id and e.task = 'intent')
               order by m.id desc limit $2) m
         join chunk k on k.tenant_id = m.tenant_id and k.kind = 'message' and k.source_id = m.id
         where k.deleted = 0 order by m.id desc, k.seq",
    )
    .bind(tenant.as_str())
    .bind(limit)
    .fetch_all(c)
    .await?;
    let Some(encoder) = rows.first().map(|r| r.2.clone()) else { return Ok(Vec::new()) };
    let mut all: Vec<Abstained> = Vec::new();
    for (id, text, _, vector) in rows.iter().filter(|r| comparable(&r.2, &encoder)) {
        let vector = from_bytes(vector);
        match all.last_mut() {
            Some(last) if last.message.as_str() == id => last.vectors.push(vector),
            _ => all.push(Abstained {
                message: parse("message.id", id)?,
                text: text.clone(),
                vectors: vec![vector],
            }),
        }
    }
    all.reverse();
    Ok(all)
}

//! API keys: `cs_live_` + 30 characters of base 62 (178 bits) + 6 characters of base 62 over the
//! CRC-32 of what stands before, so that a mistyped or invented key is refused without a look-up
//! and a scanner can find leaked ones: `cs_live_[0-9A-Za-z]{36}`. Only the SHA-256 is stored.

use std::num::NonZeroU32;
use std::time::Duration;

use sqlx::AnyConnection;

use super::{Error, Result, Store, parse, q};
use crate::domain::approval::Digest;
use crate::domain::ids::{KeyId, Micros, TenantId, UserId};
use crate::domain::limit::KeyLimits;

const PREFIX: &str = "cs_live_";
const BODY: usize = 30;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Whose data.
    pub tenant: TenantId,
    /// What it is called.
    pub name: String,
    /// `ingest`, `read`, `review`, `knowledge`, `mask`, `classify`, `webhooks`.
    pub scopes: Vec<String>,
    /// The person with whose hands it acts; only such a key can review.
    pub user: Option<UserId>,
    /// What it may do; the configured default where it doesn't say.
    pub limits: KeyLimits,
    /// The first of the keys whose place this one took by rotation, or itself: they count together.
    pub family: KeyId,
}

/// A row for the list of keys.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The key.
    pub key: Key,
    /// The key whose place it took.
    pub replaces: Option<KeyId>,
    /// When it was made.
    pub created_at: Micros,
    /// When it ends.
    pub expires_at: Option<Micros>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// When it was last used (to the minute).
    pub last_used_at: Option<Micros>,
}

/// CRC-32 (IEEE 802.3), bit by bit: 38 bytes a request don't need a table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, b| {
        (0..8).fold(
            crc ^ u32::from(*b),
            |c, _| {
                if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 }
            },
        )
    })
}

fn checksum(body: &str) -> String {
    let mut n = crc32(body.as_bytes());
    let mut out = vec![b'0'; CHECK];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[usize::try_from(n % 62).unwrap_or(0)];
        n /= 62;
    }
    out.into_iter().map(char::from).collect()
}

/// Whether text has the form and checksum of a key.
pub fn well_formed(key: &str) -> bool {
    let Some((body, check)) = key.split_at_checked(PREFIX.len() + BODY) else { return false };
    key.starts_with(PREFIX) && key.is_ascii() && checksum(body) == check
}

/// Makes a key; the text is shown once and not stored.
///
/// # Errors
/// Database errors.
pub async fn create(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    name: &str,
    scopes: &[String],
    user: Option<&UserId>,
    expires_at: Option<Micros>,
) -> Result<(KeyId, String)> {
    let mut body = PREFIX.to_owned();
    while body.len() < PREFIX.len() + BODY {
        let mut b = [0u8; 1];
        store.host.fill(&mut b);
        // 248 = 4 × 62: larger bytes are drawn again, so that every character is equally likely.
        if b[0] < 248 {
            body.push(char::from(ALPHABET[usize::from(b[0]) % 62]));
        }
    }
    let text = format!("{body}{}", checksum(&body));
    let id = KeyId::from_uuid(store.host.uuid());
    q("insert into api_key (tenant_id, id, name, hash, scopes, created_at, expires_at, user_id)
       values ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(name.to_owned())
    .bind(Digest::of(text.as_bytes()).as_str().to_owned())
    .bind(scopes.join(" "))
    .bind(store.host.now().0)
    .bind(expires_at.map(|t| t.0))
    .bind(user.map(|u| u.as_str().to_owned()))
    .execute(c)
    .await?;
    Ok((id, text))
}

/// Sets what a key may do, and those whose place it took or that took its place: they count together.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn limit(
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &KeyId,
    limits: &KeyLimits,
) -> Result<()> {
    let n = q("update api_key set rate = $3, burst = $4, quota = $5
               where tenant_id = $1 and coalesce(family, id) =
                 (select coalesce(k.family, k.id) from api_key k where k.tenant_id = $1 and k.id = $2)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(limits.rate.map(|r| r.to_string()))
    .bind(limits.burst.map(|b| i64::from(b.get())))
    .bind(limits.quota.map(|q| q.to_string()))
    .execute(c)
    .await?
    .rows_affected();
    if n > 0 { Ok(()) } else { Err(Error::NotFound("API key")) }
}

/// Makes a key in the place of another, with the same name, scopes, person, limits and counts. The old
/// one ends after `overlap`, or earlier if it would anyway; a key that had an end has a successor with
/// as long a life.
///
/// # Errors
/// [`Error::NotFound`] when there is no such key that stands.
pub async fn rotate(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &KeyId,
    overlap: Duration,
) -> Result<(KeyId, String)> {
    let now = store.host.now();
    let old = list(c, tenant).await?.into_iter().find(|l| l.key.id == *id);
    let stands = |l: &Listed| !l.revoked && l.expires_at.is_none_or(|t| t > now);
    let old = old.filter(stands).ok_or(Error::NotFound("API key"))?;
    let life = old.expires_at.map(|t| t.since(old.created_at));
    let ends = life.map(|life| now.plus(life));
    let k = &old.key;
    let (new, text) = create(store, c, tenant, &k.name, &k.scopes, k.user.as_ref(), ends).await?;
    limit(c, tenant, &new, &k.limits).await?;
    q("update api_key set family = $3, replaces = $4 where tenant_id = $1 and id = $2")
        .bind(tenant.as_str().to_owned())
        .bind(new.as_str().to_owned())
        .bind(k.family.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .execute(&mut *c)
        .await?;
    q("update api_key set expires_at = $3 where tenant_id = $1 and id = $2
       and (expires_at is null or expires_at > $3)")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(now.plus(overlap).0)
    .execute(c)
    .await?;
    Ok((new, text))
}

/// The columns of a [`Key`]: id, tenant, name, scopes, user, rate, burst, quota, family.
type Columns = (
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
);

fn key((id, tenant, name, scopes, user, rate, burst, quota, family): Columns) -> Result<Key> {
    let id: KeyId = parse("api_key.id", &id)?;
    Ok(Key {
        tenant: parse("api_key.tenant_id", &tenant)?,
        name,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        user: user.map(|u| parse("api_key.user_id", &u)).transpose()?,
        limits: KeyLimits {
            rate: rate.map(|r| parse("api_key.rate", &r)).transpose()?,
            burst: burst.and_then(|b| u32::try_from(b).ok()).and_then(NonZeroU32::new),
            quota: quota.map(|q| parse("api_key.quota", &q)).transpose()?,
        },
        family: match family {
            Some(first) => parse("api_key.family", &first)?,
            None => id.clone(),
        },
        id,
    })
}

/// The key of this text, if it stands: neither revoked nor expired, and its person not switched off.
///
/// # Errors
/// Database errors.
pub async fn find(c: &mut AnyConnection, text: &str, now: Micros) -> Result<Option<Key>> {
    if !well_formed(text) {
        return Ok(None);
    }
    let row: Option<Columns> = sqlx::query_as(
        "select id, tenant_id, name, scopes, user_id, rate, burst, quota, family from api_key
         where hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
           and (user_id is null or exists (select 1 from app_user u
             where u.tenant_id = api_key.tenant_id and u.id = api_key.user_id
               and u.disabled_at is null))",
    )
    .bind(Digest::of(text.as_bytes()).as_str())
    .bind(now.0)
    .fetch_optional(c)
    .await?;
    row.map(key).transpose()
}

/// Whether a key that was found before still stands.
///
/// # Errors
/// Database errors.
pub async fn stands(c: &mut AnyConnection, k: &Key, now: Micros) -> Result<bool> {
    let (n,): (i64,) = sqlx::query_as(
        "select cast(count(*) as bigint) from api_key
         where tenant_id = $1 and id = $2 and revoked_at is null
           and (expires_at is null or expires_at > $3)
           and (user_id is null or exists (select 1 from app_user u
             where u.tenant_id = api_key.tenant_id and u.id = api_key.user_id
               and u.disabled_at is null))",
    )
    .bind(k.tenant.as_str())
    .bind(k.id.as_str())
    .bind(now.0)
    .fetch_one(c)
    .await?;
    Ok(n > 0)
}

/// Notes that a key was used, at most once a minute.
///
/// # Errors
/// Database errors.
pub async fn used(c: &mut AnyConnection, k: &Key, now: Micros) -> Result<()> {
    q("update api_key set last_used_at = $3 where tenant_id = $1 and id = $2
       and (last_used_at is null or last_used_at < $3 - 60000000)")
    .bind(k.tenant.as_str().to_owned())
    .bind(k.id.as_str().to_owned())
    .bind(now.0)
    .execute(c)
    .await?;
    Ok(())
}

/// Revokes a key.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn revoke(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &KeyId,
) -> Result<()> {
    let n = q("update api_key set revoked_at = $3 where tenant_id = $1 and id = $2
               and revoked_at is null")
    .bind(tenant.as_str().to_owned())
    .bind(id.as_str().to_owned())
    .bind(store.host.now().0)
    .execute(c)
    .await?
    .rows_affected();
    if n == 1 { Ok(()) } else { Err(Error::NotFound("API key")) }
}

/// All of a tenant.
///
/// # Errors
/// Database errors.
pub async fn list(c: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<Listed>> {
    type Row = (
        String,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<i64>,
        Option<String>,
        Option<String>,
        Option<String>,
        i64,
        Option<i64>,
        Option<i64>,
        Option<i64>,
    );
    let rows: Vec<Row> = sqlx::query_as(
        "select id, tenant_id, name, scopes, user_id, rate, burst, quota, family, replaces,
           created_at, expires_at, revoked_at, last_used_at
         from api_key where tenant_id = $1 order by id",
    )
    .bind(tenant.as_str())
    .fetch_all(c)
    .await?;
    rows.into_iter()
        .map(|(a, b, c, d, e, f, g, h, i, replaces, created, expires, revoked, used)| {
            Ok(Listed {
                key: key((a, b, c, d, e, f, g, h, i))?,
                replaces: replaces.map(|k| parse("api_key.replaces", &k)).transpose()?,
                created_at: Micros(created),
                expires_at: expires.map(Micros),
                revoked: revoked.is_some(),
                last_used_at: used.map(Micros),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_well_known_crc() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let body = format!("{PREFIX}{}", "a".repeat(BODY));
        let key = format!("{body}{}", checksum(&body));
        assert!(well_formed(&key));
        for i in 0..key.len() {
            let mut k = key.clone().into_bytes();
            k[i] = if k[i] == b'x' { b'y' } else { b'x' };
            assert!(!well_formed(&String::from_utf8(k).unwrap()), "character {i}");
        }
        assert!(!well_formed("cs_live_"));
        assert!(!well_formed("é"));
    }
}

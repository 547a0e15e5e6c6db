//! `keys`: API keys, made, listed, rotated and revoked. A key's text is shown once and never again.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{done, open, row, say};
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::ids::{KeyId, Micros};
use crate::domain::limit::{KeyLimits, Quota, Rate};
use crate::store::{audit, key, spend, user};

/// Scopes that a key may have.
const SCOPES: [&str; 7] = ["ingest", "read", "review", "knowledge", "mask", "classify", "webhooks"];

/// What a key may do.
#[derive(clap::Args, Debug, Clone, Copy)]
pub struct Limits {
    /// Units in a time, as 50/s, 600/min or 1000/h; a request costs one, each item of a batch one.
    #[arg(long)]
    rate: Option<Rate>,
    /// Units that may come at once (default: what the rate brings in a second).
    #[arg(long)]
    burst: Option<NonZeroU32>,
    /// Units in a UTC day or month, as 100000/day or 2000000/month.
    #[arg(long)]
    quota: Option<Quota>,
}

impl From<Limits> for KeyLimits {
    fn from(l: Limits) -> Self {
        Self { rate: l.rate, burst: l.burst, quota: l.quota }
    }
}

/// A number with `s`, `m`, `h` or `d` behind it.
fn overlap(text: &str) -> Result<Duration, String> {
    let bad = || "expected a time such as 24h, 30m, 7d or 0".to_owned();
    let (number, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let each: u64 = match unit {
        "" if number == "0" => 1,
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(each).map(Duration::from_secs).ok_or_else(bad)
}

/// `keys`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a key; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// ingest, read, review, knowledge, mask, classify.
        #[arg(long, value_delimiter = ',', default_value = "ingest,read")]
        scopes: Vec<String>,
        /// The person with whose hands it acts; needed for `review`.
        #[arg(long)]
        user: Option<String>,
        /// Days until it ends.
        #[arg(long)]
        days: Option<u32>,
        #[command(flatten)]
        limits: Limits,
        /// Whose data.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// List keys (never their text).
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Make a key in the place of another, which ends after the overlap.
    Rotate {
        /// The old one's id.
        id: KeyId,
        /// How long both are valid: as 24h, 30m, 7d or 0.
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Change what a key may do; what isn't given is the configured default again.
    Limit {
        /// Its id.
        id: KeyId,
        #[command(flatten)]
        limits: Limits,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Revoke a key.
    Revoke {
        /// Its id.
        id: KeyId,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `keys`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Create { name, scopes, user, days, limits, tenant } => {
            let new = New { name, scopes, user, days, limits: limits.into() };
            create(config, new, &tenant).await
        }
        Command::List { tenant } => list(config, &tenant).await,
        Command::Rotate { id, overlap, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let (new, text) = key::rotate(&store, &mut tx, &t.id, &id, overlap).await?;
            let detail = json!({"new": new, "overlap_s": overlap.as_secs()});
            let object = format!("key:{id}");
            audit::append(&store, &mut tx, &t.id, &Actor::Operator, "key.rotated", object, detail)
                .await?;
            tx.commit().await?;
            row(&json!({"id": new, "key": text, "replaces": id}));
            say("This key is shown once: keep it now.");
            done(store).await
        }
        Command::Limit { id, limits, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let limits = limits.into();
            key::limit(&mut tx, &t.id, &id, &limits).await?;
            let object = format!("key:{id}");
            let detail = shown(&limits);
            audit::append(&store, &mut tx, &t.id, &Actor::Operator, "key.limited", object, detail)
                .await?;
            tx.commit().await?;
            done(store).await
        }
        Command::Revoke { id, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            key::revoke(&store, &mut tx, &t.id, &id).await?;
            let object = format!("key:{id}");
            audit::append(
                &store,
                &mut tx,
                &t.id,
                &Actor::Operator,
                "key.revoked",
                object,
                json!({}),
            )
            .await?;
            tx.commit().await?;
            done(store).await
        }
    }
}

/// What `create` is told.
struct New {
    name: String,
    scopes: Vec<String>,
    user: Option<String>,
    days: Option<u32>,
    limits: KeyLimits,
}

async fn create(config: &Config, new: New, tenant: &str) -> anyhow::Result<ExitCode> {
    let New { name, scopes, user, days, limits } = new;
    if let Some(bad) = scopes.iter().find(|s| !SCOPES.contains(&s.as_str())) {
        anyhow::bail!("there is no scope `{bad}`: expected {}", SCOPES.join(", "));
    }
    if user.is_none() && scopes.iter().any(|s| s == "review") {
        anyhow::bail!("a key that reviews acts with a person's hands: add --user NAME");
    }
    let (store, t) = open(config, tenant).await?;
    let mut tx = store.db.begin().await?;
    let owner = match &user {
        Some(n) => Some(
            user::by_name(&mut tx, &t.id, n)
                .await?
                .with_context(|| format!("there is no user `{n}`"))?
                .id,
        ),
        None => None,
    };
    let ends = days.map(|d| Micros(store.host.now().0 + i64::from(d) * 86_400_000_000));
    let (id, text) =
        key::create(&store, &mut tx, &t.id, &name, &scopes, owner.as_ref(), ends).await?;
    key::limit(&mut tx, &t.id, &id, &limits).await?;
    let object = format!("key:{id}");
    let mut detail = shown(&limits);
    detail["scopes"] = json!(scopes);
    audit::append(&store, &mut tx, &t.id, &Actor::Operator, "key.created", object, detail).await?;
    tx.commit().await?;
    row(&json!({"id": id, "key": text, "scopes": scopes}));
    say("This key is shown once: keep it now.");
    done(store).await
}

/// Limits as they are printed; the default's are left out.
fn shown(limits: &KeyLimits) -> Value {
    let all = [
        ("rate", limits.rate.map(|r| json!(r.to_string()))),
        ("burst", limits.burst.map(|b| json!(b))),
        ("quota", limits.quota.map(|q| json!(q.to_string()))),
    ];
    let given = all.into_iter().filter_map(|(name, v)| Some((name.to_owned(), v?)));
    Value::Object(given.collect())
}

async fn list(config: &Config, tenant: &str) -> anyhow::Result<ExitCode> {
    let (store, t) = open(config, tenant).await?;
    let usual = app::key_limits(&config.limits)?;
    let now = store.host.now();
    let mut conn = store.db.read().await?;
    for k in key::list(&mut conn, &t.id).await? {
        let limits = k.key.limits.over(usual);
        let used = match limits.quota {
            Some(q) => {
                let period = q.period.name(now);
                Some(spend::used(&mut conn, &t.id, &k.key.family, &period).await?)
            }
            None => None,
        };
        let mut line = json!({"id": k.key.id, "name": k.key.name, "scopes": k.key.scopes,
            "user": k.key.user, "created": k.created_at.rfc3339(),
            "expires": k.expires_at.map(Micros::rfc3339), "revoked": k.revoked,
            "last_used": k.last_used_at.map(Micros::rfc3339), "replaces": k.replaces,
            "used": used});
        if let (Some(line), Value::Object(limits)) = (line.as_object_mut(), shown(&limits)) {
            line.extend(limits);
        }
        row(&line);
    }
    drop(conn);
    done(store).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_is_a_number_with_a_unit() {
        for (text, seconds) in
            [("24h", 86_400), ("30m", 1800), ("7d", 604_800), ("0", 0), ("9s", 9)]
        {
            assert_eq!(overlap(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "h", "24", "-1h", "1w", "99999999999999999d"] {
            assert!(overlap(bad).is_err(), "{bad}");
        }
    }
}

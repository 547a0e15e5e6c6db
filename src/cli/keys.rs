//! `keys`: API keys, made, listed and revoked. A key's text is shown once and never again.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{done, open, row, say};
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::ids::{KeyId, Micros};
use crate::store::{audit, key, user};

/// Scopes that a key may have.
const SCOPES: [&str; 5] = ["ingest", "read", "review", "knowledge", "mask"];

/// `keys`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a key; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// ingest, read, review, knowledge, mask.
        #[arg(long, value_delimiter = ',', default_value = "ingest,read")]
        scopes: Vec<String>,
        /// The person with whose hands it acts; needed for `review`.
        #[arg(long)]
        user: Option<String>,
        /// Days until it ends.
        #[arg(long)]
        days: Option<u32>,
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
        Command::Create { name, scopes, user, days, tenant } => {
            if let Some(bad) = scopes.iter().find(|s| !SCOPES.contains(&s.as_str())) {
                anyhow::bail!("there is no scope `{bad}`: expected {}", SCOPES.join(", "));
            }
            if user.is_none() && scopes.iter().any(|s| s == "review") {
                anyhow::bail!("a key that reviews acts with a person's hands: add --user NAME");
            }
            let (store, t) = open(config, &tenant).await?;
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
            let object = format!("key:{id}");
            let detail = json!({"scopes": scopes});
            audit::append(&store, &mut tx, &t.id, &Actor::Operator, "key.created", object, detail)
                .await?;
            tx.commit().await?;
            row(&json!({"id": id, "key": text, "scopes": scopes}));
            say("This key is shown once: keep it now.");
            done(store).await
        }
        Command::List { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut conn = store.db.read().await?;
            for k in key::list(&mut conn, &t.id).await? {
                row(&json!({"id": k.key.id, "name": k.key.name, "scopes": k.key.scopes,
                    "user": k.key.user, "created": k.created_at.rfc3339(),
                    "expires": k.expires_at.map(Micros::rfc3339), "revoked": k.revoked,
                    "last_used": k.last_used_at.map(Micros::rfc3339)}));
            }
            drop(conn);
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

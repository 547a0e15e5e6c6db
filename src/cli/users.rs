//! `users`: people with a login.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{done, open, row, say};
use crate::app;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::review::Role;
use crate::http::page::hash_password;
use crate::store::{audit, user};

/// `users`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a login, or change its password and role, which ends its sessions. The password comes from the environment
    /// variable COUNTERSIGN_PASSWORD or from the first line of standard input.
    Add {
        /// The login name.
        name: String,
        /// reviewer, lead or admin.
        #[arg(long, default_value = "reviewer")]
        role: Role,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// List logins.
    List {
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
    /// Switch a login off: its sessions end, its keys are refused. `users add` switches it on again.
    Disable {
        /// The login name.
        name: String,
        /// Whose.
        #[arg(long, default_value = app::HOME)]
        tenant: String,
    },
}

/// Runs `users`.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    match c {
        Command::Add { name, role, tenant } => {
            let password = password()?;
            let (store, t) = open(config, &tenant).await?;
            let hash = hash_password(&*store.host, &password)
                .map_err(|e| anyhow::anyhow!("hashing the password: {e}"))?;
            let mut tx = store.db.begin().await?;
            let id = user::put(&store, &mut tx, &t.id, &name, &hash, role).await?;
            let object = format!("user:{id}");
            let detail = json!({"role": role});
            audit::append(&store, &mut tx, &t.id, &Actor::Operator, "user.put", object, detail)
                .await?;
            tx.commit().await?;
            row(&json!({"id": id, "name": name, "role": role}));
            done(store).await
        }
        Command::List { tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut conn = store.db.read().await?;
            for u in user::list(&mut conn, &t.id).await? {
                row(&json!({"id": u.id, "name": u.name, "role": u.role, "disabled": u.disabled}));
            }
            drop(conn);
            done(store).await
        }
        Command::Disable { name, tenant } => {
            let (store, t) = open(config, &tenant).await?;
            let mut tx = store.db.begin().await?;
            let u = user::by_name(&mut tx, &t.id, &name)
                .await?
                .with_context(|| format!("there is no user `{name}`"))?;
            user::disable(&store, &mut tx, &t.id, &u.id).await?;
            let object = format!("user:{}", u.id);
            audit::append(
                &store,
                &mut tx,
                &t.id,
                &Actor::Operator,
                "user.disabled",
                object,
                json!({}),
            )
            .await?;
            tx.commit().await?;
            done(store).await
        }
    }
}

fn password() -> anyhow::Result<String> {
    let text = match std::env::var("COUNTERSIGN_PASSWORD") {
        Ok(p) => p,
        Err(_) => {
            if std::io::stdin().is_terminal() {
                say("Password (it is shown as you type; or set COUNTERSIGN_PASSWORD):");
            }
            let mut line = String::new();
            std::io::stdin().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    if text.chars().count() < 12 {
        anyhow::bail!("a password has at least 12 characters");
    }
    Ok(text)
}

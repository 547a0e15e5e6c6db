//! `audit`: the hash-chained log, checked from outside the service that writes it.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::row;
use crate::config::Config;
use crate::store::audit::{self, Head};
use crate::store::engine::Options;
use crate::store::{Db, tenant};

/// `audit`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Walk the chain and name the first row that is wrong.
    Verify {
        /// A head that was published earlier, as `SEQ:HASH`; may be given several times.
        #[arg(long = "anchor", value_name = "SEQ:HASH")]
        anchors: Vec<String>,
        /// One tenant; all when left out.
        #[arg(long)]
        tenant: Option<String>,
    },
}

/// Runs `audit`. A database that a server owns is opened for reading only.
pub async fn run(config: &Config, c: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { anchors, tenant } = c;
    let anchors: Vec<Head> = anchors
        .iter()
        .map(|a| {
            let (seq, hash) = a.split_once(':').context("--anchor: expected SEQ:HASH")?;
            anyhow::Ok(Head { seq: seq.parse()?, hash: hash.to_owned() })
        })
        .collect::<Result<_, _>>()?;
    let db = Db::open(&Options { exclusive: false, ..Options::new(config.database.url.clone()) })
        .await?;
    let mut conn = db.read().await?;
    let mut good = true;
    for t in tenant::all(&mut conn).await? {
        if tenant.as_deref().is_some_and(|want| want != t.slug.as_str()) {
            continue;
        }
        let v = audit::verify(&mut conn, &t.id, &anchors).await?;
        good &= v.fault.is_none();
        let head = v.head.as_ref().map(|h| format!("{}:{}", h.seq, h.hash));
        row(&json!({"tenant": t.slug, "verified": v.links, "head": head,
            "not_yet_chained": v.unchained, "fault": v.fault}));
    }
    drop(conn);
    db.close().await;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

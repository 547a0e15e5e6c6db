//! `doctor`: what would keep the service from starting, found without starting it.

use std::process::ExitCode;

use serde_json::json;

use super::row;
use crate::app;
use crate::config::Config;
use crate::store::engine::Options;
use crate::store::{Db, backup, chunk, tenant};

/// `doctor`: each check, what it found, and what to do.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let mut good = true;
    let mut say_check = |name: &str, result: anyhow::Result<String>| {
        let ok = result.is_ok();
        good &= ok;
        let text = result.unwrap_or_else(|e| format!("{e:#}"));
        row(&json!({"check": name, "ok": ok, "detail": text}));
    };
    let key = &config.security;
    let has_key = !key.master_key.is_empty() || key.master_key_file.exists();
    say_check(
        "master key",
        if has_key {
            Ok("found".into())
        } else {
            Err(anyhow::anyhow!(
                "none yet: it is made at the first start ({})",
                key.master_key_file.display()
            ))
        },
    );
    let options = Options { exclusive: false, ..Options::new(config.database.url.clone()) };
    say_check(
        "database",
        async {
            let db = Db::open(&options).await?;
            backup::check(&db).await?;
            db.close().await;
            anyhow::Ok(format!("{:?}, whole", db.engine()))
        }
        .await,
    );
    let encoder = app::encoder(config);
    let model = encoder.as_ref().map(|e| e.id().to_owned()).ok();
    say_check("model", encoder.map(|e| e.id().to_owned()));
    if let Some(model) = model {
        say_check("vectors", vectors(&options, &model).await);
    }
    say_check("taxonomy", app::taxonomy(config).map(|t| format!("{} intents", t.intents().len())));
    say_check(
        "address",
        match std::net::TcpListener::bind(config.server.listen) {
            Ok(_) => Ok(format!("{} is free", config.server.listen)),
            Err(e) => Err(anyhow::anyhow!(
                "{}: {e} (is the service running already?)",
                config.server.listen
            )),
        },
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether what is stored was embedded by this model.
async fn vectors(options: &Options, encoder: &str) -> anyhow::Result<String> {
    let db = Db::open(options).await?;
    let mut c = db.read().await?;
    // A database without tables has no vectors either.
    let tenants = tenant::all(&mut c).await.unwrap_or_default();
    let mut foreign = Vec::new();
    for t in tenants {
        foreign.extend(chunk::foreign(&mut c, &t.id, encoder).await?);
    }
    drop(c);
    db.close().await;
    let chunks: i64 = foreign.iter().map(|f| f.chunks).sum();
    if let Some(f) = foreign.first() {
        anyhow::bail!(
            "{chunks} chunks were embedded by another model ({}) and aren't found: the service embeds \
             them anew when it starts, `countersign kb reembed` does it now",
            f.encoder
        );
    }
    Ok("all of this model".into())
}

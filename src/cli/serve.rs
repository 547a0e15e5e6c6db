//! `serve` and `worker`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::say;
use crate::app::{self, Models};
use crate::config::Config;
use crate::http;
use crate::lifecycle::Lifecycle;
use crate::store::{Db, Engine};

/// Starts everything and runs until told to stop.
pub async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let store = app::open_store(&config).await?;
    let models = Models::load(&config)?;
    run(config, store, models, None, |_| {}).await
}

/// Builds, listens, tells `ready` the address, and waits for the end.
pub async fn run(
    config: Config,
    store: crate::store::Store,
    models: Models,
    demo: Option<(String, String)>,
    ready: impl FnOnce(&http::App),
) -> anyhow::Result<ExitCode> {
    let drain = Duration::from_secs(config.worker.drain_s);
    let limits = http::server::Limits::from(&config.server);
    let listen = config.server.listen;
    let life = Lifecycle::new();
    life.listen_for_signals().context("installing signal handlers")?;
    let db = store.db.clone();
    let service = app::build(config, store, models, life.clone(), demo).await?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen} (server.listen)"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    service.worker.start(&life);
    ready(&service.app);
    let router = http::router(service.app);
    let l = life.clone();
    life.spawn(async move { http::server::serve(listener, router, limits, l).await });
    let clean = life.finished(drain).await;
    close(&db).await;
    if !clean {
        say("countersign: some work did not end in time; it will be claimed again");
    }
    Ok(ExitCode::SUCCESS)
}

/// Workers alone.
pub async fn worker(config: Config) -> anyhow::Result<ExitCode> {
    let store = app::open_store(&config).await?;
    if store.db.engine() == Engine::Sqlite {
        anyhow::bail!(
            "on SQLite one process owns the database, and `serve` has workers inside; \
             use PostgreSQL (database.url) for workers of their own"
        );
    }
    let models = Models::load(&config)?;
    let drain = Duration::from_secs(config.worker.drain_s);
    let life = Lifecycle::new();
    life.listen_for_signals()?;
    let db = store.db.clone();
    let service = app::build(config, store, models, life.clone(), None).await?;
    service.worker.start(&life);
    life.finished(drain).await;
    close(&db).await;
    Ok(ExitCode::SUCCESS)
}

/// Closes the database's connections; one on which an answer is still awaited is left to the end of
/// the process.
async fn close(db: &Db) {
    if tokio::time::timeout(Duration::from_secs(3), db.close()).await.is_err() {
        tracing::warn!("the database doesn't answer: leaving its connections as they are");
    }
}

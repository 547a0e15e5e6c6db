//! What goes wrong around the process: torn files, full disks, databases that restart, hang or are
//! locked, workers that hang, clocks that are off, endpoints that don't answer, messages that kill
//! whoever reads them, stops under load. The real binary each time, and the auditor at the end.

mod cluster;
mod database;
mod disk;
mod endpoint;
mod poison;
mod rate;
mod shutdown;
mod stall;

use std::path::PathBuf;

use countersign::app;
use countersign::domain::message::ChannelKind;
use countersign::store::Store;
use countersign::store::channel::{self, AdapterKind, Settings};

use crate::harness::{TestTenant, make_tenant};
use crate::process::{Driver, open};

/// A database with a tenant, and the driver that acts for it.
async fn set_up(url: &str) -> Driver {
    let store = open(url).await;
    let home = make_tenant(&store, app::HOME).await;
    store.db.close().await;
    Driver::new(home.key)
}

/// Sets what sends the chat channel's replies.
async fn chat_by(store: &Store, home: &TestTenant, adapter: AdapterKind, set: &Settings) {
    let mut tx = store.db.begin().await.unwrap();
    let (slug, secrets) = ("chat".parse().unwrap(), [home.secret.clone()]);
    let kind = ChannelKind::Chat;
    channel::put(store, &mut tx, &home.id, &slug, kind, adapter, set, &secrets).await.unwrap();
    tx.commit().await.unwrap();
}

/// As [`set_up`], with the chat channel's replies posted to an endpoint.
async fn set_up_endpoint(url: &str, endpoint: &str) -> Driver {
    let store = open(url).await;
    let home = make_tenant(&store, app::HOME).await;
    let set = Settings {
        sender: "shop@example.com".into(),
        url: Some(endpoint.to_owned()),
        rate: 1000.0,
        burst: 1000.0,
        ..Settings::default()
    };
    chat_by(&store, &home, AdapterKind::Webhook, &set).await;
    store.db.close().await;
    Driver::new(home.key)
}

/// Whether a tool is there; says that a test is left out where it isn't.
#[expect(clippy::print_stdout, reason = "who runs the tests should know what was left out")]
fn found(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let there = std::env::split_paths(&path).map(|d| d.join(tool)).find(|f| f.is_file());
    if there.is_none() {
        println!("left out: `{tool}` isn't installed");
    }
    there
}

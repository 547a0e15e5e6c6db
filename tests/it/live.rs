//! The real binary with a tenant, a key and an article: what programs outside of this crate talk to.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::harness::{ARTICLE, Database, Engine, make_tenant};
use crate::process::{Driver, Process, Start, open};

/// A running service.
pub struct Live {
    pub process: Process,
    pub key: String,
    /// The signing secret of its channels.
    pub secret: String,
    _database: Database,
}

impl Live {
    /// Starts it, with these settings over the usual ones.
    pub async fn start(sets: &[&str]) -> Self {
        let database = Database::new(Engine::Sqlite).await;
        let store = open(&database.url).await;
        let home = make_tenant(&store, countersign::app::HOME).await;
        store.db.close().await;
        let start = Start::new("serve", &database.url);
        let mut process = sets.iter().fold(start, |s, set| s.set(set)).begin();
        let driver = Driver::new(home.key.clone());
        process.ready(&driver.http).await;
        let article = serde_json::json!({"source": "help.md", "title": "Help", "text": ARTICLE});
        let url = format!("{}/v1/knowledge", process.base);
        assert_eq!(driver.post(url, &article).await.unwrap().0, 201);
        Self { process, key: home.key, secret: home.secret, _database: database }
    }

    /// Runs a program from the repository's root that finds the service by its environment, and fails
    /// with what it said when it fails.
    pub async fn run(&self, program: &str, words: &[&str]) -> Output {
        let output = Command::new(program)
            .args(words)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("COUNTERSIGN_URL", &self.process.base)
            .env("COUNTERSIGN_KEY", &self.key)
            .env("COUNTERSIGN_SECRET", &self.secret)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap_or_else(|e| panic!("{program}: {e}; `make test` installs it"));
        assert!(
            output.status.success(),
            "{program} {words:?}: {}\n{}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.process.log(),
        );
        output
    }
}

//! Configuration: one embedded, commented default; over it a file, the environment and flags. Two
//! settings that contradict each other are an error at the start that names both keys.

mod layers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use self::layers::{inherit, merge, parse, set};

/// The embedded default file.
pub const DEFAULT: &str = include_str!("config.default.toml");

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It isn't TOML, has an unknown key, or a value of the wrong type.
    #[error("{origin}: {source}")]
    Parse {
        /// File, variable or flag.
        origin: String,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// `--set` names nothing.
    #[error("{origin}: there is no setting `{key}`")]
    Unknown {
        /// Variable or flag.
        origin: String,
        /// The key.
        key: String,
    },
    /// Two settings don't go together.
    #[error("{0} and {1} contradict each other: {2}")]
    Contradiction(&'static str, &'static str, String),
    /// One setting makes no sense.
    #[error("{0}: {1}")]
    Invalid(&'static str, String),
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        ///
        /// Each key is described in the embedded default file.
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $(#[doc = concat!("`", stringify!($field), "`")] pub $field: $ty,)* }
    };
}

section! {
    /// HTTP.
    Server {
        listen: std::net::SocketAddr,
        public_url: url::Url,
        body_limit_mib: usize,
        header_timeout_s: u64,
        body_timeout_s: u64,
        request_timeout_s: u64,
        max_in_flight: usize,
        max_connections: usize,
        body_budget_mib: usize,
        client_header: String,
        cors_origins: Vec<String>,
    }
}
section! {
    /// The database.
    Database {
        url: String,
        pool: u32,
        acquire_timeout_ms: u64,
        statement_timeout_ms: u64,
        idle_transaction_timeout_ms: u64,
    }
}
section! {
    /// The embedding model.
    Model { folder: PathBuf, mode: String, sources: Vec<String>, }
}
section! {
    /// What comes in.
    Ingest {
        burst_window_s: u64,
        subject_window_days: u64,
        mime_max_depth: usize,
        mime_max_parts: usize,
        max_text_kib: usize,
        attachment_types: Vec<String>,
        attachment_max_bytes: u64,
        own_addresses: Vec<String>,
    }
}
section! {
    /// Masking.
    Mask {
        min_score: f32,
        phone_regions: Vec<String>,
        names: bool,
        names_bias: f32,
        types: Vec<String>,
        operators: Vec<String>,
        recognizers: String,
    }
}
section! {
    /// Classification.
    Triage {
        taxonomy: String,
        heads: Vec<PathBuf>,
    }
}
section! {
    /// What API keys may do that have no limits of their own.
    Limits { rate: String, burst: u32, quota: String, }
}
section! {
    /// `POST /v1/classify`.
    Classify {
        max_items: usize,
        max_lines: usize,
        max_streams: usize,
        streams_per_key: usize,
        max_text_kib: usize,
        queue: usize,
        batch: usize,
        batch_wait_us: u64,
        workers: usize,
        deadline_ms: u64,
        own_taxonomies: usize,
    }
}

impl Classify {
    /// How long a text may wait and be read.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

section! {
    /// Drafting.
    Draft {
        drafter: Drafter,
        passages: usize,
        base_url: String,
        model: String,
        api_key_env: String,
        timeout_s: u64,
        max_tokens: u32,
        context_tokens: usize,
    }
}
section! {
    /// The queue.
    Review { hold_s: u64, claim_minutes: u64, }
}
section! {
    /// Sending.
    Send { timeout_s: u64, retry_cap_s: u64, allow_private_addresses: bool, }
}
section! {
    /// Background work.
    Worker {
        concurrency: usize,
        lease_s: u64,
        heartbeat_s: u64,
        sweep_s: u64,
        max_attempts: i64,
        drain_s: u64,
        outside: usize,
    }
}
section! {
    /// Events for those who listen.
    Events {
        keep_days: u64,
        streams: usize,
        streams_per_key: usize,
        heartbeat_s: u64,
        timeout_s: u64,
        max_attempts: i64,
        retry_cap_s: u64,
        disable_after_days: u64,
    }
}
section! {
    /// Logging.
    Log { level: String, format: LogFormat, }
}

/// Keys and logins.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// 64 hex digits, or empty.
    pub master_key: String,
    /// Used when `master_key` is empty.
    pub master_key_file: PathBuf,
    /// Length of a login.
    pub session_hours: u64,
    /// Failed logins of one name within 15 minutes.
    pub login_attempts: u32,
    /// Failed logins from one address within 15 minutes.
    pub login_attempts_per_address: u32,
    /// Passwords that are checked at once.
    pub password_checks: usize,
}

impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Security")
            .field("master_key_file", &self.master_key_file)
            .field("session_hours", &self.session_hours)
            .finish_non_exhaustive()
    }
}

/// Who drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drafter {
    /// The embedded one.
    Extractive,
    /// A model endpoint.
    Openai,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Text.
    Text,
    /// JSON Lines.
    Json,
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// HTTP.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// Keys and logins.
    pub security: Security,
    /// The embedding model.
    pub model: Model,
    /// What comes in.
    pub ingest: Ingest,
    /// Masking.
    pub mask: Mask,
    /// Classification.
    pub triage: Triage,
    /// What API keys may do.
    pub limits: Limits,
    /// `POST /v1/classify`.
    pub classify: Classify,
    /// Taxonomies that `POST /v1/classify` knows by name, and their files.
    #[serde(default)]
    pub taxonomies: BTreeMap<String, PathBuf>,
    /// Drafting.
    pub draft: Draft,
    /// The queue.
    pub review: Review,
    /// Sending.
    pub send: Send,
    /// Background work.
    pub worker: Worker,
    /// Events for those who listen.
    pub events: Events,
    /// Logging.
    pub log: Log,
    /// What tenants have of their own, by short name.
    #[serde(default)]
    pub tenants: BTreeMap<String, Tenant>,
}

/// A tenant's own settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Masking: what the tenant's section leaves out is the installation's.
    pub mask: Mask,
}

impl Config {
    /// The default, overlaid with `file` (if any), the variables that `env` knows, and `sets`
    /// (`key=value`).
    ///
    /// # Errors
    /// [`ConfigError`] says which file, variable or flag, and what is wrong.
    pub fn load(
        file: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        sets: &[String],
    ) -> Result<Self, ConfigError> {
        let mut table = parse("the embedded default", DEFAULT)?;
        let known = table.clone();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
            let origin = path.display().to_string();
            let over = parse(&origin, &text)?;
            merge(&mut table, over);
        }
        for (section, keys) in &known {
            for key in keys.as_table().into_iter().flat_map(|t| t.keys()) {
                let var = format!("COUNTERSIGN_{section}_{key}").to_uppercase();
                if let Some(value) = env(&var) {
                    set(&mut table, &known, &var, &format!("{section}.{key}"), &value)?;
                }
            }
        }
        for s in sets {
            let (key, value) = s
                .split_once('=')
                .ok_or_else(|| ConfigError::Unknown { origin: "--set".into(), key: s.clone() })?;
            set(&mut table, &known, "--set", key.trim(), value.trim())?;
        }
        inherit(&mut table);
        let origin = file.map_or_else(|| "configuration".into(), |p| p.display().to_string());
        let config: Self =
            table.try_into().map_err(|e| ConfigError::Parse { origin, source: Box::new(e) })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        use ConfigError::{Contradiction, Invalid};
        let w = &self.worker;
        if w.heartbeat_s * 2 > w.lease_s {
            return Err(Contradiction(
                "worker.lease_s",
                "worker.heartbeat_s",
                format!(
                    "a lease of {} s must outlast two renewals of {} s",
                    w.lease_s, w.heartbeat_s
                ),
            ));
        }
        let s = &self.server;
        if s.body_timeout_s >= s.request_timeout_s {
            return Err(Contradiction(
                "server.request_timeout_s",
                "server.body_timeout_s",
                format!(
                    "a request's {} s must outlast the {} s that its body may take",
                    s.request_timeout_s, s.body_timeout_s
                ),
            ));
        }
        if self.draft.drafter == Drafter::Openai && self.draft.timeout_s >= w.lease_s {
            return Err(Contradiction(
                "draft.timeout_s",
                "worker.lease_s",
                format!(
                    "a model may take {} s, but its job's lease is {} s",
                    self.draft.timeout_s, w.lease_s
                ),
            ));
        }
        if self.send.timeout_s >= w.lease_s {
            return Err(Contradiction(
                "send.timeout_s",
                "worker.lease_s",
                format!(
                    "a delivery may take {} s, but its job's lease is {} s",
                    self.send.timeout_s, w.lease_s
                ),
            ));
        }
        if self.events.timeout_s >= w.lease_s {
            return Err(Contradiction(
                "events.timeout_s",
                "worker.lease_s",
                format!(
                    "an endpoint may take {} s, but its job's lease is {} s",
                    self.events.timeout_s, w.lease_s
                ),
            ));
        }
        let e = &self.events;
        if e.keep_days == 0 || e.heartbeat_s == 0 || e.max_attempts < 1 || e.timeout_s == 0 {
            return Err(Invalid(
                "events",
                "keep_days, heartbeat_s, timeout_s and max_attempts must be at least 1".into(),
            ));
        }
        let body = self.server.body_limit_mib as u64 * 1024 * 1024;
        if self.ingest.attachment_max_bytes > body {
            return Err(Contradiction(
                "ingest.attachment_max_bytes",
                "server.body_limit_mib",
                "an attachment of the allowed size would not fit into a request".into(),
            ));
        }
        if self.server.body_budget_mib < self.server.body_limit_mib {
            return Err(Contradiction(
                "server.body_budget_mib",
                "server.body_limit_mib",
                "one request of the allowed size would not fit into the budget of all".into(),
            ));
        }
        if self.server.max_in_flight == 0 || self.server.max_connections == 0 {
            return Err(Invalid(
                "server",
                "max_in_flight and max_connections must be at least 1".into(),
            ));
        }
        let is_origin =
            |o: &&String| url::Url::parse(o).is_ok_and(|u| u.origin().ascii_serialization() == **o);
        if let Some(bad) = self.server.cors_origins.iter().find(|o| !is_origin(o)) {
            return Err(Invalid(
                "server.cors_origins",
                format!("`{bad}` is not an origin, as https://inbox.example"),
            ));
        }
        if self.security.password_checks == 0 {
            return Err(Invalid("security.password_checks", "must be at least 1".into()));
        }
        if w.concurrency == 0
            || w.outside == 0
            || w.max_attempts < 1
            || w.lease_s == 0
            || w.sweep_s == 0
        {
            return Err(Invalid(
                "worker",
                "concurrency, outside, max_attempts, lease_s and sweep_s must be at least 1".into(),
            ));
        }
        self.check_classify()?;
        if self.ingest.max_text_kib == 0 {
            return Err(Invalid("ingest.max_text_kib", "must be at least 1".into()));
        }
        if !matches!(self.model.mode.as_str(), "f32" | "int8") {
            return Err(Invalid("model.mode", "must be `f32` or `int8`".into()));
        }
        if self.database.pool < 2 {
            return Err(Invalid("database.pool", "must be at least 2".into()));
        }
        for mask in self.tenants.values().map(|t| &t.mask).chain([&self.mask]) {
            if !(0.0..=1.0).contains(&mask.min_score) {
                return Err(Invalid("mask.min_score", "must lie between 0 and 1".into()));
            }
            if !(-10.0..=10.0).contains(&mask.names_bias) {
                return Err(Invalid("mask.names_bias", "must lie between -10 and 10".into()));
            }
        }
        Ok(())
    }

    fn check_classify(&self) -> Result<(), ConfigError> {
        use ConfigError::{Contradiction, Invalid};
        let c = &self.classify;
        let least = [
            ("classify.max_items", c.max_items),
            ("classify.max_lines", c.max_lines),
            ("classify.max_streams", c.max_streams),
            ("classify.streams_per_key", c.streams_per_key),
            ("classify.max_text_kib", c.max_text_kib),
            ("classify.batch", c.batch),
            ("classify.workers", c.workers),
            ("classify.own_taxonomies", c.own_taxonomies),
        ];
        if let Some((name, _)) = least.iter().find(|(_, value)| *value == 0) {
            return Err(Invalid(name, "must be at least 1".into()));
        }
        if c.deadline_ms == 0 {
            return Err(Invalid("classify.deadline_ms", "must be at least 1".into()));
        }
        if c.queue < 2 * c.max_items {
            return Err(Contradiction(
                "classify.queue",
                "classify.max_items",
                "one key may fill half of the queue, and a request of the allowed size must fit"
                    .into(),
            ));
        }
        if c.max_text_kib > self.server.body_limit_mib * 1024 {
            return Err(Contradiction(
                "classify.max_text_kib",
                "server.body_limit_mib",
                "a text of the allowed size would not fit into a request".into(),
            ));
        }
        if self.taxonomies.contains_key("default") {
            return Err(Contradiction(
                "taxonomies.default",
                "triage.taxonomy",
                "`default` is the name of the taxonomy that triage.taxonomy names".into(),
            ));
        }
        Ok(())
    }

    /// The masking settings of a tenant, by its short name.
    pub fn mask_of(&self, tenant: &str) -> &Mask {
        self.tenants.get(tenant).map_or(&self.mask, |t| &t.mask)
    }

    /// The lease of a claim.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.worker.lease_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_default_loads_and_every_key_is_commented() {
        let c = Config::load(None, &none, &[]).unwrap();
        assert_eq!(c.worker.lease_s, 30);
        let mut commented = false;
        for line in DEFAULT.lines() {
            if line.starts_with('#') {
                commented = true;
            } else if line.starts_with('[') || line.is_empty() {
                commented = false;
            } else {
                assert!(commented, "no comment above `{line}`");
            }
        }
    }

    #[test]
    fn later_layers_win() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        std::fs::write(&file, "[review]\nhold_s = 5\n[draft]\npassages = 3\n").unwrap();
        let env = |k: &str| (k == "COUNTERSIGN_REVIEW_HOLD_S").then(|| "7".to_owned());
        let c = Config::load(Some(&file), &env, &[]).unwrap();
        assert_eq!((c.review.hold_s, c.draft.passages), (7, 3));
        let sets = [
            "review.hold_s=9".to_owned(),
            "ingest.own_addresses=a@x.example, b@x.example".to_owned(),
        ];
        let c = Config::load(Some(&file), &env, &sets).unwrap();
        assert_eq!(c.review.hold_s, 9);
        assert_eq!(c.ingest.own_addresses.len(), 2);
    }

    #[test]
    fn contradictions_name_both_keys() {
        for (sets, keys) in [
            (vec!["worker.lease_s=10"], ["worker.lease_s", "worker.heartbeat_s"]),
            (
                vec!["draft.drafter=openai", "draft.timeout_s=40"],
                ["draft.timeout_s", "worker.lease_s"],
            ),
            (
                vec!["server.request_timeout_s=30"],
                ["server.request_timeout_s", "server.body_timeout_s"],
            ),
            (vec!["send.timeout_s=30"], ["send.timeout_s", "worker.lease_s"]),
            (
                vec!["server.body_limit_mib=1"],
                ["ingest.attachment_max_bytes", "server.body_limit_mib"],
            ),
            (vec!["server.body_budget_mib=8"], ["server.body_budget_mib", "server.body_limit_mib"]),
        ] {
            let sets: Vec<String> = sets.into_iter().map(str::to_owned).collect();
            let e = Config::load(None, &none, &sets).unwrap_err().to_string();
            assert!(keys.iter().all(|k| e.contains(k)), "{e}");
        }
    }

    #[test]
    fn a_tenant_inherits_what_it_does_not_set() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        let load = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Config::load(Some(&file), &none, &["mask.min_score=0.5".to_owned()])
        };
        let c = load("[mask]\nnames_bias = 3.0\n[tenants.acme.mask]\nnames = false\n").unwrap();
        let acme = c.mask_of("acme");
        assert!(!acme.names && c.mask.names && c.mask_of("other").names);
        assert_eq!((acme.names_bias, acme.min_score), (3.0, 0.5));
        for (text, what) in [
            ("[tenants.acme.mask]\nmin_score = 2.0\n", "mask.min_score"),
            ("[tenants.acme.mask]\nmin_scores = 0.2\n", "min_scores"),
            ("[tenants.acme]\nmask = 1\n", "mask"),
            ("[tenants.acme]\nmusk = 1\n", "musk"),
        ] {
            let e = load(text).unwrap_err();
            let said = format!(
                "{e} {}",
                std::error::Error::source(&e).map_or_else(String::new, |s| s.to_string())
            );
            assert!(said.contains(what), "{text}: {said}");
        }
    }

    #[test]
    fn rubbish_is_refused_with_its_place() {
        let e = Config::load(None, &none, &["serve.listen=x".into()]).unwrap_err().to_string();
        assert!(e.contains("serve.listen"), "{e}");
        let e = Config::load(None, &none, &["server.listen=x".into()]).unwrap_err().to_string();
        assert!(e.contains("listen"), "{e}");
        let c = Config::load(None, &none, &["security.master_key=secret".into()]).unwrap();
        assert!(!format!("{c:?}").contains("secret"));
    }
}

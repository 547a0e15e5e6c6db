//! Wiring: the one file that names adapters. `serve`, `worker`, the demo and the tests build the
//! service here, from the same parts.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;

use crate::adapters::chatwoot::{self, Chatwoot};
use crate::adapters::embedded_index::EmbeddedIndex;
use crate::adapters::extractive::Extractive;
use crate::adapters::openai::{ApiKey, OpenAi, OpenAiSettings};
use crate::adapters::poster::HttpPoster;
use crate::adapters::sandbox::Sandbox;
use crate::adapters::webhook::Webhook;
use crate::config::{self, Config};
use crate::domain::ids::{Slug, TenantId};
use crate::domain::limit::KeyLimits;
use crate::domain::masking::{Entity, OperatorKey, Operators};
use crate::http::events::Streams;
use crate::http::limits::Limits as KeyAccounts;
use crate::http::page::Logins;
use crate::http::page::render::Pages;
use crate::http::{App, BodyLimits};
use crate::intake::Intake;
use crate::lifecycle::Lifecycle;
use crate::nlp::detect::Detector;
use crate::nlp::encoder::{Embed, Encoder, Mode};
use crate::nlp::heads::{Taxonomy, Triage, trained};
use crate::nlp::mask::{Masker, MaskerConfig, TenantRules};
use crate::nlp::names::NamesHead;
use crate::nlp::remembered::{REMEMBERED, Remembered};
use crate::pipeline::classify::Classifier;
use crate::pipeline::masking::{Masking, Maskings};
use crate::pipeline::promoted::Promoted;
use crate::pipeline::retrieve::Search;
use crate::pipeline::send::Senders;
use crate::pipeline::{Pipeline, answer};
use crate::ports::host::{Host, System};
use crate::review::actions::Desk;
use crate::store;
use crate::store::engine::Options;
use crate::store::sealing::{Keyring, MasterKey};
use crate::store::{Db, Engine, HostRef, Store, migrate, reseal, tenant};
use crate::worker::Worker;

/// The intents that are used when none are configured.
const BUILTIN_TAXONOMY: &str = include_str!("../prompts/taxonomy/default.toml");

/// The tenant that a fresh installation has.
pub const HOME: &str = "home";

/// Opens the database, brings its schema up to date and takes the keys.
///
/// # Errors
/// When the database can't be opened, migrated, or is owned by another process.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let options = database(config);
    let db = Db::open(&options).await.context("opening the database")?;
    migrate::run(&db, None).await.context("bringing the database up to date")?;
    let store = store_on(config, db)?;
    let sealed = reseal::run(&store).await.context("sealing what earlier versions stored plain")?;
    if sealed > 0 {
        tracing::info!(rows = sealed, "sealed what an earlier version stored plain");
    }
    Ok(store)
}

/// As [`open_store`], or beside the process that owns a SQLite file: for short steps that another process may take
/// at the same time. Its schema is then up to date already.
///
/// # Errors
/// When the database can't be opened or migrated.
pub async fn open_store_beside(config: &Config) -> anyhow::Result<Store> {
    match open_store(config).await {
        Err(e)
            if e.downcast_ref::<store::Error>()
                .is_some_and(|e| matches!(e, store::Error::Open(_))) =>
        {
            let options = Options { exclusive: false, ..database(config) };
            let db = Db::open(&options).await.context("opening the database")?;
            store_on(config, db)
        }
        other => other,
    }
}

fn store_on(config: &Config, db: Db) -> anyhow::Result<Store> {
    let host: Arc<dyn Host> = Arc::new(System);
    let key = master_key(&config.security, &*host)?;
    Ok(Store { db, keys: Arc::new(Keyring::new(key, host.clone())), host: HostRef(host) })
}

fn database(config: &Config) -> Options {
    let mut options = Options::new(config.database.url.clone());
    options.pool = config.database.pool;
    options.acquire_timeout = Duration::from_millis(config.database.acquire_timeout_ms);
    options.statement_timeout = Duration::from_millis(config.database.statement_timeout_ms);
    options.idle_transaction_timeout =
        Duration::from_millis(config.database.idle_transaction_timeout_ms);
    options
}

/// The master key from the configuration, or from its file, which is made when it isn't there.
///
/// # Errors
/// When the key isn't 64 hex digits or the file can't be read or written.
pub fn master_key(s: &config::Security, host: &dyn Host) -> anyhow::Result<MasterKey> {
    if !s.master_key.is_empty() {
        return MasterKey::from_hex(&s.master_key).context("security.master_key");
    }
    let path = &s.master_key_file;
    if !path.exists() {
        write_key(path, host).with_context(|| format!("making {}", path.display()))?;
        tracing::info!(file = %path.display(), "made a master key: keep a copy apart from the database");
    }
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    MasterKey::from_hex(&text).with_context(|| format!("in {}", path.display()))
}

fn write_key(path: &Path, host: &dyn Host) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir)?;
    }
    let mut bytes = [0u8; 32];
    host.fill(&mut bytes);
    let mut f = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(f, "{}", hex::encode(bytes))?;
    f.sync_all()
}

/// Loads the encoder.
///
/// # Errors
/// When the model's folder is missing or wrong; the message says how to get it.
pub fn encoder(config: &Config) -> anyhow::Result<Arc<Encoder>> {
    let mode = if config.model.mode == "f32" { Mode::F32 } else { Mode::Int8 };
    let loaded = Encoder::load(&config.model.folder, mode).with_context(|| {
        format!(
            "loading the encoder from {} (get it with `countersign models pull`, or put the files \
             there by hand)",
            config.model.folder.display()
        )
    })?;
    Ok(Arc::new(loaded))
}

/// What finds personal data: the recognizers, those of the configured file among them, and names by
/// the head if there is an encoder. `only` restricts the types.
///
/// # Errors
/// When a setting or the file can't be used.
pub fn detector(
    set: &config::Mask,
    only: Option<BTreeSet<Entity>>,
    encoder: Option<Arc<dyn Embed>>,
) -> anyhow::Result<Detector> {
    let rules = tenant_rules(&set.recognizers)?;
    let also = set.types.iter().map(|t| asked_for(t)).collect::<anyhow::Result<_>>()?;
    let masker = Masker::new(MaskerConfig {
        entities: only,
        also,
        min_score: set.min_score,
        default_regions: set.phone_regions.clone(),
        custom: rules.recognizers,
        allow_list: rules.allow_list,
    })
    .context("in the settings of [mask]")?;
    Ok(match encoder.filter(|_| set.names) {
        Some(encoder) => {
            Detector::with_names(masker, NamesHead::shipped()?, encoder, set.names_bias)?
        }
        None => Detector::new(masker),
    })
}

/// A type of `mask.types`.
fn asked_for(name: &str) -> anyhow::Result<Entity> {
    let known: Vec<&str> =
        Masker::catalogue().iter().filter(|e| e.only_if_asked).map(|e| e.entity.as_str()).collect();
    let entity = name.parse::<Entity>().ok().filter(|e| known.contains(&e.as_str()));
    entity.with_context(|| {
        format!(
            "mask.types: `{name}` isn't one of the types found only if asked for: {}",
            known.join(", ")
        )
    })
}

fn tenant_rules(path: &str) -> anyhow::Result<TenantRules> {
    if path.is_empty() {
        return Ok(TenantRules::default());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    toml::from_str(&text).with_context(|| format!("in {path}"))
}

/// The operators of a configuration.
///
/// # Errors
/// When one can't be read.
pub fn operators(set: &config::Mask) -> anyhow::Result<Operators> {
    let pairs: Vec<(&str, &str)> = set
        .operators
        .iter()
        .map(|o| {
            o.split_once('=').with_context(|| format!("mask.operators: `{o}` isn't TYPE=operator"))
        })
        .collect::<Result<_, _>>()?;
    Operators::read(pairs).context("mask.operators")
}

/// The masking of all tenants; those that the configuration names are made if they aren't there.
///
/// # Errors
/// When a setting or a tenant's file can't be used, or the database fails.
async fn masking(
    config: &Config,
    store: &Store,
    encoder: &Arc<dyn Embed>,
) -> anyhow::Result<Maskings> {
    let one = |set: &config::Mask| -> anyhow::Result<Masking> {
        let detector = detector(set, None, Some(encoder.clone()))?;
        Ok(Masking::new(Arc::new(detector), operators(set)?))
    };
    let mut all = Maskings::new(one(&config.mask)?);
    for (name, own) in &config.tenants {
        let masking = one(&own.mask).with_context(|| format!("in [tenants.{name}.mask]"))?;
        all.set(tenant::ensure(store, &name.parse()?).await?.id, masking);
    }
    Ok(all)
}

/// Reads the key of hashes and fakes: 64 hexadecimal digits.
///
/// # Errors
/// When the file can't be read or holds something else; its content isn't repeated.
pub fn operator_key(file: &Path) -> anyhow::Result<OperatorKey> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim(), &mut key)
        .ok()
        .with_context(|| format!("{}: expected 64 hexadecimal digits", file.display()))?;
    Ok(OperatorKey::new(key))
}

/// The taxonomy of a configuration.
///
/// # Errors
/// When the file can't be read or is wrong.
pub fn taxonomy(config: &Config) -> anyhow::Result<Taxonomy> {
    if config.triage.taxonomy.is_empty() {
        return Ok(Taxonomy::parse(BUILTIN_TAXONOMY)?);
    }
    let path = Path::new(&config.triage.taxonomy);
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Taxonomy::parse(&text).with_context(|| format!("in {}", path.display()))
}

/// What API keys may do that have no limits of their own.
///
/// # Errors
/// When a setting can't be read.
pub fn key_limits(set: &config::Limits) -> anyhow::Result<KeyLimits> {
    let rate = Some(&set.rate).filter(|r| !r.is_empty()).map(|r| r.parse()).transpose();
    let quota = Some(&set.quota).filter(|q| !q.is_empty()).map(|q| q.parse()).transpose();
    Ok(KeyLimits {
        rate: rate.context("limits.rate")?,
        burst: NonZeroU32::new(set.burst),
        quota: quota.context("limits.quota")?,
    })
}

/// Gives back, at the stop, what was taken ahead of the keys' quotas.
fn settle(limits: &KeyAccounts, store: &Store, life: &Lifecycle) {
    let (limits, store, stop) = (limits.clone(), store.clone(), life.stopping().clone());
    life.spawn(async move {
        stop.cancelled().await;
        if let Err(e) = limits.close(&store).await {
            tracing::warn!(error = %e, "could not give back what was taken ahead of the quotas");
        }
    });
}

/// The classifier of the API, with a fit for each named taxonomy.
fn classifier(
    config: &Config,
    models: &Models,
    heads: Arc<Promoted>,
) -> anyhow::Result<Classifier> {
    let mut named = Vec::with_capacity(config.taxonomies.len());
    for (name, path) in &config.taxonomies {
        let read = || -> anyhow::Result<Triage> {
            let taxonomy = Taxonomy::parse(&std::fs::read_to_string(path)?)?;
            Ok(models.triage.with_taxonomy(taxonomy, &*models.encoder)?)
        };
        let triage = read().with_context(|| format!("taxonomies.{name}: {}", path.display()))?;
        named.push((name.clone(), Arc::new(triage)));
    }
    Ok(Classifier::new(config.classify.clone(), heads, named, models.encoder.clone()))
}

/// Fits or loads the heads; the cache stands beside the model. Trained heads of the configuration take the
/// places of the built-in ones.
///
/// # Errors
/// When the taxonomy is wrong, or a trained head can't be read or belongs to another encoder.
pub fn triage(config: &Config, encoder: &dyn Embed) -> anyhow::Result<Triage> {
    let cache = config.model.folder.join("heads.cache");
    let mut triage = Triage::load(taxonomy(config)?, encoder, Some(&cache))?;
    for folder in &config.triage.heads {
        let head = trained::load(folder)
            .with_context(|| format!("reading the trained head in {}", folder.display()))?;
        triage = triage.with_head(head)?;
    }
    Ok(triage)
}

/// Who drafts.
///
/// # Errors
/// When the endpoint's settings can't be used.
pub fn drafter(
    config: &Config,
    encoder: Arc<dyn Embed>,
    host: Arc<dyn Host>,
) -> anyhow::Result<answer::Drafter> {
    Ok(match config.draft.drafter {
        config::Drafter::Extractive => Arc::new(Extractive::new(encoder)),
        config::Drafter::Openai => {
            let d = &config.draft;
            let mut s = OpenAiSettings::new(d.base_url.clone(), d.model.clone());
            s.api_key = ApiKey::new(std::env::var(&d.api_key_env).unwrap_or_default());
            s.timeout = Duration::from_secs(d.timeout_s);
            s.max_tokens = d.max_tokens;
            s.context_tokens = d.context_tokens;
            Arc::new(OpenAi::new(s, host)?)
        }
    })
}

/// Everything behind the router.
pub struct Service {
    /// What handlers hold.
    pub app: App,
    /// Runs jobs.
    pub worker: Worker,
    /// Tells everything when to stop.
    pub life: Lifecycle,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

/// The models of a process; loading takes a second, so that tests load them once.
#[derive(Clone)]
pub struct Models {
    /// Embeds.
    pub encoder: Arc<dyn Embed>,
    /// Classifies.
    pub triage: Arc<Triage>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Models")
    }
}

impl Models {
    /// Loads both.
    ///
    /// # Errors
    /// As [`encoder`] and [`triage`].
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        let encoder: Arc<dyn Embed> = encoder(config)?;
        let triage = Arc::new(triage(config, &*encoder)?);
        Ok(Self { encoder, triage })
    }
}

/// Brings heads that were promoted, here or by another process, into use.
async fn follow(heads: &Promoted, store: &Store, life: &Lifecycle) {
    while !life.stopping().is_cancelled() {
        tokio::select! {
            () = life.stopping().cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if let Err(e) = heads.refresh(store).await {
            tracing::warn!(error = %e, "could not look for promoted heads");
        }
    }
}

/// Folds SQLite's log into its file beside the writers, a few times a second.
async fn checkpoints(db: &Db, life: &Lifecycle) {
    while db.engine() == Engine::Sqlite && !life.stopping().is_cancelled() {
        if let Err(e) = db.checkpoint().await {
            tracing::warn!(error = %e, "could not fold the database's log into its file");
        }
        tokio::select! {
            () = life.stopping().cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
        }
    }
}

/// Ends the workers when their runtime goes away without a stop: it would wait for them for ever.
struct EndsWork(Classifier);

impl Drop for EndsWork {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Starts the workers of `POST /v1/classify`. At the stop, requests that are still on their way in get
/// a moment to queue their texts; what waits when time is up is told so.
fn classify(classifier: &Classifier, workers: usize, life: &Lifecycle) {
    for _ in 0..workers {
        let (worker, end) = (classifier.clone(), EndsWork(classifier.clone()));
        life.spawn(async move {
            if tokio::task::spawn_blocking(move || worker.work()).await.is_err() {
                tracing::error!("a worker of the classification ended early");
            }
            drop(end);
        });
    }
    let (classifier, stop, abort) =
        (classifier.clone(), life.stopping().clone(), life.aborting().clone());
    life.spawn(async move {
        stop.cancelled().await;
        tokio::select! {
            () = abort.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
        classifier.close();
        while classifier.depth().0 > 0 && !abort.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        classifier.abandon();
    });
}

/// Builds the service.
///
/// # Errors
/// When a setting can't be used.
pub async fn build(
    config: Config,
    store: Store,
    models: Models,
    life: Lifecycle,
    demo: Option<(String, String)>,
) -> anyhow::Result<Service> {
    let config = Arc::new(config);
    let home: Slug = HOME.parse()?;
    let home: TenantId = tenant::ensure(&store, &home).await?.id;
    let wake = Arc::new(tokio::sync::Notify::new());
    let masking = Arc::new(masking(&config, &store, &models.encoder).await?);
    let host = store.host.0.clone();
    let timeout = Duration::from_secs(config.send.timeout_s);
    let webhook =
        Webhook::new(store.clone(), host.clone(), timeout, config.send.allow_private_addresses)?;
    let poster = HttpPoster::new(
        host.clone(),
        Duration::from_secs(config.events.timeout_s),
        config.send.allow_private_addresses,
    )?;
    let index = Arc::new(EmbeddedIndex::new(models.encoder.dims()));
    let evidence: Arc<dyn Embed> = Arc::new(Remembered::new(models.encoder.clone(), REMEMBERED));
    // A reply that may have arrived is looked for within the time of its delivery.
    let api = chatwoot::Api::new(host.clone(), timeout / 4, config.send.allow_private_addresses)?;
    let chatwoot = Arc::new(Chatwoot::new(store.clone(), api));
    let senders = Senders {
        sandbox: Arc::new(Sandbox::new(store.clone())),
        webhook: Arc::new(webhook),
        chatwoot: chatwoot.clone(),
    };
    let key_limits = KeyAccounts::new(key_limits(&config.limits)?);
    settle(&key_limits, &store, &life);
    let heads = Arc::new(Promoted::new(models.triage.clone()));
    heads.refresh(&store).await?;
    let (follower, store_of_heads, life_of_heads) = (heads.clone(), store.clone(), life.clone());
    life.spawn(async move { follow(&follower, &store_of_heads, &life_of_heads).await });
    let classifier = classifier(&config, &models, heads.clone())?;
    classify(&classifier, config.classify.workers, &life);
    let pipeline = Arc::new(Pipeline {
        store: store.clone(),
        config: config.clone(),
        search: Search::new(index, models.encoder.id()),
        drafter: drafter(&config, evidence.clone(), host)?,
        masking: masking.clone(),
        heads,
        senders: senders.clone(),
        poster: Arc::new(poster),
        platform: chatwoot,
        encoder: models.encoder,
        evidence,
    });
    let (db, life_of_db) = (store.db.clone(), life.clone());
    life.spawn(async move { checkpoints(&db, &life_of_db).await });
    let worker = Worker::new(store.clone(), pipeline.clone(), &config, wake.clone());
    let app = App {
        intake: Intake::start(store.clone(), wake.clone(), &life),
        desk: Desk::new(store.clone(), masking, senders, &config.review),
        pages: Arc::new(Pages::new()?),
        limits: BodyLimits::new(
            config.server.max_in_flight,
            config.server.body_budget_mib,
            Duration::from_secs(config.server.body_timeout_s),
        ),
        classifier,
        logins: Arc::new(Logins::new(&config.security)),
        doors: Arc::default(),
        key_limits,
        streams: Arc::new(Streams::new(&config.events, worker.news(), life.stopping().clone())),
        key_uses: Arc::new(Mutex::new(HashMap::new())),
        store,
        config,
        pipeline,
        home,
        demo,
        wake,
    };
    Ok(Service { app, worker, life })
}

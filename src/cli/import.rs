//! `import`: mbox, Maildir, .eml and JSON Lines, into the database or through a running server.
//! Going on after an interruption skips what was taken; what is refused is named with its reason.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{out, say};
use crate::app;
use crate::config::Config;
use crate::domain::approval::Digest;
use crate::domain::audit::Actor;
use crate::domain::ids::{Slug, TenantId};
use crate::domain::message::{ChannelKind, Direction, Incoming, NewMessage, Raw, SAME_ID_MARK};
use crate::intake::{Accepted, Intake, Request};
use crate::lifecycle::Lifecycle;
use crate::receive::{self, Refusal};
use crate::store::channel::{self, AdapterKind, Channel, Settings};
use crate::store::message::Receipt;
use crate::store::{Store, import, tenant};

/// Largest single message, in bytes.
const MAX_MESSAGE: u64 = 64 * 1024 * 1024;
/// Items between two checkpoints.
const EVERY: u64 = 200;
/// Items handed in at once.
const IN_FLIGHT: usize = 64;

/// Options.
#[derive(ClapArgs, Debug)]
pub struct Args {
    /// An mbox file, a Maildir, an .eml file, a folder of .eml files, or a .jsonl file.
    path: PathBuf,
    /// The channel that it came in by; made when it isn't there.
    #[arg(long, default_value = "mail")]
    channel: String,
    /// The kind of a channel that is made.
    #[arg(long, default_value = "email")]
    kind: ChannelKind,
    /// Whose.
    #[arg(long, default_value = app::HOME)]
    tenant: String,
    /// Hand in through a running server instead of opening the database.
    #[arg(long, value_name = "URL", requires = "api_key")]
    server: Option<url::Url>,
    /// The server's API key, with the scope `ingest`.
    #[arg(long, env = "COUNTERSIGN_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Start from the beginning, even if an earlier run was interrupted.
    #[arg(long)]
    restart: bool,
}

/// One message found in a source.
struct Item {
    /// Where, for the report: a file name or `message 12`.
    name: String,
    body: Result<Vec<u8>, String>,
}

#[derive(Default)]
struct Summary {
    new: u64,
    known: u64,
    refused: Vec<(String, String)>,
    skipped: u64,
}

/// Runs.
pub async fn run(config: &Config, a: Args) -> anyhow::Result<ExitCode> {
    let door = Door::open(config, &a).await?;
    let source = a.path.canonicalize().with_context(|| a.path.display().to_string())?;
    let name = format!("{}|{}|{}", source.display(), a.tenant, a.channel);
    let print = fingerprint(&source)?;
    let start = if a.restart { 0 } else { door.position(&name, &print).await? };
    let mut sum = Summary { skipped: start, ..Summary::default() };
    let bar = progress(&source);
    let mut batch: Vec<Item> = Vec::with_capacity(IN_FLIGHT);
    let (mut position, mut noted) = (0u64, start);
    let json_lines = source.extension().is_some_and(|e| e == "jsonl");
    for item in items(&source)? {
        let item = item?;
        position += 1;
        if position <= start {
            continue;
        }
        batch.push(item);
        if batch.len() == IN_FLIGHT {
            bar.inc(batch.len() as u64);
            door.hand_in(std::mem::take(&mut batch), json_lines, &mut sum).await?;
            if position - noted >= EVERY {
                door.checkpoint(&name, &print, position).await?;
                noted = position;
            }
        }
    }
    bar.inc(batch.len() as u64);
    door.hand_in(batch, json_lines, &mut sum).await?;
    door.checkpoint(&name, &print, position).await?;
    bar.finish_and_clear();
    door.close().await;
    for (name, why) in &sum.refused {
        say(&format!("refused {name}: {why}"));
    }
    let refused: Vec<Value> =
        sum.refused.iter().map(|(n, w)| json!({"name": n, "reason": w})).collect();
    out(&json!({"seen": position, "imported": sum.new, "already_there": sum.known,
        "taken_by_an_earlier_run": sum.skipped, "refused": refused})
    .to_string());
    Ok(if sum.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn progress(source: &Path) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style =
        ProgressStyle::with_template("{spinner} {pos} messages  {per_sec}  {elapsed}  {msg}");
    if let Ok(s) = style {
        bar.set_style(s);
    }
    bar.set_message(
        source.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
    );
    bar
}

/// What a source looked like: its kind, size and time. A changed source is read from its beginning
/// (what is there already is found by its ids).
fn fingerprint(path: &Path) -> anyhow::Result<String> {
    let m = std::fs::metadata(path)?;
    let time = m.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{}|{}|{}", m.is_dir(), m.len(), time.as_micros()))
}

type Items = Box<dyn Iterator<Item = anyhow::Result<Item>>>;

fn items(path: &Path) -> anyhow::Result<Items> {
    if path.is_dir() {
        let mut files = Vec::new();
        if path.join("cur").is_dir() && path.join("new").is_dir() {
            for sub in ["cur", "new"] {
                list(&path.join(sub), &mut files, false)?;
            }
        } else {
            list(path, &mut files, true)?;
        }
        files.sort();
        return Ok(Box::new(files.into_iter().map(|f| Ok(whole_file(&f)))));
    }
    match path.extension().and_then(|e| e.to_str()) {
        Some("eml") => Ok(Box::new(std::iter::once(Ok(whole_file(path))))),
        Some("jsonl") => Ok(Box::new(json_items(path)?)),
        _ => Ok(Box::new(MboxItems::open(path)?)),
    }
}

fn list(dir: &Path, into: &mut Vec<PathBuf>, only_eml: bool) -> anyhow::Result<()> {
    for e in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let p = e?.path();
        if p.is_dir() {
            if only_eml {
                list(&p, into, only_eml)?;
            }
        } else if !only_eml || p.extension().is_some_and(|x| x == "eml") {
            into.push(p);
        }
    }
    Ok(())
}

fn whole_file(path: &Path) -> Item {
    let name = path.display().to_string();
    let body = std::fs::metadata(path).map_err(|e| e.to_string()).and_then(|m| {
        if m.len() > MAX_MESSAGE {
            return Err(format!("larger than {MAX_MESSAGE} bytes"));
        }
        std::fs::read(path).map_err(|e| e.to_string())
    });
    Item { name, body }
}

fn json_items(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Item>> + 'static> {
    let lines = BufReader::new(File::open(path)?).split(b'\n');
    Ok(lines
        .enumerate()
        .filter(|(_, l)| l.as_ref().map_or(true, |l| !l.iter().all(u8::is_ascii_whitespace)))
        .map(|(i, line)| Ok(Item { name: format!("line {}", i + 1), body: Ok(line?) })))
}

/// Messages of an mbox: a message begins at a `From ` line that follows an empty line; `>From ` is
/// unquoted (mboxrd).
struct MboxItems {
    lines: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    ended: bool,
}

impl MboxItems {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(path).with_context(|| path.display().to_string())?;
        let mut head = [0u8; 5];
        let n = file.read(&mut head)?;
        if n > 0 && &head[..n] != b"From " {
            anyhow::bail!(
                "{} doesn't begin with `From `: it is no mbox (name single mails .eml, JSON Lines .jsonl)",
                path.display()
            );
        }
        file.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::with_capacity(1 << 20, file);
        let mut line = Vec::new();
        let ended = lines.read_until(b'\n', &mut line)? == 0;
        Ok(Self { lines, line, number: 0, ended })
    }

    fn next_message(&mut self) -> anyhow::Result<Option<Item>> {
        if self.ended {
            return Ok(None);
        }
        self.number += 1;
        let mut body = Vec::new();
        let mut too_large = false;
        let mut after_blank = false;
        loop {
            self.line.clear();
            if self.lines.read_until(b'\n', &mut self.line)? == 0 {
                self.ended = true;
                break;
            }
            if after_blank && self.line.starts_with(b"From ") {
                break;
            }
            after_blank = matches!(self.line.as_slice(), b"\n" | b"\r\n");
            let quoted = self.line.iter().take_while(|b| **b == b'>').count();
            let unquote = quoted > 0 && self.line[quoted..].starts_with(b"From ");
            let line = if unquote { &self.line[1..] } else { &self.line[..] };
            if body.len() + line.len() > usize::try_from(MAX_MESSAGE).unwrap_or(usize::MAX) {
                too_large = true;
            } else {
                body.extend_from_slice(line);
            }
        }
        let name = format!("message {}", self.number);
        let body =
            if too_large { Err(format!("larger than {MAX_MESSAGE} bytes")) } else { Ok(body) };
        Ok(Some(Item { name, body }))
    }
}

impl Iterator for MboxItems {
    type Item = anyhow::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_message().transpose()
    }
}

/// Where messages are handed in.
enum Door {
    Local(Box<Local>),
    Server { client: reqwest::Client, url: url::Url, key: String, channel: String },
}

struct Local {
    store: Store,
    intake: Intake,
    life: Lifecycle,
    tenant: TenantId,
    channel: Channel,
    ingest: crate::config::Ingest,
}

enum Taken {
    New,
    Known,
    Refused(String),
}

impl Door {
    async fn open(config: &Config, a: &Args) -> anyhow::Result<Self> {
        if let (Some(url), Some(key)) = (&a.server, &a.api_key) {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
            return Ok(Self::Server {
                client,
                url: url.join("/v1/messages")?,
                key: key.clone(),
                channel: a.channel.clone(),
            });
        }
        let store = app::open_store(config).await?;
        let t = tenant::ensure(&store, &a.tenant.parse()?).await?;
        let channel = ensure_channel(&store, &t.id, &a.channel.parse()?, a.kind).await?;
        let life = Lifecycle::new();
        let wake = std::sync::Arc::new(tokio::sync::Notify::new());
        let intake = Intake::start(store.clone(), wake, &life);
        let ingest = config.ingest.clone();
        Ok(Self::Local(Box::new(Local { store, intake, life, tenant: t.id, channel, ingest })))
    }

    async fn position(&self, source: &str, print: &str) -> anyhow::Result<u64> {
        match self {
            Self::Local(l) => {
                let mut c = l.store.db.read().await?;
                Ok(import::position(&l.store, &mut c, &l.tenant, source, print).await?)
            }
            // The server knows duplicates by their ids.
            Self::Server { .. } => Ok(0),
        }
    }

    async fn checkpoint(&self, source: &str, print: &str, position: u64) -> anyhow::Result<()> {
        if let Self::Local(l) = self {
            let mut tx = l.store.db.begin().await?;
            import::checkpoint(&l.store, &mut tx, &l.tenant, source, print, position).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn hand_in(&self, batch: Vec<Item>, json: bool, sum: &mut Summary) -> anyhow::Result<()> {
        let work = batch.into_iter().map(|item| async move {
            let taken = match item.body {
                Err(why) => Taken::Refused(why),
                Ok(body) => match self {
                    Self::Local(l) => l.take(body, json).await?,
                    Self::Server { client, url, key, channel } => {
                        post(client, url, key, channel, body, json).await?
                    }
                },
            };
            anyhow::Ok((item.name, taken))
        });
        for done in futures::future::join_all(work).await {
            match done? {
                (_, Taken::New) => sum.new += 1,
                (_, Taken::Known) => sum.known += 1,
                (name, Taken::Refused(why)) => sum.refused.push((name, why)),
            }
        }
        Ok(())
    }

    async fn close(self) {
        if let Self::Local(l) = self {
            l.life.stop();
            drop(l.intake);
            l.life.finished(Duration::from_secs(5)).await;
            l.store.db.close().await;
        }
    }
}

/// The channel of that name; a new one delivers into the sandbox until it is configured.
async fn ensure_channel(
    store: &Store,
    t: &TenantId,
    slug: &Slug,
    kind: ChannelKind,
) -> anyhow::Result<Channel> {
    let mut tx = store.db.begin().await?;
    let found = channel::by_slug(store, &mut tx, t, slug).await?;
    let channel = match found {
        Some(c) if c.disabled => anyhow::bail!("the channel `{slug}` is switched off"),
        Some(c) => c,
        None => {
            let s = Settings::default();
            channel::put(store, &mut tx, t, slug, kind, AdapterKind::Sandbox, &s, &[]).await?
        }
    };
    tx.commit().await?;
    Ok(channel)
}

impl Local {
    async fn take(&self, body: Vec<u8>, json: bool) -> anyhow::Result<Taken> {
        let incoming = if json {
            read_json(&body).and_then(|m| receive::json(m, &self.ingest))
        } else {
            receive::mime(body, None, None, Direction::In, &self.ingest)
        };
        let incoming = match incoming {
            Ok(i) => i,
            Err(r) => return Ok(Taken::Refused(r.detail)),
        };
        Ok(match self.insert(incoming.clone()).await? {
            Receipt::New(_) => Taken::New,
            Receipt::Duplicate(_) => Taken::Known,
            // Two mails with one Message-ID: both are kept, the second is flagged.
            Receipt::Conflict(_) => match self.insert(same_id_other_body(incoming)?).await? {
                Receipt::New(_) => Taken::New,
                _ => Taken::Known,
            },
        })
    }

    async fn insert(&self, incoming: Incoming) -> anyhow::Result<Receipt> {
        let message = receive::prepare(&self.store, &self.tenant, &self.channel, incoming)?;
        let request =
            Request { tenant: self.tenant.clone(), message, actor: Actor::Operator, webhook: None };
        match self.intake.accept(request).await? {
            Accepted::Message(receipt) => Ok(receipt),
            Accepted::WebhookDiffers => anyhow::bail!("an import is no webhook"),
        }
    }
}

fn same_id_other_body(incoming: Incoming) -> anyhow::Result<Incoming> {
    let body = match &incoming.raw {
        Raw::Mime { bytes, .. } => bytes.clone(),
        Raw::Json(m) => serde_json::to_vec(m)?,
    };
    let digest = Digest::of(&body);
    let external_id = format!("{}{SAME_ID_MARK}{}", incoming.external_id, digest.short());
    Ok(Incoming { external_id, ..incoming })
}

fn read_json(body: &[u8]) -> Result<NewMessage, Refusal> {
    crate::http::read_json(body)
        .map_err(|p| Refusal { code: "bad_json", detail: p.detail().to_owned() })
}

async fn post(
    client: &reqwest::Client,
    url: &url::Url,
    key: &str,
    channel: &str,
    body: Vec<u8>,
    json: bool,
) -> anyhow::Result<Taken> {
    let message = if json {
        match serde_json::from_slice::<Value>(&body) {
            Ok(Value::Object(mut o)) => {
                o.entry("channel").or_insert_with(|| json!(channel));
                Value::Object(o)
            }
            _ => return Ok(Taken::Refused("not a JSON object".into())),
        }
    } else {
        json!({"channel": channel, "eml_b64": STANDARD.encode(&body)})
    };
    loop {
        let answer = client.post(url.clone()).bearer_auth(key).json(&message).send().await?;
        match answer.status().as_u16() {
            202 => return Ok(Taken::New),
            200 => return Ok(Taken::Known),
            429 | 503 => tokio::time::sleep(Duration::from_secs(1)).await,
            401 | 403 => anyhow::bail!("the server refused the API key"),
            _ => {
                let problem: Value = answer.json().await.unwrap_or_default();
                let why = problem.get("detail").and_then(Value::as_str).unwrap_or("refused");
                return Ok(Taken::Refused(why.to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mbox_is_cut_at_from_lines_after_blank_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.mbox");
        std::fs::write(
            &path,
            "From a@x Mon\nSubject: 1\n\nFrom the start\n>From me\n>>From you\n\nFrom b@x Tue\nSubject: 2\n\nbye\n",
        )
        .unwrap();
        let all: Vec<String> = MboxItems::open(&path)
            .unwrap()
            .map(|i| String::from_utf8(i.unwrap().body.unwrap()).unwrap())
            .collect();
        // A `From ` right after the headers' blank line is a new message by the format's own rule.
        assert_eq!(all.len(), 3);
        assert_eq!(all[2], "Subject: 2\n\nbye\n");
        std::fs::write(&path, "no mbox").unwrap();
        assert!(MboxItems::open(&path).is_err());
    }
}

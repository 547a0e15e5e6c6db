//! `mask` and `unmask`: personal data out of JSON Lines and back in. Lines that are there already are
//! searched on all cores at once; memory grows with the number of `thread`s, not of lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::filter::{Io, Record, in_parallel, maybe, run, text};
use super::{out, say};
use crate::app;
use crate::config::Config;
use crate::domain::masking::{Entity, OperatorKey};
use crate::nlp::encoder::Embed;
use crate::nlp::mask::{CatalogueForm, Finding, Masker};
use crate::pipeline::anonymise::{
    self, Anonymised, AnonymisedJson, Anonymiser, Conversation, Options, Rows,
};
use crate::pipeline::normalise::{self, MimeLimits};
use crate::pipeline::understand::mime_limits;

/// Options of `mask`.
#[derive(Args, Debug)]
pub struct MaskArgs {
    #[command(flatten)]
    io: Io,
    /// Only these types (as EMAIL_ADDRESS,PHONE_NUMBER).
    #[arg(long, value_delimiter = ',')]
    entities: Vec<String>,
    /// Spans below this score stay (default: mask.min_score of the configuration).
    #[arg(long)]
    min_score: Option<f32>,
    /// Leave names of people, places and organisations alone; no model is needed then.
    #[arg(long)]
    no_names: bool,
    /// How readily a word is taken for a name, in nats (default: mask.names_bias).
    #[arg(long, allow_hyphen_values = true)]
    names_bias: Option<f32>,
    /// What stands for a type: placeholder, redact, partial, hash, fake or keep. `*` is all others.
    #[arg(long = "operator", value_name = "TYPE=OPERATOR")]
    operators: Vec<String>,
    /// File with 64 hexadecimal digits: the key of hashes and fakes.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Use the settings of this tenant's section of the configuration, where it has one.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Further recognizers, allow-lists and deny-lists (TOML; default: mask.recognizers).
    #[arg(long, value_name = "FILE")]
    recognizers: Option<PathBuf>,
    /// Say which recognizer found each span and why.
    #[arg(long)]
    explain: bool,
    /// Print all recognizers as a Markdown table, and nothing else.
    #[arg(long)]
    list: bool,
    /// At the end, count what was found by type, and the speed (standard error).
    #[arg(long)]
    stats: bool,
}

fn entities(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<BTreeSet<Entity>, String> {
    names.into_iter().map(|n| n.as_ref().parse::<Entity>().map_err(|e| e.to_string())).collect()
}

fn anonymiser(config: &Config, a: &MaskArgs) -> anyhow::Result<Anonymiser> {
    let mut own = match &a.tenant {
        Some(name) => config.mask_of(name).clone(),
        None => config.mask.clone(),
    };
    let set = &mut own;
    set.names &= !a.no_names;
    set.min_score = a.min_score.unwrap_or(set.min_score);
    set.names_bias = a.names_bias.unwrap_or(set.names_bias);
    if let Some(file) = &a.recognizers {
        set.recognizers = file.to_string_lossy().into_owned();
    }
    let only = match a.entities.as_slice() {
        [] => None,
        names => Some(entities(names).map_err(anyhow::Error::msg)?),
    };
    let pairs: Vec<(&str, &str)> = a
        .operators
        .iter()
        .map(|o| {
            o.split_once('=').with_context(|| format!("--operator {o}: expected TYPE=OPERATOR"))
        })
        .collect::<Result<_, _>>()?;
    let operators = app::operators(set)?.with(pairs)?;
    let key = match &a.key_file {
        Some(file) => app::operator_key(file)?,
        None if operators.need_key() => anyhow::bail!(
            "hash and fake need --key-file FILE (64 hexadecimal digits, as `openssl rand -hex 32` \
             prints): with another key the same value gets another hash"
        ),
        None => OperatorKey::new([0; 32]),
    };
    let wants_names =
        only.as_ref().is_none_or(|only| Entity::NAMED.iter().any(|e| only.contains(e)));
    let encoder: Option<Arc<dyn Embed>> =
        if set.names && wants_names { Some(app::encoder(config)?) } else { None };
    let detector = app::detector(set, only, encoder)?;
    Ok(Anonymiser::new(Arc::new(detector), operators, key))
}

/// The table of docs/masking.md.
fn catalogue() {
    out("| type | what it is | states | check | forms and scores | context words | source |");
    out("|---|---|---|---|---|---|---|");
    for entry in Masker::catalogue() {
        let cell = |text: &str| text.replace('|', "\\|");
        let form = |f: &CatalogueForm| {
            let score = if f.passed > f.base {
                format!("{} → {}", f.base, f.passed)
            } else {
                f.base.to_string()
            };
            format!("`{}` {score}", cell(f.form))
        };
        let forms: Vec<String> = entry.forms.iter().map(form).collect();
        let asked = if entry.only_if_asked { " (only if asked for)" } else { "" };
        out(&format!(
            "| `{}`{asked} | {} | {} | {} | {} | {} | {} |",
            entry.entity,
            cell(entry.title),
            entry.countries.join(" "),
            entry.check.map(cell).unwrap_or_default(),
            forms.join("<br>"),
            cell(&entry.words.join(", ")),
            cell(entry.source)
        ));
    }
}

/// What is counted for `--stats`.
#[derive(Default)]
struct Stats {
    lines: u64,
    bytes: u64,
    types: BTreeMap<String, u64>,
}

impl Stats {
    fn add(&mut self, bytes: usize, entities: impl Iterator<Item = Entity>) {
        self.lines += 1;
        self.bytes += bytes as u64;
        for entity in entities {
            *self.types.entry(entity.as_str().to_owned()).or_default() += 1;
        }
    }

    fn tell(&self, began: Instant) {
        let seconds = began.elapsed().as_secs_f64();
        let speed = |n: u64| n as f64 / seconds.max(1e-9);
        if !std::io::stderr().is_terminal() {
            let row = json!({"lines": self.lines, "bytes": self.bytes, "seconds": seconds,
                "lines_per_second": speed(self.lines), "types": self.types});
            return say(&row.to_string());
        }
        for (name, count) in &self.types {
            say(&format!("{name:<32} {count:>10}"));
        }
        say(&format!(
            "{} lines, {:.1} MB in {seconds:.1} s: {:.0} lines/s, {:.1} MB/s",
            self.lines,
            self.bytes as f64 / 1e6,
            speed(self.lines),
            speed(self.bytes) / 1e6
        ));
    }
}

/// A line, read.
struct Task {
    record: Record,
    content: Content,
    only: Option<BTreeSet<Entity>>,
    found: Vec<Finding>,
}

enum Content {
    Text(String),
    Json(Value),
}

/// `mask`: `{id, text | json | headers | eml_b64, thread?, language?, entities?}`.
pub fn mask(config: &Config, a: &MaskArgs) -> anyhow::Result<ExitCode> {
    if a.list {
        catalogue();
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    let by = anonymiser(config, a)?;
    let limits = mime_limits(&config.ingest);
    let mut talks: HashMap<String, Conversation> = HashMap::new();
    let mut stats = Stats::default();
    let code = run(a.io.input.as_deref(), |records| {
        // Finding takes the time and knows nothing of other lines; numbering goes in their order.
        let tasks: Vec<Result<Task, String>> = in_parallel(records, |r| read(r, &by, &limits));
        tasks
            .into_iter()
            .map(|task| {
                let task = task?;
                let mut own = Conversation::default();
                let thread = maybe(&task.record, "thread")?.map(str::to_owned);
                let talk = match thread {
                    Some(t) => talks.entry(t).or_default(),
                    None => &mut own,
                };
                write(task, &by, talk, a.explain, &mut stats)
            })
            .collect()
    })?;
    if a.stats {
        stats.tell(began);
    }
    Ok(code)
}

fn read(mut record: Record, by: &Anonymiser, limits: &MimeLimits) -> Result<Task, String> {
    let only = match record.get("entities") {
        None | Some(Value::Null) => None,
        Some(Value::Array(a)) => {
            let names: Option<Vec<&str>> = a.iter().map(Value::as_str).collect();
            Some(entities(names.ok_or("`entities` must be a list of names")?)?)
        }
        Some(_) => return Err("`entities` must be a list of names".to_owned()),
    };
    let language = maybe(&record, "language")?.map(str::to_owned);
    if let Some(b64) = maybe(&record, "eml_b64")? {
        let bytes = STANDARD
            .decode(b64.split_whitespace().collect::<String>())
            .map_err(|_| "`eml_b64` isn't base64".to_owned())?;
        record.remove("eml_b64");
        let content = Content::Json(mail(&bytes, limits)?);
        return Ok(Task { record, content, only, found: Vec::new() });
    }
    if let Some(doc) = record.remove("json") {
        return Ok(Task { record, content: Content::Json(doc), only, found: Vec::new() });
    }
    if let Some(headers) = record.remove("headers") {
        let mut doc = json!({"headers": headers});
        if let (Some(text), Some(doc)) = (record.remove("text"), doc.as_object_mut()) {
            doc.insert("text".to_owned(), text);
        }
        return Ok(Task { record, content: Content::Json(doc), only, found: Vec::new() });
    }
    let source = text(&record, "text")?.to_owned();
    let options =
        Options { language: language.as_deref(), entities: only.as_ref(), ..Options::default() };
    let found = by.detect(&source, &options);
    record.remove("text");
    Ok(Task { record, content: Content::Text(source), only, found })
}

/// A mail as a document: headers, the parts of its text, and attachments that are text.
fn mail(bytes: &[u8], limits: &MimeLimits) -> Result<Value, String> {
    let parsed = normalise::parse_mime(bytes, limits).map_err(|e| e.to_string())?;
    let party = |a: &normalise::Address| match &a.name {
        Some(name) => format!("{name} <{}>", a.address),
        None => a.address.clone(),
    };
    let parties = |all: &[normalise::Address]| all.iter().map(party).collect::<Vec<_>>();
    let limit = usize::try_from(limits.attachments.max_bytes).unwrap_or(usize::MAX);
    let attached: Vec<Value> = normalise::attached_texts(bytes, limit)
        .into_iter()
        .map(|(name, text)| json!({"file": name, "text": text}))
        .collect();
    Ok(json!({
        "headers": {"From": parsed.from.as_ref().map(party), "To": parties(&parsed.to),
            "Cc": parties(&parsed.cc), "Reply-To": parties(&parsed.reply_to),
            "Subject": parsed.subject},
        "visible": parsed.visible,
        "quoted": parsed.quoted,
        "signature": parsed.signature,
        "attachments": attached,
    }))
}

fn write(
    task: Task,
    by: &Anonymiser,
    talk: &mut Conversation,
    explain: bool,
    stats: &mut Stats,
) -> Result<Record, String> {
    let Task { mut record, content, only, found } = task;
    let language = maybe(&record, "language")?.map(str::to_owned);
    let options =
        Options { language: language.as_deref(), entities: only.as_ref(), ..Options::default() };
    let rows = Rows { values: true, explain };
    let is_json = matches!(content, Content::Json(_));
    let (masked, spans) = match content {
        Content::Text(source) => {
            let Anonymised { text, replacements } =
                by.apply(&source, found, &options, talk).map_err(|e| e.to_string())?;
            stats.add(source.len(), replacements.iter().map(|r| r.finding.span.entity.clone()));
            let spans = rows.of_text(&source, &text, &replacements);
            (Value::String(text), spans)
        }
        Content::Json(doc) => {
            let AnonymisedJson { value, changed } =
                by.json(&doc, &options, talk).map_err(|e| e.to_string())?;
            let all = changed.iter().flat_map(|c| &c.replacements);
            stats.add(doc.to_string().len(), all.map(|r| r.finding.span.entity.clone()));
            let spans = rows.of_json(&changed);
            (value, spans)
        }
    };
    // A document that is a string would come back as a text.
    if is_json && masked.is_string() {
        record.insert(MASKED_FROM.to_owned(), json!("json"));
    }
    record.insert("masked".to_owned(), masked);
    record.insert("spans".to_owned(), Value::Array(spans));
    Ok(record)
}

/// The field that says what a masked string was, where it was no text.
const MASKED_FROM: &str = "masked_from";

/// `unmask`: `{id, masked, spans}` as `mask` printed them; gives `text`, or `json` for a document.
pub fn unmask(io: &Io) -> anyhow::Result<ExitCode> {
    run(io.input.as_deref(), |records| in_parallel(records, unmask_one))
}

fn unmask_one(mut r: Record) -> Result<Record, String> {
    let spans = match r.remove("spans") {
        Some(Value::Array(a)) => a,
        _ => return Err("`spans` is missing: unmask needs what mask printed".to_owned()),
    };
    let is_json = r.remove(MASKED_FROM).is_some_and(|from| from == "json");
    match r.remove("masked") {
        Some(Value::String(masked)) if !is_json => {
            let text = anonymise::restore_text(&masked, &spans)?;
            r.insert("text".to_owned(), Value::String(text));
        }
        Some(doc) => {
            let doc = anonymise::restore_json(doc, &spans)?;
            r.insert("json".to_owned(), doc);
        }
        None => return Err("`masked` is missing".to_owned()),
    }
    Ok(r)
}

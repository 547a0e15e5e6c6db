//! The filters: each step of the pipeline as a command, JSON Lines in and out. Offsets are Unicode
//! code points here, as in every interface.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value, json};

use super::filter::{Record, maybe, run, text};
use crate::adapters::embedded_index::EmbeddedIndex;
use crate::adapters::extractive::Extractive;
use crate::app;
use crate::config::Config;
use crate::domain::draft::{DraftOutcome, DraftRequest, Passage, Turn};
use crate::domain::ids::{ChunkId, Micros, TenantId};
use crate::domain::masking::{
    Entity, MaskedText, Numbering, Outbound, PublicText, RenderedText, ValueHash, VaultId, VaultKey,
};
use crate::domain::message::{ChannelKind, Direction};
use crate::domain::offsets::CodePoints;
use crate::domain::triage::{LanguageCode, SentimentLabel};
use crate::nlp::chunk::{self, ChunkOptions};
use crate::nlp::detect::Detector;
use crate::nlp::encoder::Embed;
use crate::nlp::heads::Input;
use crate::nlp::mask::Hints;
use crate::pipeline::normalise::{self, MimeLimits};
use crate::pipeline::understand::{auto_word, mime_limits};
use crate::ports::{
    Change, ChangeOp, ChatModel as _, ChatRequest, ChunkKind, IndexText, IndexedChunk, Query,
    SearchMode, VectorIndex as _,
};

/// Input of a filter.
#[derive(Args, Debug)]
pub struct Io {
    /// A file instead of standard input.
    pub(super) input: Option<PathBuf>,
}

type Answer = Result<Record, String>;

fn each(records: Vec<Record>, mut one: impl FnMut(Record) -> Answer) -> Vec<Answer> {
    records.into_iter().map(&mut one).collect()
}

/// `parse`: `{id, eml_b64}` or `{id, raw, format}`.
pub fn parse(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let limits = mime_limits(&config.ingest);
    run(io.input.as_deref(), |records| each(records, |r| parse_one(r, &limits)))
}

fn parse_one(mut r: Record, limits: &MimeLimits) -> Answer {
    let parsed = if let Some(b64) = maybe(&r, "eml_b64")? {
        let bytes = STANDARD
            .decode(b64.split_whitespace().collect::<String>())
            .map_err(|_| "`eml_b64` isn't base64".to_owned())?;
        normalise::parse_mime(&bytes, limits).map_err(|e| e.to_string())?
    } else {
        let format = match maybe(&r, "format")? {
            None | Some("text") => normalise::Format::Text,
            Some("html") => normalise::Format::Html,
            Some(_) => return Err("`format` must be text or html".to_owned()),
        };
        normalise::parse_text(text(&r, "raw")?, format)
    };
    let party = |a: &normalise::Address| json!({"address": a.address, "name": a.name});
    let mut out = Map::new();
    r.remove("eml_b64");
    r.remove("raw");
    out.append(&mut r);
    let files: Vec<Value> = parsed
        .attachments
        .iter()
        .map(|a| {
            json!({"name": a.name, "type": a.content_type, "size": a.size,
                "sha256": hex::encode(a.sha256), "allowed": a.allowed, "reason": a.reason})
        })
        .collect();
    let fields = [
        ("subject", json!(parsed.subject)),
        ("from", parsed.from.as_ref().map_or(Value::Null, party)),
        ("to", parsed.to.iter().map(party).collect()),
        ("cc", parsed.cc.iter().map(party).collect()),
        ("reply_to", parsed.reply_to.iter().map(party).collect()),
        ("date", json!(parsed.date_micros.map(|t| Micros(t).rfc3339()))),
        ("message_id", json!(parsed.message_id)),
        ("in_reply_to", json!(parsed.in_reply_to)),
        ("references", json!(parsed.references)),
        ("visible", json!(parsed.visible)),
        ("quoted", json!(parsed.quoted)),
        ("signature", json!(parsed.signature)),
        ("auto", json!(auto_word(parsed.auto))),
        ("attachments", json!(files)),
        ("oddities", json!(parsed.oddities)),
    ];
    out.extend(fields.map(|(k, v)| (k.to_owned(), v)));
    Ok(out)
}

/// `chunk`: `{id, text}`.
pub fn chunk(io: &Io) -> anyhow::Result<ExitCode> {
    run(io.input.as_deref(), |records| {
        each(records, |mut r| {
            let source = text(&r, "text")?;
            let mut points = CodePoints::new(source);
            let rows: Vec<Value> = chunk::chunk(source, &ChunkOptions::default())
                .into_iter()
                .map(|k| {
                    json!({"start": points.at(k.start), "end": points.at(k.end),
                        "text": &source[k.start..k.end]})
                })
                .collect();
            r.remove("text");
            r.insert("chunks".to_owned(), json!(rows));
            Ok(r)
        })
    })
}

/// Runs `f` over the texts of the good records at once, keeping the bad ones in their places.
fn together(
    records: Vec<Record>,
    field: impl Fn(&Record) -> Result<String, String>,
    f: impl FnOnce(&[Record], &[&str]) -> Vec<Answer>,
) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = Vec::with_capacity(records.len());
    let mut good = Vec::new();
    let mut texts = Vec::new();
    for r in records {
        match field(&r) {
            Ok(t) => {
                texts.push(t);
                good.push(r);
                answers.push(None);
            }
            Err(e) => answers.push(Some(Err(e))),
        }
    }
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut done = f(&good, &refs).into_iter();
    answers
        .into_iter()
        .map(|a| a.or_else(|| done.next()).unwrap_or_else(|| Err("no answer".to_owned())))
        .collect()
}

/// `embed`: `{id, text}`.
pub fn embed(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    run(io.input.as_deref(), |records| {
        together(
            records,
            |r| text(r, "text").map(str::to_owned),
            |records, texts| {
                records
                    .iter()
                    .zip(encoder.embed(texts))
                    .map(|(r, e)| {
                        let mut r = r.clone();
                        r.remove("text");
                        r.insert("embedding".to_owned(), json!(e.embedding));
                        Ok(r)
                    })
                    .collect()
            },
        )
    })
}

/// Options of `classify`.
#[derive(Args, Debug)]
pub struct ClassifyArgs {
    #[command(flatten)]
    io: Io,
    /// Only these outputs (as intent,sentiment).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Another taxonomy file.
    #[arg(long, value_name = "FILE")]
    taxonomy: Option<PathBuf>,
}

/// `classify`: `{id, text, subject?, history?}`.
pub fn classify(config: &Config, a: &ClassifyArgs) -> anyhow::Result<ExitCode> {
    const OUTPUTS: [&str; 6] = ["intent", "sentiment", "urgency", "language", "spam", "injection"];
    if let Some(bad) = a.only.iter().find(|o| !OUTPUTS.contains(&o.as_str())) {
        anyhow::bail!("--only {bad}: expected {}", OUTPUTS.join(", "));
    }
    let mut config = config.clone();
    if let Some(t) = &a.taxonomy {
        config.triage.taxonomy = t.display().to_string();
    }
    let encoder = app::encoder(&config)?;
    let triage = app::triage(&config, &*encoder)?;
    let wanted = |k: &str| a.only.is_empty() || a.only.iter().any(|o| o == k);
    let whole = |r: &Record| {
        let body = text(r, "text")?;
        Ok(match maybe(r, "subject")?.filter(|s| !s.trim().is_empty()) {
            Some(s) => format!("{s}\n{body}"),
            None => body.to_owned(),
        })
    };
    run(a.io.input.as_deref(), |records| {
        together(records, whole, |records, _| {
            records
                .iter()
                .map(|r| {
                    let history = history(r)?;
                    let turns: Vec<&str> = history.iter().map(|(_, t)| t.as_str()).collect();
                    let input = Input {
                        subject: maybe(r, "subject")?,
                        text: text(r, "text")?,
                        history: &turns,
                    };
                    // Sentence by sentence too: an order to the model hides inside an honest letter.
                    let analysis = triage
                        .read(&input, &*encoder)
                        .ok_or_else(|| "the text can't be encoded".to_owned())?;
                    let Ok(Value::Object(mut found)) = serde_json::to_value(&analysis) else {
                        return Err("the analysis can't be written".to_owned());
                    };
                    found.retain(|k, _| wanted(k) && OUTPUTS.contains(&k.as_str()));
                    let mut r = r.clone();
                    for k in ["text", "subject", "history"] {
                        r.remove(k);
                    }
                    r.append(&mut found);
                    Ok(r)
                })
                .collect()
        })
    })
}

/// `history`: a list of texts, or of `{direction, text}`.
fn history(r: &Record) -> Result<Vec<(Direction, String)>, String> {
    let wrong = || "`history` must be a list of texts or of {direction, text}".to_owned();
    let list = match r.get("history") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong()),
    };
    list.iter()
        .map(|h| match h {
            Value::String(t) => Ok((Direction::In, t.clone())),
            Value::Object(o) => {
                let out = o.get("direction").and_then(Value::as_str) == Some("out");
                let t = o.get("text").and_then(Value::as_str).ok_or_else(wrong)?;
                Ok((if out { Direction::Out } else { Direction::In }, t.to_owned()))
            }
            _ => Err(wrong()),
        })
        .collect()
}

/// Options of `search`.
#[derive(Args, Debug)]
pub struct SearchArgs {
    #[command(flatten)]
    io: Io,
    /// The documents, JSON Lines of {id, title?, text}.
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,
    /// Documents to return.
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// hybrid, dense or lexical.
    #[arg(long, default_value = "hybrid")]
    mode: SearchMode,
}

struct Corpus {
    index: EmbeddedIndex,
    tenant: TenantId,
    /// Chunk → (document, start, end) in code points.
    places: HashMap<String, (Value, usize, usize)>,
}

/// `search`: `{id, text, subject?}` over a corpus; one hit a document.
pub fn search(config: &Config, a: &SearchArgs) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    let corpus = futures::executor::block_on(read_corpus(a, &*encoder))?;
    let whole = |r: &Record| {
        let body = text(r, "text")?;
        Ok(match maybe(r, "subject")?.filter(|s| !s.trim().is_empty()) {
            Some(s) => format!("{s}\n{body}"),
            None => body.to_owned(),
        })
    };
    run(a.io.input.as_deref(), |records| {
        together(records, whole, |records, texts| {
            let encoded = encoder.embed(texts);
            records
                .iter()
                .zip(texts)
                .zip(encoded)
                .map(|((r, t), e)| {
                    let hits =
                        futures::executor::block_on(corpus.find(t, e.embedding, a.k, a.mode))?;
                    let mut r = r.clone();
                    r.remove("text");
                    r.remove("subject");
                    r.insert("hits".to_owned(), json!(hits));
                    Ok(r)
                })
                .collect()
        })
    })
}

async fn read_corpus(a: &SearchArgs, encoder: &dyn Embed) -> anyhow::Result<Corpus> {
    let file = std::fs::read_to_string(&a.corpus)
        .map_err(|e| anyhow::anyhow!("{}: {e}", a.corpus.display()))?;
    let tenant = TenantId::from_uuid(uuid::Uuid::nil());
    let mut c =
        Corpus { index: EmbeddedIndex::new(encoder.dims()), tenant, places: HashMap::new() };
    let mut seq = 0;
    for (n, line) in file.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let at = |e: String| anyhow::anyhow!("{} line {}: {e}", a.corpus.display(), n + 1);
        let doc: Record = serde_json::from_str(line).map_err(|e| at(e.to_string()))?;
        let body = text(&doc, "text").map_err(at)?;
        let title = maybe(&doc, "title").map_err(at)?.unwrap_or_default();
        let id = doc.get("id").cloned().ok_or_else(|| at("`id` is missing".to_owned()))?;
        let mut points = CodePoints::new(body);
        let pieces = chunk::chunk(body, &ChunkOptions::default());
        let texts: Vec<String> = pieces
            .iter()
            .map(|k| {
                let part = &body[k.start..k.end];
                if title.is_empty() { part.to_owned() } else { format!("{title}\n{part}") }
            })
            .collect();
        let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut changes = Vec::with_capacity(pieces.len());
        for ((k, t), e) in pieces.iter().zip(&texts).zip(encoder.embed(&refs)) {
            seq += 1;
            let chunk = ChunkId::from_uuid(uuid::Uuid::from_u128(u128::try_from(seq).unwrap_or(0)));
            c.places.insert(chunk.to_string(), (id.clone(), points.at(k.start), points.at(k.end)));
            changes.push(Change {
                seq,
                op: ChangeOp::Upsert(IndexedChunk {
                    id: chunk,
                    kind: ChunkKind::Article,
                    source: id.to_string(),
                    text: IndexText::from(&PublicText::new(t.clone())),
                    embedding: e.embedding,
                }),
            });
        }
        c.index.apply(&c.tenant, changes).await?;
    }
    Ok(c)
}

impl Corpus {
    async fn find(
        &self,
        question: &str,
        embedding: Vec<f32>,
        k: usize,
        mode: SearchMode,
    ) -> Result<Vec<Value>, String> {
        let query = Query {
            embedding,
            text: IndexText::from(&PublicText::new(question.to_owned())),
            // Several chunks of one document may be among the best.
            k: k.saturating_mul(5),
            mode,
            kinds: Vec::new(),
            except_source: None,
        };
        let hits = self.index.search(&self.tenant, &query).await.map_err(|e| e.to_string())?;
        let mut seen = BTreeSet::new();
        let mut rows = Vec::with_capacity(k);
        for h in hits {
            if rows.len() == k || !seen.insert(h.source.clone()) {
                continue;
            }
            if let Some((id, start, end)) = self.places.get(h.chunk.as_str()) {
                rows.push(json!({"id": id, "score": h.score, "start": start, "end": end}));
            }
        }
        Ok(rows)
    }
}

/// `draft`: `{id, text, passages?, history?, subject?, channel?, language?}`.
pub fn draft(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    let triage = app::triage(config, &*encoder)?;
    let drafter = Extractive::new(encoder.clone());
    let detector = app::detector(config, None, Some(encoder.clone()))?;
    run(io.input.as_deref(), |records| {
        each(records, |r| {
            let request = draft_request(&r, &detector, &*encoder, &triage)?;
            let chat = ChatRequest { draft: request, prompt: None };
            let outcome =
                futures::executor::block_on(drafter.draft(&chat)).map_err(|e| e.to_string())?;
            Ok(draft_row(r, outcome))
        })
    })
}

fn draft_row(mut r: Record, outcome: DraftOutcome) -> Record {
    for k in ["passages", "history", "subject"] {
        r.remove(k);
    }
    let fields = match outcome {
        DraftOutcome::Draft(d) => json!({
            "text": d.text,
            "sentences": d.sentences.iter()
                .map(|s| json!({"text": s.text, "citations": s.citations})).collect::<Vec<_>>(),
            "tone": d.tone, "language": d.language, "unanswered": d.unanswered,
            "alternatives": d.alternatives, "no_match": Value::Null,
        }),
        DraftOutcome::NoMatch { reason, best_score } => json!({
            "text": "", "sentences": [], "tone": Value::Null, "language": Value::Null,
            "unanswered": [r.get("text").cloned().unwrap_or_default()], "alternatives": [],
            "no_match": {"reason": reason.as_str(), "best_score": best_score},
        }),
    };
    if let Value::Object(o) = fields {
        r.extend(o);
    }
    r
}

/// Whatever goes to a drafter is masked first, here as in the service.
fn draft_request(
    r: &Record,
    detector: &Detector,
    encoder: &dyn Embed,
    triage: &crate::nlp::heads::Triage,
) -> Result<DraftRequest, String> {
    let body = text(r, "text")?;
    let mut vault = LineVault::default();
    let message = vault.mask(detector, body)?;
    let subject = maybe(r, "subject")?.map(|s| vault.mask(detector, s)).transpose()?;
    let mut turns = Vec::new();
    for (direction, t) in history(r)? {
        turns.push((direction, vault.mask(detector, &t)?));
    }
    let words = message.as_words();
    let encoding = encoder.embed(&[words.as_str()]).pop().ok_or("no embedding")?;
    let analysis = triage.classify(&Input { subject: None, text: &words, history: &[] }, &encoding);
    let language = match maybe(r, "language")? {
        Some(l) => l.parse::<LanguageCode>().map_err(|e| e.to_string())?,
        None => analysis.language.code,
    };
    let channel = match maybe(r, "channel")? {
        Some(c) => c.parse::<ChannelKind>().map_err(|e| e.to_string())?,
        None => ChannelKind::Email,
    };
    Ok(DraftRequest {
        subject: subject.map(|s| s.render(&vault.numbering)),
        message: message.render(&vault.numbering),
        history: turns
            .into_iter()
            .map(|(direction, t)| Turn { direction, text: t.render(&vault.numbering) })
            .collect(),
        passages: passages(r, &vault.numbering)?,
        addressee: None,
        language,
        channel,
        mood: SentimentLabel::ALL
            .iter()
            .copied()
            .find(|l| *l == analysis.sentiment.label)
            .unwrap_or(SentimentLabel::Neutral),
        intent: (!analysis.intent.abstained).then_some(analysis.intent.label),
        tone: None,
    })
}

fn passages(r: &Record, numbering: &Numbering) -> Result<Vec<Passage>, String> {
    let wrong = || "`passages` must be a list of texts or of {id, title?, text}".to_owned();
    let list = match r.get("passages") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong()),
    };
    let public = |t: &str| -> RenderedText {
        Outbound::from(&PublicText::new(t.to_owned())).render(numbering)
    };
    list.iter()
        .enumerate()
        .map(|(i, p)| {
            let (id, title, body) = match p {
                Value::String(t) => (format!("{}", i + 1), String::new(), t.as_str()),
                Value::Object(o) => {
                    let s = |k: &str| o.get(k).and_then(Value::as_str);
                    let id = o.get("id").map_or_else(
                        || format!("{}", i + 1),
                        |v| v.as_str().map_or_else(|| v.to_string(), str::to_owned),
                    );
                    (id, s("title").unwrap_or_default().to_owned(), s("text").ok_or_else(wrong)?)
                }
                _ => return Err(wrong()),
            };
            Ok(Passage {
                source_id: id.clone(),
                id,
                title,
                text: public(body),
                score: p.get("score").and_then(Value::as_f64).map_or(1.0, |s| {
                    #[expect(clippy::cast_possible_truncation, reason = "a score")]
                    let s = s as f32;
                    s
                }),
                public: true,
            })
        })
        .collect()
}

#[derive(Default)]
struct LineVault {
    numbering: Numbering,
    ids: HashMap<String, VaultId>,
}

impl LineVault {
    fn mask(&mut self, detector: &Detector, source: &str) -> Result<MaskedText, String> {
        let masker = detector.masker();
        let found = detector.explain(source, &Hints::default());
        let spans: Vec<_> = found.into_iter().map(|f| f.span).collect();
        let (numbering, ids) = (&mut self.numbering, &mut self.ids);
        let mut mint = |e: &Entity, normalised: &str, _: &str| {
            let key = format!("{}|{normalised}", e.as_str());
            let n = u64::try_from(ids.len()).unwrap_or(0) + 1;
            *ids.entry(key.clone()).or_insert_with(|| {
                let id = VaultId::from_u64(n);
                let value = ValueHash::new(key.as_bytes().to_vec());
                numbering.add(VaultKey { id, entity: e.clone(), value });
                id
            })
        };
        MaskedText::apply(source, &spans, &|e, s| masker.normalise(e, s), &mut mint)
            .map(|m| m.text)
            .map_err(|e| e.to_string())
    }
}

//! `search`: a corpus from a file, searched as the service searches its knowledge. Offsets are Unicode
//! code points, as in every interface.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::filter::{self, Io, Record, maybe, subject_and_text, text, together};
use crate::adapters::embedded_index::EmbeddedIndex;
use crate::app;
use crate::config::Config;
use crate::domain::ids::{ChunkId, TenantId};
use crate::domain::masking::PublicText;
use crate::domain::offsets::CodePoints;
use crate::nlp::chunk::{self, ChunkOptions};
use crate::nlp::encoder::Embed;
use crate::ports::{
    Change, ChangeOp, ChunkKind, IndexText, IndexedChunk, Query, SearchMode, VectorIndex as _,
};

/// Options of `search`.
#[derive(clap::Args, Debug)]
pub struct Args {
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
pub fn run(config: &Config, a: &Args) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    let corpus = futures::executor::block_on(read_corpus(a, &*encoder))?;
    filter::run(a.io.input.as_deref(), |records| {
        together(records, subject_and_text, |records, texts| {
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

async fn read_corpus(a: &Args, encoder: &dyn Embed) -> anyhow::Result<Corpus> {
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

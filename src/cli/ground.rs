//! `ground`: whether answers are in the passages they were written from.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::filter::{self, Answer, Io, Record, each, text};
use crate::app;
use crate::config::Config;
use crate::domain::offsets::CodePoints;
use crate::nlp::encoder::Embed;
use crate::nlp::ground::{self, Claim, reads_as_courtesy};
use crate::nlp::sentence::sentences;

/// `ground`: `{id, passages, answer}`.
pub fn run(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    filter::run(io.input.as_deref(), |records| each(records, |r| ground_one(r, &*encoder)))
}

fn ground_one(mut r: Record, encoder: &dyn Embed) -> Answer {
    let answer = text(&r, "answer")?.to_owned();
    let passages = passages(&r)?;
    let places = sentences(&answer);
    let claims: Vec<Claim<'_>> = places
        .iter()
        .map(|at| {
            let text = &answer[at.clone()];
            Claim { text, citations: None, courtesy: reads_as_courtesy(text) }
        })
        .collect();
    let sources: Vec<(&str, &str)> =
        passages.iter().map(|(title, text)| (title.as_str(), text.as_str())).collect();
    let found = ground::check_claims(encoder, &claims, &sources);
    let mut points = CodePoints::new(&answer);
    let rows: Vec<Value> = places
        .iter()
        .zip(&found.sentences)
        .map(|(at, j)| {
            let (start, end) = (points.at(at.start), points.at(at.end));
            let source = j.passage.and_then(|n| passages.get(n.checked_sub(1)?));
            let span = source.zip(j.span.as_ref()).map(|((_, text), span)| {
                let mut points = CodePoints::new(text);
                json!({"start": points.at(span.start), "end": points.at(span.end)})
            });
            json!({"start": start, "end": end, "verdict": j.verdict, "score": round(j.score),
                "passage": j.passage, "span": span, "missing": j.missing})
        })
        .collect();
    r.remove("passages");
    r.remove("answer");
    r.insert("score".to_owned(), json!(round(found.score)));
    r.insert("supported".to_owned(), json!(found.supported));
    r.insert("sentences".to_owned(), Value::Array(rows));
    Ok(r)
}

fn round(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

/// Titles (may be empty) and texts.
fn passages(r: &Record) -> Result<Vec<(String, String)>, String> {
    let wrong = || "`passages` must be a list of texts or of {title?, text}".to_owned();
    let Some(Value::Array(list)) = r.get("passages") else { return Err(wrong()) };
    let one = |p: &Value| match p {
        Value::String(text) => Some((String::new(), text.clone())),
        _ => {
            let title = p.get("title").and_then(Value::as_str).unwrap_or_default();
            Some((title.to_owned(), p.get("text")?.as_str()?.to_owned()))
        }
    };
    list.iter().map(|p| one(p).ok_or_else(wrong)).collect()
}

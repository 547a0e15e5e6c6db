//! `chunk`: texts cut as for the index. Offsets are Unicode code points, as in every interface.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::filter::{self, Io, each, text};
use crate::domain::offsets::CodePoints;
use crate::nlp::chunk::{self, ChunkOptions};

/// `chunk`: `{id, text}`.
pub fn run(io: &Io) -> anyhow::Result<ExitCode> {
    filter::run(io.input.as_deref(), |records| {
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

//! `embed`: the encoder's vectors of texts.

use std::process::ExitCode;

use serde_json::json;

use super::filter::{self, Io, text, together};
use crate::app;
use crate::config::Config;
use crate::nlp::encoder::Embed as _;

/// `embed`: `{id, text}`.
pub fn run(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    filter::run(io.input.as_deref(), |records| {
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

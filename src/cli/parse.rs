//! `parse`: messages as they come, split into what was written, quoted and signed.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::filter::{self, Answer, Io, Record, each, maybe, text};
use crate::config::Config;
use crate::domain::ids::Micros;
use crate::pipeline::normalise::{self, MimeLimits};
use crate::pipeline::understand::{auto_word, mime_limits};

/// `parse`: `{id, eml_b64}` or `{id, raw, format}`.
pub fn run(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let limits = mime_limits(&config.ingest);
    filter::run(io.input.as_deref(), |records| each(records, |r| parse_one(r, &limits)))
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

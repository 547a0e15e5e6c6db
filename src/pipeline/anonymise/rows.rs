//! What was masked, written down for interfaces, and the way back by it.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Changed, Replacement, push_key};
use crate::domain::masking::{self, Numbering, RestorePolicy};
use crate::domain::offsets::CodePoints;

/// How spans are written down for interfaces: offsets are code points.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// With the raw values, as restoring needs them.
    pub values: bool,
    /// With the reasons.
    pub explain: bool,
}

impl Rows {
    /// `{type, start, end, score, recognizer, placeholder, masked_start, masked_end}`, and as asked
    /// `text`, `base_score`, `context`, `validator`.
    pub fn of_text(self, source: &str, masked: &str, all: &[Replacement]) -> Vec<Value> {
        let (mut before, mut after) = (CodePoints::new(source), CodePoints::new(masked));
        let row = |r: &Replacement| {
            let s = &r.finding.span;
            let mut row = json!({
                "type": s.entity.as_str(),
                "start": before.at(s.start),
                "end": before.at(s.end),
                "score": (f64::from(s.score) * 1000.0).round() / 1000.0,
                "recognizer": s.recognizer,
                "placeholder": r.text,
                "masked_start": after.at(r.range.start),
                "masked_end": after.at(r.range.end),
            });
            if self.values {
                row["text"] = json!(r.surface.expose());
            }
            if self.explain {
                row["base_score"] = json!(r.finding.base_score);
                row["context"] = json!(r.finding.context);
                row["validator"] = json!(r.finding.validator);
            }
            row
        };
        all.iter().map(row).collect()
    }

    /// The same with a `path` in front, and `number` where a number was replaced by a string.
    pub fn of_json(self, changed: &[Changed]) -> Vec<Value> {
        let rows = |c: &Changed| {
            let mut rows = self.of_text(&c.source, &c.masked, &c.replacements);
            for row in &mut rows {
                row["path"] = json!(c.path);
                if c.number {
                    row["number"] = json!(true);
                }
            }
            rows
        };
        changed.iter().flat_map(rows).collect()
    }
}

/// Undoes [`Anonymiser::text`](super::Anonymiser::text) by the rows that [`Rows::of_text`] gave, with their values: exactly
/// the source, byte for byte.
///
/// # Errors
/// Says which span doesn't fit.
pub fn restore_text(masked: &str, spans: &[Value]) -> Result<String, String> {
    let mut out = String::with_capacity(masked.len());
    let mut bytes = masked.char_indices().map(|(at, _)| at).chain([masked.len()]);
    // The byte of each code point that is asked for, in rising order.
    let mut point = 0;
    let mut byte_of = |wanted: usize| {
        let at = bytes.nth(wanted.checked_sub(point)?)?;
        point = wanted + 1;
        Some(at)
    };
    let mut done = 0;
    for (i, span) in spans.iter().enumerate() {
        let missing = |name: &str| format!("span {}: `{name}` is missing", i + 1);
        let text = |name: &str| span.get(name).and_then(Value::as_str).ok_or_else(|| missing(name));
        let (placeholder, surface) = (text("placeholder")?, text("text")?);
        let start =
            span.get("masked_start").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let start = match start {
            Some(start) => byte_of(start).filter(|at| *at >= done),
            None => masked.get(done..).and_then(|rest| rest.find(placeholder)).map(|at| done + at),
        };
        let start = start
            .filter(|at| masked.get(*at..).is_some_and(|rest| rest.starts_with(placeholder)))
            .ok_or_else(|| {
                format!("span {}: its placeholder doesn't stand there in `masked`", i + 1)
            })?;
        out.push_str(&unescape(&masked[done..start]));
        out.push_str(surface);
        done = start + placeholder.len();
    }
    out.push_str(&unescape(&masked[done..]));
    Ok(out)
}

/// Undoes [`Anonymiser::json`](super::Anonymiser::json) by the rows that [`Rows::of_json`] gave, with their values.
///
/// # Errors
/// Says which span doesn't fit.
pub fn restore_json(mut masked: Value, spans: &[Value]) -> Result<Value, String> {
    let mut by_path: HashMap<String, Vec<Value>> = HashMap::new();
    for (i, span) in spans.iter().enumerate() {
        let path = span.get("path").and_then(Value::as_str);
        let path = path.ok_or_else(|| format!("span {}: `path` is missing", i + 1))?;
        by_path.entry(path.to_owned()).or_default().push(span.clone());
    }
    unescape_all(&mut masked, &mut String::new(), &by_path);
    for (path, spans) in by_path {
        let place = masked.pointer_mut(&path).filter(|v| v.is_string() || v.is_number());
        let place = place.ok_or_else(|| format!("`masked` has no text at {path}"))?;
        // A number that was kept is one still.
        let Some(text) = place.as_str() else { continue };
        let text = restore_text(text, &spans)?;
        let number = spans.iter().any(|s| s.get("number").is_some());
        *place = match serde_json::from_str(&text) {
            Ok(Value::Number(n)) if number => Value::Number(n),
            _ => Value::String(text),
        };
    }
    Ok(masked)
}

fn unescape_all(value: &mut Value, path: &mut String, except: &HashMap<String, Vec<Value>>) {
    let len = path.len();
    match value {
        Value::String(text) if !except.contains_key(path.as_str()) => *text = unescape(text),
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("/{i}"));
                unescape_all(item, path, except);
                path.truncate(len);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                push_key(path, name);
                unescape_all(item, path, except);
                path.truncate(len);
            }
        }
        _ => {}
    }
}

/// Undoes the escapes that rendering puts into look-alikes.
fn unescape(literal: &str) -> String {
    masking::restore(literal, &Numbering::new(), &|_| None, RestorePolicy::Reveal).text
}

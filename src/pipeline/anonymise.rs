//! Masking for others: a text, a JSON document or a mail's headers, masked and handed back. Nothing
//! is stored; a caller who wants the values back keeps the spans.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::domain::masking::{
    self, Entity, MaskedText, Numbering, OperatorKey, Operators, RestorePolicy, SpanError, Surface,
    ValueHash, VaultId, VaultKey,
};
use crate::domain::offsets::CodePoints;
use crate::nlp::detect::Detector;
use crate::nlp::mask::{Finding, Hints};

/// Header fields whose value is a list of people.
const PEOPLE: [&str; 7] = ["from", "to", "cc", "bcc", "reply-to", "sender", "return-path"];
/// Deepest JSON that is walked.
const MAX_DEPTH: usize = 64;

/// Masks texts that the service doesn't keep.
#[derive(Debug, Clone)]
pub struct Anonymiser {
    detector: Arc<Detector>,
    operators: Operators,
    key: OperatorKey,
}

/// Texts that number their values together, as the messages of a thread do.
#[derive(Default)]
pub struct Conversation {
    numbering: Numbering,
    ids: HashMap<String, VaultId>,
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("values", &self.ids.len()).finish()
    }
}

impl Conversation {
    fn id(&mut self, entity: &Entity, normalised: &str) -> VaultId {
        let key = format!("{entity}|{normalised}");
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = VaultId::from_u64(self.ids.len() as u64 + 1);
        let value = ValueHash::new(key.as_bytes().to_vec());
        self.numbering.add(VaultKey { id, entity: entity.clone(), value });
        self.ids.insert(key, id);
        id
    }
}

/// How one text is to be masked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// ISO 639-1 code of the text's language, where it is known.
    pub language: Option<&'a str>,
    /// Types to look for; all that are on by default when there is none.
    pub entities: Option<&'a BTreeSet<Entity>>,
    /// Finds below this score are left alone; has no effect below the configured minimum.
    pub min_score: f32,
    /// Instead of the configured operators.
    pub operators: Option<&'a Operators>,
}

/// A value and what stands for it now.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Where it was found and why; bytes of the source.
    pub finding: Finding,
    /// What it was.
    pub surface: Surface,
    /// What stands there.
    pub text: String,
    /// Where: bytes of the masked text.
    pub range: Range<usize>,
}

/// A masked text.
#[derive(Debug, Clone)]
pub struct Anonymised {
    /// The text; look-alikes of placeholders are escaped in it.
    pub text: String,
    /// In order.
    pub replacements: Vec<Replacement>,
}

/// A masked JSON document.
#[derive(Debug, Clone)]
pub struct AnonymisedJson {
    /// The document, of the same shape.
    pub value: Value,
    /// What was changed in it, in the order of the document.
    pub changed: Vec<Changed>,
}

/// A string or number of a document in which something was masked.
#[derive(Clone)]
pub struct Changed {
    /// Its JSON pointer (RFC 6901).
    pub path: String,
    /// Whether it was a number.
    pub number: bool,
    /// What it was.
    pub source: String,
    /// What it is now.
    pub masked: String,
    /// How it was changed.
    pub replacements: Vec<Replacement>,
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("replacements", &self.replacements).finish_non_exhaustive()
    }
}

/// Why a document isn't masked. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum AnonymiseError {
    /// A bug of ours; nothing is handed out.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// Nested too deeply.
    #[error("the document is nested more than {MAX_DEPTH} levels deep")]
    Depth,
}

impl Anonymiser {
    /// Over a detector. `key` is what hashes and fakes are made with.
    pub fn new(detector: Arc<Detector>, operators: Operators, key: OperatorKey) -> Self {
        Self { detector, operators, key }
    }

    /// The same with another key, as each tenant has its own.
    #[must_use]
    pub fn with_key(self, key: OperatorKey) -> Self {
        Self { key, ..self }
    }

    /// What finds.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The configured operators.
    pub fn operators(&self) -> &Operators {
        &self.operators
    }

    /// Masks a text.
    ///
    /// # Errors
    /// [`SpanError`], which is a bug.
    pub fn text(
        &self,
        text: &str,
        options: &Options<'_>,
        talk: &mut Conversation,
    ) -> Result<Anonymised, SpanError> {
        self.value("", text, &[], options, talk)
    }

    /// Masks the strings and numbers of a JSON document, however deep; its keys stay. A value is
    /// read together with its key (`"password": "hunter2"` is a password), and in objects of mail
    /// headers the people in `From`, `To` and so on are masked wherever they are named.
    ///
    /// # Errors
    /// [`AnonymiseError`].
    pub fn json(
        &self,
        value: &Value,
        options: &Options<'_>,
        talk: &mut Conversation,
    ) -> Result<AnonymisedJson, AnonymiseError> {
        let mut people = Vec::new();
        named(value, 0, &mut people);
        let known: Vec<&str> = people.iter().map(String::as_str).collect();
        let mut walk = Walk { by: self, known: &known, options, talk, changed: Vec::new() };
        let value = walk.value("", &mut String::new(), value, 0)?;
        Ok(AnonymisedJson { value, changed: walk.changed })
    }

    /// Masks `text`, which stands under `key`; the key is context and not masked.
    fn value(
        &self,
        key: &str,
        text: &str,
        known: &[&str],
        options: &Options<'_>,
        talk: &mut Conversation,
    ) -> Result<Anonymised, SpanError> {
        self.apply(text, self.find(key, text, known, options), options, talk)
    }

    /// What [`text`](Self::text) masks, found ahead: this part needs no conversation and may run for
    /// many texts at once.
    pub fn detect(&self, text: &str, options: &Options<'_>) -> Vec<Finding> {
        self.find("", text, &[], options)
    }

    fn find(&self, key: &str, text: &str, known: &[&str], options: &Options<'_>) -> Vec<Finding> {
        let hints = Hints {
            language: options.language,
            entities: options.entities,
            known,
            ..Hints::default()
        };
        let mut found = if key.is_empty() {
            self.detector.explain(text, &hints)
        } else {
            let lead = format!("{}: ", key.replace(['_', '-'], " "));
            behind(&lead, self.detector.explain(&format!("{lead}{text}"), &hints))
        };
        found.retain(|f| f.span.score >= options.min_score);
        found
    }

    /// Masks what was [detected](Self::detect) in `text`.
    ///
    /// # Errors
    /// [`SpanError`] when the findings are those of another text.
    pub fn apply(
        &self,
        text: &str,
        found: Vec<Finding>,
        options: &Options<'_>,
        talk: &mut Conversation,
    ) -> Result<Anonymised, SpanError> {
        let spans: Vec<_> = found.iter().map(|f| f.span.clone()).collect();
        let masker = self.detector.masker();
        let normalise = |e: &Entity, s: &str| masker.normalise(e, s);
        let masked = MaskedText::apply(text, &spans, &normalise, &mut |e, n, _| talk.id(e, n))?;
        let operators = options.operators.unwrap_or(&self.operators);
        let replaced = masked.replace(&talk.numbering, operators, &self.key, &normalise);
        let replacements = found
            .into_iter()
            .zip(masked.spans)
            .zip(replaced.ranges)
            .map(|((finding, span), range)| Replacement {
                finding,
                surface: span.surface,
                text: replaced.text[range.clone()].to_owned(),
                range,
            })
            .collect();
        Ok(Anonymised { text: replaced.text, replacements })
    }
}

/// The findings behind a lead that was put before the text, as offsets into the text.
fn behind(lead: &str, found: Vec<Finding>) -> Vec<Finding> {
    let shift = |mut f: Finding| {
        f.span.end = f.span.end.checked_sub(lead.len()).filter(|end| *end > 0)?;
        f.span.start = f.span.start.saturating_sub(lead.len());
        Some(f)
    };
    found.into_iter().filter_map(shift).collect()
}

struct Walk<'a, 'b> {
    by: &'a Anonymiser,
    known: &'a [&'a str],
    options: &'a Options<'b>,
    talk: &'a mut Conversation,
    changed: Vec<Changed>,
}

impl Walk<'_, '_> {
    fn value(
        &mut self,
        key: &str,
        path: &mut String,
        value: &Value,
        depth: usize,
    ) -> Result<Value, AnonymiseError> {
        if depth > MAX_DEPTH {
            return Err(AnonymiseError::Depth);
        }
        let len = path.len();
        Ok(match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::String(text) => Value::String(self.text(key, path, text, false)?),
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.text(key, path, &text, true)?;
                // A number that holds nothing stays a number.
                if masked == text { value.clone() } else { Value::String(masked) }
            }
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    path.push_str(&format!("/{i}"));
                    out.push(self.value(key, path, item, depth + 1)?);
                    path.truncate(len);
                }
                Value::Array(out)
            }
            Value::Object(fields) => {
                let mut out = Map::with_capacity(fields.len());
                for (name, item) in fields {
                    path.push('/');
                    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    out.insert(name.clone(), self.value(name, path, item, depth + 1)?);
                    path.truncate(len);
                }
                Value::Object(out)
            }
        })
    }

    fn text(
        &mut self,
        key: &str,
        path: &str,
        text: &str,
        number: bool,
    ) -> Result<String, AnonymiseError> {
        let masked = self.by.value(key, text, self.known, self.options, self.talk)?;
        if !masked.replacements.is_empty() {
            self.changed.push(Changed {
                path: path.to_owned(),
                number,
                source: text.to_owned(),
                masked: masked.text.clone(),
                replacements: masked.replacements,
            });
        }
        Ok(masked.text)
    }
}

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

/// Undoes [`Anonymiser::text`] by the rows that [`Rows::of_text`] gave, with their values: exactly
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

/// Undoes [`Anonymiser::json`] by the rows that [`Rows::of_json`] gave, with their values.
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
                path.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
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

/// Display names in header fields that list people: `Anna Smith <anna@shop.example>`.
fn named(value: &Value, depth: usize, people: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        if let (Value::Array(items), true) = (value, depth <= MAX_DEPTH) {
            items.iter().for_each(|item| named(item, depth + 1, people));
        }
        return;
    };
    for (name, item) in fields {
        let lists_people = PEOPLE.contains(&name.to_ascii_lowercase().as_str());
        match item {
            Value::String(list) if lists_people => people.extend(display_names(list)),
            Value::Array(lists) if lists_people => {
                people.extend(lists.iter().filter_map(Value::as_str).flat_map(display_names));
            }
            _ if depth <= MAX_DEPTH => named(item, depth + 1, people),
            _ => {}
        }
    }
}

fn display_names(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split('>').filter_map(|part| {
        let (name, address) = part.rsplit_once('<')?;
        let name =
            name.trim_matches(|c: char| c.is_whitespace() || c == ',' || c == ';' || c == '"');
        (address.contains('@') && name.chars().count() > 2).then(|| name.replace('"', ""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::{Masker, MaskerConfig};

    fn anonymiser() -> Anonymiser {
        let masker = Masker::new(MaskerConfig { names: false, ..MaskerConfig::default() }).unwrap();
        let detector = Arc::new(Detector::new(masker));
        Anonymiser::new(detector, Operators::default(), OperatorKey::new([7; 32]))
    }

    #[test]
    fn a_conversation_keeps_its_numbers() {
        let a = anonymiser();
        let mut talk = Conversation::default();
        let mut mask = |text: &str| a.text(text, &Options::default(), &mut talk).unwrap().text;
        assert_eq!(mask("From a@x.example to b@x.example"), "From <EMAIL_1> to <EMAIL_2>");
        assert_eq!(mask("B@x.example again"), "<EMAIL_2> again");
    }

    #[test]
    fn documents_keep_their_shape_and_keys_are_context() {
        let doc = json!({
            "user": {"email": "anna@shop.example", "age": 44, "tags": ["vip", "a@x.example"]},
            "password": "hunter2-Blue",
            "card": 4_111_111_111_111_111_u64,
            "a/b": "write to anna@shop.example",
        });
        let out =
            anonymiser().json(&doc, &Options::default(), &mut Conversation::default()).unwrap();
        // Objects are walked in the order of their keys.
        assert_eq!(out.value["user"]["email"], out.value["a/b"].as_str().unwrap()[9..]);
        assert_eq!(out.value["user"]["age"], 44);
        assert_eq!(out.value["user"]["tags"][0], "vip");
        assert_eq!(out.value["card"], "<CARD_1>");
        assert_eq!(out.value["password"], "<PASSWORD_1>");
        let paths: Vec<&str> = out.changed.iter().map(|c| c.path.as_str()).collect();
        assert!(paths.contains(&"/a~1b") && paths.contains(&"/user/tags/1"), "{paths:?}");
    }

    #[test]
    fn people_of_the_headers_are_known_in_the_whole_document() {
        let doc = json!({
            "headers": {"From": "\"Xandor Quibble\" <xq@shop.example>", "Subject": "From xandor quibble"},
            "body": "Greetings, Xandor Quibble",
        });
        let out =
            anonymiser().json(&doc, &Options::default(), &mut Conversation::default()).unwrap();
        let text = out.value.to_string().to_lowercase();
        assert!(!text.contains("quibble"), "{text}");
    }

    #[test]
    fn what_was_masked_comes_back_exactly() {
        let a = anonymiser();
        let texts = [
            "é <EMAIL_1> [phone 2] a@x.example, A@X.EXAMPLE; 4111 1111 1111 1111 😀",
            "",
            "no data ⟦EMAIL_ADDRESS:00⟧ &lt;CARD_1&gt;",
        ];
        for operator in ["placeholder", "redact", "partial", "hash", "fake", "keep"] {
            let operators = Operators::read([("*", operator)]).unwrap();
            let options = Options { operators: Some(&operators), ..Options::default() };
            let rows = Rows { values: true, explain: false };
            for text in texts {
                let out = a.text(text, &options, &mut Conversation::default()).unwrap();
                let spans = rows.of_text(text, &out.text, &out.replacements);
                assert_eq!(restore_text(&out.text, &spans).as_deref(), Ok(text), "{operator}");
            }
            let doc = json!({"t": texts, "n": 4_111_111_111_111_111_u64, "m": {"": "<EMAIL_1>", "k": null}});
            let out = a.json(&doc, &options, &mut Conversation::default()).unwrap();
            let restored = restore_json(out.value, &rows.of_json(&out.changed));
            assert_eq!(restored, Ok(doc), "{operator}");
        }
    }

    #[test]
    fn spans_that_do_not_fit_are_named() {
        let span = json!({"placeholder": "<EMAIL_1>", "text": "a@x.example", "masked_start": 3});
        let e = restore_text("<EMAIL_1>", &[span]).unwrap_err();
        assert!(e.starts_with("span 1:"), "{e}");
    }

    #[test]
    fn a_bottomless_document_is_refused() {
        let mut doc = json!(1);
        for _ in 0..100 {
            doc = json!([doc]);
        }
        let e = anonymiser().json(&doc, &Options::default(), &mut Conversation::default());
        assert!(matches!(e, Err(AnonymiseError::Depth)));
    }
}

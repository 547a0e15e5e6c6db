//! Masking for others: a text, a JSON document or a mail's headers, masked and handed back. Nothing
//! is stored; a caller who wants the values back keeps the spans.

mod rows;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use self::rows::{Rows, restore_json, restore_text};

use crate::domain::masking::{
    Entity, MaskedText, Numbering, OperatorKey, Operators, SpanError, Surface, ValueHash, VaultId,
    VaultKey,
};
use crate::nlp::detect::Detector;
use crate::nlp::mask::{Finding, Hints, Known};

/// Header fields whose value is a list of people.
const PEOPLE: [&str; 7] = ["from", "to", "cc", "bcc", "reply-to", "sender", "return-path"];
/// Deepest JSON that is walked.
const MAX_DEPTH: usize = 64;
/// How much of a key is read as context, from its end; keys are longer only to cost time.
const MAX_LEAD: usize = 64;
/// All pointers of a document's finds together, in bytes: each find has its own, however long the
/// keys above it are.
const MAX_POINTERS: usize = 32 << 20;
/// From here on not every whole number is a 64-bit one, and what was read may differ from what was
/// written.
const INEXACT: f64 = 9_223_372_036_854_775_808.0;

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
    /// A number that JSON readers round, so that neither would its digits be found nor the number
    /// come back.
    #[error("a number in the document has more digits than 64 bits hold: write it as a string")]
    Number,
    /// Long keys above many finds.
    #[error("the keys above what was found are too long: their pointers are over {} MB", MAX_POINTERS >> 20)]
    Pointers,
}

impl Anonymiser {
    /// Over a detector. `key` is what hashes and fakes are made with.
    pub fn new(detector: Arc<Detector>, operators: Operators, key: OperatorKey) -> Self {
        Self { detector, operators, key }
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
        self.apply(text, self.detect(text, options), options, talk)
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
        let mut people = BTreeSet::new();
        named(value, 0, &mut people);
        let known = Known::new(&people.iter().map(String::as_str).collect::<Vec<_>>());
        let mut walk =
            Walk { by: self, known: &known, options, talk, changed: Vec::new(), pointers: 0 };
        let value = walk.value("", &mut String::new(), value, 0)?;
        Ok(AnonymisedJson { value, changed: walk.changed })
    }

    /// What [`text`](Self::text) masks, found ahead: this part needs no conversation and may run for
    /// many texts at once.
    pub fn detect(&self, text: &str, options: &Options<'_>) -> Vec<Finding> {
        self.find("", text, &Known::default(), options)
    }

    /// What is in `text`, which stands under `key`; the key is context and not masked.
    fn find(&self, key: &str, text: &str, known: &Known, options: &Options<'_>) -> Vec<Finding> {
        let explain = |text: &str| {
            let extra = known.find(text);
            let hints = Hints {
                language: options.language,
                entities: options.entities,
                extra: &extra,
                ..Hints::default()
            };
            self.detector.explain(text, &hints)
        };
        let mut found = if key.is_empty() {
            explain(text)
        } else {
            let lead = format!("{}: ", words_of(key));
            behind(&lead, explain(&format!("{lead}{text}")))
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

/// A key as words: `date_of_birth`, `date-of-birth` and `dateOfBirth` are "date of birth", and so is
/// the last part of `user.dateOfBirth`.
fn words_of(key: &str) -> String {
    let key = &key[key.ceil_char_boundary(key.len().saturating_sub(MAX_LEAD))..];
    let mut words = String::with_capacity(key.len() + 8);
    let mut chars = key.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        let ahead = chars.peek().copied().unwrap_or(' ');
        // "userId" and "URLPath" have a joint; "IBAN" and "vat2" have none.
        let joint = c.is_uppercase()
            && (last.is_lowercase() || last.is_uppercase() && ahead.is_lowercase());
        if matches!(c, '_' | '-' | '.' | '/') {
            words.push(' ');
        } else if joint {
            words.push(' ');
            words.extend(c.to_lowercase());
        } else {
            words.push(c);
        }
        last = c;
    }
    words
}

struct Walk<'a, 'b> {
    by: &'a Anonymiser,
    known: &'a Known,
    options: &'a Options<'b>,
    talk: &'a mut Conversation,
    changed: Vec<Changed>,
    /// Bytes of the pointers in `changed`, once for each replacement.
    pointers: usize,
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
                if number.is_f64() && number.as_f64().is_some_and(|n| n.abs() >= INEXACT) {
                    return Err(AnonymiseError::Number);
                }
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
                    push_key(path, name);
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
        let found = self.by.find(key, text, self.known, self.options);
        let masked = self.by.apply(text, found, self.options, self.talk)?;
        if !masked.replacements.is_empty() {
            self.pointers += path.len() * masked.replacements.len();
            if self.pointers > MAX_POINTERS {
                return Err(AnonymiseError::Pointers);
            }
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

/// Adds a key to a JSON pointer (RFC 6901).
fn push_key(path: &mut String, key: &str) {
    path.push('/');
    path.push_str(&key.replace('~', "~0").replace('/', "~1"));
}

/// Display names in header fields that list people: `Anna Smith <anna@shop.example>`.
fn named(value: &Value, depth: usize, people: &mut BTreeSet<String>) {
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
    use proptest::prelude::Strategy as _;
    use serde_json::json;

    use super::*;
    use crate::nlp::mask::tests::processor_time;
    use crate::nlp::mask::{Masker, MaskerConfig};

    fn anonymiser() -> Anonymiser {
        let masker = Masker::new(MaskerConfig::default()).unwrap();
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
    fn keys_are_read_however_their_words_are_joined() {
        for (key, words) in [
            ("date_of_birth", "date of birth"),
            ("date-of-birth", "date of birth"),
            ("dateOfBirth", "date of birth"),
            ("DateOfBirth", "Date of birth"),
            ("user.phoneNumber", "user phone number"),
            ("userIBAN", "user iBAN"),
            ("IBANNumber", "IBAN number"),
            ("IBAN", "IBAN"),
            ("öÄß", "ö äß"),
            ("", ""),
        ] {
            assert_eq!(words_of(key).to_lowercase(), words.to_lowercase(), "{key}");
        }
        let long = "é".repeat(1000) + "_password";
        assert!(words_of(&long).len() <= MAX_LEAD + 8 && words_of(&long).ends_with("é password"));
        let values = json!({
            "dateOfBirth": "12.03.1985", "phoneNumber": "0176 1234567", "cardPin": "4821",
            "userPassword": "sunshine", "accountNumber": "1234567890", "licensePlate": "AB12 CDE",
        });
        let out =
            anonymiser().json(&values, &Options::default(), &mut Conversation::default()).unwrap();
        for (key, value) in out.value.as_object().unwrap() {
            let masked = value.as_str().unwrap();
            assert!(masked.starts_with('<') && masked.ends_with('>'), "{key}: {masked}");
        }
    }

    #[test]
    fn a_document_takes_time_linear_in_its_size() {
        let a = anonymiser();
        let people = |n: usize| {
            let letters =
                |i: usize| format!("{i:06}").bytes().map(|b| char::from(b + 49)).collect();
            let one = |i: usize| -> String {
                let name: String = letters(i);
                format!("An{name} Sm{name} <a{i}@x.example>")
            };
            json!({"from": (0..n).map(one).collect::<Vec<_>>(), "b": vec!["ok"; n]})
        };
        let long_key = |n: usize| json!({"k".repeat(n): vec!["ok"; n / 4]});
        for make in [&people as &dyn Fn(usize) -> Value, &long_key] {
            let time = |n: usize| {
                let doc = make(n);
                let run = || {
                    processor_time(|| {
                        a.json(&doc, &Options::default(), &mut Conversation::default()).unwrap();
                    })
                };
                run().min(run()).min(run())
            };
            // A square is off by a thousand.
            let (small, large) = (time(100), time(3200));
            let bound = small * 32 * 8 + std::time::Duration::from_millis(200);
            assert!(large < bound, "{small:?} for 100, {large:?} for 3200");
        }
    }

    #[test]
    fn what_could_not_come_back_is_refused() {
        let a = anonymiser();
        let mask = |doc: Value| a.json(&doc, &Options::default(), &mut Conversation::default());
        let long: Value = serde_json::from_str("[123456789012345678901234567890]").unwrap();
        assert!(matches!(mask(long), Err(AnonymiseError::Number)));
        assert_eq!(
            mask(json!([1.5, u64::MAX, -3, 1e15])).unwrap().value,
            json!([1.5, u64::MAX, -3, 1e15])
        );
        let heavy = json!({"k".repeat(1 << 20): vec!["a@x.example"; 40]});
        assert!(matches!(mask(heavy), Err(AnonymiseError::Pointers)));
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

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

        #[test]
        fn any_text_comes_back_exactly(
            parts in proptest::collection::vec(proptest::prelude::prop_oneof![
                ".*",
                proptest::sample::select(vec![
                    "a@x.example", "4111 1111 1111 1111", "<EMAIL_1>", "<=EMAIL_1>", "⟦", "password: q7Ɱx\u{301}",
                    " call +49 30 901820 ", "[Card 1]", "\r\n", "ﬁ@ß.example", "İ\u{200b}", "１２３",
                ]).prop_map(str::to_owned),
            ], 0..6),
            operator in proptest::sample::select(vec!["placeholder", "redact", "partial", "hash", "fake", "keep"]),
        ) {
            let a = anonymiser();
            let text = parts.concat();
            let operators = Operators::read([("*", operator)]).unwrap();
            let options = Options { operators: Some(&operators), ..Options::default() };
            let rows = Rows { values: true, explain: false };
            let out = a.text(&text, &options, &mut Conversation::default()).unwrap();
            let spans = rows.of_text(&text, &out.text, &out.replacements);
            proptest::prop_assert_eq!(restore_text(&out.text, &spans).unwrap(), text.clone());
            let doc = json!({"a": parts, text.clone(): [text, 4_111_111_111_111_111_u64]});
            let out = a.json(&doc, &options, &mut Conversation::default()).unwrap();
            let restored = restore_json(out.value, &rows.of_json(&out.changed)).unwrap();
            proptest::prop_assert_eq!(restored, doc);
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

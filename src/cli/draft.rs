//! `draft`: answers out of given passages, by the drafter that needs no model.

use std::collections::HashMap;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::filter::{self, Io, Record, each, history, maybe, text};
use crate::adapters::extractive::Extractive;
use crate::app;
use crate::config::Config;
use crate::domain::draft::{DraftOutcome, DraftRequest, Passage, Turn};
use crate::domain::masking::{
    Entity, MaskedText, Numbering, Outbound, PublicText, RenderedText, ValueHash, VaultId, VaultKey,
};
use crate::domain::message::ChannelKind;
use crate::domain::triage::{LanguageCode, SentimentLabel};
use crate::nlp::detect::Detector;
use crate::nlp::encoder::Embed;
use crate::nlp::heads::{Input, Triage};
use crate::nlp::mask::Hints;
use crate::ports::{ChatModel as _, ChatRequest};

/// `draft`: `{id, text, passages?, history?, subject?, channel?, language?}`.
pub fn run(config: &Config, io: &Io) -> anyhow::Result<ExitCode> {
    let encoder = app::encoder(config)?;
    let triage = app::triage(config, &*encoder)?;
    let drafter = Extractive::new(encoder.clone());
    let detector = app::detector(&config.mask, None, Some(encoder.clone()))?;
    filter::run(io.input.as_deref(), |records| {
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
    triage: &Triage,
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
    let analysis = triage.classify(&Input::of(&words), &encoding);
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

/// The masked values of one line, numbered as a thread's would be.
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

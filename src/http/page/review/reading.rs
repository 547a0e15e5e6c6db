//! What was read from a message, in the page's words.

use crate::domain::triage::{self, IntentLabel};
use crate::http::page::percent;
use crate::http::page::view::{
    Analysis, Correct, Injection, Language, Sentiment, Share, Spam, Urgency,
};

pub(super) fn language(code: &str) -> Language {
    Language { code: code.to_owned(), name: language_name(code).to_owned() }
}

/// Names of the languages that messages usually come in; others keep their code.
fn language_name(code: &str) -> &str {
    match code {
        "en" => "English",
        "de" => "German",
        "fr" => "French",
        "es" => "Spanish",
        "it" => "Italian",
        "pt" => "Portuguese",
        "nl" => "Dutch",
        "pl" => "Polish",
        "sv" => "Swedish",
        "da" => "Danish",
        "ja" => "Japanese",
        "zh" => "Chinese",
        "ru" => "Russian",
        "tr" => "Turkish",
        "ar" => "Arabic",
        "und" => "not recognised",
        other => other,
    }
}

pub(super) fn reading(
    a: &triage::Analysis,
    taxonomy: &[IntentLabel],
    said: &[(String, String)],
) -> Analysis {
    let cue = |c: &triage::Cue| {
        if c.words.is_empty() { c.kind.clone() } else { format!("{}: {}", c.kind, c.words) }
    };
    Analysis {
        intent: a.intent.label.to_string().replace('_', " "),
        intent_percent: percent(a.intent.confidence.get()),
        abstained: a.intent.abstained,
        alternatives: a
            .intent
            .alternatives
            .iter()
            .filter(|x| x.label != a.intent.label)
            .take(3)
            .map(|x| Share {
                label: x.label.to_string().replace('_', " "),
                percent: percent(x.confidence.get()),
            })
            .collect(),
        sentiment: Sentiment::from_key(a.sentiment.label.as_str()).unwrap_or(Sentiment::Neutral),
        sentiment_percent: percent(a.sentiment.confidence.get()),
        urgency: Urgency::from_key(a.urgency.level.as_str()).unwrap_or(Urgency::Normal),
        urgency_reasons: a.urgency.reasons.iter().map(cue).collect(),
        language: language(a.language.code.as_str()),
        spam: Spam::from_key(a.spam.label.as_str()).unwrap_or(Spam::Ham),
        spam_percent: percent(a.spam.score.get()),
        injection: Injection {
            flagged: a.injection.flagged,
            percent: percent(a.injection.score.get()),
            reasons: a.injection.reasons.iter().map(cue).collect(),
        },
        models: format!(
            "{} · taxonomy {} · heads {}",
            a.versions.encoder,
            a.versions.taxonomy.chars().take(8).collect::<String>(),
            a.versions.heads.chars().take(8).collect::<String>()
        ),
        correct: correct(taxonomy, said),
    }
}

/// What the form offers, and what a person has said already, by task and label.
fn correct(taxonomy: &[IntentLabel], said: &[(String, String)]) -> Correct {
    let words = |label: &str| label.replace('_', " ");
    let mut intents: Vec<(String, String)> =
        taxonomy.iter().map(|l| (l.to_string(), words(l.as_str()))).collect();
    intents.sort();
    let line = |(task, label): &(String, String)| {
        let mut task = task.clone();
        task[..1].make_ascii_uppercase();
        format!("{task}: {}", words(label))
    };
    Correct {
        intents,
        sentiments: Sentiment::ALL.to_vec(),
        urgencies: Urgency::ALL.to_vec(),
        said: said.iter().map(line).collect(),
    }
}

//! How soon somebody should look at a message, and why.
//!
//! Rules and not a fitted head: a reviewer must be able to see why a message jumped the queue, and danger to
//! people has to win over any statistics. The intent's priority is where it starts.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use super::words::{Phrases, Word};
use crate::domain::triage::{
    Cue, Probability, Risk, Sentiment, SentimentLabel, Spam, SpamLabel, Urgency, UrgencyLevel,
};

/// Words that may stand between "by" and "tomorrow".
const GAP: usize = 2;

/// A very negative label counts from this score down.
const FURIOUS: f32 = -0.6;
/// From these risks on words of anger and of leaving make a message urgent.
const ANGRY: f32 = 0.6;
const LEAVING: f32 = 0.55;
/// So many words in capitals are shouting.
const SHOUTED: usize = 3;

/// What a phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Safety,
    Fraud,
    Breach,
    Legal,
    Asap,
    Repeat,
    Churn,
    Leave,
    Anger,
    Before,
    Near,
    Day,
    Hours,
    Event,
}

/// Reasons of the rules that no statistics may overrule.
const BINDING: [Kind; 3] = [Kind::Safety, Kind::Fraud, Kind::Breach];
/// The reason that a writer's messages come first.
const VIP: &str = "vip";

/// What a learnt level and the rules' verdict come to: danger, fraud and leaks keep what the rules say at least, and
/// the step of somebody whose messages come first is one above what was learnt. `learnt_by` becomes a reason.
pub(super) fn with_learnt(rules: Urgency, learnt: UrgencyLevel, learnt_by: Cue) -> Urgency {
    let of = |cue: &Cue, kinds: &[&str]| kinds.contains(&cue.kind.as_str());
    let binding = BINDING.map(Kind::name);
    let vip = rules.reasons.iter().any(|cue| of(cue, &[VIP]));
    let mut level = if vip { raised(learnt) } else { learnt };
    if rules.reasons.iter().any(|cue| of(cue, &binding)) {
        level = level.max(rules.level);
    }
    if level == rules.level {
        return rules;
    }
    let kept = rules.reasons.into_iter().filter(|cue| of(cue, &binding) || of(cue, &[VIP]));
    Urgency { level, reasons: std::iter::once(learnt_by).chain(kept).collect() }
}

/// A step up, but no more than high: critical is for what is said, not for who says it.
fn raised(level: UrgencyLevel) -> UrgencyLevel {
    match level {
        UrgencyLevel::Low => UrgencyLevel::Normal,
        UrgencyLevel::Normal => UrgencyLevel::High,
        high => high,
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Fraud => "fraud",
            Self::Breach => "data_breach",
            Self::Legal => "legal",
            Self::Asap => "asap",
            Self::Repeat => "repeated_contact",
            Self::Churn => "churn",
            Self::Leave => "leaving",
            Self::Anger => "anger",
            Self::Before | Self::Near | Self::Day | Self::Hours | Self::Event => "deadline",
        }
    }

    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "safety" => Self::Safety,
            "fraud" => Self::Fraud,
            "breach" => Self::Breach,
            "legal" => Self::Legal,
            "asap" => Self::Asap,
            "repeat" => Self::Repeat,
            "churn" => Self::Churn,
            "leave" => Self::Leave,
            "anger" => Self::Anger,
            "before" => Self::Before,
            "near" => Self::Near,
            "day" => Self::Day,
            "hours" => Self::Hours,
            "event" => Self::Event,
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    phrases: BTreeMap<String, String>,
    deadline: BTreeMap<String, String>,
}

/// A phrase list that isn't one.
#[derive(Debug, thiserror::Error)]
pub enum UrgencyError {
    /// Not TOML of the expected shape.
    #[error("the list of urgent phrases is not readable")]
    Syntax(#[from] toml::de::Error),
    /// A key that no rule reads.
    #[error("no rule of urgency reads the phrases of {0:?}")]
    Key(String),
}

/// The rules with their phrases.
#[derive(Debug, Clone)]
pub struct UrgencyRules {
    phrases: Phrases<Kind>,
}

/// What else is known of the message.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The priority of its intent; `None` when the intent head abstained.
    pub priority: Option<(UrgencyLevel, &'a str)>,
    /// Its mood.
    pub sentiment: &'a Sentiment,
    /// Ham or not.
    pub spam: &'a Spam,
    /// Whether the customer goes first.
    pub vip: bool,
}

/// A phrase that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    kind: Kind,
    /// The words of the list.
    said: String,
    /// Where they stand, as positions among the words.
    words: Range<usize>,
}

impl Found {
    /// The words of a time by which something is wanted, `None` of other phrases.
    #[must_use]
    pub fn deadline(&self) -> Option<(&str, Range<usize>)> {
        (self.kind.name() == "deadline").then(|| (self.said.as_str(), self.words.clone()))
    }
}

/// What a phrase adds to the chance that the customer leaves.
fn leaving(kind: Kind) -> f32 {
    match kind {
        Kind::Leave => 0.65,
        Kind::Churn => 0.5,
        Kind::Legal => 0.2,
        Kind::Repeat => 0.15,
        _ => 0.0,
    }
}

/// How much of the chance is left in this mood: who is content and says "cancel" seldom means the whole.
fn mood_of_leaving(score: f32) -> f32 {
    (0.75 - score * 0.75).clamp(0.25, 1.0)
}

/// Anger and churn from the mood and the phrases. Anger begins at a score of -0.25 and is full at -1; words of
/// anger take half of what is missing, capitals a fifth. Phrases of leaving are joined as 1 - Π(1 - weight).
#[must_use]
pub fn risk(found: &[Found], words: &[Word], sentiment: &Sentiment) -> Risk {
    let score = sentiment.score.get();
    let mut calm = 1.0 - ((-score - 0.25) / 0.75).clamp(0.0, 1.0);
    if found.iter().any(|f| f.kind == Kind::Anger) {
        calm *= 0.5;
    }
    if words.iter().filter(|w| w.shouted && w.text.chars().count() > 2).count() >= SHOUTED {
        calm *= 0.8;
    }
    let mut kinds: Vec<Kind> = found.iter().map(|f| f.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let stays: f32 = kinds.iter().map(|kind| 1.0 - leaving(*kind)).product();
    Risk {
        anger: Probability::clamped(1.0 - calm),
        churn: Probability::clamped((1.0 - stays) * mood_of_leaving(score)),
    }
}

impl UrgencyRules {
    /// Reads the phrases that come with the program.
    ///
    /// # Errors
    /// When the list is damaged, which a test rules out.
    pub fn builtin() -> Result<Self, UrgencyError> {
        Self::parse(include_str!("data/urgency.toml"))
    }

    /// Reads phrases from TOML.
    ///
    /// # Errors
    /// When the text isn't such a list.
    pub fn parse(text: &str) -> Result<Self, UrgencyError> {
        let file: File = toml::from_str(text)?;
        let mut phrases = Phrases::default();
        for (key, list) in file.phrases.iter().chain(&file.deadline) {
            let kind = Kind::of(key).ok_or_else(|| UrgencyError::Key(key.clone()))?;
            phrases.add_list(list, &kind);
        }
        Ok(Self { phrases })
    }

    /// The urgency of a message with these phrases.
    #[must_use]
    pub fn judge(found: &[Found], context: &Context<'_>, risk: Risk) -> Urgency {
        let mut reasons: Vec<Cue> = Vec::new();
        let mut level = match context.priority {
            Some((priority, intent)) => {
                reasons.push(Cue { kind: "intent".to_owned(), words: intent.to_owned() });
                priority
            }
            None => UrgencyLevel::Normal,
        };
        if context.spam.label == SpamLabel::Spam || context.spam.label == SpamLabel::Phishing {
            reasons.push(Cue { kind: "not_ham".to_owned(), words: context.spam.label.to_string() });
            return Urgency { level: UrgencyLevel::Low, reasons };
        }
        let furious = context.sentiment.label == SentimentLabel::VeryNegative
            && context.sentiment.score.get() <= FURIOUS;
        if furious {
            reasons.push(Cue {
                kind: "sentiment".to_owned(),
                words: context.sentiment.label.to_string(),
            });
            level = level.max(UrgencyLevel::High);
        }
        let has = |kind: Kind| found.iter().any(|f| f.kind == kind);
        let deadline = has(Kind::Near) || has(Kind::Hours);
        let unhappy = context.sentiment.score.get() <= -0.25;
        for Found { kind, said, .. } in found {
            let least = match kind {
                Kind::Safety | Kind::Fraud => UrgencyLevel::Critical,
                Kind::Legal if deadline || has(Kind::Day) => UrgencyLevel::Critical,
                Kind::Legal if unhappy => UrgencyLevel::High,
                Kind::Breach | Kind::Near | Kind::Hours => UrgencyLevel::High,
                Kind::Asap | Kind::Repeat => UrgencyLevel::High,
                Kind::Anger if risk.anger.get() >= ANGRY => UrgencyLevel::High,
                Kind::Leave if risk.churn.get() >= LEAVING && level >= UrgencyLevel::Normal => {
                    UrgencyLevel::High
                }
                Kind::Day | Kind::Churn if unhappy && level >= UrgencyLevel::Normal => {
                    UrgencyLevel::High
                }
                _ => continue,
            };
            level = level.max(least);
            let cue = Cue { kind: kind.name().to_owned(), words: said.clone() };
            if !reasons.contains(&cue) {
                reasons.push(cue);
            }
        }
        if context.vip {
            level = raised(level);
            reasons.push(Cue { kind: VIP.to_owned(), words: String::new() });
        }
        Urgency { level, reasons }
    }

    /// The phrases that count, with the words they were found by: those of the list, not of the message.
    #[must_use]
    pub fn find(&self, words: &[Word]) -> Vec<Found> {
        let hits = self.phrases.find(words);
        let said = |first: usize, length: usize| {
            words[first..first + length]
                .iter()
                .map(|w| w.text.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let mut cues = Vec::new();
        for hit in &hits {
            match *hit.value {
                Kind::Before => {}
                // "today" alone is no deadline ("did it leave today?"); "by today" is, and so is "the wedding tomorrow".
                Kind::Near | Kind::Day => {
                    let opener = hits
                        .iter()
                        .filter(|h| matches!(h.value, Kind::Before | Kind::Event))
                        .find(|h| {
                            let end = h.first + h.length;
                            (end <= hit.first && hit.first - end <= GAP)
                                || (*h.value == Kind::Event
                                    && h.first >= hit.first
                                    && h.first - hit.first <= GAP + 1)
                        });
                    if let Some(opener) = opener {
                        let opening = said(opener.first, opener.length);
                        let first = opener.first.min(hit.first);
                        let last = (opener.first + opener.length).max(hit.first + hit.length);
                        cues.push(Found {
                            kind: *hit.value,
                            said: format!("{opening} … {}", said(hit.first, hit.length)),
                            words: first..last,
                        });
                    }
                }
                Kind::Event => {}
                kind => cues.push(Found {
                    kind,
                    said: said(hit.first, hit.length),
                    words: hit.first..hit.first + hit.length,
                }),
            }
        }
        cues
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;
    use crate::domain::triage::Polarity;

    fn judge(text: &str, priority: UrgencyLevel, score: f32, spam: SpamLabel) -> Urgency {
        let label =
            if score <= -0.8 { SentimentLabel::VeryNegative } else { SentimentLabel::Neutral };
        let sentiment = Sentiment::new(label, Polarity::clamped(score), Probability::clamped(0.8));
        let spam = Spam::new(spam, Probability::clamped(0.0));
        let context = Context {
            priority: Some((priority, "order_status")),
            sentiment: &sentiment,
            spam: &spam,
            vip: false,
        };
        let (rules, words) = (UrgencyRules::builtin().unwrap(), words(text));
        let found = rules.find(&words);
        UrgencyRules::judge(&found, &context, risk(&found, &words, &sentiment))
    }

    fn level(text: &str) -> UrgencyLevel {
        judge(text, UrgencyLevel::Normal, 0.0, SpamLabel::Ham).level
    }

    #[test]
    fn what_is_learnt_overrules_neither_danger_nor_who_writes() {
        let cue = |kind: &str| Cue { kind: kind.to_owned(), words: String::new() };
        let verdict = |level, kinds: &[&str], learnt| {
            let rules = Urgency { level, reasons: kinds.iter().map(|k| cue(k)).collect() };
            let u = with_learnt(rules, learnt, cue("learnt"));
            (u.level, u.reasons.into_iter().map(|c| c.kind).collect::<Vec<_>>())
        };
        use UrgencyLevel::{Critical, High, Low, Normal};
        assert_eq!(verdict(High, &["asap"], Low), (Low, vec!["learnt".to_owned()]));
        let said = vec!["intent".to_owned(), "safety".to_owned()];
        assert_eq!(verdict(Critical, &["intent", "safety"], Normal), (Critical, said));
        let said = vec!["learnt".to_owned(), "vip".to_owned()];
        assert_eq!(verdict(High, &["asap", "vip"], Low), (Normal, said));
        assert_eq!(verdict(Normal, &["vip"], Critical).0, Critical);
    }

    #[test]
    fn danger_and_fraud_are_critical_in_every_language() {
        for text in [
            "The battery exploded in my hand",
            "Das Ladegerät hat gebrannt",
            "El aparato echa humo",
            "Le grille-pain a pris feu",
            "My account was hacked!",
            "Mi tarjeta robada fue usada",
        ] {
            assert_eq!(level(text), UrgencyLevel::Critical, "{text}");
        }
    }

    #[test]
    fn deadlines_need_a_time_that_is_near() {
        assert_eq!(level("I need it by tomorrow"), UrgencyLevel::High);
        assert_eq!(level("I am at home today"), UrgencyLevel::Normal);
        assert_eq!(level("a brand new phone"), UrgencyLevel::Normal);
        assert_eq!(level("Ich brauche es bis morgen"), UrgencyLevel::High);
        assert_eq!(level("the wedding is tomorrow"), UrgencyLevel::High);
        assert_eq!(level("did it leave today?"), UrgencyLevel::Normal);
        assert_eq!(level("are you open tomorrow"), UrgencyLevel::Normal);
        assert_eq!(level("can it be here by Friday?"), UrgencyLevel::Normal);
    }

    #[test]
    fn mood_law_and_spam_move_the_level() {
        let ham = SpamLabel::Ham;
        assert_eq!(judge("useless", UrgencyLevel::Low, -0.9, ham).level, UrgencyLevel::High);
        assert_eq!(
            judge("my lawyer will write to you", UrgencyLevel::Normal, -0.5, ham).level,
            UrgencyLevel::High
        );
        assert_eq!(
            judge("a lawsuit by Monday", UrgencyLevel::Normal, -0.5, ham).level,
            UrgencyLevel::Critical
        );
        let spam = judge("urgent! act now", UrgencyLevel::High, 0.0, SpamLabel::Spam);
        assert_eq!(spam.level, UrgencyLevel::Low);
        assert_eq!(spam.reasons.last().unwrap().kind, "not_ham");
    }

    #[test]
    fn reasons_name_the_words() {
        let urgency =
            judge("please answer asap, I fly by tomorrow", UrgencyLevel::Low, 0.0, SpamLabel::Ham);
        let said: Vec<String> =
            urgency.reasons.iter().map(|r| format!("{}: {}", r.kind, r.words)).collect();
        assert_eq!(said, ["intent: order_status", "asap: asap", "deadline: by … tomorrow"]);
    }

    fn risks(text: &str, score: f32) -> (f32, f32) {
        let words = words(text);
        let found = UrgencyRules::builtin().unwrap().find(&words);
        let sentiment = Sentiment::new(
            SentimentLabel::Neutral,
            Polarity::clamped(score),
            Probability::clamped(0.8),
        );
        let risk = risk(&found, &words, &sentiment);
        (risk.anger.get(), risk.churn.get())
    }

    #[test]
    fn anger_and_leaving_are_scored_and_raise_the_level() {
        assert_eq!(risks("where is my order", 0.0), (0.0, 0.0));
        assert!(risks("I am fed up, this is OUTRAGEOUS", -0.7).0 > 0.75);
        assert!(risks("I will cancel my subscription and go to your competitor", -0.5).1 > 0.6);
        assert!(risks("please cancel my subscription, thanks for all", 0.6).1 < 0.3);
        let ham = SpamLabel::Ham;
        let leaving = judge(
            "this is the last time I order, I'm switching to another provider",
            UrgencyLevel::Normal,
            -0.5,
            ham,
        );
        assert_eq!(leaving.level, UrgencyLevel::High);
        assert!(leaving.reasons.iter().any(|r| r.kind == "leaving"), "{leaving:?}");
    }

    #[test]
    fn a_vip_goes_one_step_up() {
        let sentiment = Sentiment::new(
            SentimentLabel::Neutral,
            Polarity::clamped(0.0),
            Probability::clamped(0.8),
        );
        let spam = Spam::new(SpamLabel::Ham, Probability::clamped(0.0));
        for (priority, level) in [
            (UrgencyLevel::Low, UrgencyLevel::Normal),
            (UrgencyLevel::Normal, UrgencyLevel::High),
            (UrgencyLevel::High, UrgencyLevel::High),
        ] {
            let context = Context {
                priority: Some((priority, "other")),
                sentiment: &sentiment,
                spam: &spam,
                vip: true,
            };
            let urgency = UrgencyRules::judge(&[], &context, Risk::default());
            assert_eq!(urgency.level, level);
            assert_eq!(urgency.reasons.last().unwrap().kind, "vip");
        }
    }

    #[test]
    fn deadlines_say_where_they_stand() {
        let words = words("Please send it by tomorrow noon");
        let found = UrgencyRules::builtin().unwrap().find(&words);
        let deadlines: Vec<_> = found.iter().filter_map(Found::deadline).collect();
        assert_eq!(deadlines[0], ("by … tomorrow", 3..5));
    }

    #[test]
    fn a_key_without_a_rule_is_refused() {
        assert!(matches!(
            UrgencyRules::parse("[phrases]\nx = \"y\"\n[deadline]"),
            Err(UrgencyError::Key(_))
        ));
    }
}

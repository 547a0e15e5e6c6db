//! Recognizers that a tenant brings: member numbers, case numbers, project names. They are data,
//! read from TOML or JSON, and checked when the masker is made:
//!
//! ```toml
//! [[recognizers]]
//! name = "member number"
//! entity = "MEMBER_ID"
//! patterns = ['M[0-9]{8}']
//! score = 0.3
//! context = ["member", "membership no"]
//! validator = "luhn"
//! allow_list = ["M00000000"]
//! deny_list = ["Project Bluebird"]
//! ```
//!
//! Patterns are the `regex` crate's, so none can take more than linear time; their compiled size is
//! limited.

use std::borrow::Cow;
use std::collections::HashSet;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::context::{floor, raised};
use super::lowered::Lowered;
use super::source::{Source, folded};
use super::table::check;
use crate::domain::masking::Entity;

/// Bytes that one compiled pattern may take.
const MAX_PATTERN: usize = 1 << 20;
/// Most patterns of one recognizer.
const MAX_PATTERNS: usize = 64;
const BEFORE_BYTES: usize = 100;
const AFTER_BYTES: usize = 40;

/// What a tenant's file holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantRules {
    /// Recognizers of the tenant's own.
    pub recognizers: Vec<CustomRecognizer>,
    /// Values that are never masked, whatever type they look like: the tenant's own addresses.
    pub allow_list: Vec<String>,
}

/// One recognizer as written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomRecognizer {
    /// What findings and errors call it.
    pub name: String,
    /// The type it reports; a built-in one or a new one.
    pub entity: Entity,
    /// Patterns in the `regex` crate's syntax. They match parts of words unless they say `\b`.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Score of a match, 0–1. 0.5 unless given.
    #[serde(default = "default_score")]
    pub score: f32,
    /// Words and phrases that raise the score when they stand near, in any case.
    #[serde(default)]
    pub context: Vec<String>,
    /// A check over the letters and digits of a match: passing raises the score to 1.0, a match
    /// that fails is none.
    #[serde(default)]
    pub validator: Option<Validator>,
    /// Matches that are none, in any case.
    #[serde(default)]
    pub allow_list: Vec<String>,
    /// Words and phrases that are always found, in any case, as whole words.
    #[serde(default)]
    pub deny_list: Vec<String>,
}

fn default_score() -> f32 {
    0.5
}

/// Checks that a tenant's recognizer can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// ISO/IEC 7812-1, as on payment cards.
    Luhn,
    /// ISO 7064 MOD 97-10: letters count as 10–35, the remainder by 97 is 1.
    Mod97,
    /// ISO 7064 MOD 11,10.
    #[serde(rename = "mod11_10")]
    Mod1110,
    /// Verhoeff's check.
    Verhoeff,
    /// ICAO Doc 9303, as on passports.
    Icao9303,
}

/// A recognizer that can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CustomError {
    /// A pattern that doesn't compile or is too large.
    #[error("recognizer `{recognizer}`: the pattern `{pattern}` can't be used")]
    Pattern {
        /// Its recognizer.
        recognizer: String,
        /// As written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: Box<regex::Error>,
    },
    /// A pattern that matches the empty text.
    #[error("recognizer `{recognizer}`: the pattern `{pattern}` matches the empty text")]
    MatchesNothing {
        /// Its recognizer.
        recognizer: String,
        /// As written.
        pattern: String,
    },
    /// Neither a pattern nor a word to look for.
    #[error("recognizer `{0}` has no pattern and no deny-list")]
    Empty(String),
    /// More patterns than one recognizer may have.
    #[error("recognizer `{0}` has more than {MAX_PATTERNS} patterns")]
    TooMany(String),
    /// A score outside 0–1.
    #[error("recognizer `{recognizer}`: the score is {score}: expected 0 to 1")]
    Score {
        /// Its recognizer.
        recognizer: String,
        /// As written.
        score: f32,
    },
    /// A deny-list that no automaton can be made of.
    #[error("recognizer `{recognizer}`: the deny-list can't be used")]
    DenyList {
        /// Its recognizer.
        recognizer: String,
        /// How it exceeds the limits, in the automaton's words.
        reason: String,
    },
}

/// A recognizer ready to use.
pub(super) struct Custom {
    name: String,
    entity: Entity,
    patterns: Vec<Regex>,
    score: f32,
    context: Vec<String>,
    validator: Option<Validator>,
    allowed: AllowList,
    denied: Option<AhoCorasick>,
}

impl Custom {
    pub(super) fn new(written: CustomRecognizer) -> Result<Self, CustomError> {
        let CustomRecognizer {
            name: recognizer,
            entity,
            patterns,
            score,
            context,
            validator,
            allow_list,
            deny_list,
        } = written;
        if !(0.0..=1.0).contains(&score) {
            return Err(CustomError::Score { recognizer, score });
        }
        if patterns.len() > MAX_PATTERNS {
            return Err(CustomError::TooMany(recognizer));
        }
        let patterns: Vec<Regex> =
            patterns.into_iter().map(|p| compile(&recognizer, p)).collect::<Result<_, _>>()?;
        let denied = denied(&recognizer, &deny_list)?;
        if patterns.is_empty() && denied.is_none() {
            return Err(CustomError::Empty(recognizer));
        }
        Ok(Self {
            name: recognizer,
            entity,
            patterns,
            score,
            context: context.iter().map(|w| lower(w)).filter(|w| !w.is_empty()).collect(),
            validator,
            allowed: AllowList::new(&allow_list),
            denied,
        })
    }

    pub(super) fn entity(&self) -> &Entity {
        &self.entity
    }

    pub(super) fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let text = source.text();
        for pattern in &self.patterns {
            for m in pattern.find_iter(text).filter(|m| !m.is_empty()) {
                if !self.allowed.contains(m.as_str()) {
                    out.extend(self.judge(text, m.range()));
                }
            }
        }
        let Some(denied) = &self.denied else { return };
        let lowered = Lowered::new(text);
        for hit in denied.find_iter(lowered.text()) {
            if let Some(range) = lowered.to_source(hit.range())
                && source.stands_alone(&range)
            {
                out.push(self.candidate(range, 1.0).checked("deny-list"));
            }
        }
    }

    fn judge(&self, text: &str, range: std::ops::Range<usize>) -> Option<Candidate> {
        let found = match self.validator {
            None => self.candidate(range.clone(), self.score),
            Some(validator) if validator.passes(&text[range.clone()]) => {
                self.candidate(range.clone(), 1.0).checked(validator.name())
            }
            Some(_) => return None,
        };
        let score = raised(found.base);
        Some(if self.is_named(text, &range) {
            found.in_context(Some("the tenant's word"), score)
        } else {
            found
        })
    }

    fn candidate(&self, range: std::ops::Range<usize>, score: f32) -> Candidate {
        let found = Candidate::new(range, self.entity.clone(), score, "");
        Candidate { recognizer: Cow::Owned(self.name.clone()), ..found }
    }

    /// Whether a context word stands near.
    fn is_named(&self, text: &str, range: &std::ops::Range<usize>) -> bool {
        if self.context.is_empty() {
            return false;
        }
        let from = floor(text, range.start.saturating_sub(BEFORE_BYTES));
        let to = floor(text, (range.end + AFTER_BYTES).min(text.len()));
        let sides = [lower(&text[from..range.start]), lower(&text[range.end..to])];
        sides.iter().any(|side| self.context.iter().any(|word| has_word(side, word)))
    }
}

/// Whether `word` stands in `text` with no letter or digit beside it.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        free(text[..at].chars().next_back()) && free(text[at + word.len()..].chars().next())
    })
}

fn compile(recognizer: &str, pattern: String) -> Result<Regex, CustomError> {
    let compiled =
        RegexBuilder::new(&pattern).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN).build();
    let recognizer = recognizer.to_owned();
    match compiled {
        Ok(regex) if regex.is_match("") => Err(CustomError::MatchesNothing { recognizer, pattern }),
        Ok(regex) => Ok(regex),
        Err(error) => Err(CustomError::Pattern { recognizer, pattern, source: Box::new(error) }),
    }
}

fn denied(recognizer: &str, words: &[String]) -> Result<Option<AhoCorasick>, CustomError> {
    let words: Vec<String> = words.iter().map(|w| lower(w)).filter(|w| !w.is_empty()).collect();
    if words.is_empty() {
        return Ok(None);
    }
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(words);
    built.map(Some).map_err(|error| CustomError::DenyList {
        recognizer: recognizer.to_owned(),
        reason: error.to_string(),
    })
}

impl Validator {
    fn name(self) -> &'static str {
        match self {
            Self::Luhn => "luhn",
            Self::Mod97 => "mod 97",
            Self::Mod1110 => "mod 11,10",
            Self::Verhoeff => "verhoeff",
            Self::Icao9303 => "icao 9303",
        }
    }

    fn passes(self, surface: &str) -> bool {
        let code: Vec<u8> = surface
            .bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|b| b.to_ascii_uppercase())
            .collect();
        let digits: Vec<u8> = code.iter().copied().filter(u8::is_ascii_digit).collect();
        match self {
            Self::Luhn => digits.len() > 1 && check::passes_luhn(&digits),
            Self::Mod97 => code.len() > 2 && check::remainder_97(&code) == 1,
            Self::Mod1110 => digits.len() > 1 && check::passes_mod_11_10(&digits),
            Self::Verhoeff => digits.len() > 1 && check::passes_verhoeff(&digits),
            Self::Icao9303 => code.len() > 1 && check::passes_icao(&code),
        }
    }
}

/// Values that are left, compared without regard to case and the disguises of digits.
#[derive(Default)]
pub(super) struct AllowList(HashSet<String>);

impl AllowList {
    pub(super) fn new(values: &[String]) -> Self {
        Self(values.iter().map(|v| lower(v)).filter(|v| !v.is_empty()).collect())
    }

    pub(super) fn contains(&self, value: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&lower(value))
    }
}

fn lower(text: &str) -> String {
    folded(text).trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::{Hints, Masker, MaskerConfig, MaskerError};

    fn masker(rules: serde_json::Value) -> Result<Masker, MaskerError> {
        let rules: TenantRules = serde_json::from_value(rules).unwrap();
        Masker::new(MaskerConfig {
            custom: rules.recognizers,
            allow_list: rules.allow_list,
            ..MaskerConfig::default()
        })
    }

    fn found(masker: &Masker, text: &str) -> Vec<(String, String, f32)> {
        let findings = masker.explain(text, &Hints::default());
        let of = |f: crate::nlp::mask::Finding| {
            (f.span.entity.to_string(), text[f.span.start..f.span.end].to_owned(), f.span.score)
        };
        findings.into_iter().map(of).collect()
    }

    #[test]
    fn pattern_validator_context_and_lists() {
        let m = masker(serde_json::json!({
            "recognizers": [{
                "name": "member number", "entity": "MEMBER_ID", "patterns": ["\\bM[0-9]{8}\\b"],
                "score": 0.2, "context": ["member", "Mitglied Nr"], "validator": "luhn",
                "allow_list": ["m00000000"], "deny_list": ["Project Bluebird", "Straße 9"],
            }, {
                "name": "case", "entity": "CASE_ID", "patterns": ["C-[0-9]{4}"], "score": 0.2,
                "context": ["case"],
            }],
            "allow_list": ["support@example.com"],
        }))
        .unwrap();
        assert_eq!(
            found(&m, "M12345674 and M12345675"),
            [("MEMBER_ID".into(), "M12345674".into(), 1.0)]
        );
        assert!(found(&m, "M00000000, C-1234, bluebird").is_empty());
        assert_eq!(found(&m, "my case C-1234").len(), 1);
        assert_eq!(found(&m, "on PROJECT bluebird, straße 9")[0].1, "PROJECT bluebird");
        assert_eq!(found(&m, "STRASSE 9 straße 9").len(), 1);
        let addresses = found(&m, "write to Support@example.com or anna@example.com");
        assert_eq!(
            addresses.iter().map(|f| f.1.as_str()).collect::<Vec<_>>(),
            ["anna@example.com"]
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error = |patterns: serde_json::Value| {
            let rule = serde_json::json!({"name": "x", "entity": "X_ID", "patterns": patterns});
            masker(serde_json::json!({ "recognizers": [rule] }))
                .err()
                .map(|e| e.to_string())
                .unwrap()
        };
        assert!(error(serde_json::json!(["a("])).contains("`a(`"));
        assert!(error(serde_json::json!(["a*"])).contains("empty text"));
        assert!(error(serde_json::json!(["(?:[a-z]{1000}){1000}"])).contains("can't be used"));
        assert!(error(serde_json::json!([])).contains("no pattern"));
        let unknown =
            serde_json::json!({"recognizers": [{"name": "x", "entity": "X", "patern": []}]});
        assert!(serde_json::from_value::<TenantRules>(unknown).is_err());
    }
}

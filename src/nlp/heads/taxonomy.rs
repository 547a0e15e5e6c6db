//! The taxonomy file: which intents there are, and what people write when they mean them.
//!
//! The file is the team's own. It is parsed strictly, because a misspelt key or a copied example would
//! otherwise be noticed only as a head that answers a little worse.

use std::collections::HashMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::triage::{IntentLabel, TriageValueError, UrgencyLevel};

/// Fewer examples than this don't say what an intent is.
pub const MIN_EXAMPLES: usize = 15;

/// What is wrong with a taxonomy file.
#[derive(Debug, thiserror::Error)]
pub enum TaxonomyError {
    /// Not TOML, or a key is missing, unknown or of the wrong type.
    #[error("the taxonomy is not readable: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// A name that can't be a label.
    #[error("intent name")]
    Label(#[from] TriageValueError),
    /// A name with other characters than `a-z`, `0-9` and `_`.
    #[error("intent name {0:?} may only hold a-z, 0-9 and _")]
    Name(String),
    /// Two intents of one name.
    #[error("intent {0:?} is there twice")]
    Duplicate(String),
    /// An intent without a description.
    #[error("intent {0:?} has no description")]
    Description(String),
    /// Too few examples.
    #[error("intent {intent:?} has {found} examples, it needs {MIN_EXAMPLES} or more")]
    TooFewExamples {
        /// Which intent.
        intent: String,
        /// How many examples it has.
        found: usize,
    },
    /// An example that is empty.
    #[error("intent {0:?} has an empty example")]
    EmptyExample(String),
    /// The same words under two intents, or twice under one.
    #[error("example {example:?} is there twice: under {first:?} and {second:?}")]
    RepeatedExample {
        /// The example.
        example: String,
        /// Where it stood first.
        first: String,
        /// Where it stood again.
        second: String,
    },
    /// A parent that is not an intent of the file, or the intent itself, or its descendant.
    #[error("intent {intent:?} has the parent {parent:?}, which is not another intent above it")]
    Parent {
        /// Which intent.
        intent: String,
        /// Its parent.
        parent: String,
    },
    /// A single intent leaves nothing to decide.
    #[error("a taxonomy needs two intents or more, this one has {0}")]
    TooFewIntents(usize),
    /// A priority that isn't one.
    #[error(
        "intent {0:?} has the priority \"critical\"; low, normal and high are for the file to give, critical is for the message"
    )]
    Priority(String),
    /// A share beyond its range.
    #[error("{key} is {value}, it must be from {low} to {high}")]
    Share {
        /// Which key.
        key: &'static str,
        /// Its value.
        value: f32,
        /// Lowest value.
        low: f32,
        /// Highest value.
        high: f32,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    taxonomy: Header,
    #[serde(default)]
    intent: Vec<RawIntent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    #[serde(default = "default_target")]
    target_accuracy: f32,
    #[serde(default = "default_abstention")]
    max_abstention: f32,
}

fn default_target() -> f32 {
    0.92
}

fn default_abstention() -> f32 {
    0.18
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntent {
    name: String,
    description: String,
    priority: UrgencyLevel,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    tone: Option<String>,
    examples: Vec<String>,
}

/// One intent of the taxonomy.
#[derive(Debug, Clone, PartialEq)]
pub struct IntentSpec {
    /// Its label.
    pub name: IntentLabel,
    /// One sentence a person can decide by.
    pub description: String,
    /// Where urgency starts.
    pub priority: UrgencyLevel,
    /// The intent of which this is a special case.
    pub parent: Option<IntentLabel>,
    /// The queue that shows it.
    pub queue: Option<String>,
    /// How a draft should sound.
    pub tone: Option<String>,
    /// What people write.
    pub examples: Vec<String>,
}

/// A taxonomy that holds together.
#[derive(Debug, Clone, PartialEq)]
pub struct Taxonomy {
    intents: Vec<IntentSpec>,
    target_accuracy: f32,
    max_abstention: f32,
    version: String,
}

impl Taxonomy {
    /// Reads a taxonomy from TOML.
    ///
    /// # Errors
    /// The first thing that is wrong with it, by name.
    pub fn parse(text: &str) -> Result<Self, TaxonomyError> {
        let file: File = toml::from_str(text).map_err(Box::new)?;
        let header = &file.taxonomy;
        within("target_accuracy", header.target_accuracy, 0.5, 1.0)?;
        within("max_abstention", header.max_abstention, 0.0, 0.9)?;
        if file.intent.len() < 2 {
            return Err(TaxonomyError::TooFewIntents(file.intent.len()));
        }
        let version =
            format!("{}@{}", header.name, &hex::encode(Sha256::digest(text.as_bytes()))[..12]);
        let (target_accuracy, max_abstention) = (header.target_accuracy, header.max_abstention);
        let intents = file.intent.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        check_names(&intents)?;
        check_examples(&intents)?;
        Ok(Self { intents, target_accuracy, max_abstention, version })
    }

    /// The intents, in the order of the file.
    #[must_use]
    pub fn intents(&self) -> &[IntentSpec] {
        &self.intents
    }

    /// The intent of a name.
    #[must_use]
    pub fn get(&self, label: &IntentLabel) -> Option<&IntentSpec> {
        self.intents.iter().find(|intent| intent.name == *label)
    }

    /// How often answers given with confidence should be right, 0.5 to 1.
    #[must_use]
    pub fn target_accuracy(&self) -> f32 {
        self.target_accuracy
    }

    /// The largest share of messages to abstain on, 0 to 0.9.
    #[must_use]
    pub fn max_abstention(&self) -> f32 {
        self.max_abstention
    }

    /// The file's name for itself, `@`, and twelve hex digits of the SHA-256 of its text.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn within(key: &'static str, value: f32, low: f32, high: f32) -> Result<(), TaxonomyError> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(TaxonomyError::Share { key, value, low, high })
    }
}

fn checked(raw: RawIntent) -> Result<IntentSpec, TaxonomyError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !raw.name.chars().all(allowed) {
        return Err(TaxonomyError::Name(raw.name));
    }
    if raw.description.trim().is_empty() {
        return Err(TaxonomyError::Description(raw.name));
    }
    if raw.priority == UrgencyLevel::Critical {
        return Err(TaxonomyError::Priority(raw.name));
    }
    if raw.examples.iter().any(|example| example.trim().is_empty()) {
        return Err(TaxonomyError::EmptyExample(raw.name));
    }
    if raw.examples.len() < MIN_EXAMPLES {
        return Err(TaxonomyError::TooFewExamples { intent: raw.name, found: raw.examples.len() });
    }
    Ok(IntentSpec {
        name: IntentLabel::try_from(raw.name)?,
        description: raw.description,
        priority: raw.priority,
        parent: raw.parent.map(IntentLabel::try_from).transpose()?,
        queue: raw.queue,
        tone: raw.tone,
        examples: raw.examples,
    })
}

fn check_names(intents: &[IntentSpec]) -> Result<(), TaxonomyError> {
    let mut parents = HashMap::new();
    for intent in intents {
        if parents
            .insert(intent.name.as_str(), intent.parent.as_ref().map(IntentLabel::as_str))
            .is_some()
        {
            return Err(TaxonomyError::Duplicate(intent.name.to_string()));
        }
    }
    for intent in intents {
        let mut above = intent.parent.as_ref().map(IntentLabel::as_str);
        // A chain longer than the file runs in a circle.
        for _ in 0..intents.len() {
            let Some(parent) = above else { break };
            above = match parents.get(parent) {
                Some(next) if parent != intent.name.as_str() => *next,
                _ => {
                    let parent =
                        intent.parent.as_ref().map_or_else(String::new, ToString::to_string);
                    return Err(TaxonomyError::Parent { intent: intent.name.to_string(), parent });
                }
            };
        }
    }
    Ok(())
}

fn check_examples(intents: &[IntentSpec]) -> Result<(), TaxonomyError> {
    let mut seen: HashMap<String, &IntentLabel> = HashMap::new();
    for intent in intents {
        for example in &intent.examples {
            if let Some(first) = seen.insert(example.trim().to_lowercase(), &intent.name) {
                return Err(TaxonomyError::RepeatedExample {
                    example: example.clone(),
                    first: first.to_string(),
                    second: intent.name.to_string(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(name: &str, extra: &str, examples: usize) -> String {
        let list: Vec<String> = (0..examples).map(|i| format!("\"{name} {i}\"")).collect();
        format!(
            "[[intent]]\nname = \"{name}\"\ndescription = \"d\"\npriority = \"normal\"\n{extra}\nexamples = [{}]\n",
            list.join(",")
        )
    }

    fn error(body: &str) -> String {
        let text = format!("[taxonomy]\nname = \"t\"\n{body}");
        Taxonomy::parse(&text).unwrap_err().to_string()
    }

    #[test]
    fn the_default_taxonomy_holds() {
        let text = include_str!("../../../prompts/taxonomy/default.toml");
        let taxonomy = Taxonomy::parse(text).unwrap();
        assert_eq!(taxonomy.intents().len(), 23);
        assert!(taxonomy.version().starts_with("default@"));
        let size = taxonomy.get(&"size_fit".parse().unwrap()).unwrap();
        assert_eq!(size.parent.as_ref().unwrap().as_str(), "product_question");
    }

    #[test]
    fn each_mistake_is_named() {
        let (a, b) = (intent("a", "", 15), intent("b", "", 15));
        assert!(error(&format!("{a}{}", intent("b", "", 14))).contains("\"b\" has 14 examples"));
        assert!(error(&format!("{a}{a}")).contains("\"a\" is there twice"));
        assert!(error(&format!("{a}{}", intent("b", "prio = 1", 15))).contains("prio"));
        assert!(error(&format!("{a}{}", intent("B-2", "", 15))).contains("\"B-2\""));
        assert!(
            error(&format!("{a}{}", intent("b", "parent = \"c\"", 15))).contains("parent \"c\"")
        );
        let circle = intent("a", "parent = \"b\"", 15) + &intent("b", "parent = \"a\"", 15);
        assert!(error(&circle).contains("above it"));
        assert!(error(&a).contains("two intents"));
        assert!(
            error(&format!("{a}{}", b.replace("b 3", "A 4"))).contains("\"A 4\" is there twice")
        );
        assert!(
            error(&format!("{a}{}", b.replace("\"normal\"", "\"critical\""))).contains("critical")
        );
        assert!(error(&format!("max_abstention = 2.0\n{a}{b}")).contains("max_abstention"));
    }

    #[test]
    fn the_version_follows_the_text() {
        let text =
            format!("[taxonomy]\nname = \"t\"\n{}{}", intent("a", "", 15), intent("b", "", 15));
        let one = Taxonomy::parse(&text).unwrap();
        assert_eq!(one.version(), Taxonomy::parse(&text).unwrap().version());
        assert_ne!(
            one.version(),
            Taxonomy::parse(&text.replace("a 3", "a three")).unwrap().version()
        );
    }
}

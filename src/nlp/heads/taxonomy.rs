//! The taxonomy file: which intents there are, and what people write when they mean them.
//!
//! The file is the team's own. It is parsed strictly, because a misspelt key or a copied example would
//! otherwise be noticed only as a head that answers a little worse.

use std::collections::HashMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::domain::triage::{IntentLabel, Routing, TriageValueError, UrgencyLevel};

/// Fewer examples than this don't say what an intent is.
pub const MIN_EXAMPLES: usize = 5;

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
    /// What is wrong with the intent that begins in this line.
    #[error("line {line}: {problem}")]
    At {
        /// Line of the intent's name, from 1.
        line: usize,
        /// What is wrong with it.
        problem: Box<TaxonomyError>,
    },
    /// A time limit that isn't one.
    #[error(
        "intent {intent:?} has the sla {sla:?}; expected a time such as \"30m\", \"4h\" or \"1d 12h\""
    )]
    Sla {
        /// Which intent.
        intent: String,
        /// What stands there.
        sla: String,
    },
    /// A product without a name.
    #[error("intent {0:?} has an empty product")]
    Product(String),
    /// Too few examples.
    #[error(
        "intent {intent:?} has {found} examples, it needs {MIN_EXAMPLES} or more (none, if other intents have it as their parent)"
    )]
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
    name: Spanned<String>,
    description: String,
    #[serde(default)]
    priority: Option<UrgencyLevel>,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    sla: Option<String>,
    #[serde(default)]
    tone: Option<String>,
    #[serde(default)]
    may_be_automated: Option<bool>,
    #[serde(default)]
    products: Vec<String>,
    #[serde(default)]
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
    /// Within what time it should be answered, as `4h` or `1d 12h`.
    pub sla: Option<String>,
    /// How a draft should sound.
    pub tone: Option<String>,
    /// Whether an answer may leave without a person.
    pub may_be_automated: bool,
    /// Names of things that messages of this intent are about.
    pub products: Vec<String>,
    /// What people write.
    pub examples: Vec<String>,
}

impl IntentSpec {
    /// What should be done with a message of this intent.
    #[must_use]
    pub fn routing(&self) -> Routing {
        Routing {
            priority: Some(self.priority),
            queue: self.queue.clone(),
            sla: self.sla.clone(),
            tone: self.tone.clone(),
            may_be_automated: self.may_be_automated,
        }
    }
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
        let inherits: Vec<Inherits> = file.intent.iter().map(Inherits::of).collect();
        let lines: Vec<usize> =
            file.intent.iter().map(|raw| line_of(text, raw.name.span().start)).collect();
        let at = |intent: usize, problem| TaxonomyError::At {
            line: lines.get(intent).copied().unwrap_or(1),
            problem: Box::new(problem),
        };
        let mut intents = Vec::with_capacity(file.intent.len());
        for (number, raw) in file.intent.into_iter().enumerate() {
            intents.push(checked(raw).map_err(|problem| at(number, problem))?);
        }
        check_names(&intents).map_err(|(number, problem)| at(number, problem))?;
        check_examples(&intents, MIN_EXAMPLES).map_err(|(number, problem)| at(number, problem))?;
        inherit(&mut intents, &inherits);
        Ok(Self { intents, target_accuracy, max_abstention, version })
    }

    /// Intents that come from somewhere else than a file, with the usual aims.
    ///
    /// # Errors
    /// As [`Taxonomy::parse`], but any label and any number of examples will do.
    pub(super) fn own(intents: Vec<IntentSpec>, version: String) -> Result<Self, TaxonomyError> {
        if intents.len() < 2 {
            return Err(TaxonomyError::TooFewIntents(intents.len()));
        }
        check_names(&intents).map_err(|(_, problem)| problem)?;
        check_examples(&intents, 1).map_err(|(_, problem)| problem)?;
        let (target_accuracy, max_abstention) = (default_target(), default_abstention());
        Ok(Self { intents, target_accuracy, max_abstention, version })
    }

    /// The same intents with other examples: those for which `keep` says so, by intent and place.
    pub(super) fn with_examples(&self, keep: impl Fn(&IntentLabel, usize) -> bool) -> Self {
        let mut less = self.clone();
        for intent in &mut less.intents {
            let mut place = 0..;
            let name = intent.name.clone();
            intent.examples.retain(|_| place.next().is_some_and(|place| keep(&name, place)));
        }
        less
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

/// The line, from 1, in which a byte stands.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

fn checked(raw: RawIntent) -> Result<IntentSpec, TaxonomyError> {
    let name = raw.name.into_inner();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.chars().all(allowed) {
        return Err(TaxonomyError::Name(name));
    }
    if raw.description.trim().is_empty() {
        return Err(TaxonomyError::Description(name));
    }
    if raw.priority == Some(UrgencyLevel::Critical) {
        return Err(TaxonomyError::Priority(name));
    }
    if raw.examples.iter().any(|example| example.trim().is_empty()) {
        return Err(TaxonomyError::EmptyExample(name));
    }
    if let Some(sla) = raw.sla.clone().filter(|sla| !is_time(sla)) {
        return Err(TaxonomyError::Sla { intent: name, sla });
    }
    if raw.products.iter().any(|product| product.trim().is_empty()) {
        return Err(TaxonomyError::Product(name));
    }
    Ok(IntentSpec {
        name: IntentLabel::try_from(name)?,
        description: raw.description,
        priority: raw.priority.unwrap_or(UrgencyLevel::Normal),
        parent: raw.parent.map(IntentLabel::try_from).transpose()?,
        queue: raw.queue,
        sla: raw.sla,
        tone: raw.tone,
        may_be_automated: raw.may_be_automated.unwrap_or(false),
        products: raw.products,
        examples: raw.examples,
    })
}

/// Whether a text is a time such as `30m`, `4h` or `1d 12h`: parts of a number above 0 and a unit, from the
/// longest unit to the shortest.
fn is_time(text: &str) -> bool {
    let mut units = ["d", "h", "m"].iter();
    let part = |part: &str| {
        units.any(|unit| {
            part.strip_suffix(unit)
                .is_some_and(|n| n.len() <= 5 && n.parse::<u32>().is_ok_and(|n| n > 0))
        })
    };
    !text.trim().is_empty() && text.split_whitespace().all(part)
}

/// What an intent leaves to its parent to say.
struct Inherits {
    priority: bool,
    automated: bool,
}

impl Inherits {
    fn of(raw: &RawIntent) -> Self {
        Self { priority: raw.priority.is_none(), automated: raw.may_be_automated.is_none() }
    }
}

/// Fills in from the nearest intent above what an intent leaves open. The parents run in no circle.
fn inherit(intents: &mut [IntentSpec], inherits: &[Inherits]) {
    for at in 0..intents.len() {
        let (mut priority, mut automated) = (inherits[at].priority, inherits[at].automated);
        let mut above = intents[at].parent.clone();
        while let Some(parent) = above {
            let Some(number) = intents.iter().position(|i| i.name == parent) else { break };
            let from = intents[number].clone();
            let own = &mut intents[at];
            own.queue = own.queue.take().or(from.queue);
            own.sla = own.sla.take().or(from.sla);
            own.tone = own.tone.take().or(from.tone);
            if priority && !inherits[number].priority {
                own.priority = from.priority;
                priority = false;
            }
            if automated && !inherits[number].automated {
                own.may_be_automated = from.may_be_automated;
                automated = false;
            }
            above = from.parent;
        }
    }
}

/// A mistake with the number of the intent that it is about.
type Mistake = (usize, TaxonomyError);

fn check_names(intents: &[IntentSpec]) -> Result<(), Mistake> {
    let mut parents = HashMap::new();
    for (number, intent) in intents.iter().enumerate() {
        if parents
            .insert(intent.name.as_str(), intent.parent.as_ref().map(IntentLabel::as_str))
            .is_some()
        {
            return Err((number, TaxonomyError::Duplicate(intent.name.to_string())));
        }
    }
    for (number, intent) in intents.iter().enumerate() {
        let mut above = intent.parent.as_ref().map(IntentLabel::as_str);
        // A chain longer than the file runs in a circle.
        for _ in 0..intents.len() {
            let Some(parent) = above else { break };
            above = match parents.get(parent) {
                Some(next) if parent != intent.name.as_str() => *next,
                _ => {
                    let parent =
                        intent.parent.as_ref().map_or_else(String::new, ToString::to_string);
                    let intent = intent.name.to_string();
                    return Err((number, TaxonomyError::Parent { intent, parent }));
                }
            };
        }
    }
    Ok(())
}

fn check_examples(intents: &[IntentSpec], least: usize) -> Result<(), Mistake> {
    let mut seen: HashMap<String, &IntentLabel> = HashMap::new();
    for (number, intent) in intents.iter().enumerate() {
        let found = intent.examples.len();
        let groups = intents.iter().any(|other| other.parent.as_ref() == Some(&intent.name));
        if found < least && !(found == 0 && groups) {
            let intent = intent.name.to_string();
            return Err((number, TaxonomyError::TooFewExamples { intent, found }));
        }
        for example in &intent.examples {
            if let Some(first) = seen.insert(example.trim().to_lowercase(), &intent.name) {
                let repeated = TaxonomyError::RepeatedExample {
                    example: example.clone(),
                    first: first.to_string(),
                    second: intent.name.to_string(),
                };
                return Err((number, repeated));
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
        assert!(error(&format!("{a}{}", intent("b", "", 4))).contains("\"b\" has 4 examples"));
        assert!(error(&format!("{a}{}", intent("b", "", 0))).starts_with("line 10: intent \"b\""));
        assert!(error(&format!("{a}{}", intent("b", "sla = \"soon\"", 15))).contains("\"soon\""));
        assert!(
            error(&format!("{a}{}", intent("b", "products = [\" \"]", 15))).contains("product")
        );
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
    fn times_have_a_number_and_a_unit() {
        for time in ["30m", "4h", "1d 12h", "2d 4h 30m"] {
            assert!(is_time(time), "{time}");
        }
        for other in ["", " ", "4", "h", "0h", "4 h", "12h 1d", "-1h", "1.5h", "999999h"] {
            assert!(!is_time(other), "{other}");
        }
    }

    #[test]
    fn a_child_inherits_what_it_leaves_open() {
        let above = "parent = \"a\"\nsla = \"2h\"";
        let text = "[taxonomy]\nname = \"t\"\n".to_owned()
            + &intent("b", above, 5).replace("priority = \"normal\"\n", "")
            + &intent("a", "queue = \"q\"\nsla = \"1d\"\nmay_be_automated = true", 0)
                .replace("\"normal\"", "\"high\"")
            + &intent("c", "", 5);
        let taxonomy = Taxonomy::parse(&text).unwrap();
        let routing = taxonomy.intents()[0].routing();
        assert_eq!(routing.priority, Some(UrgencyLevel::High));
        assert_eq!((routing.queue.as_deref(), routing.sla.as_deref()), (Some("q"), Some("2h")));
        assert!(routing.may_be_automated);
        assert!(!taxonomy.intents()[2].may_be_automated);
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

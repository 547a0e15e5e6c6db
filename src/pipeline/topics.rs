//! Topics that the taxonomy may lack: groups among the messages that the intent head abstained from, by the vectors
//! that are stored with them. Nothing is changed; a support lead reads the groups and writes the taxonomy.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{MessageId, TenantId};
use crate::domain::masking::{MaskedText, Numbering};
use crate::nlp::cluster::{Cluster, clusters};
use crate::nlp::lexical::{is_function_word, terms};
use crate::store::chunk::{self, Abstained};
use crate::store::{self, Store};

/// Characters of an example.
const SHOWN: usize = 240;
/// Words that are suggested.
const WORDS: usize = 6;
/// A word is suggested if this share of a topic's messages has it.
const SHARE: f64 = 0.3;

/// What counts as a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// A message belongs to a topic when it is at least so near to its middle (a cosine, 0 to 1).
    pub threshold: f32,
    /// Messages of the smallest topic.
    pub least: usize,
    /// Examples of each topic.
    pub examples: usize,
    /// The newest messages without an intent that are looked at.
    pub newest: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { threshold: 0.6, least: 5, examples: 3, newest: 5_000 }
    }
}

/// A message of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Which.
    pub message: MessageId,
    /// How it begins, masked (`<EMAIL_1>`), white space as single blanks.
    pub text: String,
}

/// Messages that belong together and have no intent.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// How many.
    pub size: usize,
    /// How near they are to their middle, as a mean (a cosine, 0 to 1).
    pub cohesion: f32,
    /// Words that set them apart, the most telling first.
    pub words: Vec<String>,
    /// Those nearest to the middle.
    pub examples: Vec<Example>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topics {
    /// Messages without an intent that were looked at.
    pub messages: usize,
    /// The largest first.
    pub found: Vec<Topic>,
}

/// Looks for topics among a tenant's messages. The grouping blocks a thread for some seconds at most.
///
/// # Errors
/// Database errors.
pub async fn discover(store: &Store, tenant: &TenantId, o: Options) -> store::Result<Topics> {
    let mut c = store.db.read().await?;
    let messages = chunk::abstained(&mut c, tenant, o.newest).await?;
    drop(c);
    Ok(super::blocking(|| group(&messages, o)))
}

fn group(messages: &[Abstained], o: Options) -> Topics {
    let vectors: Vec<Vec<f32>> = messages.iter().map(vector).collect();
    let all: Vec<BTreeSet<String>> = messages.iter().map(|m| words(&m.text)).collect();
    let topic = |cluster: &Cluster| Topic {
        size: cluster.members.len(),
        cohesion: cluster.cohesion,
        words: key_words(cluster, &all),
        examples: cluster.members.iter().take(o.examples).map(|m| example(&messages[*m])).collect(),
    };
    let found = clusters(&vectors, o.threshold, o.least).iter().map(topic).collect();
    Topics { messages: messages.len(), found }
}

/// One vector a message: the mean of its chunks, of length one.
fn vector(m: &Abstained) -> Vec<f32> {
    let dims = m.vectors.first().map_or(0, Vec::len);
    let mut sum = vec![0.0f32; dims];
    for v in &m.vectors {
        sum.iter_mut().zip(v).for_each(|(s, x)| *s += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::EPSILON);
    sum.into_iter().map(|x| x / length).collect()
}

/// The words of a text that say something, each once.
fn words(stored: &str) -> BTreeSet<String> {
    let telling = |t: &String| t.chars().count() > 2 && !is_function_word(t);
    let text = MaskedText::from_store(stored.to_owned()).as_words();
    terms(&text).into_iter().filter(telling).collect()
}

/// The words that set a group apart: frequent in it and rarer elsewhere.
fn key_words(group: &Cluster, all: &[BTreeSet<String>]) -> Vec<String> {
    let mut everywhere: BTreeMap<&str, usize> = BTreeMap::new();
    for word in all.iter().flatten() {
        *everywhere.entry(word).or_default() += 1;
    }
    let mut inside: BTreeMap<&str, usize> = BTreeMap::new();
    for word in group.members.iter().flat_map(|m| &all[*m]) {
        *inside.entry(word).or_default() += 1;
    }
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    let mut best: Vec<(&str, f64)> = inside
        .into_iter()
        .map(|(word, n)| (word, share(n, group.members.len())))
        .filter(|(_, here)| *here >= SHARE)
        .map(|(word, here)| (word, here - share(everywhere[word], all.len()) / 2.0))
        .collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    best.into_iter().take(WORDS).map(|(w, _)| w.to_owned()).collect()
}

fn example(m: &Abstained) -> Example {
    let text = MaskedText::from_store(m.text.clone()).render(&Numbering::new()).into_string();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Example { message: m.message.clone(), text: text.chars().take(SHOWN).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u128, text: &str, vector: [f32; 3]) -> Abstained {
        let message = MessageId::from_uuid(uuid::Uuid::from_u128(n));
        Abstained { message, text: text.to_owned(), vectors: vec![vector.to_vec()] }
    }

    #[test]
    fn messages_that_belong_together_are_a_topic_with_its_own_words() {
        let mut all: Vec<Abstained> = (0..6)
            .map(|n| {
                message(n, &format!("my battery\n swells, unit {n}"), [1.0, 0.01 * n as f32, 0.0])
            })
            .collect();
        all.push(message(9, "an unrelated battery of questions", [0.0, 0.0, 1.0]));
        let topics = group(&all, Options { examples: 2, ..Options::default() });
        assert_eq!((topics.messages, topics.found.len()), (7, 1));
        let topic = &topics.found[0];
        assert_eq!((topic.size, topic.examples.len()), (6, 2));
        assert!(topic.cohesion > 0.99, "{topic:?}");
        assert_eq!(topic.words[0], "swells", "what others say too counts for less: {topic:?}");
        assert!(topic.examples[0].text.starts_with("my battery swells"), "{topic:?}");
        assert_eq!(group(&[], Options::default()), Topics::default());
    }
}

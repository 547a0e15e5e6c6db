//! Intents for one request: a caller's own labels, each with a few examples, in the place of the
//! service's taxonomy. Only the intents are fitted; the other heads stay as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::intent::IntentHead;
use super::surface::Surface;
use super::taxonomy::{IntentSpec, Taxonomy, TaxonomyError};
use super::trained::Task;
use super::{CacheState, Fitted, Mentions, Triage, TriageError};
use crate::domain::triage::{IntentLabel, UrgencyLevel, Versions};
use crate::nlp::encoder::{Embed, Encoding};

/// Examples that are encoded in one call, so that others' texts come in between.
const TOGETHER: usize = 32;

/// A label of a caller's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLabel {
    /// Its name.
    pub name: IntentLabel,
    /// What it means; read like an example.
    pub description: Option<String>,
    /// What people write who mean it.
    pub examples: Vec<String>,
}

/// A taxonomy of a caller's own labels. Its version is a hash of them.
///
/// # Errors
/// When there are fewer than two, or two of one name, or an example is there twice.
pub fn taxonomy(labels: Vec<OwnLabel>) -> Result<Taxonomy, TaxonomyError> {
    let mut digest = Sha256::new();
    let mut intents = Vec::with_capacity(labels.len());
    for label in labels {
        let OwnLabel { name, description, mut examples } = label;
        let parts = [Some(name.as_str()), description.as_deref()].into_iter().flatten();
        for part in parts.chain(examples.iter().map(String::as_str)) {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update([0xff]);
        let said = |d: &&String| examples.iter().any(|e| e.trim().eq_ignore_ascii_case(d.trim()));
        let more = description.iter().filter(|d| !d.trim().is_empty() && !said(d)).cloned();
        let more: Vec<String> = more.collect();
        examples.extend(more);
        intents.push(IntentSpec {
            name,
            description: description.unwrap_or_default(),
            priority: UrgencyLevel::Normal,
            parent: None,
            queue: None,
            sla: None,
            tone: None,
            may_be_automated: false,
            products: Vec::new(),
            examples,
        });
    }
    Taxonomy::own(intents, format!("own@{}", &hex::encode(digest.finalize())[..12]))
}

impl Triage {
    /// The same heads with the intents of another taxonomy; a trained intent head doesn't go along.
    /// Encodes the taxonomy's examples.
    ///
    /// # Errors
    /// When they can't be fitted.
    pub fn with_taxonomy(
        &self,
        taxonomy: Taxonomy,
        embed: &dyn Embed,
    ) -> Result<Self, TriageError> {
        let texts: Vec<&str> =
            taxonomy.intents().iter().flat_map(|i| &i.examples).map(String::as_str).collect();
        let surfaces: Vec<Surface> =
            texts.iter().map(|text| self.surface.read(text, &[])).collect();
        let encodings: Vec<Encoding> =
            texts.chunks(TOGETHER).flat_map(|texts| embed.embed(texts)).collect();
        let (intent, unseen) = IntentHead::fit(&taxonomy, &surfaces, &encodings)
            .map_err(|source| TriageError::Fit { head: "intent", source })?;
        let mut report = self.fitted.report;
        report.intent = unseen;
        let fitted = Fitted {
            intent,
            sentiment: self.fitted.sentiment.clone(),
            spam: self.fitted.spam.clone(),
            injection: self.fitted.injection.clone(),
            report,
        };
        let trained: BTreeMap<_, _> = self
            .trained
            .iter()
            .filter(|(task, _)| **task != Task::Intent)
            .map(|(task, head)| (*task, head.clone()))
            .collect();
        let versions =
            Versions { taxonomy: taxonomy.version().to_owned(), ..self.versions.clone() };
        Ok(Self {
            mentions: Arc::new(Mentions::new(&taxonomy)?),
            taxonomy: Arc::new(taxonomy),
            fitted: Arc::new(fitted),
            versions,
            cache: Arc::new(CacheState::Off),
            trained,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, examples: &[&str]) -> OwnLabel {
        OwnLabel {
            name: name.parse().unwrap(),
            description: None,
            examples: examples.iter().map(|e| (*e).to_owned()).collect(),
        }
    }

    #[test]
    fn own_labels_are_told_apart_by_their_content() {
        let make = |labels: &[OwnLabel]| taxonomy(labels.to_vec()).map(|t| t.version().to_owned());
        let (a, b) = (label("a", &["one", "two"]), label("b", &["three"]));
        let version = make(&[a.clone(), b.clone()]).unwrap();
        assert!(version.starts_with("own@"), "{version}");
        assert_eq!(make(&[a.clone(), b.clone()]).unwrap(), version);
        assert_ne!(make(&[label("a", &["onetwo"]), b.clone()]).unwrap(), version);
        assert_ne!(make(&[label("a", &["one"]), label("b", &["two", "three"])]).unwrap(), version);
        assert!(make(std::slice::from_ref(&a)).is_err(), "one label leaves nothing to decide");
        assert!(make(&[a.clone(), a.clone()]).is_err());
        assert!(make(&[a, label("b", &["One"])]).is_err(), "an example under two labels");
    }
}

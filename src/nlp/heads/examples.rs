//! The example files of the built-in heads: a TOML table with a list of texts for each label.

use std::collections::BTreeMap;

use super::features::Features;
use super::ridge::{Fit, Ridge, RidgeError, RidgeOptions};
use super::surface::Surface;
use crate::nlp::encoder::Encoding;

/// Texts with the number of their label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examples {
    /// What was written.
    pub texts: Vec<String>,
    /// The label of each text, as its position among the labels asked for.
    pub targets: Vec<usize>,
}

/// What is wrong with an example file.
#[derive(Debug, thiserror::Error)]
pub enum ExamplesError {
    /// Not a TOML table of lists of strings.
    #[error("the examples are not readable")]
    Syntax(#[from] toml::de::Error),
    /// A label that isn't asked for, or one that is missing.
    #[error("the examples have the labels {found:?} and not {wanted:?}")]
    Labels {
        /// Labels of the file.
        found: Vec<String>,
        /// Labels of the head.
        wanted: Vec<String>,
    },
}

impl Examples {
    /// Reads a file that has exactly the given labels.
    ///
    /// # Errors
    /// When the text isn't such a table.
    pub fn parse(text: &str, labels: &[&str]) -> Result<Self, ExamplesError> {
        let mut lists: BTreeMap<String, Vec<String>> = toml::from_str(text)?;
        let mut wanted: Vec<String> = labels.iter().map(ToString::to_string).collect();
        wanted.sort();
        if !lists.keys().eq(&wanted) {
            return Err(ExamplesError::Labels { found: lists.into_keys().collect(), wanted });
        }
        let (mut texts, mut targets) = (Vec::new(), Vec::new());
        for (target, label) in labels.iter().enumerate() {
            let list = lists.remove(*label).unwrap_or_default();
            targets.resize(targets.len() + list.len(), target);
            texts.extend(list);
        }
        Ok(Self { texts, targets })
    }

    /// Fits a head on what is seen of each text.
    ///
    /// # Errors
    /// When the numbers can't be fitted.
    pub(super) fn fit(
        &self,
        surfaces: &[Surface],
        encodings: &[Encoding],
        features: impl Fn(&Surface, &Encoding) -> Features,
        classes: usize,
        options: RidgeOptions,
    ) -> Result<Fit, RidgeError> {
        let rows = surfaces.iter().zip(encodings).map(|(s, e)| features(s, e)).collect();
        Ridge::fit(rows, &self.targets, classes, options)
    }

    /// The share of texts, 0–1, that get their own label from `judge`, which is shown the
    /// probabilities by the fit without them.
    pub(super) fn accuracy(&self, fit: &Fit, judge: impl Fn(&[f32]) -> usize) -> f32 {
        let targets = self.targets.iter().enumerate();
        let right = targets.filter(|(i, target)| judge(fit.unseen.row(*i)) == **target).count();
        right as f32 / self.targets.len() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_the_order_asked_for() {
        let examples = Examples::parse("a = [\"x\"]\nb = [\"y\", \"z\"]", &["b", "a"]).unwrap();
        assert_eq!(examples.texts, ["y", "z", "x"]);
        assert_eq!(examples.targets, [0, 0, 1]);
        assert!(Examples::parse("a = [\"x\"]", &["b", "a"]).is_err());
        assert!(Examples::parse("a = 1", &["a"]).is_err());
    }
}

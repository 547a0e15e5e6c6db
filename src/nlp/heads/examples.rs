//! The example files of the built-in heads: a TOML table with a list of texts for each label.

use std::collections::BTreeMap;

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

//! What is known of a message when it is read.

use std::borrow::Cow;

use crate::domain::triage::Polarity;

/// A message as the heads read it: the rendered visible text, without quotes and signature.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// The subject line, where the channel has one.
    pub subject: Option<&'a str>,
    /// The text.
    pub text: &'a str,
    /// Earlier messages of the thread, the latest last. They settle the language of a short answer.
    pub history: &'a [&'a str],
    /// Sentiment scores of earlier messages of the customer, the latest last; for the trend.
    pub moods: &'a [Polarity],
    /// Whether the writer is a customer who goes first.
    pub vip: bool,
    /// Whether to say which words moved each decision, and where dates stand.
    pub explain: bool,
}

impl<'a> Input<'a> {
    /// A text without subject and history.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { text, ..Self::default() }
    }

    /// What to hand to the encoder: the subject (without "Re:" and the like, and unless the text opens with it)
    /// on a line of its own, then the text.
    #[must_use]
    pub fn encoder_text(&self) -> Cow<'a, str> {
        match self.read_subject() {
            Some(subject) => Cow::Owned(format!("{subject}\n{}", self.text)),
            None => Cow::Borrowed(self.text),
        }
    }

    /// The part of the subject that the encoder reads.
    pub(super) fn read_subject(&self) -> Option<&'a str> {
        self.subject
            .map(bare_subject)
            .filter(|s| !s.is_empty() && !self.text.trim_start().starts_with(s))
    }
}

/// A subject without the marks that replies and forwards put before it, in several languages.
fn bare_subject(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((mark, tail)) = rest.split_once(':') {
        let known = [
            "re", "fwd", "fw", "aw", "wg", "antw", "rv", "tr", "ref", "sv", "vs", "rif", "enc",
            "res",
        ];
        if !known.contains(&mark.trim().to_lowercase().as_str()) {
            break;
        }
        rest = tail.trim_start();
    }
    rest
}

//! What may leave the process, and the form in which it does.

use std::fmt;

use serde::Serialize;

use super::entity::Entity;
use super::numbering::Numbering;
use super::placeholder;
use super::stored::{MaskedText, Segment};

/// Text with numbered placeholders, made only by rendering: fit for a prompt, a page or a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RenderedText(String);

impl RenderedText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for RenderedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl MaskedText {
    /// The form for people and models: `<EMAIL_1>` for what the thread owns, `<EMAIL>` for values
    /// of another thread (which can't be restored), and literal look-alikes escaped.
    pub fn render(&self, numbering: &Numbering) -> RenderedText {
        let mut out = String::with_capacity(self.as_stored().len());
        // Escapes split literal text; put it together first, as brackets may lie on both sides.
        let mut literal = String::new();
        for segment in self.segments() {
            match segment {
                Segment::Literal(text) => literal.push_str(text),
                Segment::Token { entity, id } => {
                    placeholder::push_escaped(&mut out, &literal, numbering.labels());
                    literal.clear();
                    match numbering.placeholder(&id) {
                        Some(p) => out.push_str(&p.to_string()),
                        None => out.push_str(&format!("<{}>", label_of(entity))),
                    }
                }
            }
        }
        placeholder::push_escaped(&mut out, &literal, numbering.labels());
        RenderedText(out)
    }

    /// The form for the encoder and the lexical index: each token is its type in plain words
    /// (`email`, `card`), so that a value's absence says what stood there and nothing more.
    pub fn as_words(&self) -> String {
        let mut out = String::with_capacity(self.as_stored().len());
        for segment in self.segments() {
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Token { entity, .. } => {
                    out.push_str(&label_of(entity).to_ascii_lowercase().replace('_', " "));
                }
            }
        }
        out
    }
}

fn label_of(entity: &str) -> String {
    entity.parse::<Entity>().map_or_else(|_| entity.to_owned(), |e| e.label().to_owned())
}

/// Published knowledge: text that was public before it came here, such as help articles and the
/// product's own prompts. Never a customer's or a reviewer's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PublicText(String);

impl PublicText {
    /// Vouches that `text` is published.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All that may leave the process, besides what a person has countersigned.
#[derive(Debug, Clone, Copy)]
pub enum Outbound<'t> {
    /// A message, a draft or a part of one.
    Masked(&'t MaskedText),
    /// Published knowledge.
    Public(&'t PublicText),
}

impl Outbound<'_> {
    /// The form to send. Published text that looks like a placeholder is escaped as well, so that
    /// a model which quotes it can't name a customer's value.
    pub fn render(&self, numbering: &Numbering) -> RenderedText {
        match self {
            Self::Masked(text) => text.render(numbering),
            Self::Public(text) => {
                let mut out = String::with_capacity(text.0.len());
                placeholder::push_escaped(&mut out, &text.0, numbering.labels());
                RenderedText(out)
            }
        }
    }
}

impl<'t> From<&'t MaskedText> for Outbound<'t> {
    fn from(text: &'t MaskedText) -> Self {
        Self::Masked(text)
    }
}

impl<'t> From<&'t PublicText> for Outbound<'t> {
    fn from(text: &'t PublicText) -> Self {
        Self::Public(text)
    }
}

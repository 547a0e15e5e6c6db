//! What a person wrote now, apart from what stands below it: earlier messages and signatures.
//!
//! Everything later (intent, sentiment, masking, drafting) reads only the visible part, so a wrong cut
//! costs twice: quoted text that stays is answered again, new text that goes is never answered. The
//! rules therefore want more than one sign before they cut, and nothing is lost: every line ends in
//! one of the three parts.
//!
//! HTML and plain text take the same way. A mail client's markup says much about quotes, so HTML is
//! marked by its structure first (`dom`) and flattened to lines after; in plain text the `>` marks do
//! that. Then one pass over the lines (`engine`) finds attribution lines, header blocks, separators
//! and forwards in the languages of `attribution` and `markers`, and `signature` reads the end of
//! what is left.

mod attribution;
mod dom;
mod engine;
mod fold;
mod headers;
mod markers;
mod signature;

use std::fmt;

use crate::nlp::html::{self, HtmlLimits, Line, Mark, Tree};

/// A message in three parts. The lines of each part keep their order; joined, the parts hold every
/// character of the source that is not white space.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// What the sender wrote in this message.
    pub visible: String,
    /// Earlier messages, with their attribution lines.
    pub quoted: String,
    /// Signatures, mobile footers, legal notices.
    pub signature: String,
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Split")
            .field("visible_bytes", &self.visible.len())
            .field("quoted_bytes", &self.quoted.len())
            .field("signature_bytes", &self.signature.len())
            .finish()
    }
}

/// What is known about a message besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// The subject says that the message was forwarded: what follows the first header block is then
    /// what the sender wants to be read.
    pub forwarded: bool,
}

/// Splits plain text.
pub fn split(text: &str) -> Split {
    split_in(text, Context::default())
}

/// Splits plain text about which something is known.
pub fn split_in(text: &str, context: Context) -> Split {
    let lines = text
        .split('\n')
        .map(|line| Line { text: line.trim_end().to_owned(), mark: Mark::None })
        .collect();
    engine::run(lines, context)
}

/// Splits HTML by its structure and then by its text; the parts are plain text.
pub fn split_html(html: &str) -> Split {
    split_html_in(html, &HtmlLimits::default(), Context::default())
}

/// Splits HTML about which something is known.
pub fn split_html_in(html: &str, limits: &HtmlLimits, context: Context) -> Split {
    let tree = Tree::parse(html, limits);
    let marks = dom::marks(&tree);
    engine::run(html::render(&tree, &marks), context)
}

#[cfg(test)]
mod tests;

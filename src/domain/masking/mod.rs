//! What masking means, apart from how personal data is found: which text may leave the process,
//! how a masked value is named, and when its value may come back.
//!
//! Four forms of one message:
//!
//! | form | example | type |
//! |---|---|---|
//! | raw | `Write to anna@example.com` | `&str`, never leaves |
//! | stored | `Write to ⟦EMAIL_ADDRESS:00c0ffee00c0ffee⟧` | [`MaskedText`] |
//! | rendered | `Write to <EMAIL_1>` | [`RenderedText`] |
//! | restored | `Write to anna@example.com` | [`Restored`] |
//!
//! Stored text holds opaque vault ids, so that merging or splitting threads rewrites nothing; the
//! numbers of the rendered form come from the thread's [`Numbering`]. Text that only looks like a
//! token or a placeholder is escaped in both forms (`⟦=⟧`, `<=EMAIL_1>`), so whatever a customer
//! types comes back as typed and never resolves to somebody's value.
//!
//! Finding personal data is `nlp::mask`; keeping the values is the store's vault. Both come in
//! here as functions, so this module needs neither.

mod entity;
mod fake;
mod numbering;
mod operator;
mod placeholder;
mod remask;
mod rendered;
mod restore;
mod stored;
#[cfg(test)]
mod tests;
mod vault;

pub use entity::{Entity, EntityError};
pub use numbering::{Numbering, Placeholder, ValueHash, VaultKey};
pub use operator::{Operator, OperatorError, OperatorKey, Operators, Replaced};
pub use remask::{KeptPlaceholder, Remasked, remask};
pub use rendered::{Outbound, PublicText, RenderedText};
pub use restore::{Refusal, RestorePolicy, Restored, restore};
pub use stored::{Masked, MaskedSpan, MaskedText, Segment, SpanError, UnmaskError};
pub use vault::{Surface, VaultId, VaultIdError};

use std::borrow::Cow;

/// A stretch of raw text that holds personal data of one type.
///
/// Offsets are bytes into the text that was searched and lie on character boundaries.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The type of data.
    pub entity: Entity,
    /// Confidence in 0–1.
    pub score: f32,
    /// Which recognizer found it, for explanations.
    pub recognizer: Cow<'static, str>,
}

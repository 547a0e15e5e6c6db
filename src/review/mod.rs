//! The review queue: what a person signs, and everything a person (or a newer message) can do to
//! an item. This is the only module that makes approvals.

pub mod actions;
pub mod content;
pub mod supersede;

use crate::domain::review::Refused;
use crate::store;

/// Why an action was not done.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is no such review for this tenant.
    #[error("no such review")]
    NotFound,
    /// The state machine says no.
    #[error("{0}")]
    State(#[from] Refused),
    /// What the client saw is no longer what is there.
    #[error("{what}")]
    Changed {
        /// A stable code: `digest_changed`, `revision_changed`, `thread_moved`, `claimed`.
        code: &'static str,
        /// What changed, for people.
        what: String,
    },
    /// The person's role doesn't allow it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The store said no.
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for ReviewError {
    fn from(e: store::Error) -> Self {
        match e {
            store::Error::NotFound("review") => Self::NotFound,
            store::Error::Fenced => Self::Changed {
                code: "revision_changed",
                what: "somebody else changed this review a moment ago".into(),
            },
            // A live approval or a begun send stands in the way.
            e if e.is_unique() || e.is_foreign_key() => Self::Changed {
                code: "already_signed",
                what: "this reply has been signed or is being sent already".into(),
            },
            e => Self::Store(e),
        }
    }
}

impl From<sqlx::Error> for ReviewError {
    fn from(e: sqlx::Error) -> Self {
        store::Error::from(e).into()
    }
}

impl From<serde_json::Error> for ReviewError {
    fn from(e: serde_json::Error) -> Self {
        Self::Store(e.into())
    }
}

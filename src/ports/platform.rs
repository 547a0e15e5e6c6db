//! What tells an inbox platform what was understood of a conversation that lives there: labels, a
//! priority, a private note for its agents. Never a message to the customer.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::domain::masking::RenderedText;

/// Where a platform's API is, and with which account and token; Debug shows the account only.
#[derive(Clone)]
pub struct Access {
    /// The installation's address.
    pub url: String,
    /// The account's number.
    pub account: i64,
    /// The token that acts there.
    pub token: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A note for the platform's agents.
#[derive(Debug, Clone)]
pub struct Note {
    /// What the note is known by: a second one of the same name is not written.
    pub mark: String,
    /// Masked text, and nothing else.
    pub text: RenderedText,
    /// Where the review is.
    pub page: String,
}

/// What is to be told of a conversation. Telling it twice changes nothing more.
#[derive(Debug, Clone, Default)]
pub struct Telling {
    /// The conversation, as the platform numbers it.
    pub conversation: i64,
    /// The number of the message that it is about; what we wrote of it comes after it.
    pub after: i64,
    /// Labels that it should have.
    pub labels: Vec<String>,
    /// Labels that it should lose, of those that we give.
    pub without: Vec<String>,
    /// `low`, `medium`, `high` or `urgent`; a higher one that a person gave stays.
    pub priority: Option<&'static str>,
    /// A note.
    pub note: Option<Note>,
}

/// Why it could not be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTold {
    /// It may work later.
    #[error("{why}")]
    Later {
        /// The platform's wish.
        after: Option<Duration>,
        /// Why, for people.
        why: String,
    },
    /// It will not.
    #[error("{why}")]
    Never {
        /// Why, for people.
        why: String,
    },
}

/// Tells a platform.
pub trait Platform: Send + Sync {
    /// Brings a conversation to what is told.
    ///
    /// # Errors
    /// [`NotTold`]; what was done before the failure stays and is found the next time.
    fn tell<'a>(
        &'a self,
        access: &'a Access,
        telling: &'a Telling,
    ) -> BoxFuture<'a, Result<(), NotTold>>;
}

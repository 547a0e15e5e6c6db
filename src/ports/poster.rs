//! What posts an event to somebody's endpoint. What the answer means is decided by the caller.

use std::time::Duration;

use futures::future::BoxFuture;

/// What came of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// There was an answer.
    Answer {
        /// Its HTTP status.
        status: u16,
        /// What its Retry-After asks for.
        retry_after: Option<Duration>,
    },
    /// There was none.
    Nothing {
        /// Why, for people; none of what was posted and nothing of the URL.
        why: String,
    },
}

/// Posts signed events.
pub trait Poster: Send + Sync {
    /// Posts a body as JSON under a stable id, signed with each of the secrets.
    fn post<'a>(
        &'a self,
        url: &'a str,
        secrets: &'a [String],
        id: &'a str,
        body: String,
    ) -> BoxFuture<'a, Posted>;
}

//! The review state machine. Every change of a review's state goes through [`State::on`], so the
//! table below is the whole truth about what may follow what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::message::UnknownName;

/// Where a review stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReviewState)]
pub enum State {
    /// The knowledge base has no answer: a person writes it or rejects.
    NoMatch,
    /// A draft waits for a person.
    Pending,
    /// Signed; there is no hold, it goes out as soon as a worker takes it.
    Approved,
    /// Signed; it goes out when the hold has run out, until then it can be undone.
    Held,
    /// The send has begun; nothing can void it any more.
    Sending,
    /// The channel gave a receipt.
    Sent,
    /// The channel refused it, or it was given up before anything was sent.
    Failed,
    /// It may or may not have been sent: a person decides, nothing repeats it by itself.
    Unknown,
    /// A person decided against an answer.
    Rejected,
    /// A newer message or an answer from elsewhere made it pointless.
    Superseded,
    /// A person asked for a lead.
    Escalated,
    /// Put away without an answer.
    Filed,
}

/// What happens to a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A person or a policy signs; with `hold` there is time to undo.
    Approve {
        /// Whether a hold period is configured.
        hold: bool,
    },
    /// The text changed: by an edit of the draft or by an answer written by hand.
    Edit {
        /// Whether it had been escalated: then it stays with a lead.
        escalated: bool,
    },
    /// A person takes the signature back during the hold, or it no longer covers what would go out.
    Undo {
        /// Whether it had been escalated: then it goes back to a lead.
        escalated: bool,
    },
    /// A person says no.
    Reject,
    /// A person asks for a lead.
    Escalate,
    /// A person hides it for a while, claims, releases or assigns it.
    Park,
    /// A newer, edited or deleted message, or an answer from elsewhere.
    Supersede,
    /// The worker begins to send.
    Begin,
    /// The channel gave a receipt.
    Receipt,
    /// The channel refused it for good.
    Refuse,
    /// Whether it was sent is not known.
    LoseTrack,
    /// A failure before anything was sent: it will be tried again.
    PutBack,
}

/// A transition that the state machine doesn't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a review that is {} can't take `{event:?}`", state.as_str())]
pub struct Refused {
    /// Where it stands.
    pub state: State,
    /// What was asked.
    pub event: Event,
}

impl State {
    /// Every state.
    pub const ALL: [State; 12] = [
        Self::NoMatch,
        Self::Pending,
        Self::Approved,
        Self::Held,
        Self::Sending,
        Self::Sent,
        Self::Failed,
        Self::Unknown,
        Self::Rejected,
        Self::Superseded,
        Self::Escalated,
        Self::Filed,
    ];

    /// The name used in storage and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMatch => "no_match",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Escalated => "escalated",
            Self::Filed => "filed",
        }
    }

    /// Whether a person still has to decide.
    pub fn awaits_person(self) -> bool {
        matches!(self, Self::NoMatch | Self::Pending | Self::Escalated)
    }

    /// Whether a signature stands that can still be voided.
    pub fn signed(self) -> bool {
        matches!(self, Self::Approved | Self::Held)
    }

    /// The state that follows, or why there is none.
    ///
    /// # Errors
    /// [`Refused`] names the state and the event; the caller answers 409.
    pub fn on(self, event: Event) -> Result<State, Refused> {
        use Event as E;
        use State as S;
        let next = match (self, event) {
            (S::Pending | S::Escalated, E::Approve { hold: true }) => S::Held,
            (S::Pending | S::Escalated, E::Approve { hold: false }) => S::Approved,
            // An edit of a signed text takes the signature back (the caller voids it).
            // What was filed can still be answered by hand.
            (S::Approved | S::Held, E::Edit { escalated: true })
            | (S::Escalated, E::Edit { .. }) => S::Escalated,
            (S::NoMatch | S::Pending | S::Approved | S::Held | S::Filed, E::Edit { .. }) => {
                S::Pending
            }
            (S::Approved | S::Held, E::Undo { escalated: true }) => S::Escalated,
            (S::Approved | S::Held, E::Undo { escalated: false }) => S::Pending,
            (S::NoMatch | S::Pending | S::Escalated, E::Reject) => S::Rejected,
            (S::NoMatch | S::Pending, E::Escalate) => S::Escalated,
            (s @ (S::NoMatch | S::Pending | S::Escalated), E::Park) => s,
            (S::NoMatch | S::Pending | S::Approved | S::Held | S::Escalated, E::Supersede) => {
                S::Superseded
            }
            (S::Approved | S::Held, E::Begin) => S::Sending,
            (S::Sending | S::Unknown, E::Receipt) => S::Sent,
            (S::Sending | S::Unknown | S::Approved | S::Held, E::Refuse) => S::Failed,
            (S::Sending, E::LoseTrack) => S::Unknown,
            (S::Sending, E::PutBack) => S::Sending,
            (state, event) => return Err(Refused { state, event }),
        };
        Ok(next)
    }
}

impl std::str::FromStr for State {
    type Err = UnknownName;
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|x| x.as_str() == s).ok_or_else(|| UnknownName {
            what: "a review state",
            value: s.chars().take(40).collect(),
            expected: "no_match, pending, approved, held, sending, sent, failed, unknown, \
                       rejected, superseded, escalated or filed",
        })
    }
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Works the queue.
    Reviewer,
    /// Works escalated items too.
    Lead,
    /// Runs the installation.
    Admin,
}

impl Role {
    /// The name used in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Lead => "lead",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownName;
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Ok(match s {
            "reviewer" => Self::Reviewer,
            "lead" => Self::Lead,
            "admin" => Self::Admin,
            _ => {
                return Err(UnknownName {
                    what: "a role",
                    value: s.chars().take(40).collect(),
                    expected: "reviewer, lead or admin",
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 15] = [
        Event::Approve { hold: true },
        Event::Approve { hold: false },
        Event::Edit { escalated: false },
        Event::Edit { escalated: true },
        Event::Undo { escalated: false },
        Event::Undo { escalated: true },
        Event::Reject,
        Event::Escalate,
        Event::Park,
        Event::Supersede,
        Event::Begin,
        Event::Receipt,
        Event::Refuse,
        Event::LoseTrack,
        Event::PutBack,
    ];

    #[test]
    fn nothing_leaves_without_a_signature() {
        for s in State::ALL {
            if s.on(Event::Begin).is_ok() {
                assert!(s.signed(), "{s:?} may begin to send");
            }
            for e in EVENTS {
                if matches!(s.on(e), Ok(State::Approved | State::Held)) {
                    assert!(matches!(e, Event::Approve { .. }), "{s:?} {e:?}");
                }
                if matches!(s.on(e), Ok(State::Sending)) {
                    assert!(s.signed() || s == State::Sending, "{s:?} {e:?}");
                }
            }
        }
    }

    #[test]
    fn what_has_begun_can_not_be_taken_back() {
        for e in [
            Event::Edit { escalated: false },
            Event::Undo { escalated: false },
            Event::Reject,
            Event::Supersede,
        ] {
            for s in [State::Sending, State::Sent, State::Unknown, State::Failed] {
                assert_eq!(s.on(e), Err(Refused { state: s, event: e }));
            }
        }
    }

    #[test]
    fn ends_are_ends() {
        for s in [State::Sent, State::Rejected, State::Superseded, State::Failed] {
            for e in EVENTS {
                assert!(s.on(e).is_err(), "{s:?} {e:?}");
            }
        }
    }

    #[test]
    fn names_read_back() {
        for s in State::ALL {
            assert_eq!(s.as_str().parse::<State>().ok(), Some(s));
        }
        assert!("Pending".parse::<State>().is_err());
    }
}

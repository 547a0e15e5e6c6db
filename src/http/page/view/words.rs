//! The closed vocabularies of the page (states, channels, verdicts, …), each word with its label.
//!
//! Templates never spell a label and never match on a string that no type guards: every enum here
//! is serialised as `{"key": …, "label": …}`, the key for class names and form values, the label
//! for people. A new state therefore can't reach the page without a word for it.

/// Declares an enum whose variants each have a stable key and a label for people.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident: $key:literal, $label:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable key: class names, form values, query parameters.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }

            /// The word shown to people.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The variant with this key, if there is one.
            pub fn from_key(key: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.key() == key)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let mut word = serializer.serialize_struct(stringify!($name), 2)?;
                word.serialize_field("key", self.key())?;
                word.serialize_field("label", self.label())?;
                word.end()
            }
        }
    };
}

words! {
    /// Part of the product that a page belongs to; marks the navigation.
    Section {
        Queue: "queue", "Reviews";
        Outbox: "outbox", "Outbox";
        Knowledge: "knowledge", "Knowledge";
        Learning: "learning", "Learning";
    }
}

words! {
    /// What a head decides.
    Task {
        Intent: "intent", "Intent";
        Sentiment: "sentiment", "Mood";
        Urgency: "urgency", "Urgency";
        Spam: "spam", "Spam";
        Injection: "injection", "Orders to the model";
    }
}

words! {
    /// A tab of the queue; `key` is the value of the `tab` query parameter.
    QueueTab {
        /// `pending`, `no_match` and `escalated`.
        Review: "review", "To review";
        /// `approved`, `held` and `sending`.
        Held: "held", "Approved & held";
        Sent: "sent", "Sent";
        /// `failed` and `unknown`: sends that need a person.
        Trouble: "trouble", "Failed & unknown";
        /// `filed`, `rejected`, `superseded` and `snoozed`.
        Filed: "filed", "Filed";
        All: "all", "All";
    }
}

words! {
    /// Where a review or one of its sends stands.
    State {
        Pending: "pending", "To review";
        NoMatch: "no_match", "No match";
        Approved: "approved", "Approved";
        Held: "held", "Held";
        Sending: "sending", "Sending";
        Sent: "sent", "Sent";
        Failed: "failed", "Failed";
        Unknown: "unknown", "Unknown";
        Snoozed: "snoozed", "Snoozed";
        Rejected: "rejected", "Rejected";
        Superseded: "superseded", "Superseded";
        Escalated: "escalated", "Escalated";
        Filed: "filed", "Filed";
    }
}

words! {
    /// The channel a message came in by, and the reply leaves by.
    Channel {
        Email: "email", "E-mail";
        Sms: "sms", "SMS";
        Whatsapp: "whatsapp", "WhatsApp";
        Messenger: "messenger", "Messenger";
        Chat: "chat", "Chat";
        Webhook: "webhook", "Webhook";
        Sandbox: "sandbox", "Sandbox";
    }
}

words! {
    /// How the customer sounds; shown as a shape and a word, never as a colour alone.
    Sentiment {
        VeryNegative: "very_negative", "Very negative";
        Negative: "negative", "Negative";
        Neutral: "neutral", "Neutral";
        Positive: "positive", "Positive";
        VeryPositive: "very_positive", "Very positive";
    }
}

words! {
    /// How soon somebody has to look.
    Urgency {
        Low: "low", "Low";
        Normal: "normal", "Normal";
        High: "high", "High";
        Critical: "critical", "Critical";
    }
}

words! {
    /// What kind of unwanted message it is, if it is.
    Spam {
        Ham: "ham", "Not spam";
        Spam: "spam", "Spam";
        Phishing: "phishing", "Phishing";
        Abuse: "abuse", "Abuse";
    }
}

words! {
    /// Why a message or a draft asks for a closer look.
    FlagKind {
        Injection: "injection", "Injection";
        Spam: "spam", "Spam";
        NewSender: "new_sender", "New sender";
        Superseded: "superseded", "Superseded";
        /// The reply address is not the address the message came from.
        ReplyTo: "reply_to", "Other reply address";
        Attachment: "attachment", "Attachment";
        /// A sentence of the draft isn't supported by its passages.
        Ungrounded: "ungrounded", "Ungrounded";
        Other: "other", "Note";
    }
}

words! {
    /// What grounding says of one sentence of a draft.
    Verdict {
        Supported: "supported", "Supported";
        Inferred: "inferred", "Inferred";
        Unsupported: "unsupported", "Not in the evidence";
        Contradicted: "contradicted", "Contradicted";
    }
}

words! {
    /// Why a reviewer turned a draft down; `key` is the form's `reason`.
    RejectReason {
        Wrong: "wrong", "Wrong or not in the evidence";
        Incomplete: "incomplete", "Doesn't answer everything";
        Tone: "tone", "Wrong tone or language";
        Unsafe: "unsafe", "Says or promises what it must not";
        NoReply: "no_reply", "No reply needed";
        Other: "other", "Something else";
    }
}

words! {
    /// The line by which a recipient receives the reply.
    RecipientRole {
        To: "to", "To";
        Cc: "cc", "Cc";
        Bcc: "bcc", "Bcc";
    }
}

words! {
    /// What a notice at the top of a page is about.
    NoticeKind {
        Done: "done", "Done";
        Info: "info", "Note";
        /// The review moved on while the form was open (409).
        Conflict: "conflict", "Changed meanwhile";
        Error: "error", "Error";
    }
}

words! {
    /// What a piece of rendered text is.
    SegmentKind {
        Text: "text", "Text";
        /// A masked value such as `<EMAIL_1>`.
        Placeholder: "placeholder", "Masked value";
        /// Characters that a browser would obey instead of showing.
        Hidden: "hidden", "Hidden character";
    }
}

words! {
    /// A source of passages.
    PassageKind {
        Article: "article", "Knowledge";
        PastReply: "past_reply", "Past reply";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_lead_back_to_their_word() {
        for state in State::ALL {
            assert_eq!(State::from_key(state.key()), Some(*state));
        }
        assert_eq!(State::from_key("sent "), None);
        assert_eq!(QueueTab::from_key("trouble"), Some(QueueTab::Trouble));
    }

    #[test]
    fn a_word_is_serialised_as_key_and_label() {
        let json = serde_json::to_value(State::NoMatch).unwrap();
        assert_eq!(json, serde_json::json!({"key": "no_match", "label": "No match"}));
    }
}

//! How messages of an inbox platform that numbers conversations and messages are known to us.

/// A message: `conversation:message`.
#[must_use]
pub fn external_id(conversation: i64, message: i64) -> String {
    format!("{conversation}:{message}")
}

/// The conversation and the message of such an id.
#[must_use]
pub fn numbers(external_id: &str) -> Option<(i64, i64)> {
    let (conversation, message) = external_id.split_once(':')?;
    Some((conversation.parse().ok()?, message.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_both_numbers() {
        assert_eq!(numbers(&external_id(21, 7)), Some((21, 7)));
        assert_eq!(numbers("evt-7"), None);
        assert_eq!(numbers("21:x"), None);
    }
}

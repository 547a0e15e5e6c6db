//! Passwords in addresses of services: `postgres://user:password@host/db`. Web addresses are masked as
//! a whole; these are of every scheme, and their hosts may be names of one label.

use std::ops::Range;

use super::super::context::floor;

/// Longest user and password that are read, in bytes.
const MAX_USER: usize = 128;

/// The passwords between `scheme://user:` and `@`.
pub(super) fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(at, sign)| {
        let scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let named = text[..at].bytes().next_back().is_some_and(|b| scheme(&b));
        let from = at + sign.len();
        let near = &text[from..floor(text, (from + 2 * MAX_USER).min(text.len()))];
        let stops = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>' | '`');
        let authority = near.split(stops).next().unwrap_or_default();
        // A password may hold an `@`; the host doesn't.
        let (user, host) = authority.rsplit_once('@')?;
        let (name, password) = user.split_once(':')?;
        let hidden = password.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.'))
            || password.starts_with(['<', '{', '$', '[', '%'])
            || password.starts_with('⟦');
        let start = from + name.len() + 1;
        (named && !host.is_empty() && !hidden && password.len() <= MAX_USER)
            .then_some(start..start + password.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_stands_between_user_and_host() {
        let found = |text: &'static str| -> Vec<&str> {
            passwords(text).map(|range| &text[range]).collect()
        };
        assert_eq!(found("DB=postgres://user:pa55@localhost/db"), ["pa55"]);
        assert_eq!(found("redis://:s3cret@cache:6379 amqp://a:b@c:d@mq"), ["s3cret", "b@c:d"]);
        for text in [
            "postgres://localhost/db",
            "postgres://user@localhost",
            "postgres://user:****@localhost",
            "postgres://user:${PASS}@localhost",
            "see https://x.org/a:b@c",
            "://a:b@c",
            "a://b: c@d",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}

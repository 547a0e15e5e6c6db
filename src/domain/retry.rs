//! When to try again: how long a peer asks us to wait, how long we wait on our own account, and when to stop asking
//! for a while. Everything here is arithmetic; the clock and the random number are arguments.

use std::time::Duration;

use super::ids::Micros;

/// Longest wait that a peer may ask for. Beyond it the work is better parked than slept on.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How much longer than computed a pause may be, so that a crowd does not come back at once. Jitter only adds: a
/// shorter pause would break what the peer asked for.
const JITTER: f64 = 0.2;

/// Reads the value of a Retry-After header (RFC 9110, section 10.2.3): seconds, or an HTTP date in any of its three
/// forms. Fractions of a second are accepted and rounded up, dates in the past mean now, and what is longer than
/// [`MAX_RETRY_AFTER`] is cut to it. None for anything else; never panics.
#[must_use]
pub fn retry_after(value: &str, now: Micros) -> Option<Duration> {
    let value = value.trim();
    if let Some(wait) = seconds(value) {
        return Some(wait);
    }
    let wait = http_date(value)?.since(now);
    Some(wait.min(MAX_RETRY_AFTER))
}

/// A plain decimal number. Signs, exponents, `inf` and `nan`, which Rust's own parser takes, are none.
fn seconds(value: &str) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // A number too long for u64 is longer than any cap.
    let seconds = whole.parse::<u64>().unwrap_or(u64::MAX);
    let round_up = u64::from(fraction.bytes().any(|b| b != b'0'));
    Some(Duration::from_secs(seconds.saturating_add(round_up)).min(MAX_RETRY_AFTER))
}

/// IMF-fixdate, RFC 850 date, asctime date (RFC 9110, section 5.6.7), all in GMT.
fn http_date(value: &str) -> Option<Micros> {
    const FORMS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    // Longer is no date; the parser need not see it.
    if value.len() > 64 {
        return None;
    }
    let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    let time = FORMS.iter().find_map(|form| jiff::civil::DateTime::strptime(form, value).ok())?;
    i64::try_from(time.duration_since(epoch).as_micros()).ok().map(Micros)
}

/// Pauses that double: 1 s, 2 s, 4 s … up to a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    cap: Duration,
}

impl Backoff {
    /// Pauses of at most `cap` before jitter, unless the peer asks for more.
    #[must_use]
    pub fn new(cap: Duration) -> Self {
        Self { cap }
    }

    /// How long to wait after failure number `attempt` (from 0): the greater of what the peer asked for and
    /// `2^attempt` seconds, lengthened by up to 20 %. `jitter01` is a number in 0–1; anything else counts as the
    /// nearer of the two, NaN as 0.
    #[must_use]
    pub fn delay(&self, attempt: u32, retry_after: Option<Duration>, jitter01: f64) -> Duration {
        let own = Duration::from_secs(1u64.checked_shl(attempt).unwrap_or(u64::MAX)).min(self.cap);
        let base = own.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        let share = if jitter01.is_nan() { 0.0 } else { jitter01.clamp(0.0, 1.0) };
        base.saturating_add(base.mul_f64(JITTER * share))
    }
}

/// Stops asking a peer that keeps failing, and lets one question through now and then to see whether it is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    threshold: u32,
    cool_down: Duration,
    failures: u32,
    open_until: Option<Micros>,
    rest_until: Option<Micros>,
}

impl Circuit {
    /// Opens after `threshold` failures in a row, for `cool_down`.
    #[must_use]
    pub fn new(threshold: u32, cool_down: Duration) -> Self {
        Self {
            threshold: threshold.max(1),
            cool_down,
            failures: 0,
            open_until: None,
            rest_until: None,
        }
    }

    /// Whether to ask now; if not, how long to leave the peer alone. After the cool-down one caller is let through
    /// and the next cool-down begins, until that caller reports a success.
    ///
    /// # Errors
    /// The time that is left of the cool-down.
    pub fn admit(&mut self, now: Micros) -> Result<(), Duration> {
        match self.open_until {
            Some(until) if until > now => Err(until.since(now)),
            Some(_) => {
                self.open_until = Some(now.plus(self.cool_down));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The peer is alive and asked for a pause: nobody should ask before it is over.
    pub fn rest(&mut self, until: Micros) {
        self.rest_until = self.rest_until.max(Some(until));
    }

    /// What is left of a pause that the peer asked for.
    #[must_use]
    pub fn resting(&self, now: Micros) -> Option<Duration> {
        self.rest_until.filter(|until| *until > now).map(|until| until.since(now))
    }

    /// The peer answered, whatever it said.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.open_until = None;
    }

    /// The peer did not answer, or answered that it can't.
    pub fn failed(&mut self, now: Micros) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.threshold {
            self.open_until = Some(now.plus(self.cool_down));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Micros = Micros(784_111_777_000_000); // Sun, 06 Nov 1994 08:49:37 GMT

    #[test]
    fn seconds_and_dates_are_read() {
        let wait = |v| retry_after(v, NOW).map(|d| d.as_secs());
        assert_eq!(wait("5"), Some(5));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("1.2"), Some(2));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:07 GMT"), Some(30));
        assert_eq!(wait("Sun Nov  6 08:50:07 1994"), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT"), Some(86_400));
        assert_eq!(wait("99999999999999999999999999"), Some(86_400));
        for garbage in [
            "",
            "-1",
            "+5",
            "inf",
            "NaN",
            "1e18",
            "soon",
            "1.2.3",
            ".",
            "5 s",
            "0x10",
            "Sun, 99 Nov 1994",
        ] {
            assert_eq!(wait(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn the_circuit_opens_probes_and_closes() {
        let mut c = Circuit::new(2, Duration::from_secs(10));
        c.failed(NOW);
        assert_eq!(c.admit(NOW), Ok(()));
        c.failed(NOW);
        assert_eq!(c.admit(NOW.plus(Duration::from_secs(4))), Err(Duration::from_secs(6)));
        let later = NOW.plus(Duration::from_secs(10));
        assert_eq!(c.admit(later), Ok(()));
        assert!(c.admit(later).is_err(), "one probe at a time");
        c.rest(NOW.plus(Duration::from_secs(5)));
        c.rest(NOW.plus(Duration::from_secs(2)));
        let at = |s| NOW.plus(Duration::from_secs(s));
        assert_eq!(c.resting(at(3)), Some(Duration::from_secs(2)));
        assert_eq!(c.resting(at(5)), None);
        c.succeeded();
        assert_eq!(c.admit(later), Ok(()));
    }

    proptest! {
        #[test]
        fn parsing_is_total_and_capped(value in "\\PC{0,80}|[0-9.eE+-]{0,40}|[A-Z][a-z]{2}, [0-9]{1,4} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{0,9} GMT", now: i64) {
            prop_assert!(retry_after(&value, Micros(now)).is_none_or(|d| d <= MAX_RETRY_AFTER));
        }

        #[test]
        fn delays_grow_and_jitter_only_adds(attempt: u32, asked in prop::option::of(0u64..u64::MAX), cap in 0u64..100_000, jitter: f64) {
            let cap = Duration::from_secs(cap);
            let asked = asked.map(Duration::from_secs);
            let backoff = Backoff::new(cap);
            let plain = backoff.delay(attempt, asked, 0.0);
            let delay = backoff.delay(attempt, asked, jitter);
            prop_assert!(plain >= asked.unwrap_or_default().min(MAX_RETRY_AFTER));
            prop_assert!(plain <= cap.max(asked.unwrap_or_default().min(MAX_RETRY_AFTER)));
            prop_assert!(delay >= plain && delay <= plain.mul_f64(1.2) + Duration::from_nanos(1_000));
            prop_assert!(backoff.delay(attempt.saturating_add(1), asked, 0.0) >= plain);
        }
    }
}

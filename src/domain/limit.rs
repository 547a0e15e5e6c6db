//! How much an API key may do: a rate with a burst, and a quota for a day or a month.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::ids::Micros;

/// Text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Not a rate.
    #[error("`{0}` is not a rate: expected NUMBER/s, NUMBER/min or NUMBER/h, as 50/s")]
    Rate(String),
    /// Not a quota.
    #[error("`{0}` is not a quota: expected NUMBER/day or NUMBER/month, as 100000/day")]
    Quota(String),
}

/// So many units in a time, at an even pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Rate {
    /// Units in [`Rate::per`].
    #[must_use]
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The time in which they may come.
    #[must_use]
    pub fn per(self) -> Duration {
        Duration::from_secs(match self.per {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
        })
    }
}

impl FromStr for Rate {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let bad = || LimitError::Rate(text.chars().take(40).collect());
        let (count, per) = text.trim().split_once('/').ok_or_else(bad)?;
        let per = match per.trim() {
            "s" => Per::Second,
            "min" => Per::Minute,
            "h" => Per::Hour,
            _ => return Err(bad()),
        };
        Ok(Self { count: count.trim().parse().map_err(|_| bad())?, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "s",
            Per::Minute => "min",
            Per::Hour => "h",
        };
        write!(f, "{}/{per}", self.count)
    }
}

/// When counting begins anew, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// At midnight.
    Day,
    /// At midnight before the first.
    Month,
}

impl Period {
    /// The period that a time lies in: `2026-11-22` or `2026-11`.
    #[must_use]
    pub fn name(self, now: Micros) -> String {
        let length = match self {
            Self::Day => 10,
            Self::Month => 7,
        };
        now.rfc3339().chars().take(length).collect()
    }

    /// How long until the next one begins.
    #[must_use]
    pub fn left(self, now: Micros) -> Duration {
        const DAY: i64 = 86_400_000_000;
        let midnight = Micros(now.0 - now.0.rem_euclid(DAY) + DAY);
        let mut next = midnight;
        // At most 31 steps: the calendar's rules stand in one place, which is not here.
        while self == Self::Month && self.name(next) == self.name(now) {
            next = Micros(next.0 + DAY);
        }
        Duration::from_micros(next.0.abs_diff(now.0))
    }

    /// The longest that one takes.
    #[must_use]
    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Day => 86_400,
            Self::Month => 31 * 86_400,
        })
    }
}

/// So many units in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Units.
    pub units: u32,
    /// In this time.
    pub period: Period,
}

impl FromStr for Quota {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let bad = || LimitError::Quota(text.chars().take(40).collect());
        let (units, period) = text.trim().split_once('/').ok_or_else(bad)?;
        let period = match period.trim() {
            "day" => Period::Day,
            "month" => Period::Month,
            _ => return Err(bad()),
        };
        Ok(Self { units: units.trim().parse().map_err(|_| bad())?, period })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period {
            Period::Day => "day",
            Period::Month => "month",
        };
        write!(f, "{}/{period}", self.units)
    }
}

/// What one key may do; what it doesn't say is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct KeyLimits {
    /// The pace.
    pub rate: Option<Rate>,
    /// Units that may come at once; what a second's pace brings if it isn't given.
    pub burst: Option<NonZeroU32>,
    /// In a day or month.
    pub quota: Option<Quota>,
}

impl KeyLimits {
    /// These, and the usual ones where they say nothing. A key with a rate of its own has no use for
    /// the usual burst.
    #[must_use]
    pub fn over(self, usual: Self) -> Self {
        let burst = match self.rate {
            Some(_) => self.burst,
            None => self.burst.or(usual.burst),
        };
        Self { rate: self.rate.or(usual.rate), burst, quota: self.quota.or(usual.quota) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_as_they_are_written() {
        for text in ["50/s", "600/min", "1/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["100000/day", "0/month"] {
            assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
        }
        assert_eq!(" 600 / min ".parse::<Rate>().unwrap().per(), Duration::from_secs(60));
        for bad in ["", "50", "0/s", "-1/s", "50/day", "x/s", "5000000000/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        for bad in ["", "50", "50/s", "x/day", "-1/day"] {
            assert!(bad.parse::<Quota>().is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_begin_anew_at_midnight_and_on_the_first() {
        let at = |s: &str| Micros::parse(s).unwrap();
        let evening = at("2026-02-27T22:00:00Z");
        assert_eq!(Period::Day.name(evening), "2026-02-27");
        assert_eq!(Period::Day.left(evening), Duration::from_secs(2 * 3600));
        assert_eq!(Period::Month.name(evening), "2026-02");
        assert_eq!(Period::Month.left(evening), Duration::from_secs(26 * 3600));
        let last = at("2026-12-31T23:59:59Z");
        assert_eq!(Period::Month.left(last), Duration::from_secs(1));
    }

    #[test]
    fn a_key_has_its_own_limits_and_the_usual_ones_else() {
        let rate = |s: &str| s.parse::<Rate>().ok();
        let usual = KeyLimits { rate: rate("10/s"), burst: NonZeroU32::new(20), quota: None };
        assert_eq!(KeyLimits::default().over(usual), usual);
        let own = KeyLimits { rate: rate("50/s"), ..KeyLimits::default() };
        assert_eq!(own.over(usual), own, "not the usual burst of another rate");
        let burst = KeyLimits { burst: NonZeroU32::new(5), ..KeyLimits::default() };
        assert_eq!(burst.over(usual), KeyLimits { burst: NonZeroU32::new(5), ..usual });
    }
}

//! The forms dates and times are written in: ISO 8601, day and month in either order, names of
//! months in eleven languages.

use super::words::MONTHS;

/// What a date says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Day, month and year.
    Full,
    DayMonth,
    MonthYear,
    /// Two numbers with a slash or hyphen, `5/21`: a fraction as well.
    Two,
    /// Eight digits without signs.
    Compact,
}

/// A date and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) end: usize,
    pub(super) kind: Kind,
}

impl Date {
    fn new(end: usize, kind: Kind) -> Option<Self> {
        Some(Self { end, kind })
    }
}

/// The date that begins at byte `at`; the longest reading.
pub(super) fn date_at(text: &str, at: usize) -> Option<Date> {
    let rest = text.get(at..)?;
    match rest.bytes().next()? {
        b'0'..=b'9' => numeric(text, at).or_else(|| day_first(text, at)),
        _ => month_first(text, at),
    }
}

/// Up to nine digits at `at`: how many, and their value.
fn number(text: &str, at: usize) -> Option<(usize, u32)> {
    let rest = text.get(at..)?;
    let len = rest.bytes().take(9).take_while(u8::is_ascii_digit).count();
    Some((len, rest[..len].parse().ok()?))
}

fn is_day(n: u32) -> bool {
    (1..=31).contains(&n)
}

fn is_month(n: u32) -> bool {
    (1..=12).contains(&n)
}

fn is_year(len: usize, n: u32) -> bool {
    len == 4 && (1800..2200).contains(&n)
}

/// `2024-05-21`, `21.5.2021`, `5/21/21`, `05-2024`, `5/21`, `20240521`.
fn numeric(text: &str, at: usize) -> Option<Date> {
    let bytes = text.as_bytes();
    let (l1, n1) = number(text, at)?;
    let p1 = at + l1;
    if l1 == 8 {
        return is_compact(&text[at..p1]).then_some(Date { end: p1, kind: Kind::Compact });
    }
    if l1 > 4 {
        return None;
    }
    if let Some(end) = east_asian(text, p1, l1, n1) {
        return Date::new(end, Kind::Full);
    }
    let sign = *bytes.get(p1).filter(|b| matches!(b, b'-' | b'.' | b'/'))?;
    // `12. 5. 2024` has spaces behind its full stops.
    let gap = usize::from(sign == b'.' && bytes.get(p1 + 1) == Some(&b' '));
    let (l2, n2) = number(text, p1 + 1 + gap)?;
    let p2 = p1 + 1 + gap + l2;
    if l2 <= 2 && bytes.get(p2) == Some(&sign) && (gap == 0 || bytes.get(p2 + 1) == Some(&b' ')) {
        let (l3, n3) = number(text, p2 + 1 + gap).unwrap_or_default();
        let day_and_month = is_day(n1) && is_month(n2) || is_month(n1) && is_day(n2);
        let full = is_year(l1, n1) && is_month(n2) && l3 <= 2 && is_day(n3)
            || l1 <= 2 && day_and_month && (is_year(l3, n3) || l3 == 2);
        if full {
            return Date::new(p2 + 1 + gap + l3, Kind::Full);
        }
        if l3 > 0 {
            return None;
        }
        // `12.5.` and nothing behind.
        return (sign == b'.' && is_day(n1) && is_month(n2) && l1 <= 2)
            .then_some(Date { end: p2 + 1, kind: Kind::Two });
    }
    if gap > 0 {
        return None;
    }
    let month_and_year = l1 <= 2 && is_month(n1) && is_year(l2, n2)
        || is_year(l1, n1) && l2 == 2 && is_month(n2) && sign != b'.';
    let day_and_month = l1 <= 2
        && l2 <= 2
        && sign == b'/'
        && (is_day(n1) && is_month(n2) || is_month(n1) && is_day(n2));
    (month_and_year || day_and_month).then_some(Date { end: p2, kind: Kind::Two })
}

/// `2024年5月21日`, `2024년 5월 21일`.
fn east_asian(text: &str, at: usize, len: usize, year: u32) -> Option<usize> {
    let rest = text.get(at..)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '年' | '년'))?;
    let space = |at: usize| at + usize::from(text[at..].starts_with(' '));
    let month_at = space(at + mark.len_utf8());
    let (l2, n2) = number(text, month_at)?;
    let month = text[month_at + l2..].chars().next().filter(|c| matches!(c, '月' | '월'))?;
    let day_at = space(month_at + l2 + month.len_utf8());
    let (l3, n3) = number(text, day_at)?;
    let day = text[day_at + l3..].chars().next().filter(|c| matches!(c, '日' | '일'))?;
    (is_year(len, year) && is_month(n2) && is_day(n3)).then_some(day_at + l3 + day.len_utf8())
}

/// Eight digits as year, month, day in one of the usual orders.
fn is_compact(digits: &str) -> bool {
    let n = |r: std::ops::Range<usize>| digits[r].parse::<u32>().unwrap_or_default();
    let year = |n: u32| (1900..2100).contains(&n);
    let pair = |d: u32, m: u32| is_day(d) && is_month(m);
    year(n(0..4)) && pair(n(6..8), n(4..6))
        || year(n(4..8)) && (pair(n(0..2), n(2..4)) || pair(n(2..4), n(0..2)))
}

/// The name of a month at `at`: where it ends.
fn month(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let len: usize =
        rest.chars().take(13).take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    if len < 3 || rest[len..].starts_with(char::is_alphanumeric) {
        return None;
    }
    MONTHS.contains(&rest[..len].to_lowercase()).then_some(at + len)
}

/// Skips the first of `words` that stands at `at`.
fn skip(text: &str, at: usize, words: &[&str]) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let has = |w: &&&str| rest.get(..w.len()).is_some_and(|head| head.eq_ignore_ascii_case(w));
    at + words.iter().find(has).map_or(0, |w| w.len())
}

/// `21 May 2024`, `21st of May, 2024`, `5-MAY-2021`, `21. Mai`, `21 de mayo de 2024`.
fn day_first(text: &str, at: usize) -> Option<Date> {
    let (len, _) = number(text, at).filter(|&(len, n)| len <= 2 && is_day(n))?;
    let mut p = skip(text, at + len, &["st", "nd", "rd", "th", "er", ":e", "º", "ª", "°"]);
    p = skip(text, p, &[".", ","]);
    let tight = skip(text, p, &["-", "/"]);
    if tight == p {
        p = skip(text, skip(text, p, &[" "]), &[" ", "day of "]);
        p = skip(text, p, &["of ", "de ", "d'", "del ", "di ", "do "]);
    } else {
        p = tight;
    }
    let month_end = month(text, p)?;
    Date::new(month_end, Kind::DayMonth).map(|d| with_year(text, d))
}

/// `May 21, 2024`, `May 21st`, `May 2024`, `May-21`.
fn month_first(text: &str, at: usize) -> Option<Date> {
    let end = month(text, at)?;
    if text[end..].starts_with('-') {
        let (len, n) = number(text, end + 1)?;
        return (len == 2 || is_year(len, n))
            .then_some(Date { end: end + 1 + len, kind: Kind::MonthYear });
    }
    let p = skip(text, skip(text, end, &["."]), &[" the ", " of ", " de ", " del ", " do ", " "]);
    if p == end {
        return None;
    }
    let (len, n) = number(text, p)?;
    if is_year(len, n) {
        return Date::new(p + len, Kind::MonthYear);
    }
    if len > 2 || !is_day(n) {
        return None;
    }
    let p = skip(text, p + len, &["st", "nd", "rd", "th"]);
    Date::new(p, Kind::DayMonth).map(|d| with_year(text, d))
}

/// Takes a year behind a day and month in.
fn with_year(text: &str, date: Date) -> Date {
    let tight = skip(text, date.end, &["-", "/"]);
    let mut p = skip(text, skip(text, date.end, &["."]), &[","]);
    p = if tight > date.end {
        tight
    } else {
        skip(text, p, &[" of ", " de ", " del ", " do ", " ", "'", "’"])
    };
    let short = text.get(..p).is_some_and(|t| t.ends_with(['\'', '’']));
    match number(text, p) {
        Some((len, n))
            if p > date.end && (is_year(len, n) || len == 2 && (short || tight > date.end)) =>
        {
            Date { end: p + len, kind: Kind::Full }
        }
        _ => date,
    }
}

/// The time of day at `at`: where it ends, and whether it says more than two numbers with a colon.
pub(super) fn time_at(text: &str, at: usize) -> Option<(usize, bool)> {
    let (l1, hour) = number(text, at).filter(|&(len, n)| len <= 2 && n < 25)?;
    let mut end = at + l1;
    let mut minutes = false;
    if text[end..].starts_with([':', '.', 'h'])
        && let Some((2, minute)) = number(text, end + 1)
        && minute < 60
    {
        minutes = text[end..].starts_with(':');
        end += 3;
        if text[end..].starts_with(':')
            && let Some((2, second)) = number(text, end + 1)
            && second < 61
        {
            end += 3;
            if text[end..].starts_with(['.', ','])
                && let Some((digits, _)) = number(text, end + 1)
            {
                end += 1 + digits;
            }
        }
    }
    let space = skip(text, end, &[" "]);
    let half = skip(text, space, &["a.m.", "p.m.", "am", "pm", "uhr"]);
    if half > space && hour > 0 && !text[half..].starts_with(char::is_alphanumeric) {
        return Some((half, true));
    }
    if !minutes {
        return None;
    }
    Some((with_zone(text, end), true))
}

/// Takes `Z`, `+02:00` or the name of a zone in.
fn with_zone(text: &str, at: usize) -> usize {
    if text[at..].starts_with(['Z', 'z']) && !text[at + 1..].starts_with(char::is_alphanumeric) {
        return at + 1;
    }
    if text[at..].starts_with(['+', '-'])
        && let Some((len, _)) = number(text, at + 1).filter(|&(len, _)| len == 2 || len == 4)
    {
        let end = at + 1 + len;
        return match number(text, end + 1) {
            Some((2, _)) if len == 2 && text[end..].starts_with(':') => end + 3,
            _ => end,
        };
    }
    let named = skip(text, at, &[" UTC", " GMT", " CET", " CEST", " EST", " EDT", " PST", " PDT"]);
    if text[named..].starts_with(char::is_alphanumeric) { at } else { named }
}

/// Takes a time behind a date in.
pub(super) fn with_time(text: &str, end: usize) -> usize {
    let p = skip(text, end, &[" at ", " um ", " à ", " a las ", " alle ", ", ", "T", " "]);
    if p == end {
        return end;
    }
    time_at(text, p).map_or(end, |(end, _)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_dates() {
        for (text, kind) in [
            ("2024-05-21", Kind::Full),
            ("21.5.2021", Kind::Full),
            ("5/21/21", Kind::Full),
            ("12. 5. 2024", Kind::Full),
            ("5-MAY-2021", Kind::Full),
            ("21st of May, 2024", Kind::Full),
            ("May 21, 2024", Kind::Full),
            ("21. Mai 2024", Kind::Full),
            ("1er mai 2024", Kind::Full),
            ("21 de mayo de 2024", Kind::Full),
            ("3 września 1990", Kind::Full),
            ("2024年5月21日", Kind::Full),
            ("05-May", Kind::DayMonth),
            ("May 3rd", Kind::DayMonth),
            ("May-21", Kind::MonthYear),
            ("May 2024", Kind::MonthYear),
            ("5/21", Kind::Two),
            ("05/2024", Kind::Two),
            ("19850412", Kind::Compact),
        ] {
            assert_eq!(date_at(text, 0), Some(Date { end: text.len(), kind }), "{text}");
        }
        for text in ["2024-13-21", "32.5.2021", "1.2.3", "May", "maybe 5", "12345", "13/32", "3.5"]
        {
            assert_eq!(date_at(text, 0), None, "{text}");
        }
    }

    #[test]
    fn reads_times() {
        for text in
            ["10:15", "5pm", "5:30 p.m.", "09:15:30.500-07:00", "14:30:00Z", "14:30 UTC", "9 Uhr"]
        {
            assert_eq!(time_at(text, 0).map(|t| t.0), Some(text.len()), "{text}");
        }
        assert_eq!(time_at("25:70", 0), None);
    }
}

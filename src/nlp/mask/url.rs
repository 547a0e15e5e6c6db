//! Web addresses, with a scheme, with `www.`, or a bare domain name.
//!
//! A bare name is the hard case: `thanks.it works`, `readme.md` and `node.js` are not addresses.
//! So it must end in a known top-level domain, and where that is also a common word or the ending
//! of a file, it scores too low to be masked unless something speaks for it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::candidate::Candidate;
use super::context::{ContextWords, Leaning, WordSet, leaning, raised};
use super::recognizer::Recognizer;
use super::source::{Clues, Source, joins};
use crate::domain::masking::Entity;

/// Longest host name in octets (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// `hxxp` is how people defuse a link that they report.
const SCHEMES: [&str; 9] = ["http", "https", "ftp", "ftps", "sftp", "ws", "wss", "hxxp", "hxxps"];

static OTHER: WordSet = WordSet::new("");

static WORDS: ContextWords = ContextWords {
    speaks_for: WordSet::new(
        "browse domain homepage link page site url visit web webseite website",
    ),
    against: &OTHER,
};

pub(super) struct Url;

impl Recognizer for Url {
    fn entity(&self) -> &Entity {
        const { &Entity::URL }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.dots > 0 || clues.colons > 0
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let first = out.len();
        if source.clues().colons > 0 {
            find_with_scheme(source, out);
        }
        find_bare(source, first, out);
    }
}

/// Addresses around `://`.
fn find_with_scheme(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    let mut free = 0;
    for (at, _) in text.match_indices("://") {
        if at < free {
            continue;
        }
        let letters =
            text[free..at].bytes().rev().take(8).take_while(u8::is_ascii_alphabetic).count();
        let written = &text[at - letters..at];
        // `seehttp://…`: the longest scheme that the letters end in.
        let ends = |s: &&&str| {
            written.len() >= s.len() && written[written.len() - s.len()..].eq_ignore_ascii_case(s)
        };
        let Some(scheme) = SCHEMES.iter().filter(ends).max_by_key(|s| s.len()) else { continue };
        let authority = at + 3;
        let Some(host_end) = authority_end(&text[authority..]) else { continue };
        let range = at - scheme.len()..path_end(text, authority + host_end);
        free = range.end;
        out.push(Candidate::new(range, Entity::URL, 0.8, "url/scheme"));
    }
}

/// Where user, host and port end, if there is a host with a dot or an address.
fn authority_end(text: &str) -> Option<usize> {
    let part = |c: char| {
        joins(c) || matches!(c, '-' | '.' | '_' | '~' | '%' | '!' | '$' | '&' | '+' | '=' | ':')
    };
    // `user:password@`, which is as private as it gets.
    let user = text.chars().take(128).take_while(|&c| part(c)).map(char::len_utf8).sum::<usize>();
    let host_at = if text[user..].starts_with('@') { user + 1 } else { 0 };
    let host = &text[host_at..];
    let len = match host.strip_prefix('[') {
        Some(literal) => {
            let close = literal.bytes().take(46).position(|b| b == b']')?;
            literal[..close].parse::<Ipv6Addr>().ok()?;
            close + 2
        }
        None => {
            let name = |c: &char| joins(*c) || matches!(c, '-' | '.');
            let len: usize =
                host.chars().take(MAX_HOST + 1).take_while(name).map(char::len_utf8).sum();
            let written = host[..len].trim_end_matches(['.', '-']);
            if !is_host(written) {
                return None;
            }
            written.len()
        }
    };
    let port = host[len..]
        .strip_prefix(':')
        .map_or(0, |p| p.bytes().take(5).take_while(u8::is_ascii_digit).count());
    Some(host_at + len + if port > 0 { port + 1 } else { 0 })
}

/// A name of two or more labels beside `www`, the last one of letters; or an IPv4 address.
fn is_host(host: &str) -> bool {
    let name = strip_www(host).unwrap_or(host);
    let is_label =
        |l: &str| (1..=63).contains(&l.len()) && !l.starts_with('-') && !l.ends_with('-');
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_name = name.contains('.') && name.split('.').all(is_label) && is_top_level(last);
    is_name || host.parse::<Ipv4Addr>().is_ok()
}

fn strip_www(host: &str) -> Option<&str> {
    host.get(..4).filter(|w| w.eq_ignore_ascii_case("www.")).map(|_| &host[4..])
}

/// Whether a label could be a top-level domain: letters, or an encoded international one.
pub(super) fn is_top_level(label: &str) -> bool {
    let encoded = label.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--"));
    encoded || label.chars().nth(1).is_some() && label.chars().all(char::is_alphabetic)
}

/// Where path, query and fragment end: at a character no address has, and before punctuation that
/// belongs to the sentence.
fn path_end(text: &str, host_end: usize) -> usize {
    if !text[host_end..].starts_with(['/', '?', '#']) {
        return host_end;
    }
    let stops = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '<' | '>' | '"' | '`' | '{' | '}' | '|' | '\\' | '^' | '«' | '»' | '“' | '”' | '„'
            )
            || matches!(c, '，' | '。' | '、' | '）' | '」' | '；' | '！' | '？')
    };
    let end = text[host_end..].find(stops).map_or(text.len(), |n| host_end + n);
    host_end + trimmed_len(&text[host_end..end])
}

/// The length of a path without the sentence's punctuation. A closing bracket stays if the path
/// opens one.
fn trimmed_len(path: &str) -> usize {
    let count = |c: u8| path.bytes().filter(|&b| b == c).count();
    let mut surplus_round = count(b')').saturating_sub(count(b'('));
    let mut surplus_square = count(b']').saturating_sub(count(b'['));
    let mut kept = path;
    loop {
        let surplus = match kept.chars().next_back() {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '’' | '‘' | '*' | '_' | '~' | '…') =>
            {
                kept = kept.trim_end_matches([
                    '.', ',', ';', ':', '!', '?', '\'', '’', '‘', '*', '_', '~', '…',
                ]);
                continue;
            }
            Some(')') => &mut surplus_round,
            Some(']') => &mut surplus_square,
            _ => return kept.len(),
        };
        if *surplus == 0 {
            return kept.len();
        }
        *surplus -= 1;
        kept = &kept[..kept.len() - 1];
    }
}

/// Domain names without a scheme, outside what `out[first..]` covers already.
fn find_bare(source: &Source<'_>, first: usize, out: &mut Vec<Candidate>) {
    let text = source.text();
    let taken: Vec<Range<usize>> = out[first..].iter().map(|c| c.range.clone()).collect();
    let mut taken = taken.into_iter().peekable();
    let mut free = 0;
    for (dot, _) in text.match_indices('.') {
        while let Some(t) = taken.next_if(|t| t.start <= dot) {
            free = free.max(t.end);
        }
        if dot < free {
            continue;
        }
        let run = host_run(text, dot, free);
        free = run.end.max(dot + 1);
        if let Some(found) = bare_at(source, run) {
            free = free.max(found.range.end);
            out.push(found);
        }
    }
}

/// The run of host name characters around a dot. Bare names are ASCII: letters of other scripts
/// beside one are the sentence.
fn host_run(text: &str, dot: usize, free: usize) -> Range<usize> {
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let bytes = text.as_bytes();
    let start = dot - bytes[free..dot].iter().rev().take_while(|b| part(b)).count();
    let end = dot + bytes[dot..].iter().take_while(|b| part(b)).count();
    start..end
}

fn bare_at(source: &Source<'_>, run: Range<usize>) -> Option<Candidate> {
    let text = source.text();
    let whole = &text[run.clone()];
    let host = whole.trim_matches(['.', '-']);
    let start = run.start + (whole.len() - whole.trim_start_matches(['.', '-']).len());
    let range = start..start + host.len();
    let beside_at = |c: Option<char>| matches!(c, Some('@' | '_' | '\\'));
    if host.len() > MAX_HOST
        || !host.contains('.')
        || !source.stands_alone(&range)
        || beside_at(source.before(range.start))
        || beside_at(source.after(range.end))
        || !is_host(host)
        || host.parse::<Ipv4Addr>().is_ok()
    {
        return None;
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let www = strip_www(host).is_some();
    let known = top_level(last);
    if known.is_none() && !www {
        return None;
    }
    let end = port_and_path_end(text, range.end);
    let has_path = text[end.min(range.end)..end].contains('/');
    let base = match known {
        _ if www => 0.7,
        Some(TopLevel::Plain) => 0.5,
        Some(TopLevel::Ambiguous) if has_path || host.matches('.').count() >= 2 => 0.5,
        _ => 0.2,
    };
    let (word, score) = match leaning(text, &range, &WORDS) {
        Leaning::For(word, _) => (Some(word), raised(base)),
        Leaning::Against | Leaning::None => (None, base),
    };
    let name = if www { "url/www" } else { "url/domain" };
    Some(Candidate::new(range.start..end, Entity::URL, base, name).in_context(word, score))
}

fn port_and_path_end(text: &str, host_end: usize) -> usize {
    let port = text[host_end..]
        .strip_prefix(':')
        .map_or(0, |p| p.bytes().take(5).take_while(u8::is_ascii_digit).count());
    path_end(text, host_end + if port > 0 { port + 1 } else { 0 })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TopLevel {
    Plain,
    /// Also a word of some language, or the ending of a kind of file.
    Ambiguous,
}

fn top_level(label: &str) -> Option<TopLevel> {
    let label = label.to_ascii_lowercase();
    if AMBIGUOUS.contains(&label) {
        Some(TopLevel::Ambiguous)
    } else if GENERIC.contains(&label) || COUNTRIES.contains(&label) {
        Some(TopLevel::Plain)
    } else {
        None
    }
}

/// Country codes and generic domains that are words, and endings that are kinds of files.
static AMBIGUOUS: WordSet = WordSet::new(
    "academy agency ai am an app art as at be best bi blog bot by cab cam capital care cash center \
    chat city cloud club coach company consulting cool date day deals dev digital direct do eco \
    email energy engineering et events exchange expert fail family fashion finance financial fit \
    foundation fun fund fyi ga games global gold group guide guru health help holdings hotel id im \
    in industries info ink insurance international is it je jobs la land law legal life link live \
    love ltd ma management market marketing md me media men mobi money mov mp mr ms museum my na \
    name ne network new news no now om one online pa page partners party pay pe photo photography \
    plus pm pn post pr press pro productions properties ps py re red rent report rest review rs \
    run sale save school science services sh shop show si site so social software solutions space \
    st store studio style supply support systems team tech technology tips tm to today tools top \
    town trade travel university us va ve ventures video vip web webcam website wiki win work \
    works world xxx zero zip zone",
);

/// Generic domains that are no words.
static GENERIC: WordSet = WordSet::new(
    "aero arpa asia berlin biz com coop edu gmbh gov icu int llc london mil net nyc org paris tel \
    tokyo xyz",
);

/// Country codes.
static COUNTRIES: WordSet = WordSet::new(
    "ac ad ae af ag al ao aq ar au aw ax az ba bb bd bf bg bh bj bm bn bo br bs bt bw bz ca cc cd \
    cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm dz ec ee eg er es eu fi fj fk fm \
    fo fr gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu ie il io iq ir \
    jm jo jp ke kg kh ki km kn kp kr kw ky kz lb lc li lk lr ls lt lu lv ly mc mg mh mk ml mm mn \
    mo mq mt mu mv mw mx mz nc nf ng ni nl np nr nu nz pf pg ph pk pl pt pw qa ro ru rw sa sb sc \
    sd se sg sj sk sl sm sn sr ss su sv sx sy sz tc td tf tg th tj tk tl tn tr tt tv tw tz ua ug \
    uk uy uz vc vg vi vn vu wf ws ye yt yu za zm zw",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::scored;

    fn found(text: &str) -> Vec<(String, f32)> {
        scored(&Url, text)
    }

    fn urls(text: &str) -> Vec<String> {
        found(text).into_iter().filter(|f| f.1 >= 0.4).map(|f| f.0).collect()
    }

    #[test]
    fn finds_addresses_without_the_sentences_punctuation() {
        for (text, url) in [
            ("See https://example.com/a?b=c#d.", "https://example.com/a?b=c#d"),
            ("(http://example.com/a_(b))", "http://example.com/a_(b)"),
            ("[x](https://example.com/y), z", "https://example.com/y"),
            ("<https://example.com>", "https://example.com"),
            ("www.example.com!", "www.example.com"),
            ("on example.com:8080/x,", "example.com:8080/x"),
            ("http://user:pw@10.0.0.1/x", "http://user:pw@10.0.0.1/x"),
            ("http://[2001:db8::1]:80/", "http://[2001:db8::1]:80/"),
            ("shop.example.co.uk has", "shop.example.co.uk"),
            ("请访问example.com谢谢", "example.com"),
            ("hxxps://evil.example.com/login now", "hxxps://evil.example.com/login"),
            (
                "https://example.com/a?b=https://example.org/c d",
                "https://example.com/a?b=https://example.org/c",
            ),
            ("visit example.it", "example.it"),
        ] {
            assert_eq!(urls(text), [url], "{text}");
        }
        assert_eq!(
            urls("example.com and https://example.org"),
            ["https://example.org", "example.com"]
        );
    }

    #[test]
    fn leaves_what_only_has_dots() {
        for text in [
            "thanks.it works",
            "see readme.md",
            "node.js",
            "e.g. this",
            "http://microsoft",
            "www.microsoft",
            "3.50 or 1.2.3",
            "a.b",
            "wait...what",
            "anna@example.com",
            "ok.Thanks",
            "10.0.0.1",
            "std::io",
            "Inc.",
            "foo_bar.com",
            "script.py",
            "contact.us",
        ] {
            assert!(urls(text).is_empty(), "{text}: {:?}", urls(text));
        }
    }
}

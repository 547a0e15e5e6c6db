//! E-mail addresses that are written so that machines don't find them, or typed wrongly: "anna (at)
//! example (dot) com", "john dot smith at gmail dot com", "anna.smith @gmail.com", "anna@gmx,de".
//!
//! Prose has "at" and "dot" as well. So a bracket around the one or both words must be there, or the
//! name of a provider that gives addresses to everybody.

use super::{MAX_ADDRESS, domain, local_part};
use crate::domain::masking::Entity;
use crate::nlp::mask::candidate::Candidate;
use crate::nlp::mask::context::{WordSet, floor};
use crate::nlp::mask::label::Topic;
use crate::nlp::mask::source::{Source, joins};

/// Providers that give addresses to everybody; nobody's own domain.
static PROVIDERS: WordSet = WordSet::new(
    "aol btinternet freenet gmail gmx googlemail hotmail icloud interia laposte libero live mailbox \
     msn o2 online orange outlook posteo proton protonmail seznam t-online telefonica telenet web wp \
     yahoo yandex zoho",
);

/// Endings of names of domains, spoken.
static ENDINGS: WordSet = WordSet::new(
    "ac at au be biz br ca ch co com cz de dk edu es eu fi fr gov ie info io it net nl no nz org pl \
     pt ro se uk us",
);

const AT: [&str; 6] = ["(at)", "[at]", "{at}", "(@)", "[@]", "<at>"];
const DOT: [&str; 8] = ["(dot)", "[dot]", "{dot}", "(.)", "[.]", "(punkt)", "[punkt]", "(point)"];

/// Most labels of a spoken domain.
const MAX_LABELS: usize = 4;

/// Adds what is found beside the addresses that are written as such.
pub(super) fn find(source: &Source<'_>, out: &mut Vec<Candidate>) {
    let text = source.text();
    let mut add = |found: Option<(usize, usize)>, score: f32| {
        if let Some((start, end)) = found.filter(|(start, end)| end - start <= MAX_ADDRESS) {
            out.push(Candidate::new(start..end, Entity::EMAIL_ADDRESS, score, "email/disguised"));
        }
    };
    if source.clues().brackets > 0 {
        for (at, _) in text.match_indices(['(', '[', '{', '<']) {
            let rest = &text[at..];
            if let Some(sign) = AT.iter().find(|s| starts_with(rest, s)) {
                add(spoken(text, at, at + sign.len(), true), 0.85);
            }
        }
    }
    let mut free = 0;
    for label in source.labels().iter().filter(|l| l.topic == Topic::Dot) {
        let dot = label.range.start;
        // The nearest "at" in front: one label of the domain stands between.
        if dot < free {
            continue;
        }
        let from = floor(text, dot.saturating_sub(40));
        let Some(at) = text[from..dot].rfind(" at ").map(|n| from + n) else { continue };
        let found = spoken(text, at, at + 4, false);
        free = found.map_or(free, |(_, end)| end);
        add(found, 0.8);
    }
    if source.clues().at_signs == 0 {
        return;
    }
    for (at, _) in text.match_indices('@') {
        add(mistyped(text, at), 0.7);
    }
}

fn starts_with(text: &str, head: &str) -> bool {
    text.get(..head.len()).is_some_and(|h| h.eq_ignore_ascii_case(head))
}

/// The address around the sign at `at..behind`. `bracketed`: the sign is no word of prose, so the
/// domain may be written with full stops.
fn spoken(text: &str, at: usize, behind: usize, bracketed: bool) -> Option<(usize, usize)> {
    let before = &text[floor(text, at.saturating_sub(MAX_ADDRESS))..at];
    let trimmed = before.strip_suffix(' ').unwrap_or(before);
    let mut local = local_part(trimmed).len();
    // "john dot smith at": further words of the local part.
    for _ in 0..MAX_LABELS {
        let rest = &trimmed[..trimmed.len() - local];
        let Some(front) = strip_dot_behind(rest) else { break };
        let more = local_part(front).len();
        if more == 0 {
            break;
        }
        local += more + rest.len() - front.len();
    }
    let start = at - (before.len() - trimmed.len()) - local;
    let ahead = &text[behind..];
    let gap = usize::from(ahead.starts_with(' '));
    let end = behind + gap + spoken_domain(&ahead[gap..], bracketed)?;
    (local > 0).then_some((start, end))
}

/// What stands in front of a spoken dot that ends `text`.
fn strip_dot_behind(text: &str) -> Option<&str> {
    let spoken = text.strip_suffix(" dot ").or_else(|| text.strip_suffix(" punkt "));
    let bracket = || {
        let text = text.strip_suffix(' ').unwrap_or(text);
        let cut = |d: &&str| text.len().checked_sub(d.len()).filter(|&n| text.is_char_boundary(n));
        let dot = DOT.iter().find(|d| cut(d).is_some_and(|n| starts_with(&text[n..], d)))?;
        let front = &text[..text.len() - dot.len()];
        Some(front.strip_suffix(' ').unwrap_or(front))
    };
    spoken.or_else(bracket)
}

/// The length of a domain with its dots spoken, or in brackets, or if `plain` as they are.
fn spoken_domain(text: &str, plain: bool) -> Option<usize> {
    let label = |from: usize| -> usize {
        let part = |c: char| c != '_' && (joins(c) || c == '-');
        text[from..].chars().take(63).take_while(|&c| part(c)).map(char::len_utf8).sum()
    };
    let mut end = label(0);
    let mut last = &text[..end];
    // "at 12 dot com" is a time.
    if !plain && !last.contains(char::is_alphabetic) {
        return None;
    }
    let mut labels = 0;
    for _ in 0..MAX_LABELS {
        let rest = &text[end..];
        let spoken = [" dot ", " punkt "].into_iter().find(|d| starts_with(rest, d)).map(str::len);
        let bracket = || {
            let gap = usize::from(rest.starts_with(' '));
            let dot = DOT.iter().find(|d| starts_with(&rest[gap..], d))?;
            let behind = gap + dot.len();
            Some(behind + usize::from(rest[behind..].starts_with(' ')))
        };
        let stop = || (plain && rest.starts_with('.')).then_some(1);
        let Some(dot) = spoken.or_else(bracket).or_else(stop) else { break };
        let len = label(end + dot);
        if len == 0 {
            break;
        }
        last = &text[end + dot..end + dot + len];
        end += dot + len;
        labels += 1;
    }
    let ends = ENDINGS.contains(&last.to_lowercase());
    let letters = (2..=10).contains(&last.len()) && last.chars().all(char::is_alphabetic);
    (labels > 0 && (ends || plain && letters)).then_some(end)
}

/// An address with a slip around its `@`: a space in front of it or a second one, a comma or space
/// for the dot, no ending at all. Only at providers; or with a space in front, where the name has
/// a mark that no word of prose has.
fn mistyped(text: &str, at: usize) -> Option<(usize, usize)> {
    let after = &text[at + 1..];
    let after = &after[..floor(after, MAX_ADDRESS)];
    let before = &text[floor(text, at.saturating_sub(MAX_ADDRESS))..at];
    if let Some(quoted) = before.strip_suffix('"') {
        let open = quoted.rfind(['"', '\n']).filter(|&n| quoted[n..].starts_with('"'))?;
        let end = domain(after).len();
        let inner = &quoted[open + 1..];
        let fits = end > 0 && !inner.is_empty() && inner.len() <= 64;
        return fits.then(|| (at - before.len() + open, at + 1 + end));
    }
    let near = before.strip_suffix(['@', ' ']).unwrap_or(before);
    let is_apart = near.len() < before.len();
    let local = local_part(near);
    let spaced = after.strip_prefix(' ').filter(|_| !is_apart).unwrap_or(after);
    let host: usize =
        spaced.bytes().take(24).take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
    let is_provider = PROVIDERS.contains(&spaced[..host].to_ascii_lowercase());
    let is_marked = local.contains(['.', '_']) || local.contains(|c: char| c.is_ascii_digit());
    let is_spaced = spaced.len() < after.len();
    if local.is_empty() || !is_provider && !((is_apart || is_spaced) && is_marked) {
        return None;
    }
    let start = at - (before.len() - near.len()) - local.len();
    let begin = text.len() - text[at + 1..].len() + after.len() - spaced.len();
    let whole = domain(spaced).len();
    if whole > 0 {
        // As it should be: then the other search has it.
        return (is_apart || is_spaced).then_some((start, begin + whole));
    }
    if !is_provider {
        return None;
    }
    let mut end = host;
    let rest = &spaced[host..];
    let tied = rest.trim_start_matches([' ', '.', ',']);
    let gap = rest.len() - tied.len();
    let letters = tied.bytes().take(5).take_while(u8::is_ascii_alphabetic).count();
    let closed = !tied[letters..].starts_with(char::is_alphanumeric);
    let has_dot = rest[..gap].contains(['.', ',']);
    if (1..=2).contains(&gap)
        && has_dot
        && closed
        && ENDINGS.contains(&tied[..letters].to_ascii_lowercase())
    {
        end += gap + letters;
    } else if !is_marked || rest.starts_with(|c: char| joins(c) || c == '@') {
        // "me@home" and "@live" are said of other things: a name alone must look like an address's.
        return None;
    }
    Some((start, begin + end))
}

#[cfg(test)]
mod tests {
    use crate::nlp::mask::email::Email;
    use crate::nlp::mask::recognizer::surfaces;

    #[test]
    fn finds_addresses_in_disguise() {
        for address in [
            "anna.b (at) example (dot) com",
            "anna(at)example.de",
            "anna[at]mail[dot]example[dot]org",
            "anna [AT] example.com",
            "anna.smith(at)web(punkt)de",
            "john dot smith at gmail dot com",
            "anna at example dot co dot uk",
            "anna.smith @gmail.com",
            "anna_9@ example.org",
            "anna@gmx,de",
            "anna@gmail .com",
            "anna.smith@gmail",
            "anna@@gmail.com",
            "\"anna smith\"@example.com",
        ] {
            let text = format!("Please write to {address} today");
            assert_eq!(surfaces(&Email, &text), [address], "{text}");
        }
    }

    #[test]
    fn leaves_prose() {
        for text in [
            "we met at the dot in the middle",
            "look at the red dot on screen",
            "meet me @home",
            "(at) the office",
            "the array a[at] is empty",
            "3 @ 4.50",
            "lunch at 12 dot com crash",
            "look at dot com shops",
            "cc @gmail",
            "anna @office tomorrow",
            "\"quoted\" @ home",
        ] {
            assert!(surfaces(&Email, text).is_empty(), "{text}: {:?}", surfaces(&Email, text));
        }
    }
}

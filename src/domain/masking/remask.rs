//! Text that a model or a reviewer wrote around placeholders, back to masked text. Known
//! placeholders become their tokens again; everything else goes through the masker like any
//! message, so that a raw value which somebody typed ends up in the vault and not in a draft's row.

use std::ops::Range;

use super::Span;
use super::entity::Entity;
use super::numbering::Numbering;
use super::placeholder::mentions;
use super::restore::unescaped;
use super::stored::{Builder, MaskedSpan, MaskedText};
use super::vault::VaultId;

/// Stands for a known placeholder while the masker searches: a character that no recognizer takes
/// into a match and that separates words, so the text around keeps its context.
const STAND_IN: char = '\u{FFFC}';

/// A placeholder of the thread that was found in written text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPlaceholder {
    /// Its vault entry.
    pub vault_id: VaultId,
    /// Bytes of the written text.
    pub source: Range<usize>,
    /// Bytes of the stored text.
    pub stored: Range<usize>,
}

/// Written text, masked again.
#[derive(Debug, Clone)]
pub struct Remasked {
    /// The text with tokens.
    pub text: MaskedText,
    /// Values that were typed raw, with their bytes in the written text.
    pub spans: Vec<MaskedSpan>,
    /// Placeholders that became tokens again.
    pub kept: Vec<KeptPlaceholder>,
    /// Placeholders that the thread never had, as written. They are literal text from now on.
    pub unknown: Vec<String>,
}

/// Masks `written` again.
///
/// `find` gets the text without escapes and with a stand-in (U+FFFC) for every known placeholder,
/// and returns spans of it; a span across a stand-in is cut there. `normalise` and `mint` are as in
/// [`MaskedText::apply`]. Spans that overlap or cut a character are fitted (the later one begins
/// where the earlier ends, ends move outwards) rather than refused: a draft has to be saved, and
/// masking too much is the safe side.
pub fn remask(
    written: &str,
    numbering: &Numbering,
    find: &dyn Fn(&str) -> Vec<Span>,
    normalise: &dyn Fn(&Entity, &str) -> String,
    mint: &mut dyn FnMut(&Entity, &str, &str) -> VaultId,
) -> Remasked {
    let read = Read::new(written, numbering);
    let mut spans = find(&read.probe);
    spans.sort_by_key(|s| s.start);

    let mut out = Builder::default();
    let mut kept = Vec::new();
    let mut spans = spans.into_iter().peekable();
    let mut done = 0;
    for stop in &read.stops {
        // Up to here, the values that begin before the placeholder.
        while let Some(span) = spans.peek() {
            if span.start >= stop.probe.start {
                break;
            }
            let start = floor(&read.probe, span.start).max(done);
            let end = ceil(&read.probe, span.end).min(stop.probe.start);
            // White space left over from a cut hides nothing.
            if start < end && !read.probe[start..end].trim().is_empty() {
                out.literal(&read.probe[done..start]);
                let surface = &read.probe[start..end];
                let id = mint(&span.entity, &normalise(&span.entity, surface), surface);
                out.value(&span.entity, id, read.source(start..end), surface);
                done = end;
            }
            // What goes on behind the placeholder is looked at again there.
            if span.end > stop.probe.end && !stop.probe.is_empty() {
                break;
            }
            spans.next();
        }
        out.literal(&read.probe[done..stop.probe.start]);
        done = stop.probe.end;
        if let Some((entity, id)) = &stop.token {
            let stored = out.token(entity, *id);
            kept.push(KeptPlaceholder { vault_id: *id, source: stop.source.clone(), stored });
        }
    }
    let masked = out.finish();
    Remasked { text: masked.text, spans: masked.spans, kept, unknown: read.unknown }
}

/// Written text, read.
struct Read {
    /// What the masker sees.
    probe: String,
    /// Where pieces of the probe came from: (byte of the probe, byte of the written text),
    /// ascending; bytes from one anchor to the next correspond one to one.
    anchors: Vec<(usize, usize)>,
    /// Never empty: the last one is the end of the text.
    stops: Vec<Stop>,
    unknown: Vec<String>,
}

/// A place where literal text ends: a stand-in, or the end.
struct Stop {
    probe: Range<usize>,
    source: Range<usize>,
    token: Option<(Entity, VaultId)>,
}

impl Read {
    fn new(written: &str, numbering: &Numbering) -> Self {
        let mut read = Self {
            probe: String::with_capacity(written.len()),
            anchors: Vec::new(),
            stops: Vec::new(),
            unknown: Vec::new(),
        };
        let mut done = 0;
        for m in mentions(written, numbering.labels()) {
            let text = &written[m.range.clone()];
            let owner = numbering.owner(&m.placeholder);
            let token = owner.and_then(|o| Some((o.entity.clone(), *o.ids.first()?)));
            if m.escapes > 0 {
                // Everything but the `=`, in two pieces.
                read.copy(written, done..m.escape_at);
                let rest = unescaped(text, &m);
                let tail = rest.len() - (m.escape_at - m.range.start);
                read.copy(written, m.range.end - tail..m.range.end);
            } else if token.is_some() {
                read.copy(written, done..m.range.start);
                let at = read.probe.len();
                read.anchors.push((at, m.range.start));
                read.probe.push(STAND_IN);
                read.stops.push(Stop {
                    probe: at..read.probe.len(),
                    source: m.range.clone(),
                    token,
                });
            } else {
                read.unknown.push(text.to_owned());
                read.copy(written, done..m.range.end);
            }
            done = m.range.end;
        }
        read.copy(written, done..written.len());
        let end = read.probe.len();
        read.stops.push(Stop {
            probe: end..end,
            source: written.len()..written.len(),
            token: None,
        });
        read
    }

    fn copy(&mut self, written: &str, range: Range<usize>) {
        if !range.is_empty() {
            self.anchors.push((self.probe.len(), range.start));
            self.probe.push_str(&written[range]);
        }
    }

    /// Bytes of the written text behind bytes of the probe.
    fn source(&self, probe: Range<usize>) -> Range<usize> {
        let at = |byte: usize| {
            let i = self.anchors.partition_point(|&(p, _)| p <= byte);
            self.anchors.get(i.wrapping_sub(1)).map_or(byte, |&(p, s)| s + (byte - p))
        };
        // The end by its last byte: an `=` that was taken out right behind belongs to no span.
        at(probe.start)..at(probe.end - 1) + 1
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len())
}

//! The lists that messages are made of, and which half of the world each entry belongs to.

use std::collections::HashMap;

/// What messages are for. No template and no name of the one side occurs on the other, but for
/// countries and regions, of which there are too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// To learn from.
    Train,
    /// To measure with.
    Evaluate,
}

impl Side {
    /// Whether the entry belongs to this side: one in `share` is for evaluation.
    pub(super) fn has(self, entry: &str, share: u64) -> bool {
        let held_out = fnv(&entry.to_lowercase()).is_multiple_of(share);
        held_out == (self == Side::Evaluate)
    }
}

/// FNV-1a, 64 bits, folded so that its low bits depend on all of the text.
fn fnv(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 32)) & 0xffff_ffff
}

/// The `[sections]` of a list file and their lines, in order. Empty lines and those that begin with
/// `# ` are left out.
pub(in crate::nlp::names) fn sections(file: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in file.lines().filter(|l| !l.is_empty() && !l.starts_with("# ")) {
        let header = line.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        match header.filter(|h| h.bytes().all(|b| b.is_ascii_lowercase() || b == b' ')) {
            Some(name) => sections.push((name, Vec::new())),
            None => {
                if let Some((_, lines)) = sections.last_mut() {
                    lines.push(line);
                }
            }
        }
    }
    sections
}

/// Lists by name.
#[derive(Debug, Default)]
pub(super) struct Lists(HashMap<&'static str, Vec<&'static str>>);

impl Lists {
    /// Sections of comma-separated entries; one in `share` is held out for evaluation, none at 0.
    pub(super) fn commas(file: &'static str, side: Side, share: &dyn Fn(&str) -> u64) -> Self {
        let entries = |line: &'static str| line.split(", ").map(str::trim).collect();
        Self::read(file, side, share, &entries)
    }

    /// Sections of entries between blanks.
    pub(super) fn blanks(file: &'static str, side: Side, share: &dyn Fn(&str) -> u64) -> Self {
        Self::read(file, side, share, &|line| line.split_whitespace().collect())
    }

    /// Sections of lines.
    pub(super) fn lines(file: &'static str, side: Side, share: &dyn Fn(&str) -> u64) -> Self {
        Self::read(file, side, share, &|line| vec![line])
    }

    fn read(
        file: &'static str,
        side: Side,
        share: &dyn Fn(&str) -> u64,
        entries: &dyn Fn(&'static str) -> Vec<&'static str>,
    ) -> Self {
        let mut lists = HashMap::new();
        for (name, lines) in sections(file) {
            let share = share(name);
            let kept = lines.into_iter().flat_map(entries);
            let kept = kept.filter(|e| !e.is_empty() && (share == 0 || side.has(e, share)));
            lists.entry(name).or_insert_with(Vec::new).extend(kept);
        }
        Self(lists)
    }

    pub(super) fn get(&self, name: &str) -> &[&'static str] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

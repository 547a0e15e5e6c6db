//! What a colleague would underline: order and tracking numbers, amounts, products, placeholders of what was
//! masked, and dates where they are asked for. Numbers and dates are found by the masker's recognizers.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::places::Places;
use super::taxonomy::Taxonomy;
use super::traits;
use super::words::{Phrases, Word};
use crate::domain::masking::Entity;
use crate::domain::triage::Mention;
use crate::nlp::mask::{Hints, Masker, MaskerConfig, MaskerError};

/// At most so many in one message.
const MOST: usize = 20;

// A constant, which a test compiles: a pattern that didn't compile would find nothing.
static PLACEHOLDER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<([A-Z][A-Z_]{1,30})_\d{1,4}>").ok());

/// Finds mentions. Made once for a taxonomy.
pub struct Mentions {
    masker: Masker,
    usual: BTreeSet<Entity>,
    with_dates: BTreeSet<Entity>,
    products: Phrases<String>,
}

impl Mentions {
    /// With the products of a taxonomy.
    ///
    /// # Errors
    /// When the recognizers can't be made, which a test rules out.
    pub fn new(taxonomy: &Taxonomy) -> Result<Self, MaskerError> {
        let usual: BTreeSet<Entity> = [Entity::ORDER_NUMBER, Entity::TRACKING_NUMBER].into();
        let mut with_dates = usual.clone();
        with_dates.insert(Entity::DATE_TIME);
        let config = MaskerConfig {
            entities: Some(with_dates.clone()),
            default_regions: Vec::new(),
            ..MaskerConfig::default()
        };
        let mut products = Phrases::default();
        let mut known = BTreeSet::new();
        for name in taxonomy.intents().iter().flat_map(|intent| &intent.products) {
            if known.insert(name.trim().to_lowercase()) {
                products.add(name, name.trim().to_owned());
            }
        }
        Ok(Self { masker: Masker::new(config)?, usual, with_dates, products })
    }

    /// The mentions of a message in what was read of it, in its order.
    #[must_use]
    pub fn find(
        &self,
        read: &str,
        words: &[Word],
        places: &Places<'_>,
        dates: bool,
    ) -> Vec<Mention> {
        let mut found: Vec<(Range<usize>, String, Option<String>)> = Vec::new();
        if read.bytes().any(|b| b.is_ascii_digit()) || dates {
            let entities = Some(if dates { &self.with_dates } else { &self.usual });
            for finding in self.masker.explain(read, &Hints { entities, ..Hints::default() }) {
                let span = finding.span;
                found.push((span.start..span.end, span.entity.to_string(), None));
            }
        }
        found.extend(traits::money(read).into_iter().map(|r| (r, "AMOUNT".to_owned(), None)));
        for hit in self.products.find(words) {
            let range = words[hit.first].start..words[hit.first + hit.length - 1].end;
            found.push((range, "PRODUCT".to_owned(), Some(hit.value.clone())));
        }
        if let Some(pattern) = PLACEHOLDER.as_ref().filter(|_| read.contains('<')) {
            let placeholders = pattern.captures_iter(read);
            found.extend(placeholders.filter_map(|captures| {
                let (whole, kind) = (captures.get(0)?, captures.get(1)?);
                Some((whole.range(), kind.as_str().to_owned(), None))
            }));
        }
        // Of two that overlap the longer one stands.
        found.sort_by(|a, b| (a.0.start, b.0.end).cmp(&(b.0.start, a.0.end)));
        let mut end = 0;
        found.retain(|(range, ..)| {
            let free = range.start >= end;
            end = if free { range.end } else { end };
            free
        });
        let mentions = found.into_iter().filter_map(|(range, kind, name)| {
            Some(Mention { kind, span: places.span(range)?, name })
        });
        mentions.take(MOST).collect()
    }
}

impl std::fmt::Debug for Mentions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mentions").field("masker", &self.masker).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Input;
    use super::super::words::words;
    use super::*;

    fn found(text: &str, dates: bool) -> Vec<(String, String)> {
        let file = super::super::DEFAULT_TAXONOMY.replacen(
            "queue = \"orders\"",
            "queue = \"orders\"\nproducts = [\"Nova desk lamp\", \"Trail Runner 3\"]",
            1,
        );
        let mentions = Mentions::new(&Taxonomy::parse(&file).unwrap()).unwrap();
        let input = Input::of(text);
        let found = mentions.find(text, &words(text), &Places::of(&input), dates);
        let slice = |m: &Mention| {
            text.chars().skip(m.span.start).take(m.span.end - m.span.start).collect::<String>()
        };
        found.iter().map(|m| (m.kind.clone(), slice(m))).collect()
    }

    #[test]
    fn orders_amounts_products_and_placeholders_are_mentioned() {
        let text = "My nova Desk lamp (order #48213, 49.90 €) for <PERSON_1> by 3 May 2025";
        let expected = [
            ("PRODUCT", "nova Desk lamp"),
            ("ORDER_NUMBER", "48213"),
            ("AMOUNT", "49.90 €"),
            ("PERSON", "<PERSON_1>"),
        ]
        .map(|(kind, words)| (kind.to_owned(), words.to_owned()));
        assert_eq!(found(text, false), expected);
        assert!(found(text, true).iter().any(|(kind, _)| kind == "DATE_TIME"));
        assert_eq!(found("Where is it?", false), []);
    }
}

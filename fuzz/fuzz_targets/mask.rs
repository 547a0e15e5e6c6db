//! Masking any text: the finds fit the text, and taking the mask off gives the text back.
//!
//! The first byte chooses the masker and the language, the rest is the text.

#![no_main]

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use countersign::domain::masking::{Entity, MaskedText, VaultId};
use countersign::nlp::mask::{Masker, MaskerConfig};
use libfuzzer_sys::fuzz_target;

/// As it comes, and with every type asked for and every find kept: other code runs then.
static MASKERS: LazyLock<[Masker; 2]> = LazyLock::new(|| {
    let entities: BTreeSet<Entity> =
        Masker::catalogue().iter().map(|entry| entry.entity.clone()).collect();
    assert!(!entities.is_empty());
    let all = MaskerConfig { entities: Some(entities), min_score: 0.0, ..MaskerConfig::default() };
    [MaskerConfig::default(), all].map(|config| Masker::new(config).expect("the default settings"))
});

const LANGUAGES: [Option<&str>; 8] =
    [None, Some("en"), Some("de"), Some("fr"), Some("es"), Some("it"), Some("pl"), Some("xx")];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let masker = &MASKERS[usize::from(choice & 1)];
    let language = LANGUAGES[usize::from(choice >> 1) % LANGUAGES.len()];

    let spans = masker.find(&text, language);
    let mut end = 0;
    for span in &spans {
        assert!(span.start >= end, "unsorted or overlapping: {spans:?}");
        assert!(span.start < span.end && span.end <= text.len(), "not in the text: {span:?}");
        assert!(text.is_char_boundary(span.start), "within a character: {span:?}");
        assert!(text.is_char_boundary(span.end), "within a character: {span:?}");
        assert!((0.0..=1.0).contains(&span.score), "no score: {span:?}");
        end = span.end;
    }

    // As the vault does it: one id for each value of a type.
    let mut vault: HashMap<(Entity, String), VaultId> = HashMap::new();
    let mut mint = |entity: &Entity, normalised: &str, _surface: &str| {
        let next = VaultId::from_u64(vault.len() as u64);
        *vault.entry((entity.clone(), normalised.to_owned())).or_insert(next)
    };
    let normalise = |entity: &Entity, surface: &str| masker.normalise(entity, surface);
    let masked = MaskedText::apply(&text, &spans, &normalise, &mut mint).expect("spans that fit");
    assert_eq!(masked.spans.len(), spans.len());
    assert_eq!(masked.text.vault_ids().count(), spans.len());
    let back = masked.text.unmask(&masked.spans).expect("spans of this very text");
    assert_eq!(back, text);
});

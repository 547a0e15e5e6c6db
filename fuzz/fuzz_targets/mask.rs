//! Masking any text: the finds fit the text, and taking the mask off gives the text back.
//!
//! The first byte chooses the masker and the language, the rest is the text. Where
//! COUNTERSIGN_FUZZ_MODEL names the encoder's folder, one of the maskers finds names as well; that
//! is a thousand times as slow.

#![no_main]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use countersign::domain::masking::{Entity, MaskedText, VaultId};
use countersign::nlp::detect::Detector;
use countersign::nlp::encoder::{Encoder, Mode};
use countersign::nlp::mask::{Hints, Masker, MaskerConfig};
use countersign::nlp::names::{DEFAULT_BIAS, NamesHead};
use libfuzzer_sys::fuzz_target;

/// As it comes, and with every type asked for and every find kept: other code runs then.
static MASKERS: LazyLock<[Detector; 2]> = LazyLock::new(|| {
    let entities: BTreeSet<Entity> =
        Masker::catalogue().iter().map(|entry| entry.entity.clone()).collect();
    assert!(!entities.is_empty());
    let all = MaskerConfig { entities: Some(entities), min_score: 0.0, ..MaskerConfig::default() };
    let [usual, all] = [MaskerConfig::default(), all]
        .map(|config| Masker::new(config).expect("the default settings"));
    let usual = match std::env::var_os("COUNTERSIGN_FUZZ_MODEL") {
        None => Detector::new(usual),
        Some(folder) => {
            let encoder = Encoder::load(folder.as_ref(), Mode::Int8).expect("the encoder's folder");
            let head = NamesHead::shipped().expect("the shipped head");
            Detector::with_names(usual, head, Arc::new(encoder), DEFAULT_BIAS)
                .expect("the pinned encoder")
        }
    };
    [usual, Detector::new(all)]
});

const LANGUAGES: [Option<&str>; 8] =
    [None, Some("en"), Some("de"), Some("fr"), Some("es"), Some("it"), Some("pl"), Some("xx")];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let detector = &MASKERS[usize::from(choice & 1)];
    let masker = detector.masker();
    let language = LANGUAGES[usize::from(choice >> 1) % LANGUAGES.len()];

    let hints = Hints { language, ..Hints::default() };
    let spans: Vec<_> = detector.explain(&text, &hints).into_iter().map(|f| f.span).collect();
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

//! What the masker promises over arbitrary text, and that its time is linear.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::domain::masking::{MaskedText, VaultId};

fn masker() -> Masker {
    Masker::new(MaskerConfig::default()).unwrap()
}

/// Everything that is found at all.
fn eager() -> Masker {
    Masker::new(MaskerConfig { min_score: 0.0, ..MaskerConfig::default() }).unwrap()
}

fn found(masker: &Masker, text: &str) -> Vec<(String, String)> {
    let of = |s: Span| (s.entity.to_string(), text[s.start..s.end].to_owned());
    masker.find(text, None).into_iter().map(of).collect()
}

fn pair(entity: &str, text: &str) -> (String, String) {
    (entity.to_owned(), text.to_owned())
}

/// Values of all types, their pieces, disguises and what usually stands around.
fn messy() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,8}",
        "[0-9 .()/+:-]{1,24}",
        "[a-z@.:/_-]{1,16}",
        prop::sample::select(vec![
            "anna@example.com",
            "https://example.com/a",
            "www.example.org",
            "4111 1111 1111 1111",
            "+49 30 901820",
            "DE89 3704 0044 0532 0130 00",
            "192.168.0.1",
            "2001:db8::1",
            "00:1a:2b:3c:4d:5e",
            "078-05-1123",
            "my name is Anna",
            "Dear Ms ",
            "call me at ",
            "card ",
            "\u{200B}",
            "\u{AD}",
            "４１",
            "٣",
            "\u{A0}",
            "\n",
            "İ",
            "ß",
            "Best regards,\nAnna",
            "\u{2028}",
            "\u{85}",
            "\u{3000}",
            "\u{202F}",
            "\u{1680}",
            "\u{301}",
            "482 913 is your login code",
            "password: ",
            "anna (at) example (dot) com",
            " dot ",
            "@",
            "postgres://a:b@c",
            "MÜ-AB 123",
            "IBAN ",
            "code ",
            "C/",
            "zur ",
            "Oxford OX1 2AB",
            "*12.03.1985",
            "电话",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|v| v.concat())
}

proptest! {
    #[test]
    fn spans_are_sorted_apart_and_on_characters(text in messy()) {
        for m in [masker(), eager()] {
            let spans = m.find(&text, Some("de"));
            let mut last = 0;
            for s in &spans {
                prop_assert!(last <= s.start && s.start < s.end && s.end <= text.len());
                prop_assert!(text.is_char_boundary(s.start) && text.is_char_boundary(s.end));
                prop_assert!((0.0..=1.0).contains(&s.score));
                last = s.end;
            }
            let normal = |e: &Entity, s: &str| m.normalise(e, s);
            let masked = MaskedText::apply(&text, &spans, &normal, &mut |_, _, _| VaultId::from_u64(7)).unwrap();
            prop_assert_eq!(masked.text.unmask(&masked.spans).unwrap(), text.clone());
        }
    }

    #[test]
    fn known_and_extra_spans_fit_any_text(text in messy(), name in "\\PC{0,12}", start in 0usize..40, len in 0usize..40) {
        let span = Span { start, end: start + len, entity: Entity::PERSON, score: 0.9, recognizer: "head".into() };
        let hints = Hints { known: &[name.as_str(), "Anna Smith"], extra: &[span], ..Hints::default() };
        let mut last = 0;
        for f in masker().explain(&text, &hints) {
            prop_assert!(last <= f.span.start && f.span.start < f.span.end);
            prop_assert!(text.get(f.span.start..f.span.end).is_some());
            last = f.span.end;
        }
    }

    #[test]
    fn normal_forms_are_stable(text in messy()) {
        let m = masker();
        for s in m.find(&text, None) {
            let once = m.normalise(&s.entity, &text[s.start..s.end]);
            prop_assert!(!once.is_empty());
            prop_assert_eq!(m.normalise(&s.entity, &once), once);
        }
    }
}

#[test]
fn finds_each_type_in_a_message() {
    let text = "Hi Anna,\nmy card 4111 1111 1111 1111 and IBAN DE89 3704 0044 0532 0130 00 were charged from \
                192.168.0.17 (00:1a:2b:3c:4d:5e). See https://example.com/o/48213, mail bob@example.com or call \
                +1 415 555 0132. SSN 078-05-1123.\nBest regards,\nBob Jones";
    assert_eq!(
        found(&masker(), text),
        [
            pair("CREDIT_CARD", "4111 1111 1111 1111"),
            pair("IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
            pair("IP_ADDRESS", "192.168.0.17"),
            pair("MAC_ADDRESS", "00:1a:2b:3c:4d:5e"),
            pair("URL", "https://example.com/o/48213"),
            pair("EMAIL_ADDRESS", "bob@example.com"),
            pair("PHONE_NUMBER", "+1 415 555 0132"),
            pair("US_SSN", "078-05-1123"),
        ]
    );
}

#[test]
fn disguised_values_are_found() {
    assert_eq!(
        found(&masker(), "４１１１\u{A0}1111\u{A0}1111\u{2011}1111").len(),
        0,
        "separators differ"
    );
    assert_eq!(
        found(&masker(), "４１１１\u{A0}1111\u{A0}1111\u{A0}1111, anna\u{200B}@example.com"),
        [
            pair("CREDIT_CARD", "４１１１\u{A0}1111\u{A0}1111\u{A0}1111"),
            pair("EMAIL_ADDRESS", "anna\u{200B}@example.com"),
        ]
    );
}

#[test]
fn ordinary_numbers_stay() {
    for text in [
        "order 48213 from 12.05.2024 for 1,234.50 EUR",
        "I paid $1 234 567 on 2024-05-06 at 10:15:30",
        "Invoice 2024-000123, ticket #4155550132, version 10.2.3.4",
        "tracking 1Z999AA10123456784, EAN 4006381333931",
        "ISBN 978-3-16-148410-0, 12 345 678 units",
    ] {
        assert!(found(&masker(), text).is_empty(), "{text}: {:?}", found(&masker(), text));
    }
}

#[test]
fn types_and_scores_can_be_restricted() {
    let only = Some(BTreeSet::from([Entity::URL]));
    let m = Masker::new(MaskerConfig { entities: only, min_score: 0.0, ..MaskerConfig::default() })
        .unwrap();
    assert_eq!(found(&m, "anna@x.com https://x.com"), [pair("URL", "https://x.com")]);
    let emails = BTreeSet::from([Entity::EMAIL_ADDRESS]);
    let hints = Hints { entities: Some(&emails), known: &["Anna Smith"], ..Hints::default() };
    let types: Vec<Entity> = masker()
        .explain("anna@x.com https://x.com Anna Smith", &hints)
        .into_iter()
        .map(|f| f.span.entity)
        .collect();
    assert_eq!(types, [Entity::EMAIL_ADDRESS]);
    let region = MaskerConfig { default_regions: vec!["XX".into()], ..MaskerConfig::default() };
    assert_eq!(Masker::new(region).err(), Some(MaskerError::Region("XX".into())));
    let score = MaskerConfig { min_score: f32::NAN, ..MaskerConfig::default() };
    assert!(matches!(Masker::new(score), Err(MaskerError::MinScore(_))));
}

#[test]
fn a_finding_says_why() {
    let text = "my phone is 4155550132";
    let [f] = masker().explain(text, &Hints::default()).try_into().unwrap();
    assert_eq!((f.context, f.validator), (Some("phone"), Some("numbering plan")));
    assert!(f.base_score < f.span.score);
    assert_eq!(f.span.recognizer, "phone/national");
}

#[test]
fn names_from_elsewhere_take_part() {
    let text = "Anna Smith anna@x.com";
    let span = |start, end| Span {
        start,
        end,
        entity: Entity::PERSON,
        score: 0.9,
        recognizer: "head".into(),
    };
    let extra = [span(0, 15), span(5, 99)];
    let hints = Hints { extra: &extra, ..Hints::default() };
    let spans: Vec<(usize, usize)> =
        masker().explain(text, &hints).iter().map(|f| (f.span.start, f.span.end)).collect();
    assert_eq!(spans, [(0, 10), (11, 21)]);
}

#[test]
fn a_reviewers_values_are_masked_around_placeholders() {
    use crate::domain::masking::{Numbering, ValueHash, VaultKey, remask};
    let m = masker();
    let (id, entity) = (VaultId::from_u64(1), Entity::EMAIL_ADDRESS);
    let numbering: Numbering =
        [VaultKey { id, entity, value: ValueHash::new([1]) }].into_iter().collect();
    let written =
        "Hi Anna,\nwe wrote to <EMAIL_1>, call +49 30 901820 or see https://x.com/[EMAIL_1].";
    let found = remask(
        written,
        &numbering,
        &|text| m.find(text, None),
        &|e, s| m.normalise(e, s),
        &mut |_, _, _| VaultId::from_u64(2),
    );
    assert_eq!(
        found.text.as_stored(),
        "Hi Anna,\nwe wrote to ⟦EMAIL_ADDRESS:0000000000000001⟧, call \
         ⟦PHONE_NUMBER:0000000000000002⟧ or see ⟦URL:0000000000000002⟧⟦EMAIL_ADDRESS:0000000000000001⟧."
    );
    assert_eq!(found.kept.len(), 2);
}

/// The time that `work` takes: of the processor in this thread where the kernel tells (Linux does), as
/// what else a busy machine does must not look like a square.
pub(crate) fn processor_time(work: impl FnOnce()) -> Duration {
    let (start, before) = (Instant::now(), on_processor());
    work();
    let used = on_processor().zip(before).and_then(|(now, then)| now.checked_sub(then));
    used.unwrap_or_else(|| start.elapsed())
}

fn on_processor() -> Option<Duration> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Sixteen times the text takes about sixteen times the time, whatever the text. The bound is wide,
/// as machines are busy: it is there for a square, which is off by more than two hundred.
#[test]
fn hostile_text_takes_linear_time() {
    let m = masker();
    let phone_like = "01 23 45 67 89 ";
    for unit in [
        "1",
        "a",
        "@",
        "a@",
        "a.",
        "1.",
        ":",
        "a:",
        "-",
        "1 ",
        "1-",
        "://",
        "http://",
        "www.",
        "(",
        "+1",
        phone_like,
        "41111111",
        "DE89 ",
        "aa-",
        "[",
        "<EMAIL_1>",
        "my name is ",
        "Dear ",
        "Thanks,\n",
        "4111 ",
        "１",
        "\u{200B}",
        "é.",
        "::",
        "fe80::1%",
        "name: ",
        "x@y ",
        "@ ",
        "Cyprus (",
        "12 Oak Road, Utopia (",
        "pw=\"",
        "a (at) b ",
        "a at b dot ",
        "a dot ",
        "\"@",
        "a://b:",
        "code: ",
        "*1.1.",
        "2024-01-01 ",
        "2024-01-01 030 901820 ",
        "12 ",
        "AB 12 ",
    ] {
        let time = |bytes: usize| {
            let text = unit.repeat(bytes / unit.len());
            let run = || {
                processor_time(|| {
                    std::hint::black_box(m.find(&text, None));
                })
            };
            run().min(run())
        };
        let (small, large) = (time(1 << 13), time(1 << 17));
        let bound = small * 16 * 6 + Duration::from_millis(100);
        assert!(large < bound, "{unit:?}: {small:?} for 8 KB, {large:?} for 128 KB");
    }
}

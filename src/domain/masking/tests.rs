//! What masking promises, over arbitrary Unicode.

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// A vault in memory: one entry per (type, value), as a thread has.
#[derive(Default)]
struct Vault {
    ids: HashMap<(Entity, String), VaultId>,
    values: HashMap<VaultId, String>,
    numbering: Numbering,
}

impl Vault {
    fn mint(&mut self, entity: &Entity, value: &str, surface: &str) -> VaultId {
        let next = VaultId::from_u64(0xc0ffee00 + self.ids.len() as u64);
        let id = *self.ids.entry((entity.clone(), value.to_owned())).or_insert(next);
        self.values.entry(id).or_insert_with(|| surface.to_owned());
        let key = VaultKey {
            id,
            entity: entity.clone(),
            value: ValueHash::new(value.as_bytes().to_vec()),
        };
        self.numbering.add(key);
        id
    }

    fn mask(&mut self, text: &str, spans: &[Span]) -> Masked {
        MaskedText::apply(text, spans, &lower, &mut |e, v, s| self.mint(e, v, s)).unwrap()
    }

    fn restore(&self, text: &str, policy: RestorePolicy) -> Restored {
        restore(text, &self.numbering, &|id| self.values.get(id).cloned(), policy)
    }
}

fn lower(_: &Entity, surface: &str) -> String {
    surface.to_lowercase()
}

fn span(start: usize, end: usize, entity: Entity) -> Span {
    Span { start, end, entity, score: 1.0, recognizer: "test".into() }
}

/// A finder for `word@word`, enough to see what is searched.
fn find_at(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let start = text[..at]
            .rfind(|c| !word(c))
            .map_or(0, |i| i + text[i..].chars().next().unwrap().len_utf8());
        let end = text[at + 1..].find(|c| !word(c)).map_or(text.len(), |i| at + 1 + i);
        if start < at && end > at + 1 && spans.last().is_none_or(|s| s.end <= start) {
            spans.push(span(start, end, Entity::EMAIL_ADDRESS));
        }
    }
    spans
}

/// Text in which tokens, escapes and placeholders are as likely as letters.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[<>\\[\\]{}`=⟦⟧&; \\\\_\n]{1,4}",
        Just("⟦EMAIL_ADDRESS:0000000000c0ffee⟧".to_owned()),
        Just("⟦=⟧".to_owned()),
        Just("⟦".to_owned()),
        "[<\\[{`]={0,2}(EMAIL|email|PERSON|card)[_ -]?[1-3][>\\]}`]",
        "&lt;=?EMAIL_[12]&gt;",
        Just("\\<EMAIL\\_1\\>".to_owned()),
        Just("EMAIL_1".to_owned()),
        "[a-c]@[a-c]",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|v| v.concat())
}

/// A text with non-overlapping spans on character boundaries.
fn with_spans() -> impl Strategy<Value = (String, Vec<Span>)> {
    (hostile(), prop::collection::vec((any::<prop::sample::Index>(), 0..3usize), 0..8)).prop_map(
        |(text, cuts)| {
            let bounds: Vec<usize> =
                (0..=text.len()).filter(|&i| text.is_char_boundary(i)).collect();
            let mut cuts: Vec<(usize, usize)> =
                cuts.iter().map(|(i, e)| (*i.get(&bounds), *e)).collect();
            cuts.sort_unstable();
            cuts.dedup_by_key(|c| c.0);
            let entities = [Entity::EMAIL_ADDRESS, Entity::PERSON, Entity::CREDIT_CARD];
            let spans = cuts
                .chunks_exact(2)
                .map(|c| span(c[0].0, c[1].0, entities[c[0].1].clone()))
                .collect();
            (text, spans)
        },
    )
}

proptest! {
    #[test]
    fn unmasking_with_its_own_spans_is_exact((text, spans) in with_spans()) {
        let masked = Vault::default().mask(&text, &spans);
        prop_assert_eq!(masked.spans.len(), spans.len());
        for (m, s) in masked.spans.iter().zip(&spans) {
            prop_assert_eq!(&m.source, &(s.start..s.end));
            prop_assert_eq!(m.surface.expose(), &text[s.start..s.end]);
        }
        prop_assert_eq!(masked.text.unmask(&masked.spans).unwrap(), text);
        let stored = masked.text.as_stored().to_owned();
        prop_assert_eq!(MaskedText::from_store(stored), masked.text);
    }

    #[test]
    fn rendering_and_restoring_is_exact_but_for_the_first_form((text, spans) in with_spans()) {
        let mut vault = Vault::default();
        let masked = vault.mask(&text, &spans);
        let mut expected = String::new();
        let mut done = 0;
        for m in &masked.spans {
            expected.push_str(&text[done..m.source.start]);
            expected.push_str(&vault.values[&m.vault_id]);
            done = m.source.end;
        }
        expected.push_str(&text[done..]);

        let rendered = masked.text.render(&vault.numbering);
        let revealed = vault.restore(rendered.as_str(), RestorePolicy::Reveal);
        prop_assert_eq!(&revealed.text, &expected);
        let ids: Vec<VaultId> = masked.spans.iter().map(|s| s.vault_id).collect();
        prop_assert_eq!(&revealed.restored, &ids);
        prop_assert!(revealed.refused.is_empty());
        let stored = masked.text.restore(&vault.numbering, &|id| vault.values.get(id).cloned(), RestorePolicy::Reveal);
        prop_assert_eq!(stored.text, expected);
    }

    #[test]
    fn a_send_never_holds_a_card((text, spans) in with_spans()) {
        let mut vault = Vault::default();
        let masked = vault.mask(&text, &spans);
        let rendered = masked.text.render(&vault.numbering);
        let sent = vault.restore(rendered.as_str(), RestorePolicy::ForSend);
        let cards: Vec<VaultId> =
            masked.spans.iter().filter(|s| s.entity == Entity::CREDIT_CARD).map(|s| s.vault_id).collect();
        prop_assert!(sent.restored.iter().all(|id| !cards.contains(id)));
        let refused: Vec<VaultId> = sent.refused.iter().map(|r| r.0).collect();
        prop_assert_eq!(refused, cards);
    }

    #[test]
    fn remasking_what_was_rendered_gives_the_stored_text_back((text, spans) in with_spans()) {
        let mut vault = Vault::default();
        let masked = vault.mask(&text, &spans);
        let rendered = masked.text.render(&vault.numbering).into_string();
        let numbering = vault.numbering.clone();
        let again = remask(&rendered, &numbering, &|_| Vec::new(), &lower, &mut |e, v, s| vault.mint(e, v, s));
        prop_assert_eq!(&again.text, &masked.text);
        prop_assert_eq!(again.kept.len(), masked.spans.len());
        prop_assert!(again.unknown.is_empty() && again.spans.is_empty());
    }

    #[test]
    fn remasking_hides_what_was_typed(text in hostile()) {
        let mut vault = Vault::default();
        vault.mask("a@b", &[span(0, 3, Entity::EMAIL_ADDRESS)]);
        let numbering = vault.numbering.clone();
        let searched = RefCell::new(String::new());
        let find = |t: &str| { searched.replace(t.to_owned()); find_at(t) };
        let masked = remask(&text, &numbering, &find, &lower, &mut |e, v, s| vault.mint(e, v, s));
        for s in &masked.spans {
            prop_assert!(text.is_char_boundary(s.source.start) && text.is_char_boundary(s.source.end));
            prop_assert_eq!(s.surface.expose(), &text[s.source.clone()]);
        }
        let literal: String = masked.text.segments().map(|s| match s {
            Segment::Literal(t) => t.to_owned(),
            Segment::Token { .. } => "\u{FFFC}".to_owned(),
        }).collect();
        prop_assert!(find_at(&literal).is_empty(), "{literal:?} still holds an address");
        prop_assert_eq!(searched.borrow().matches('\u{FFFC}').count(), masked.kept.len() + text.matches('\u{FFFC}').count());
    }

    #[test]
    fn any_stored_text_is_read(text in hostile()) {
        let stored = MaskedText::from_store(text.clone());
        let _ = stored.render(&Numbering::new());
        let _ = stored.as_words();
        for at in (0..=text.len()).filter(|&i| text.is_char_boundary(i)) {
            if let (Some(head), Some(tail)) = (stored.slice(0..at), stored.slice(at..text.len())) {
                prop_assert_eq!(MaskedText::concat([&head, &tail]), stored.clone());
                prop_assert_eq!(head.vault_ids().count() + tail.vault_ids().count(), stored.vault_ids().count());
            }
        }
    }
}

fn two_mails() -> (Vault, Masked, &'static str) {
    let text = "From anna@x.com to Bob@Y.com and ANNA@x.com, not <EMAIL_1> or ⟦EMAIL_ADDRESS:0000000000c0ffee⟧";
    let mut vault = Vault::default();
    let masked = vault.mask(text, &find_at(text));
    (vault, masked, text)
}

#[test]
fn the_four_forms() {
    let (vault, masked, text) = two_mails();
    assert_eq!(
        masked.text.as_stored(),
        "From ⟦EMAIL_ADDRESS:00000000c0ffee00⟧ to ⟦EMAIL_ADDRESS:00000000c0ffee01⟧ and \
         ⟦EMAIL_ADDRESS:00000000c0ffee00⟧, not <EMAIL_1> or ⟦=⟧EMAIL_ADDRESS:0000000000c0ffee⟧"
    );
    let rendered = masked.text.render(&vault.numbering);
    assert_eq!(
        rendered.as_str(),
        "From <EMAIL_1> to <EMAIL_2> and <EMAIL_1>, not <=EMAIL_1> or ⟦EMAIL_ADDRESS:0000000000c0ffee⟧"
    );
    assert_eq!(masked.text.unmask(&masked.spans).as_deref(), Ok(text));
    let restored = vault.restore(rendered.as_str(), RestorePolicy::ForSend);
    assert_eq!(restored.text, text.replace("ANNA", "anna"));
    assert_eq!(masked.text.as_words().split(", ").next(), Some("From email to email and email"));
    // In another thread, nothing comes back.
    let foreign = masked.text.render(&Numbering::new());
    assert!(foreign.as_str().starts_with("From <EMAIL> to <EMAIL> and <EMAIL>, "));
    let refused = masked.text.restore(
        &Numbering::new(),
        &|id| vault.values.get(id).cloned(),
        RestorePolicy::Reveal,
    );
    assert!(
        refused.restored.is_empty() && refused.refused.iter().all(|r| r.1 == Refusal::NotOwned)
    );
}

#[test]
fn a_models_spellings_are_restored() {
    let (vault, _, _) = two_mails();
    for written in [
        "<EMAIL_2>",
        "[email_2]",
        "&lt;EMAIL_2&gt;",
        "<EMAIL_\n2>",
        r"\<EMAIL\_2\>",
        "{EMAIL 2}",
        "`EMAIL_2`",
    ] {
        let r = vault.restore(&format!("Dear {written}!"), RestorePolicy::ForSend);
        assert_eq!(r.text, "Dear Bob@Y.com!", "{written}");
        assert!(r.is_complete());
    }
    let left = "<EMAIL_7>, EMAIL_1, STEP_1, <PERSON>, AN EMAIL, XEMAIL_1";
    let r = vault.restore(left, RestorePolicy::ForSend);
    assert_eq!(r.unknown, ["<EMAIL_7>", "EMAIL_1", "<PERSON>"]);
    assert_eq!(r.text, left);
}

#[test]
fn erased_values_and_debug_forms_show_nothing() {
    let (vault, masked, _) = two_mails();
    let r = restore("<EMAIL_1>", &vault.numbering, &|_| None, RestorePolicy::Reveal);
    assert_eq!(r.refused, [(VaultId::from_u64(0xc0ffee00), Refusal::Erased)]);
    let r = vault.restore("<EMAIL_1>", RestorePolicy::Reveal);
    for shown in [format!("{r:?}"), format!("{masked:?}")] {
        assert!(!shown.contains("anna@") && !shown.contains("Bob@"), "{shown}");
    }
}

#[test]
fn published_text_cannot_name_a_value() {
    let (vault, _, _) = two_mails();
    let article = PublicText::new("Write <EMAIL_1> for the address.");
    let prompt = Outbound::from(&article).render(&vault.numbering);
    assert_eq!(prompt.as_str(), "Write <=EMAIL_1> for the address.");
    assert_eq!(vault.restore(prompt.as_str(), RestorePolicy::Reveal).text, article.as_str());
}

#[test]
fn a_tenants_label_is_escaped_once_announced() {
    let text = MaskedText::from_store("see <MEMBER_1>".to_owned());
    let mut numbering = Numbering::new();
    assert_eq!(text.render(&numbering).as_str(), "see <MEMBER_1>");
    numbering.announce(&"MEMBER".parse().unwrap());
    assert_eq!(text.render(&numbering).as_str(), "see <=MEMBER_1>");
}

#[test]
fn bad_spans_mask_nothing() {
    let mut mint = |_: &Entity, _: &str, _: &str| VaultId::from_u64(1);
    let mut apply =
        |spans: &[Span]| MaskedText::apply("aé", spans, &lower, &mut mint).map(|m| m.text);
    let e = Entity::PERSON;
    assert_eq!(apply(&[span(0, 2, e.clone())]), Err(SpanError::NotInText { start: 0, end: 2 }));
    assert_eq!(apply(&[span(1, 9, e.clone())]), Err(SpanError::NotInText { start: 1, end: 9 }));
    assert_eq!(apply(&[span(1, 1, e.clone())]), Err(SpanError::NotInText { start: 1, end: 1 }));
    assert_eq!(
        apply(&[span(1, 3, e.clone()), span(0, 3, e)]),
        Err(SpanError::Overlap { start: 1 })
    );
}

#[test]
fn unmasking_with_another_messages_spans_is_an_error() {
    let (mut vault, masked, _) = two_mails();
    assert!(masked.text.unmask(&masked.spans[1..]).is_err());
    let other = vault.mask("c@d", &[span(0, 3, Entity::EMAIL_ADDRESS)]);
    assert!(masked.text.unmask(&other.spans).is_err());
    assert!(MaskedText::default().unmask(&other.spans).is_err());
}

#[test]
fn parts_join_without_making_tokens() {
    let brackets = MaskedText::join(
        [&MaskedText::default(), &MaskedText::default()],
        "⟦EMAIL_ADDRESS:0000000000000001⟧",
    );
    assert_eq!(brackets.vault_ids().count(), 0);
    let (_, masked, _) = two_mails();
    let twice = MaskedText::join([&masked.text, &masked.text], "\n\n");
    assert_eq!(twice.vault_ids().count(), 6);
    assert_eq!(masked.text.slice(0..10), None, "a slice inside a token");
}

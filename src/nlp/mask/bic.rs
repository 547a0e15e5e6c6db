//! Identifier codes of banks (ISO 9362): four letters, a country, a place, and a branch or none.
//! Eight capitals are any word that is shouted, so a code counts only beside a word that says so.

use std::ops::Range;

use super::candidate::Candidate;
use super::context::{ContextWords, Leaning, WordSet, leaning};
use super::recognizer::Recognizer;
use super::source::{Clues, Source};
use crate::domain::masking::Entity;

static OTHER: WordSet = WordSet::new("");

static WORDS: ContextWords = ContextWords {
    speaks_for: WordSet::new("bic bank banca banco bankcode banque iban swift swiftcode"),
    against: &OTHER,
};

/// States and territories whose banks have codes (ISO 3166-1, and XK).
static COUNTRIES: WordSet = WordSet::new(
    "ad ae af ag al am ao ar at au az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cd ch \
     ci cl cm cn co cr cu cv cw cy cz de dj dk dm do dz ec ee eg er es et fi fj fk fo fr ga gb gd ge \
     gg gh gi gl gm gn gr gt gy hk hn hr ht hu id ie il im in iq ir is it je jm jo jp ke kg kh km kn \
     kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mk ml mm mn mo mr mt mu mv mw mx my \
     mz na nc ne ng ni nl no np nz om pa pe pf pg ph pk pl ps pt py qa ro rs ru rw sa sb sc sd se sg \
     si sk sl sm sn so sr ss st sv sx sy sz tc td tg th tj tl tm tn to tr tt tv tw tz ua ug us uy uz \
     va vc ve vg vn vu ws xk ye za zm zw",
);

pub(super) struct Bic;

impl Recognizer for Bic {
    fn entity(&self) -> &Entity {
        const { &Entity::BIC_CODE }
    }

    fn may_match(&self, clues: &Clues) -> bool {
        clues.capitals >= 6
    }

    fn find(&self, source: &Source<'_>, out: &mut Vec<Candidate>) {
        let bytes = source.text().as_bytes();
        let is_part = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let mut at = 0;
        while let Some(skip) = bytes[at..].iter().position(u8::is_ascii_uppercase) {
            let start = at + skip;
            let end =
                bytes[start..].iter().position(|b| !is_part(b)).map_or(bytes.len(), |n| start + n);
            at = end;
            let range = start..end;
            if is_code(&bytes[range.clone()]) && source.stands_alone(&range) {
                out.extend(in_context(source, range));
            }
        }
    }
}

fn is_code(code: &[u8]) -> bool {
    let Some((party, place)) = code.split_at_checked(6) else { return false };
    let country = str::from_utf8(&party[4..]).unwrap_or_default().to_ascii_lowercase();
    matches!(place.len(), 2 | 5)
        && party.iter().all(u8::is_ascii_uppercase)
        && !matches!(place, [b'0' | b'1', ..] | [_, b'O', ..])
        && COUNTRIES.contains(&country)
}

fn in_context(source: &Source<'_>, range: Range<usize>) -> Option<Candidate> {
    let Leaning::For(word, distance) = leaning(source.text(), &range, &WORDS) else { return None };
    // "bank" alone may stand beside any shouted word.
    let named = matches!(word, "bic" | "swift" | "swiftcode" | "bankcode");
    let has_digit = source.text()[range.clone()].bytes().any(|b| b.is_ascii_digit());
    let score = match (named, distance) {
        (true, 0..=2) => 0.9,
        (true, _) => 0.6,
        (false, 0..=2) if has_digit => 0.5,
        _ => 0.2,
    };
    let found = Candidate::new(range, Entity::BIC_CODE, 0.1, "bic").checked("country");
    Some(found.in_context(Some(word), score))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlp::mask::recognizer::scored;

    fn found(text: &str) -> Vec<(String, f32)> {
        scored(&Bic, text)
    }

    #[test]
    fn codes_beside_their_word() {
        for (text, code) in [
            ("BIC: DEUTDEFF", "DEUTDEFF"),
            ("swift code is BNPAFRPPXXX.", "BNPAFRPPXXX"),
            ("IBAN and BIC GENODEF1S04", "GENODEF1S04"),
        ] {
            assert!(found(text).iter().any(|f| f.0 == code && f.1 >= 0.4), "{text}");
        }
        for text in
            ["BIC: SHOUTING", "DEUTDEFF", "my bank is TERRIBLE", "BIC DEUTDE0F", "BIC deutdeff"]
        {
            assert!(found(text).iter().all(|f| f.1 < 0.4), "{text}: {:?}", found(text));
        }
    }
}

//! What reading a message costs above the encoder's pass over it: all heads, and masking with names besides.

use std::path::Path;
use std::sync::Arc;

use countersign::nlp::detect::Detector;
use countersign::nlp::encoder::Embed;
use countersign::nlp::heads::{DEFAULT_TAXONOMY, Input, Taxonomy, Triage};
use countersign::nlp::mask::{Hints, Masker, MaskerConfig};
use countersign::nlp::names::{DEFAULT_BIAS, NamesHead};
use countersign::nlp::once::Once;

use super::masking::per_cent_above;
use super::{Figure, alone, say};

/// Messages of some fifty tokens, as customers write them.
const MESSAGES: [&str; 6] = [
    "Hello, I ordered a desk lamp (order 48213) three weeks ago and it still hasn't arrived. The tracking page has not changed since Monday. Could you please tell me where it is, or send another one? Anna Smith",
    "I was charged twice for the same order, 49.90 EUR each time, on my card. Please refund one of the payments by tomorrow and confirm it to robin@example.com, I am rather disappointed by now. Thanks, Robin Miller",
    "Good morning, the washing machine that we bought from you in March makes a rattling noise since Tuesday and the display stays dark. It is still under guarantee. Can you send somebody to Springfield this week, please?",
    "Where can I find the invoice for my last purchase? I looked in my account, under orders and under documents, but there is nothing for May. We need it with our VAT number, the address is 12 High Street, Leeds.",
    "I sent the shoes back ten days ago because they are too small, and your colleague Ben Carter said that I would get the larger size at once. Nothing has come so far. Has my parcel reached you at all?",
    "You people never answer! This is the third message I write, my account is locked, the reset link has expired and nobody picks up the phone. Unlock it today or I will cancel my subscription and go elsewhere.",
];

/// Times that each message is read in a round.
const REPEATS: usize = 10;

pub fn heads(encoder: &Arc<dyn Embed>, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("heads and masking above the encoder pass, messages of 50 tokens");
    let plain: &dyn Embed = &**encoder;
    let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file: &Path = &cache.path().join("heads.cache");
    let triage = Triage::load(Taxonomy::parse(DEFAULT_TAXONOMY)?, plain, Some(file))?;
    let masker = Masker::new(MaskerConfig::default())?;
    let detector =
        Detector::with_names(masker, NamesHead::shipped()?, Arc::clone(encoder), DEFAULT_BIAS)?;
    let bare = || {
        for text in MESSAGES.repeat(REPEATS) {
            std::hint::black_box(plain.embed(&[text]));
        }
    };
    let read = || {
        for text in MESSAGES.repeat(REPEATS) {
            std::hint::black_box(triage.read(&Input::of(text), plain));
        }
    };
    let both = || {
        for text in MESSAGES.repeat(REPEATS) {
            let once = Once::new(plain);
            std::hint::black_box(detector.explain_by(text, &Hints::default(), Some(&once)));
            std::hint::black_box(triage.read(&Input::of(text), &once));
        }
    };
    figures.push(alone("all heads above the encoder", "%", per_cent_above(bare, read)));
    figures.push(alone("heads and masking above the encoder", "%", per_cent_above(bare, both)));
    Ok(())
}

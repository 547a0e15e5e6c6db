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
const REPEATS: usize = 16;
/// Messages that a full batch has.
const TOGETHER: usize = 32;

pub fn heads(encoder: &Arc<dyn Embed>, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    say("heads and masking above the encoder pass, messages of 50 tokens");
    let plain: &dyn Embed = &**encoder;
    let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file: &Path = &cache.path().join("heads.cache");
    let triage = Triage::load(Taxonomy::parse(DEFAULT_TAXONOMY)?, plain, Some(file))?;
    let masker = Masker::new(MaskerConfig::default())?;
    let detector =
        Detector::with_names(masker, NamesHead::shipped()?, Arc::clone(encoder), DEFAULT_BIAS)?;
    let texts = MESSAGES.repeat(REPEATS);
    for batch in [1, TOGETHER] {
        let bare = || {
            for some in texts.chunks(batch) {
                std::hint::black_box(plain.embed(some));
            }
        };
        let read = || {
            for some in texts.chunks(batch) {
                let inputs: Vec<Input<'_>> = some.iter().map(|text| Input::of(text)).collect();
                std::hint::black_box(triage.read_batch(&inputs, plain));
            }
        };
        let both = || {
            for some in texts.chunks(batch) {
                let once = Once::new(plain);
                once.read_many(some);
                for text in some {
                    std::hint::black_box(detector.explain_by(text, &Hints::default(), Some(&once)));
                }
                let inputs: Vec<Input<'_>> = some.iter().map(|text| Input::of(text)).collect();
                std::hint::black_box(triage.read_batch(&inputs, &once));
            }
        };
        let mut above = |what: &str, with: &dyn Fn()| {
            let what = format!("{what} above the encoder, batches of {batch}");
            figures.push(alone(what, "%", per_cent_above(bare, with)));
        };
        above("all heads", &read);
        above("heads and masking", &both);
    }
    Ok(())
}

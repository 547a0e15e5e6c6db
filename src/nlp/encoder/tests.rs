//! The encoder as a whole, on the real model, which `make test` fetches.

use std::num::NonZeroUsize;
use std::path::Path;

use super::kernels::Dots;
use super::linear::Kernels;
use super::{Encoder, Encoding, Mode};

const TEXTS: &[&str] = &[
    "",
    "Hi",
    "Where is my parcel?",
    "thanks, that fixed it!",
    "I was charged twice for the same order. Please refund one of the payments.",
    "The app crashes every time I open the settings page on my phone.",
    "Can I change the delivery address after the order has shipped?",
    "Your last update broke the export. We can't close the month without it, this is urgent!!",
    "How do I reset my password if I no longer have access to my old e-mail?",
    "Please cancel my subscription at the end of the month and confirm it in writing.",
    "Good morning, we are interested in a quote for 250 seats with single sign-on.",
    "The invoice <URL_1> shows the wrong VAT number, ours is DE 123456789.",
    "I have been waiting for three weeks and nobody answers. I am really disappointed.",
    "Is the blue one available in size 42?",
    "Error 0x80070057 when mounting the share; logs attached.",
    "Hello <PERSON_1>, following up on ticket 48213: any news from the warehouse?",
    "The heater makes a rattling noise since Tuesday and the display stays dark.",
    "I love the new dashboard, it saves me an hour every day.",
    "Do you ship to Norway, and who pays the customs duty?",
    "My card <CARD_1> was declined although there is enough money on the account.",
    "Bonjour, je voudrais savoir quand ma commande sera livrée.",
    "Guten Tag, die Rechnung vom März fehlt noch. Könnten Sie sie bitte nachsenden?",
    "¿Puedo devolver el producto si ya abrí la caja?",
    "請問我的訂單什麼時候會到？",
    "UNSUBSCRIBE ME NOW",
    "We measured 40 ms at the median and 900 ms at the 99th percentile after the upgrade to 2.4.1.",
    "The webhook is called twice for each event, with the same id. Is that expected?",
    "Our accountant needs receipts for January to June as one PDF.",
    "the item arrived broken, see photos. i want a replacement not a refund",
    "Could someone call me back at <PHONE_1> between 2 and 4 pm?",
    "After the last call with your colleague we agreed on a discount of 15 %, but the renewal doesn't show it.",
    "Two of five sensors lost their pairing overnight; the hub's light blinks red, then amber.",
    "What does the premium plan include that the basic plan does not?",
    "I can't find the button that the guide mentions. Did you move it?",
    "You are the worst company I have ever dealt with.",
    "Nothing to complain about: quick delivery, friendly driver, and the table looks great.",
    "Please delete all the data that you hold about me, under article 17.",
    "The training on Friday has to be moved, half of the team is ill. Would the week after suit you?",
    "SELECT * FROM orders WHERE id = 7; returns nothing, although the order is in the list.",
    "Congratulations! You have won a voucher. Click the link within 24 hours to claim it.",
];

fn load(mode: Mode, kernels: Kernels, threads: usize) -> Encoder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/all-MiniLM-L6-v2");
    let threads = NonZeroUsize::new(threads).expect("at least one thread");
    super::load::load(&folder, mode, threads, kernels)
        .expect("the model is there after `make test` or `countersign models pull`")
}

/// All kernels that can run here.
fn all_kernels() -> impl Iterator<Item = Kernels> {
    Dots::all().map(Kernels::with).chain([Kernels::Portable])
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The mean and the least cosine over texts, of the embeddings and of layer 4.
fn agreement(a: &[Encoding], b: &[Encoding]) -> [(f64, f64); 2] {
    let over = |part: fn(&Encoding) -> &[f32]| {
        let cosines: Vec<f64> = a.iter().zip(b).map(|(a, b)| cosine(part(a), part(b))).collect();
        let least = cosines.iter().copied().fold(f64::INFINITY, f64::min);
        (cosines.iter().sum::<f64>() / cosines.len() as f64, least)
    };
    [over(|encoding| &encoding.embedding), over(|encoding| &encoding.layer4)]
}

#[test]
fn kernels_and_modes_agree() {
    let reference = load(Mode::F32, Kernels::Portable, 2).encode(TEXTS);
    for kernels in all_kernels() {
        let encoder = load(Mode::F32, kernels, 2);
        for (_, least) in agreement(&encoder.encode(TEXTS), &reference) {
            assert!(least >= 0.9999, "f32, {kernels:?}: {least}");
        }
        let encoder = load(Mode::Int8, kernels, 2);
        for (mean, least) in agreement(&encoder.encode(TEXTS), &reference) {
            assert!(
                mean >= 0.999 && least >= 0.998,
                "{}, {kernels:?}: mean {mean}, least {least}",
                encoder.id()
            );
        }
    }
}

#[test]
fn token_states_agree() {
    let load = |kernels| load(Mode::F32, kernels, 1);
    let (own, portable) = (load(Kernels::for_cpu()), load(Kernels::Portable));
    for text in TEXTS {
        let (own, portable) = (own.read(text), portable.read(text));
        assert_eq!(own.tokens, portable.tokens);
        for (own, portable) in own.states().zip(portable.states()) {
            assert!(cosine(own, portable) >= 0.9999, "{text}");
        }
    }
}

/// A text's bits are the same alone, in any batch, in any order, with one thread or several, and
/// when it is read for its tokens.
#[test]
fn bits_do_not_depend_on_the_company() {
    let long = TEXTS.join(" ");
    let mut texts = TEXTS.to_vec();
    texts.insert(7, &long);
    for mode in [Mode::F32, Mode::Int8] {
        for kernels in all_kernels() {
            let (one, several) = (load(mode, kernels, 1), load(mode, kernels, 2));
            let alone: Vec<Encoding> = texts.iter().flat_map(|text| one.encode(&[text])).collect();
            assert!(alone[7].tokens > 2 * 256, "the long text needs several windows");
            assert_eq!(alone, one.encode(&texts));
            let turned: Vec<&str> = texts.iter().rev().copied().collect();
            let turned: Vec<Encoding> = several.encode(&turned).into_iter().rev().collect();
            assert_eq!(alone, turned);
            for (text, alone) in texts.iter().zip(&alone).step_by(9) {
                assert_eq!(several.read(text).encoding, *alone);
            }
        }
    }
}

#[test]
fn many_callers_at_once() {
    let encoder = load(Mode::Int8, Kernels::for_cpu(), 2);
    let expected = encoder.encode(TEXTS);
    std::thread::scope(|scope| {
        for shift in 0..4 {
            let (encoder, expected) = (&encoder, &expected);
            scope.spawn(move || {
                for (text, expected) in TEXTS.iter().zip(expected).skip(shift) {
                    assert_eq!(encoder.encode(&[text]), std::slice::from_ref(expected));
                }
            });
        }
    });
}

/// A short text that comes while a long one is under way waits for a pass, not for the whole text.
#[test]
fn a_short_text_comes_between_the_passes_of_a_long_one() {
    for threads in [1, 2] {
        let encoder = load(Mode::Int8, Kernels::for_cpu(), threads);
        let long = TEXTS.join(" ").repeat(60);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let read = encoder.encode(&[long.as_str()]);
                done.store(true, std::sync::atomic::Ordering::SeqCst);
                read
            });
            // The long text has begun when it holds every lane.
            while encoder.lanes.idle() > 0 {
                std::thread::yield_now();
            }
            for text in &TEXTS[1..6] {
                encoder.encode(&[text]);
                let over = done.load(std::sync::atomic::Ordering::SeqCst);
                assert!(!over, "{text} waited for the end of the long text");
            }
            assert!(reader.join().unwrap()[0].tokens > 100 * 256);
        });
    }
}

//! One pass for one message: names, heads and vectors ask for the encoding of the same text, each on
//! its own, and the encoder is asked once.
//!
//! Lives as long as the message is worked on; nothing of it is kept.

use std::sync::{Mutex, PoisonError};

use super::encoder::{Embed, Encoding, Reading};

/// Readings at most kept for one message; a text beyond that is read again.
const MOST: usize = 64;
/// Longer texts than this many bytes are not kept: their states are large, and they come once.
const LONGEST: usize = 16 * 1024;

/// An encoder that remembers what it read for one message.
pub struct Once<'a> {
    encoder: &'a dyn Embed,
    read: Mutex<Vec<(String, Reading)>>,
}

impl<'a> Once<'a> {
    /// In front of an encoder.
    pub fn new(encoder: &'a dyn Embed) -> Self {
        Self { encoder, read: Mutex::default() }
    }

    fn known(&self, text: &str) -> Option<Reading> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().find(|(known, _)| known == text).map(|(_, reading)| reading.clone())
    }

    fn keep(&self, text: &str, reading: &Reading) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() < MOST && text.len() <= LONGEST && read.iter().all(|(known, _)| known != text)
        {
            read.push((text.to_owned(), reading.clone()));
        }
    }
}

impl Embed for Once<'_> {
    fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
        let known: Vec<Option<Encoding>> =
            texts.iter().map(|text| self.known(text).map(|reading| reading.encoding)).collect();
        let missing: Vec<&str> =
            texts.iter().zip(&known).filter(|(_, k)| k.is_none()).map(|(t, _)| *t).collect();
        let new = if missing.is_empty() { Vec::new() } else { self.encoder.embed(&missing) };
        let mut new = new.into_iter();
        known.into_iter().filter_map(|known| known.or_else(|| new.next())).collect()
    }

    fn read(&self, text: &str) -> Option<Reading> {
        if let Some(known) = self.known(text) {
            return Some(known);
        }
        let reading = self.encoder.read(text)?;
        self.keep(text, &reading);
        Some(reading)
    }

    fn read_many(&self, texts: &[&str]) -> Vec<Reading> {
        let known: Vec<Option<Reading>> = texts.iter().map(|text| self.known(text)).collect();
        let missing: Vec<&str> =
            texts.iter().zip(&known).filter(|(_, k)| k.is_none()).map(|(t, _)| *t).collect();
        let new = if missing.is_empty() { Vec::new() } else { self.encoder.read_many(&missing) };
        for (text, reading) in missing.iter().zip(&new) {
            self.keep(text, reading);
        }
        let mut new = new.into_iter();
        known.into_iter().filter_map(|known| known.or_else(|| new.next())).collect()
    }

    fn id(&self) -> &str {
        self.encoder.id()
    }

    fn dims(&self) -> usize {
        self.encoder.dims()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts the texts that it is given; a text's vector is its length.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Embed for Counting {
        fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
            self.0.fetch_add(texts.len(), Ordering::Relaxed);
            let vector = |t: &&str| Encoding {
                embedding: vec![t.len() as f32],
                layer4: vec![0.0],
                tokens: t.len(),
            };
            texts.iter().map(vector).collect()
        }
        fn read(&self, text: &str) -> Option<Reading> {
            self.read_many(&[text]).pop()
        }
        fn id(&self) -> &str {
            "counting"
        }
        fn dims(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_text_is_read_once_whoever_asks() {
        let counting = Counting::default();
        let once = Once::new(&counting);
        assert_eq!(once.read("abc").unwrap().encoding.tokens, 3);
        let lengths: Vec<usize> =
            once.read_many(&["ab", "abc", "a"]).iter().map(|r| r.encoding.tokens).collect();
        assert_eq!(lengths, [2, 3, 1]);
        let lengths: Vec<usize> =
            once.embed(&["abc", "abcd", "a"]).iter().map(|e| e.tokens).collect();
        assert_eq!(lengths, [3, 4, 1]);
        assert_eq!(counting.0.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let counting = Counting::default();
        let once = Once::new(&counting);
        let long = "x".repeat(LONGEST + 1);
        once.read(&long);
        (0..2 * MOST).for_each(|n| drop(once.read(&n.to_string())));
        assert_eq!(once.read.lock().unwrap().len(), MOST);
        assert!(once.known(&long).is_none());
    }
}

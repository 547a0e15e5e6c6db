//! Vectors kept from one use to the next. A reply is drafted from and checked against the sentences of
//! a few articles, and popular articles come back with every other message: encoding their sentences
//! anew would cost ten times what the customer's own words cost.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::encoder::{Embed, Encoding};

/// Texts whose vectors are kept unless told otherwise: with 384 dimensions some 3 KB each, 25 MB.
pub const REMEMBERED: usize = 8192;

/// First half of a text's SHA-256: the text itself isn't kept.
type Key = [u8; 16];

/// An encoder that doesn't encode twice what it was asked lately.
///
/// The vectors are those of the encoder itself, bit for bit: it gives a text the same vector
/// whatever stands beside it. Two generations stand in for an exact order of use: when the young one
/// has half of the places, the old one goes.
pub struct Remembered {
    inner: Arc<dyn Embed>,
    half: usize,
    kept: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Encoding>,
    old: HashMap<Key, Encoding>,
}

impl Generations {
    fn get(&mut self, key: &Key) -> Option<Encoding> {
        if let Some(known) = self.young.get(key) {
            return Some(known.clone());
        }
        let again = self.old.remove(key)?;
        self.young.insert(*key, again.clone());
        Some(again)
    }

    fn put(&mut self, key: Key, encoding: Encoding, half: usize) {
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, encoding);
    }
}

impl Remembered {
    /// Puts a memory of about `texts` texts before an encoder.
    pub fn new(inner: Arc<dyn Embed>, texts: usize) -> Self {
        Self { inner, half: (texts / 2).max(1), kept: Mutex::default() }
    }
}

impl Embed for Remembered {
    fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
        let keys: Vec<Key> = texts.iter().map(|t| key(t)).collect();
        let mut found: HashMap<Key, Encoding> = HashMap::with_capacity(texts.len());
        let mut missing: Vec<(Key, &str)> = Vec::new();
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let mut asked = HashMap::new();
            for (key, text) in keys.iter().zip(texts) {
                let Entry::Vacant(first) = asked.entry(*key) else { continue };
                first.insert(());
                match kept.get(key) {
                    Some(known) => drop(found.insert(*key, known)),
                    None => missing.push((*key, *text)),
                }
            }
        }
        // Encoded outside the lock; two callers may do the same work, and get the same.
        let new: Vec<&str> = missing.iter().map(|(_, text)| *text).collect();
        let new = if new.is_empty() { Vec::new() } else { self.inner.embed(&new) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for ((key, _), encoding) in missing.into_iter().zip(new) {
            kept.put(key, encoding.clone(), self.half);
            found.insert(key, encoding);
        }
        drop(kept);
        keys.iter().filter_map(|key| found.get(key).cloned()).collect()
    }

    fn id(&self) -> &str {
        self.inner.id()
    }

    fn dims(&self) -> usize {
        self.inner.dims()
    }
}

fn key(text: &str) -> Key {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut key = Key::default();
    key.copy_from_slice(&digest[..16]);
    key
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts what it is asked; a text's vector is its length.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Embed for Counting {
        fn embed(&self, texts: &[&str]) -> Vec<Encoding> {
            self.0.fetch_add(texts.len(), Ordering::Relaxed);
            let vector = |t: &&str| Encoding {
                embedding: vec![t.len() as f32],
                layer4: Vec::new(),
                tokens: t.len(),
            };
            texts.iter().map(vector).collect()
        }
        fn id(&self) -> &str {
            "counting"
        }
        fn dims(&self) -> usize {
            1
        }
    }

    #[test]
    fn each_text_is_encoded_once_and_the_order_is_kept() {
        let inner = Arc::new(Counting::default());
        let memory = Remembered::new(inner.clone(), 100);
        let lengths = |texts: &[&str]| -> Vec<usize> {
            memory.embed(texts).iter().map(|e| e.tokens).collect()
        };
        assert_eq!(lengths(&["aaa", "b", "aaa"]), [3, 1, 3]);
        assert_eq!(lengths(&["b", "cc", "aaa"]), [1, 2, 3]);
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(inner.0.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn what_is_used_stays_and_memory_is_bounded() {
        let inner = Arc::new(Counting::default());
        let memory = Remembered::new(inner.clone(), 10);
        for n in 0..1000 {
            memory.embed(&["often", &format!("once {n}")]);
        }
        assert_eq!(inner.0.load(Ordering::Relaxed), 1001);
        let kept = memory.kept.lock().unwrap();
        assert!(kept.young.len() + kept.old.len() <= 10);
    }
}

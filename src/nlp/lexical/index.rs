//! The inverted index: who holds which term how often, and who fits a query best.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::terms::index_terms;

/// How fast repetition of a term stops counting.
const K1: f32 = 1.2;

/// How much a long text is discounted.
const B: f32 = 0.75;

/// Postings a term must have before it pays to find out whether it can still bring in new texts.
const PRUNE_FROM: usize = 512;

/// A text that holds query terms, and how well it fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The number it was inserted under.
    pub slot: u32,
    /// Higher is better. BM25 scores are positive and comparable within one query only.
    pub score: f32,
}

/// An inverted index over texts that are numbered by the caller. A number may be used once: a changed text gets a new
/// one, and [`compact`](Self::compact) renumbers when many are gone.
#[derive(Debug, Default, Clone)]
pub struct LexicalIndex {
    ids: HashMap<Box<str>, u32>,
    lists: Vec<PostingList>,
    /// Indexed by slot; none for slots that are gone or were never used.
    texts: Vec<Option<TextEntry>>,
    live: usize,
    total_terms: u64,
}

#[derive(Debug, Default, Clone)]
struct PostingList {
    /// In ascending order of slots.
    postings: Vec<Posting>,
    /// Texts that still exist; `postings` may hold more.
    live: u32,
}

#[derive(Debug, Clone, Copy)]
struct Posting {
    slot: u32,
    count: u32,
}

#[derive(Debug, Clone)]
struct TextEntry {
    length: u32,
    /// Distinct terms, for removal.
    terms: Box<[u32]>,
}

impl LexicalIndex {
    /// An index without texts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many texts it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether it holds no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Adds a text under `slot`, which must be greater than every slot used since the last compaction; otherwise
    /// nothing happens.
    pub fn insert(&mut self, slot: u32, text: &str) {
        if (slot as usize) < self.texts.len() {
            return;
        }
        let mut counts: HashMap<u32, u32> = HashMap::new();
        let mut length = 0u32;
        for term in index_terms(text) {
            *counts.entry(self.term_id(term)).or_default() += 1;
            length = length.saturating_add(1);
        }
        for (&term, &count) in &counts {
            let list = &mut self.lists[term as usize];
            list.postings.push(Posting { slot, count });
            list.live += 1;
        }
        self.texts.resize_with(slot as usize, || None);
        self.texts.push(Some(TextEntry { length, terms: counts.into_keys().collect() }));
        self.live += 1;
        self.total_terms += u64::from(length);
    }

    fn term_id(&mut self, term: String) -> u32 {
        let next = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        let id = *self.ids.entry(term.into_boxed_str()).or_insert(next);
        if id == next {
            self.lists.push(PostingList::default());
        }
        id
    }

    /// Takes a text out. Its postings stay until the next compaction and are skipped.
    pub fn remove(&mut self, slot: u32) {
        let Some(entry) = self.texts.get_mut(slot as usize).and_then(Option::take) else { return };
        for &term in &entry.terms {
            self.lists[term as usize].live -= 1;
        }
        self.live -= 1;
        self.total_terms -= u64::from(entry.length);
    }

    /// Renumbers the texts that are left and drops everything of the others. `renumber` gives the new slot of an old
    /// one and must keep their order.
    pub fn compact(&mut self, renumber: impl Fn(u32) -> Option<u32>) {
        for list in &mut self.lists {
            list.postings.retain_mut(|p| {
                let alive = self.texts.get(p.slot as usize).is_some_and(Option::is_some);
                let slot = renumber(p.slot).filter(|_| alive);
                p.slot = slot.unwrap_or_default();
                slot.is_some()
            });
        }
        let mut texts: Vec<Option<TextEntry>> = Vec::with_capacity(self.live);
        for (old, entry) in (0u32..).zip(std::mem::take(&mut self.texts)) {
            if let (Some(entry), Some(slot)) = (entry, renumber(old)) {
                texts.resize_with(slot as usize, || None);
                texts.push(Some(entry));
            }
        }
        self.texts = texts;
        self.drop_empty_terms();
    }

    fn drop_empty_terms(&mut self) {
        let mut moved = vec![u32::MAX; self.lists.len()];
        let mut kept = Vec::new();
        for (old, list) in std::mem::take(&mut self.lists).into_iter().enumerate() {
            if !list.postings.is_empty() {
                moved[old] = u32::try_from(kept.len()).unwrap_or(u32::MAX);
                kept.push(list);
            }
        }
        self.lists = kept;
        self.ids.retain(|_, id| {
            *id = moved[*id as usize];
            *id != u32::MAX
        });
        for entry in self.texts.iter_mut().flatten() {
            entry.terms.iter_mut().for_each(|t| *t = moved[*t as usize]);
        }
    }

    /// The best `k` texts for `query` among those that `admits` lets through, best first. Texts that share no term
    /// with the query are left out.
    ///
    /// Exact: rare terms are scored first, and once the terms to come can't lift a new text into the best `k`, they
    /// are looked up only for the texts already found (the MaxScore idea of Turtle and Flood, 1995).
    #[must_use]
    pub fn search(&self, query: &str, k: usize, admits: impl Fn(u32) -> bool) -> Vec<Ranked> {
        if self.live == 0 || k == 0 {
            return Vec::new();
        }
        let query = self.weighted_terms(query);
        let mut scores = vec![0.0f32; self.texts.len()];
        let mut found: Vec<u32> = Vec::new();
        let mut rest: f32 = query.iter().map(|t| t.bound).sum();
        for term in &query {
            let postings = &self.lists[term.id as usize].postings;
            let closed = postings.len() >= PRUNE_FROM
                && kth_score(&found, &scores, k).is_some_and(|s| s > rest);
            if closed {
                self.add_to_found(term, postings, &found, &mut scores);
            } else {
                self.add_all(term, postings, &admits, &mut found, &mut scores);
            }
            rest -= term.bound;
        }
        top_k(found.into_iter().map(|slot| Ranked { slot, score: scores[slot as usize] }), k)
    }

    /// The query's known terms, rarest first.
    fn weighted_terms(&self, query: &str) -> Vec<QueryTerm> {
        let mut weights: HashMap<u32, f32> = HashMap::new();
        for term in index_terms(query) {
            if let Some(&id) = self.ids.get(term.as_str()) {
                *weights.entry(id).or_default() += 1.0;
            }
        }
        let total = self.live as f32;
        let mut list: Vec<QueryTerm> = weights
            .into_iter()
            .map(|(id, repeats)| {
                let df = self.lists[id as usize].live as f32;
                let weight = repeats * (1.0 + (total - df + 0.5) / (df + 0.5)).ln();
                QueryTerm { id, weight, bound: weight * (K1 + 1.0) }
            })
            .collect();
        // The id breaks ties, so that the sums, and with them the ranking, are the same every time.
        list.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id)));
        list
    }

    fn add_all(
        &self,
        term: &QueryTerm,
        postings: &[Posting],
        admits: &impl Fn(u32) -> bool,
        found: &mut Vec<u32>,
        scores: &mut [f32],
    ) {
        for p in postings {
            let Some(entry) = &self.texts[p.slot as usize] else { continue };
            let score = &mut scores[p.slot as usize];
            if *score == 0.0 {
                if !admits(p.slot) {
                    continue;
                }
                found.push(p.slot);
            }
            *score += term.weight * self.saturation(p.count, entry.length);
        }
    }

    fn add_to_found(
        &self,
        term: &QueryTerm,
        postings: &[Posting],
        found: &[u32],
        scores: &mut [f32],
    ) {
        for &slot in found {
            let place = postings.binary_search_by_key(&slot, |p| p.slot).ok();
            let entry = self.texts[slot as usize].as_ref();
            if let (Some(place), Some(entry)) = (place, entry) {
                scores[slot as usize] +=
                    term.weight * self.saturation(postings[place].count, entry.length);
            }
        }
    }

    /// BM25's term frequency part, in `0..K1 + 1`.
    fn saturation(&self, count: u32, length: u32) -> f32 {
        let mean = (self.total_terms as f32 / self.live as f32).max(1.0);
        let count = count as f32;
        count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length as f32 / mean))
    }
}

struct QueryTerm {
    id: u32,
    weight: f32,
    /// Most that the term can add to a score.
    bound: f32,
}

/// The score of the `k`th best text so far, if there are so many.
fn kth_score(found: &[u32], scores: &[f32], k: usize) -> Option<f32> {
    if found.len() < k {
        return None;
    }
    let mut so_far: Vec<f32> = found.iter().map(|&s| scores[s as usize]).collect();
    let (_, kth, _) = so_far.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    Some(*kth)
}

/// The `k` best, best first; equal scores in ascending order of slots.
#[must_use]
pub fn top_k(all: impl Iterator<Item = Ranked>, k: usize) -> Vec<Ranked> {
    let mut heap: BinaryHeap<Worst> = BinaryHeap::with_capacity(k + 1);
    for ranked in all {
        if heap.len() < k {
            heap.push(Worst(ranked));
        } else if heap.peek().is_some_and(|w| Worst(ranked) < *w) {
            heap.pop();
            heap.push(Worst(ranked));
        }
    }
    heap.into_sorted_vec().into_iter().map(|w| w.0).collect()
}

/// Ordered so that the worst is the greatest and sits on top of the heap.
#[derive(PartialEq)]
struct Worst(Ranked);

impl Eq for Worst {}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.score.total_cmp(&self.0.score).then(self.0.slot.cmp(&other.0.slot))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn inflected_forms_find_each_other() {
        let index = index(&["returned parcels", "nothing of it"]);
        assert_eq!(slots(&index.search("returning a parcel", 9, |_| true)), [0]);
    }

    fn index(texts: &[&str]) -> LexicalIndex {
        let mut index = LexicalIndex::new();
        for (slot, text) in (0u32..).zip(texts) {
            index.insert(slot, text);
        }
        index
    }

    fn slots(found: &[Ranked]) -> Vec<u32> {
        found.iter().map(|r| r.slot).collect()
    }

    #[test]
    fn rare_words_and_short_texts_win() {
        let index = index(&[
            "the refund is late",
            "the the the refund refund policy of the shop is long and is here",
            "the parcel",
        ]);
        assert_eq!(slots(&index.search("refund policy", 9, |_| true)), [1, 0]);
        assert_eq!(slots(&index.search("the refund", 9, |_| true))[..2], [0, 1]);
        assert_eq!(slots(&index.search("the refund", 9, |s| s == 2)), [2]);
        assert!(index.search("unheard", 9, |_| true).is_empty());
    }

    #[test]
    fn removed_texts_are_gone_and_weigh_nothing() {
        let mut changed = index(&["red tent", "blue tent", "red boots"]);
        changed.remove(0);
        changed.remove(0);
        changed.insert(3, "green tent");
        assert_eq!(slots(&changed.search("red tent", 9, |_| true)), [2, 1, 3]);
        let before = changed.search("red tent", 9, |_| true);
        let kept = [1u32, 2, 3];
        changed.compact(|old| kept.iter().position(|k| *k == old).map(|n| n as u32));
        let after = changed.search("red tent", 9, |_| true);
        assert_eq!(slots(&after), [1, 0, 2]);
        assert!(before.iter().zip(&after).all(|(a, b)| (a.score - b.score).abs() < 1e-6));
        assert_eq!(changed.len(), 3);
        assert!(changed.search("red", 9, |_| true).iter().all(|r| r.slot == 1));
        assert!(!changed.ids.contains_key("unused"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Pruning changes nothing: the same list as scoring every text.
        #[test]
        fn pruned_search_is_exact(seed in 0u64..1_000, k in 1usize..12) {
            let mut state = seed * 2 + 1;
            let mut next = |n: u64| { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99); (state >> 33) % n };
            let mut index = LexicalIndex::new();
            for slot in 0..1_500u32 {
                let words: Vec<String> = (0..1 + next(12)).map(|_| { let r = next(40); format!("w{}", r * r / 40) }).collect();
                index.insert(slot, &words.join(" "));
            }
            for slot in 0..200 { index.remove(slot * 7); }
            let query = "w0 w1 w39 w22 w3";
            let all = index.search(query, index.texts.len(), |_| true);
            let best = index.search(query, k, |_| true);
            prop_assert_eq!(&all[..k.min(all.len())], &best[..]);
        }
    }
}

//! A queue that serves its owners in turn: one who brings 256 texts waits for himself, not others
//! for him.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng 1996): each owner has a line and a virtual time at
//! which its front may start; whoever's comes first is served, and then moves on by what it cost.
//! With equal costs that is round robin; an owner of long texts gets fewer of them in turn.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

/// One owner's things, first come first served.
#[derive(Debug)]
struct Line<T> {
    things: VecDeque<(u64, T)>,
    /// What they cost.
    cost: u64,
    /// The virtual time at which the front may start.
    start: u64,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Fair<K, T> {
    lines: HashMap<K, Line<T>>,
    /// The owners that wait, by the start of their front.
    order: BTreeSet<(u64, K)>,
    /// The start of what was served last.
    clock: u64,
    len: usize,
}

impl<K: Clone + Eq + Hash + Ord, T> Fair<K, T> {
    /// Empty.
    pub(super) fn new() -> Self {
        Self { lines: HashMap::new(), order: BTreeSet::new(), clock: 0, len: 0 }
    }

    /// How many things wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What is served before the last of further things of one owner that cost `more`, themselves left out: the
    /// owner's own, and of each other's line as much as they get in turn.
    pub(super) fn ahead_of(&self, owner: &K, more: u64) -> u64 {
        let mine = self.lines.get(owner).map_or(0, |l| l.cost);
        let others = self.lines.iter().filter(|(k, _)| *k != owner);
        mine + others.map(|(_, l)| l.cost.min(mine.saturating_add(more))).sum::<u64>()
    }

    /// How many things of one owner wait.
    pub(super) fn len_of(&self, owner: &K) -> usize {
        self.lines.get(owner).map_or(0, |l| l.things.len())
    }

    /// Puts something at the end of its owner's line.
    pub(super) fn push(&mut self, owner: &K, cost: u64, thing: T) {
        let clock = self.clock;
        let line = self.lines.entry(owner.clone()).or_insert_with(|| Line {
            things: VecDeque::new(),
            cost: 0,
            start: clock,
        });
        if line.things.is_empty() {
            // Who was away saved nothing up.
            line.start = line.start.max(clock);
            self.order.insert((line.start, owner.clone()));
        }
        line.things.push_back((cost, thing));
        line.cost += cost;
        self.len += 1;
    }

    /// The next thing, whose it is and what it costs.
    pub(super) fn pop(&mut self) -> Option<(K, u64, T)> {
        let (start, owner) = self.order.pop_first()?;
        let line = self.lines.get_mut(&owner)?;
        let (cost, thing) = line.things.pop_front()?;
        self.clock = start;
        line.start = start.saturating_add(cost.max(1));
        line.cost -= cost;
        self.len -= 1;
        if !line.things.is_empty() {
            self.order.insert((line.start, owner.clone()));
        } else if self.len == 0 {
            // Nobody waits, so nobody has to remember who had how much.
            self.lines.clear();
            self.clock = 0;
        }
        Some((owner, cost, thing))
    }

    /// Throws away what isn't wanted any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        for (owner, line) in &mut self.lines {
            let waited = !line.things.is_empty();
            line.things.retain(|(_, thing)| wanted(thing));
            line.cost = line.things.iter().map(|(cost, _)| cost).sum();
            if waited && line.things.is_empty() {
                self.order.remove(&(line.start, owner.clone()));
            }
        }
        self.len = self.lines.values().map(|l| l.things.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(queue: &mut Fair<&'static str, u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop().map(|(_, _, thing)| thing)).collect()
    }

    /// Of all that waits.
    fn cost(queue: &Fair<&'static str, u32>) -> u64 {
        queue.ahead_of(&"nobody", u64::MAX)
    }

    #[test]
    fn owners_are_served_in_turn_whoever_came_first() {
        let mut queue = Fair::new();
        for n in 0..4 {
            queue.push(&"many", 10, n);
        }
        queue.push(&"few", 10, 100);
        queue.push(&"few", 10, 101);
        assert_eq!((queue.len(), queue.len_of(&"few"), cost(&queue)), (6, 2, 60));
        assert_eq!(drained(&mut queue), [100, 0, 101, 1, 2, 3]);
        assert_eq!((queue.len(), cost(&queue)), (0, 0));
    }

    #[test]
    fn long_things_count_for_what_they_cost() {
        let mut queue = Fair::new();
        for n in 0..3 {
            queue.push(&"long", 40, n);
            queue.push(&"short", 10, 100 + n);
        }
        // After the first long one, four short ones would have their turn.
        assert_eq!(drained(&mut queue), [0, 100, 101, 102, 1, 2]);
    }

    #[test]
    fn what_is_ahead_is_what_comes_before_the_last_of_ones_own() {
        let mut queue = Fair::new();
        for n in 0..100 {
            queue.push(&"many", 10, n);
        }
        assert_eq!(queue.ahead_of(&"few", 10), 10, "one each in turn, not all hundred");
        assert_eq!(queue.ahead_of(&"few", 5_000), 1_000);
        assert_eq!(queue.ahead_of(&"many", 10), 1_000);
        queue.push(&"few", 30, 200);
        queue.push(&"few", 30, 201);
        assert_eq!(queue.ahead_of(&"few", 10), 60 + 70);
        assert_eq!(queue.ahead_of(&"many", 10), 1_000 + 60);
        // Of those that may start at once the one with the smaller key is first.
        assert_eq!(queue.pop().map(|(_, _, n)| n), Some(200));
        queue.retain(|n| *n != 0);
        assert_eq!(queue.ahead_of(&"few", 10), 30 + 40);
        assert_eq!(queue.ahead_of(&"many", 10), 990 + 30);
    }

    #[test]
    fn who_was_away_saved_nothing_up() {
        let mut queue = Fair::new();
        for n in 0..8 {
            queue.push(&"steady", 10, n);
        }
        for _ in 0..4 {
            queue.pop();
        }
        for n in 100..103 {
            queue.push(&"late", 10, n);
        }
        assert_eq!(drained(&mut queue), [100, 101, 4, 102, 5, 6, 7]);
    }

    #[test]
    fn what_is_not_wanted_any_more_leaves_the_others_their_places() {
        let mut queue = Fair::new();
        for n in 0..3 {
            queue.push(&"a", 10, n);
            queue.push(&"b", 10, 100 + n);
        }
        queue.retain(|n| *n < 100 && *n != 1);
        assert_eq!((queue.len(), queue.len_of(&"b"), cost(&queue)), (2, 0, 20));
        queue.push(&"b", 10, 200);
        assert_eq!(drained(&mut queue), [0, 200, 2]);
    }
}

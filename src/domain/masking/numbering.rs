//! The numbers in placeholders. They belong to a thread and are computed, never stored: the same
//! list of vault entries in the same order gives the same numbers, whatever threads were merged.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::entity::Entity;
use super::vault::VaultId;

/// A keyed hash of a normalised value; equal for equal values of one tenant and useless without
/// the key. The bytes are the vault's business.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ValueHash(Box<[u8]>);

impl ValueHash {
    /// Wraps the hash's bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for ValueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueHash({} bytes)", self.0.len())
    }
}

/// What a thread's numbering needs to know of one vault entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// The entry's id, as in stored tokens.
    pub id: VaultId,
    /// The type of the value.
    pub entity: Entity,
    /// Tells whether two entries hold the same value.
    pub value: ValueHash,
}

/// `<EMAIL_1>`: a label and a number, counted from 1 within the thread and label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Placeholder {
    label: String,
    number: u32,
}

impl Placeholder {
    /// The type's short word.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// From 1 up.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}_{}>", self.label, self.number)
    }
}

/// One thread's vault entries in order of first appearance, with their placeholders.
///
/// An id that was not added is not the thread's: it renders without a number and is never restored.
#[derive(Debug, Clone)]
pub struct Numbering {
    by_id: HashMap<VaultId, Placeholder>,
    owners: HashMap<Placeholder, Owner>,
    by_value: HashMap<(Entity, ValueHash), Placeholder>,
    counts: HashMap<String, u32>,
    labels: Labels,
}

/// Who stands behind a placeholder.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) entity: Entity,
    /// More than one after a merge of threads that knew the same value.
    pub(super) ids: Vec<VaultId>,
}

impl Numbering {
    /// A thread in which nothing has been masked.
    pub fn new() -> Self {
        Self {
            by_id: HashMap::new(),
            owners: HashMap::new(),
            by_value: HashMap::new(),
            counts: HashMap::new(),
            labels: Labels::builtin(),
        }
    }

    /// Adds the next entry. An id that is there already keeps its placeholder; another id with the
    /// same type and value shares the first one's.
    pub fn add(&mut self, key: VaultKey) -> Placeholder {
        if let Some(p) = self.by_id.get(&key.id) {
            return p.clone();
        }
        let VaultKey { id, entity, value } = key;
        let placeholder = match self.by_value.get(&(entity.clone(), value.clone())) {
            Some(p) => p.clone(),
            None => {
                // Counted by label, not type: two types may share a label and must not a number.
                let label = entity.label().to_owned();
                self.labels.add(&label);
                let count = self.counts.entry(label.clone()).or_default();
                *count += 1;
                let p = Placeholder { label, number: *count };
                self.by_value.insert((entity.clone(), value), p.clone());
                p
            }
        };
        self.owners
            .entry(placeholder.clone())
            .or_insert_with(|| Owner { entity, ids: Vec::new() })
            .ids
            .push(id);
        self.by_id.insert(id, placeholder.clone());
        placeholder
    }

    /// Makes a type's label known before the thread has a value of it, so that text which looks
    /// like its placeholder is escaped from the start. Built-in types need no announcing.
    pub fn announce(&mut self, entity: &Entity) {
        self.labels.add(entity.label());
    }

    /// The placeholder of an id, if the thread owns it.
    pub fn placeholder(&self, id: &VaultId) -> Option<&Placeholder> {
        self.by_id.get(id)
    }

    /// Whether the thread owns the id.
    pub fn owns(&self, id: &VaultId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn owner(&self, placeholder: &Placeholder) -> Option<&Owner> {
        self.owners.get(placeholder)
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl Default for Numbering {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<VaultKey> for Numbering {
    fn from_iter<I: IntoIterator<Item = VaultKey>>(keys: I) -> Self {
        let mut numbering = Self::new();
        for key in keys {
            numbering.add(key);
        }
        numbering
    }
}

/// The labels a placeholder may have. `[step_1]` in a message is not one, so it needs no escape.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    /// Without underscores, because a model may write `US SSN 1` for `US_SSN_1`.
    compact: HashMap<String, String>,
    exact: HashSet<String>,
}

impl Labels {
    fn builtin() -> Self {
        let mut labels = Self { compact: HashMap::new(), exact: HashSet::new() };
        Entity::builtin_labels().for_each(|l| labels.add(l));
        labels
    }

    fn add(&mut self, label: &str) {
        if self.exact.insert(label.to_owned()) {
            // The first label keeps a compact spelling that two share (`A_BC` and `AB_C`).
            self.compact.entry(label.replace('_', "")).or_insert_with(|| label.to_owned());
        }
    }

    /// Whether `label` is one, as rendered.
    pub(super) fn contains(&self, label: &str) -> bool {
        self.exact.contains(label)
    }

    /// The placeholder that an upper-cased `label`, underscores kept, and its compact spelling name.
    pub(super) fn placeholder(
        &self,
        label: &str,
        compact: &str,
        number: u32,
    ) -> Option<Placeholder> {
        let label = match self.exact.get(label) {
            Some(l) => l,
            None => self.compact.get(compact)?,
        };
        Some(Placeholder { label: label.clone(), number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u64, entity: Entity, value: u8) -> VaultKey {
        VaultKey { id: VaultId::from_u64(id), entity, value: ValueHash::new([value]) }
    }

    #[test]
    fn numbers_follow_first_appearance_and_equal_values_share()
    -> Result<(), super::super::EntityError> {
        let mut n = Numbering::new();
        assert_eq!(n.add(key(1, Entity::EMAIL_ADDRESS, 1)).to_string(), "<EMAIL_1>");
        assert_eq!(n.add(key(2, Entity::PERSON, 1)).to_string(), "<PERSON_1>");
        assert_eq!(n.add(key(3, Entity::EMAIL_ADDRESS, 2)).to_string(), "<EMAIL_2>");
        assert_eq!(n.add(key(4, Entity::EMAIL_ADDRESS, 1)).to_string(), "<EMAIL_1>");
        assert_eq!(n.add(key(1, Entity::EMAIL_ADDRESS, 1)).to_string(), "<EMAIL_1>");
        // A tenant's own type that has a built-in's label counts on.
        assert_eq!(n.add(key(5, "EMAIL".parse()?, 1)).to_string(), "<EMAIL_3>");
        let shared =
            n.owner(&Placeholder { label: "EMAIL".into(), number: 1 }).map(|o| o.ids.len());
        assert_eq!(shared, Some(2));
        assert!(!n.owns(&VaultId::from_u64(9)));
        Ok(())
    }
}

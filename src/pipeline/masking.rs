//! Masking within a thread: the recognizers find, the vault's ids are derived, new entries are
//! collected for the commit.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use sqlx::AnyConnection;

use super::threads;
use crate::domain::ids::{TenantId, ThreadId};
use crate::domain::masking::{
    Entity, Masked, MaskedText, Numbering, Operator, Operators, Span, VaultId, remask,
};
use crate::domain::message::Party;
use crate::nlp::detect::Detector;
use crate::nlp::mask::{Hints, Masker};
use crate::store::thread::Thread;
use crate::store::{self, Store, contact, thread, vault};

/// The masker as the service uses it.
pub struct Masking {
    detector: Arc<Detector>,
    operators: Operators,
}

impl fmt::Debug for Masking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masking")
    }
}

/// Gives values their vault ids and keeps what is new.
pub struct Mint<'a> {
    store: &'a Store,
    tenant: &'a TenantId,
    thread: &'a ThreadId,
    seen: HashSet<String>,
    /// What the vault has to store, in order of first appearance.
    pub entries: Vec<vault::Entry>,
}

impl fmt::Debug for Mint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<'a> Mint<'a> {
    /// For one thread.
    pub fn new(store: &'a Store, tenant: &'a TenantId, thread: &'a ThreadId) -> Self {
        Self { store, tenant, thread, seen: HashSet::new(), entries: Vec::new() }
    }

    fn id(&mut self, entity: &Entity, normalised: &str, surface: &str) -> VaultId {
        let name = entity.as_str();
        let id = vault::id_of(self.store, self.tenant, self.thread, name, normalised);
        if self.seen.insert(id.clone()) {
            self.entries.push(vault::Entry {
                id: id.clone(),
                entity: name.to_owned(),
                value_hash: vault::value_hash(self.store, self.tenant, name, normalised),
                surface: surface.to_owned(),
            });
        }
        threads::vault_id(&id)
    }
}

impl Masking {
    /// Over a detector; types whose operator is `keep` aren't masked.
    pub fn new(detector: Arc<Detector>, operators: Operators) -> Self {
        Self { detector, operators }
    }

    /// The recognizers.
    pub fn masker(&self) -> &Masker {
        self.detector.masker()
    }

    fn spans(&self, text: &str, known: &[&str]) -> Vec<Span> {
        let found = self.detector.explain(text, &Hints { known, ..Hints::default() });
        let masked = |s: &Span| self.operators.of(&s.entity) != Operator::Keep;
        found.into_iter().map(|f| f.span).filter(masked).collect()
    }

    fn spans_not_in(&self, text: &str, known: &[&str], public: &[String]) -> Vec<Span> {
        let mut spans = self.spans(text, known);
        spans.retain(|s| {
            let surface = text.get(s.start..s.end).unwrap_or_default();
            // A participant's name is theirs even when an article holds the same word, and so is
            // what may never be sent: a password can be any word.
            s.entity == Entity::PERSON
                || !s.entity.is_sendable()
                || !public.iter().any(|p| p.contains(surface))
        });
        spans
    }

    /// Masks one text of a message.
    pub fn mask(&self, mint: &mut Mint<'_>, text: &str, known: &[&str]) -> Masked {
        let spans = self.spans(text, known);
        let masked = MaskedText::apply(
            text,
            &spans,
            &|e, s| self.masker().normalise(e, s),
            &mut |e, n, s| mint.id(e, n, s),
        );
        match masked {
            Ok(m) => m,
            // The recognizers' spans are cut to characters and settled, so this is a bug of ours;
            // hiding the whole text is the side to fail on.
            Err(e) => {
                tracing::error!(error = %e, "spans don't fit their text: all of it was masked");
                whole(self.masker(), mint, text)
            }
        }
    }

    /// Masks a party: its address, or its name and address, as one or two placeholders.
    pub fn mask_party(&self, mint: &mut Mint<'_>, party: &Party) -> MaskedText {
        let mut parts = Vec::new();
        if let Some(name) = party.name.as_deref().filter(|n| !n.trim().is_empty()) {
            parts.push(one(self.masker(), mint, Entity::PERSON, name.trim()));
        }
        let entity = if party.address.contains('@') {
            Some(Entity::EMAIL_ADDRESS)
        } else if party.address.starts_with('+')
            || party.address.len() > 6 && party.address.chars().all(|c| c.is_ascii_digit())
        {
            Some(Entity::PHONE_NUMBER)
        } else {
            None
        };
        match entity {
            Some(e) => parts.push(one(self.masker(), mint, e, party.address.trim())),
            None if parts.is_empty() => {
                parts.push(one(self.masker(), mint, Entity::PERSON, party.address.trim()))
            }
            None => {}
        }
        MaskedText::join(&parts, " ")
    }

    /// Masks a short note for display: values become bare types (`<EMAIL>`), nothing is kept. `known`
    /// are the names of the thread's participants.
    pub fn mask_note(&self, text: &str, known: &[String]) -> String {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let spans = self.spans(text, &known);
        MaskedText::apply(text, &spans, &|e, s| self.masker().normalise(e, s), &mut |_, _, _| {
            VaultId::from_u64(0)
        })
        .map(|m| m.text.render(&Numbering::new()).into_string())
        .unwrap_or_default()
    }

    /// Masks text that a model or a person wrote in a thread: known placeholders become tokens
    /// again, raw values go to the vault. What stands word for word in `public` (the passages that
    /// the text may quote) is published already and stays readable. Writes new vault entries on `c`.
    ///
    /// # Errors
    /// Store errors.
    pub async fn remask_in_thread(
        &self,
        store: &Store,
        c: &mut AnyConnection,
        tenant: &TenantId,
        t: &Thread,
        text: &str,
        public: &[String],
    ) -> store::Result<MaskedText> {
        let numbering = threads::numbering(c, tenant, &t.id).await?;
        let names = known_names(store, c, tenant, &t.id).await?;
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut mint = Mint::new(store, tenant, &t.id);
        let remasked = remask(
            text,
            &numbering,
            &|probe| self.spans_not_in(probe, &known, public),
            &|e, s| self.masker().normalise(e, s),
            &mut |e, n, s| mint.id(e, n, s),
        );
        if let Some(subject) = &t.contact {
            store.keys.ensure(c, tenant, &[subject.as_str()], store.host.now()).await?;
            vault::put(store, c, tenant, &t.id, subject, &mint.entries).await?;
        }
        Ok(remasked.text)
    }
}

fn one(masker: &Masker, mint: &mut Mint<'_>, entity: Entity, text: &str) -> MaskedText {
    let span = Span { start: 0, end: text.len(), entity, score: 1.0, recognizer: "header".into() };
    MaskedText::apply(text, &[span], &|e, s| masker.normalise(e, s), &mut |e, n, s| {
        mint.id(e, n, s)
    })
    .map(|m| m.text)
    .unwrap_or_default()
}

fn whole(masker: &Masker, mint: &mut Mint<'_>, text: &str) -> Masked {
    let text_masked = one(masker, mint, Entity::PERSON, text);
    Masked { text: text_masked, spans: Vec::new() }
}

/// Names and addresses of a thread's participants, to be masked wherever they occur in it.
///
/// # Errors
/// Store errors.
pub async fn known_names(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ThreadId,
) -> store::Result<Vec<String>> {
    let mut names = Vec::new();
    for p in thread::participants(c, tenant, id).await? {
        match contact::get(store, c, tenant, &p).await {
            Ok(found) => {
                // An address may be a handle, which no recognizer knows for one.
                let known = [found.name, Some(found.address)].into_iter().flatten();
                names.extend(known.filter(|n| n.trim().len() > 2));
            }
            Err(store::Error::Erased) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(names)
}

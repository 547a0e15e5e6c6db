//! Masking within a thread: the recognizers find, the vault's ids are derived, new entries are
//! collected for the commit.
//!
//! Masking is slow work (an encoder pass for each stretch of text), so none of it is done within a
//! transaction: [`Masking::remask_in_thread`] reads what it goes by and does the work, and
//! [`Remade::keep`] writes within the caller's transaction, after a look whether it still holds.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use sqlx::AnyConnection;

use super::anonymise::Anonymiser;
use super::{blocking, threads};
use crate::domain::ids::{TenantId, ThreadId};
use crate::domain::masking::{
    Entity, Masked, MaskedText, Numbering, Operator, OperatorKey, Operators, Span, VaultId, remask,
};
use crate::domain::message::Party;
use crate::nlp::detect::Detector;
use crate::nlp::encoder::Embed;
use crate::nlp::mask::{Hints, Masker};
use crate::store::{self, Store, contact, thread, vault};

/// How far beyond the border of a long text the recognizers look, so that a value across it is seen
/// whole: longer than any value that is found.
const LOOK_AHEAD: usize = 16 * 1024;

/// How far back from the border a line's or a word's end is looked for.
const LOOK_BACK: usize = 1024;

/// Whether a text was taken whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It was.
    Whole,
    /// It was longer than allowed; its end was left out.
    Cut,
}

/// Where a text is cut: behind the last line that ends before `most` bytes, else the last word, else
/// the last character.
fn border(text: &str, most: usize) -> usize {
    let most = text.floor_char_boundary(most);
    let from = text.floor_char_boundary(most.saturating_sub(LOOK_BACK));
    let near = &text[from..most];
    let end = near.rfind('\n').or_else(|| near.rfind(char::is_whitespace));
    end.map_or(most, |at| from + at)
}

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

/// The masking of every tenant: some have settings of their own, the others the installation's.
#[derive(Debug)]
pub struct Maskings {
    usual: Masking,
    own: HashMap<TenantId, Masking>,
}

impl Maskings {
    /// The same for all tenants.
    pub fn new(usual: Masking) -> Self {
        Self { usual, own: HashMap::new() }
    }

    /// Gives a tenant its own.
    pub fn set(&mut self, tenant: TenantId, own: Masking) {
        self.own.insert(tenant, own);
    }

    /// A tenant's masking.
    pub fn of(&self, tenant: &TenantId) -> &Masking {
        self.own.get(tenant).unwrap_or(&self.usual)
    }
}

/// Gives values their vault ids and keeps what is new.
pub struct Mint<'a> {
    store: &'a Store,
    tenant: &'a TenantId,
    thread: &'a ThreadId,
    encoder: Option<&'a dyn Embed>,
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
        Self { store, tenant, thread, encoder: None, seen: HashSet::new(), entries: Vec::new() }
    }

    /// Looks for names by the passes of this encoder, which others of the message's readers share.
    pub fn reading_by(self, encoder: &'a dyn Embed) -> Self {
        Self { encoder: Some(encoder), ..self }
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
    /// Over a detector. In threads a type whose operator is `keep` isn't masked, and one whose
    /// operator is `redact` gets no vault entry.
    pub fn new(detector: Arc<Detector>, operators: Operators) -> Self {
        Self { detector, operators }
    }

    /// The same finds and operators for texts that the service doesn't keep.
    pub fn anonymiser(&self, key: OperatorKey) -> Anonymiser {
        Anonymiser::new(self.detector.clone(), self.operators.clone(), key)
    }

    /// The recognizers.
    pub fn masker(&self) -> &Masker {
        self.detector.masker()
    }

    fn spans(&self, text: &str, known: &[&str], encoder: Option<&dyn Embed>) -> Vec<Span> {
        let hints = Hints { known, ..Hints::default() };
        let found = self.detector.explain_by(text, &hints, encoder);
        let masked = |s: &Span| self.operators.of(&s.entity) != Operator::Keep;
        found.into_iter().map(|f| f.span).filter(masked).collect()
    }

    fn spans_not_in(&self, text: &str, known: &[&str], public: &[String]) -> Vec<Span> {
        let mut spans = self.spans(text, known, None);
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

    /// Masks one text of a message: all of it, or the first `most` bytes if it is longer. What lies
    /// beyond is left out, not shown raw; so is a value across that border, as half of a number
    /// would be shown.
    pub fn mask(
        &self,
        mint: &mut Mint<'_>,
        text: &str,
        known: &[&str],
        most: usize,
    ) -> (Masked, Extent) {
        if text.len() <= most {
            return (self.apply(mint, text, &self.spans(text, known, mint.encoder)), Extent::Whole);
        }
        let seen = &text[..text.floor_char_boundary(most.saturating_add(LOOK_AHEAD))];
        let mut spans = self.spans(seen, known, mint.encoder);
        let border = border(seen, most);
        let across = spans.iter().find(|s| s.start < border && border < s.end);
        let end = across.map_or(border, |s| s.start);
        spans.retain(|s| s.end <= end);
        (self.apply(mint, &text[..end], &spans), Extent::Cut)
    }

    fn apply(&self, mint: &mut Mint<'_>, text: &str, spans: &[Span]) -> Masked {
        let masked = MaskedText::apply(
            text,
            spans,
            &|e, s| self.masker().normalise(e, s),
            &mut |e, n, s| self.stand_in(mint, e, n, s),
        );
        match masked {
            Ok(m) => m,
            // The recognizers' spans are cut to characters and settled, so this is a bug of ours;
            // hiding the whole text is the side to fail on.
            Err(e) => {
                tracing::error!(error = %e, "spans don't fit their text: all of it was masked");
                Masked { text: self.one(mint, Entity::PERSON, text), spans: Vec::new() }
            }
        }
    }

    /// The vault's id for a value that came in; nobody's for what is to be redacted, so that it
    /// shows as its type and can't come back.
    fn stand_in(
        &self,
        mint: &mut Mint<'_>,
        e: &Entity,
        normalised: &str,
        surface: &str,
    ) -> VaultId {
        match self.operators.of(e) {
            Operator::Redact => VaultId::from_u64(0),
            _ => mint.id(e, normalised, surface),
        }
    }

    fn one(&self, mint: &mut Mint<'_>, entity: Entity, text: &str) -> MaskedText {
        let span =
            Span { start: 0, end: text.len(), entity, score: 1.0, recognizer: "header".into() };
        let normalise = |e: &Entity, s: &str| self.masker().normalise(e, s);
        let mut id = |e: &Entity, n: &str, s: &str| self.stand_in(mint, e, n, s);
        MaskedText::apply(text, &[span], &normalise, &mut id).map(|m| m.text).unwrap_or_default()
    }

    /// Masks a party: its address, or its name and address, as one or two placeholders.
    pub fn mask_party(&self, mint: &mut Mint<'_>, party: &Party) -> MaskedText {
        let mut parts = Vec::new();
        if let Some(name) = party.name.as_deref().filter(|n| !n.trim().is_empty()) {
            parts.push(self.one(mint, Entity::PERSON, name.trim()));
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
            Some(e) => parts.push(self.one(mint, e, party.address.trim())),
            None if parts.is_empty() => {
                parts.push(self.one(mint, Entity::PERSON, party.address.trim()))
            }
            None => {}
        }
        MaskedText::join(&parts, " ")
    }

    /// Masks a short note for display: values become bare types (`<EMAIL>`), nothing is kept. `known`
    /// are the names of the thread's participants.
    pub fn mask_note(&self, text: &str, known: &[String]) -> String {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let spans = self.spans(text, &known, None);
        MaskedText::apply(text, &spans, &|e, s| self.masker().normalise(e, s), &mut |_, _, _| {
            VaultId::from_u64(0)
        })
        .map(|m| m.text.render(&Numbering::new()).into_string())
        .unwrap_or_default()
    }

    /// Masks texts that a model or a person wrote in a thread: known placeholders become tokens
    /// again, raw values are for the vault. What stands word for word in `public` (the passages that
    /// the texts may quote) is published already and stays readable. Reads on a connection of its
    /// own and writes nothing; call it outside of transactions.
    ///
    /// # Errors
    /// Store errors.
    pub async fn remask_in_thread(
        &self,
        store: &Store,
        tenant: &TenantId,
        thread: &ThreadId,
        texts: &[&str],
        public: &[String],
    ) -> store::Result<Remade> {
        let basis = {
            let mut c = store.db.read().await?;
            Basis::read(store, &mut c, tenant, thread).await?
        };
        let known: Vec<&str> = basis.names.iter().map(String::as_str).collect();
        let numbering = threads::numbering_of(&basis.outline);
        let mut mint = Mint::new(store, tenant, thread);
        let texts = blocking(|| {
            let one = |text: &&str| {
                let masked = remask(
                    text,
                    &numbering,
                    &|probe| self.spans_not_in(probe, &known, public),
                    &|e, s| self.masker().normalise(e, s),
                    &mut |e, n, s| mint.id(e, n, s),
                );
                masked.text
            };
            texts.iter().map(one).collect()
        });
        let entries = mint.entries;
        Ok(Remade { texts, thread: thread.clone(), basis, entries })
    }
}

/// What masking in a thread goes by: the values that have placeholders, and the participants' names.
#[derive(PartialEq, Eq)]
struct Basis {
    outline: Vec<(String, String, String)>,
    names: Vec<String>,
}

impl Basis {
    async fn read(
        store: &Store,
        c: &mut AnyConnection,
        tenant: &TenantId,
        thread: &ThreadId,
    ) -> store::Result<Self> {
        let outline = vault::outline(c, tenant, thread).await?;
        let names = known_names(store, c, tenant, thread).await?;
        Ok(Self { outline, names })
    }
}

/// Texts that were masked outside of a transaction, to be kept within one.
pub struct Remade {
    /// The masked texts, in the order in which they were given. They may be stored only in a
    /// transaction in which [`Remade::keep`] said yes.
    pub texts: Vec<MaskedText>,
    thread: ThreadId,
    basis: Basis,
    entries: Vec<vault::Entry>,
}

impl fmt::Debug for Remade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remade").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

impl Remade {
    /// Writes the new vault entries. Says no, and writes nothing, if the thread's placeholders or
    /// participants have changed since: then the texts have to be masked again. The caller holds the
    /// tenant's lock.
    ///
    /// # Errors
    /// Store errors.
    pub async fn keep(
        &self,
        store: &Store,
        c: &mut AnyConnection,
        tenant: &TenantId,
    ) -> store::Result<bool> {
        if Basis::read(store, c, tenant, &self.thread).await? != self.basis {
            return Ok(false);
        }
        if let Some(subject) = thread::get(c, tenant, &self.thread).await?.contact {
            store.keys.ensure(c, tenant, &[subject.as_str()], store.host.now()).await?;
            vault::put(store, c, tenant, &self.thread, &subject, &self.entries).await?;
        }
        Ok(true)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_lines_words_or_characters() {
        assert_eq!(border("one\ntwo three", 9), 3);
        assert_eq!(border("one two three", 9), 7);
        assert_eq!(border("üüüü", 3), 2);
        let far = format!("a b{}", "c".repeat(5000));
        assert_eq!(border(&far, 4000), 4000);
    }
}

//! Encryption at rest. A master key outside the database gives, by HKDF, each tenant an index key
//! (keyed hashes for equality) and a wrapping key; each data subject has a random data key, stored
//! wrapped. Destroying one wrapped row makes everything of that subject unreadable. Values are
//! sealed with XChaCha20-Poly1305; the associated data is `tenant|column|row`, so a ciphertext that
//! is moved to another place does not open.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sqlx::{AnyConnection, AssertSqlSafe};
use zeroize::Zeroizing;

use super::{Error, ROWS, Result, rows};
use crate::domain::ids::{ContactId, Micros, TenantId};
use crate::domain::masking::OperatorKey;
use crate::ports::host::Host;

const NONCE: usize = 24;
const VERSION: u8 = 1;
/// The subject under which a tenant's own secrets are sealed.
pub const TENANT_SUBJECT: &str = "tenant";

/// The installation's master key, 32 bytes.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// From 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// From 64 hex digits.
    ///
    /// # Errors
    /// When it isn't 64 hex digits; the message doesn't repeat the value.
    pub fn from_hex(s: &str) -> Result<Self> {
        let mut b = [0u8; 32];
        hex::decode_to_slice(s.trim(), &mut b)
            .map_err(|_| Error::Key("the master key must be 64 hex digits".into()))?;
        Ok(Self::new(b))
    }

    fn derive(&self, purpose: &str, tenant: &str) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0u8; 32]);
        let info = format!("countersign/v1/{purpose}/{tenant}");
        // 32 bytes is far below HKDF's limit of 255 blocks, so expanding can't fail.
        let _ = Hkdf::<Sha256>::new(None, &self.0[..]).expand(info.as_bytes(), &mut out[..]);
        out
    }
}

type Dek = Arc<Zeroizing<[u8; 32]>>;

/// A data key to seal with before it is known whether it is, or will be, the stored one.
pub struct Proposal {
    dek: Dek,
    wrapped: Option<Arc<[u8]>>,
}

impl Proposal {
    /// The key as it must be stored for what it seals to count; none when it is stored for certain.
    pub fn wrapped(&self) -> Option<&[u8]> {
        self.wrapped.as_deref()
    }
}

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proposal(…)")
    }
}

/// A data key in the cache.
struct Cached {
    dek: Dek,
    /// As it is stored.
    wrapped: Arc<[u8]>,
    /// When it was first seen.
    since: Micros,
    /// Whether it is known to be committed.
    certain: bool,
}

/// After this many microseconds the transaction that created a key is over, one way or the other.
const CERTAIN: i64 = 60_000_000;

/// Keys in use, cached by (tenant, subject).
pub struct Keyring {
    master: MasterKey,
    host: Arc<dyn Host>,
    deks: Mutex<HashMap<(TenantId, String), Cached>>,
    index: Mutex<HashMap<TenantId, Dek>>,
}

/// Above this many cached data keys the cache starts afresh; 64 bytes each.
const CACHE: usize = 100_000;

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// An empty cache over a master key.
    pub fn new(master: MasterKey, host: Arc<dyn Host>) -> Self {
        Self { master, host, deks: Mutex::default(), index: Mutex::default() }
    }

    /// The tenant's key for hashes and fakes of masked values.
    pub fn operator_key(&self, tenant: &TenantId) -> OperatorKey {
        OperatorKey::new(*self.master.derive("operators", tenant.as_str()))
    }

    /// Keyed hash of a value for equality look-ups: 32 hex digits. `domain` keeps hashes of
    /// different columns apart.
    pub fn hash(&self, tenant: &TenantId, domain: &str, value: &str) -> String {
        hex::encode(&self.mac(tenant, domain, value.as_bytes())[..16])
    }

    /// The whole 32-byte keyed hash, in hex.
    pub fn hash_full(&self, tenant: &TenantId, domain: &str, value: &[u8]) -> String {
        hex::encode(self.mac(tenant, domain, value))
    }

    /// A person's id on a kind of channel; `address` must already be normalised.
    pub fn contact(&self, tenant: &TenantId, kind: &str, address: &str) -> ContactId {
        let hex = self.hash(tenant, "contact", &format!("{kind}|{address}"));
        hex.parse().unwrap_or_else(|_| unreachable!("32 hex digits"))
    }

    fn mac(&self, tenant: &TenantId, domain: &str, value: &[u8]) -> [u8; 32] {
        let key = {
            let mut cache = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            cache
                .entry(tenant.clone())
                .or_insert_with(|| Arc::new(self.master.derive("index", tenant.as_str())))
                .clone()
        };
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key[..])
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(domain.as_bytes());
        mac.update(b"|");
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// Makes sure that the data keys of `subjects` are at hand, creating missing ones within the
    /// caller's transaction.
    ///
    /// # Errors
    /// Database errors, and a wrapped key that the master key doesn't open.
    pub async fn ensure(
        &self,
        c: &mut AnyConnection,
        tenant: &TenantId,
        subjects: &[&str],
        now: Micros,
    ) -> Result<()> {
        // In a fixed order: two transactions that create the same keys then wait, not deadlock.
        let subjects: BTreeSet<&str> = subjects.iter().copied().collect();
        let unsure: Vec<&str> =
            subjects.into_iter().filter(|s| !self.is_certain(tenant, s)).collect();
        for unsure in unsure.chunks(ROWS) {
            let found = self.fetch(c, tenant, unsure).await?;
            let missing: Vec<&str> =
                unsure.iter().copied().filter(|s| !found.contains(*s)).collect();
            if !missing.is_empty() {
                self.create(c, tenant, &missing, now).await?;
            }
        }
        Ok(())
    }

    async fn create(
        &self,
        c: &mut AnyConnection,
        tenant: &TenantId,
        subjects: &[&str],
        now: Micros,
    ) -> Result<()> {
        let sql = format!(
            "insert into data_key (tenant_id, subject_id, wrapped, created_at) values {}
             on conflict do nothing returning subject_id",
            rows(c, subjects.len(), 4)
        );
        let kek = self.master.derive("kek", tenant.as_str());
        let mut made = HashMap::new();
        let mut insert =
            sqlx::query_as::<_, (String,)>(AssertSqlSafe(sql)).persistent(subjects.len() == 1);
        for subject in subjects {
            let (dek, wrapped) = self.make(&kek, tenant, subject);
            insert = insert.bind(tenant.as_str()).bind(*subject).bind(wrapped.clone()).bind(now.0);
            made.insert(*subject, (dek, wrapped));
        }
        for (subject,) in insert.fetch_all(&mut *c).await? {
            if let Some((dek, wrapped)) = made.remove(subject.as_str()) {
                self.remember(tenant, &subject, dek, wrapped);
            }
        }
        // Another process was first with the others: what is stored counts.
        let others: Vec<&str> = made.into_keys().collect();
        if others.is_empty() || self.fetch(c, tenant, &others).await?.len() == others.len() {
            return Ok(());
        }
        Err(Error::Key("a data key vanished while it was made".into()))
    }

    /// Loads one data key into the cache; false when there is none.
    ///
    /// # Errors
    /// As [`Self::ensure`].
    pub async fn load(
        &self,
        c: &mut AnyConnection,
        tenant: &TenantId,
        subject: &str,
    ) -> Result<bool> {
        Ok(self.is_certain(tenant, subject) || !self.fetch(c, tenant, &[subject]).await?.is_empty())
    }

    /// Reads keys from the database into the cache, at most [`ROWS`]; says which there are, and
    /// forgets the others.
    async fn fetch(
        &self,
        c: &mut AnyConnection,
        tenant: &TenantId,
        subjects: &[&str],
    ) -> Result<HashSet<String>> {
        let sql = format!(
            "select subject_id, wrapped from data_key where (tenant_id, subject_id) in (values {})",
            rows(c, subjects.len(), 2)
        );
        let mut select = sqlx::query_as::<_, (String, Vec<u8>)>(AssertSqlSafe(sql))
            .persistent(subjects.len() == 1);
        for subject in subjects {
            select = select.bind(tenant.as_str()).bind(*subject);
        }
        let stored = select.fetch_all(&mut *c).await?;
        let kek = self.master.derive("kek", tenant.as_str());
        let mut found = HashSet::new();
        for (subject, wrapped) in stored {
            let aad = format!("{tenant}|data_key|{subject}");
            let plain = Zeroizing::new(open_with(&kek, aad.as_bytes(), &wrapped)?);
            let mut dek = Zeroizing::new([0u8; 32]);
            if plain.len() != 32 {
                return Err(Error::Key("a stored data key has the wrong length".into()));
            }
            dek.copy_from_slice(&plain);
            self.remember(tenant, &subject, dek, wrapped);
            found.insert(subject);
        }
        let mut cache = self.deks.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in subjects.iter().filter(|s| !found.contains(**s)) {
            cache.remove(&(tenant.clone(), (*subject).to_owned()));
        }
        Ok(found)
    }

    fn cached(&self, tenant: &TenantId, subject: &str) -> Option<Dek> {
        let cache = self.deks.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(&(tenant.clone(), subject.to_owned())).map(|k| k.dek.clone())
    }

    fn is_certain(&self, tenant: &TenantId, subject: &str) -> bool {
        let cache = self.deks.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(&(tenant.clone(), subject.to_owned())).is_some_and(|k| k.certain)
    }

    /// Caches a key that was created or read. Its transaction may yet be rolled back, and the key
    /// with it, so it counts as certain only once the same key is read after [`CERTAIN`].
    fn remember(
        &self,
        tenant: &TenantId,
        subject: &str,
        dek: Zeroizing<[u8; 32]>,
        wrapped: Vec<u8>,
    ) -> Dek {
        let now = self.host.now();
        let mut cache = self.deks.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE {
            cache.clear();
        }
        match cache.entry((tenant.clone(), subject.to_owned())) {
            Entry::Occupied(mut known) if *known.get().dek == dek => {
                let known = known.get_mut();
                known.certain = now.0.saturating_sub(known.since.0) >= CERTAIN;
                known.dek.clone()
            }
            entry => {
                let (dek, wrapped) = (Arc::new(dek), wrapped.into());
                let new = Cached { dek, wrapped, since: now, certain: false };
                entry.insert_entry(new).get().dek.clone()
            }
        }
    }

    fn make(
        &self,
        kek: &[u8; 32],
        tenant: &TenantId,
        subject: &str,
    ) -> (Zeroizing<[u8; 32]>, Vec<u8>) {
        let mut dek = Zeroizing::new([0u8; 32]);
        self.host.fill(&mut dek[..]);
        let aad = format!("{tenant}|data_key|{subject}");
        let wrapped = self.seal_with(kek, aad.as_bytes(), &dek[..]);
        (dek, wrapped)
    }

    /// A key for a subject without asking the database: the cached one or a new one. Unless it is
    /// certain, whoever seals with it has to insert it in the same transaction, and must see to it
    /// that nothing is stored when another key turns out to be there.
    pub fn propose(&self, tenant: &TenantId, subject: &str) -> Proposal {
        {
            let cache = self.deks.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(k) = cache.get(&(tenant.clone(), subject.to_owned())) {
                let wrapped = (!k.certain).then(|| k.wrapped.clone());
                return Proposal { dek: k.dek.clone(), wrapped };
            }
        }
        let kek = self.master.derive("kek", tenant.as_str());
        let (dek, wrapped) = self.make(&kek, tenant, subject);
        let kept = wrapped.as_slice().into();
        Proposal { dek: self.remember(tenant, subject, dek, wrapped), wrapped: Some(kept) }
    }

    /// [`Self::seal`] with a proposed key.
    pub fn seal_under(
        &self,
        key: &Proposal,
        tenant: &TenantId,
        column: &str,
        row: &str,
        plain: &[u8],
    ) -> Vec<u8> {
        let aad = format!("{tenant}|{column}|{row}");
        self.seal_with(&key.dek, aad.as_bytes(), plain)
    }

    /// Seals a value; the subject's key must be at hand ([`Self::ensure`]).
    ///
    /// # Errors
    /// [`Error::Key`] when the key isn't at hand.
    pub fn seal(
        &self,
        tenant: &TenantId,
        subject: &str,
        column: &str,
        row: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>> {
        let dek = self
            .cached(tenant, subject)
            .ok_or_else(|| Error::Key(format!("no data key at hand to seal {column}")))?;
        let aad = format!("{tenant}|{column}|{row}");
        Ok(self.seal_with(&dek, aad.as_bytes(), plain))
    }

    /// Opens a sealed value, loading the key when needed.
    ///
    /// # Errors
    /// [`Error::Erased`] when the subject's key has been destroyed, [`Error::Key`] when the value
    /// was altered or moved.
    pub async fn open(
        &self,
        c: &mut AnyConnection,
        tenant: &TenantId,
        subject: &str,
        column: &str,
        row: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>> {
        if !self.load(c, tenant, subject).await? {
            return Err(Error::Erased);
        }
        let dek = self.cached(tenant, subject).ok_or(Error::Erased)?;
        let aad = format!("{tenant}|{column}|{row}");
        open_with(&dek, aad.as_bytes(), sealed)
    }

    /// [`Self::open`] for text.
    ///
    /// # Errors
    /// As [`Self::open`]; also when the value isn't UTF-8.
    pub async fn open_text(
        &self,
        c: &mut AnyConnection,
        tenant: &TenantId,
        subject: &str,
        column: &str,
        row: &str,
        sealed: &[u8],
    ) -> Result<String> {
        let bytes = self.open(c, tenant, subject, column, row, sealed).await?;
        String::from_utf8(bytes).map_err(|_| Error::Key(format!("{column} isn't UTF-8")))
    }

    fn seal_with(&self, key: &[u8; 32], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0u8; NONCE];
        self.host.fill(&mut nonce);
        let cipher = XChaCha20Poly1305::new(key.into());
        let body = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
            .unwrap_or_else(|_| unreachable!("sealing fails only beyond 256 GiB"));
        let mut out = Vec::with_capacity(1 + NONCE + body.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&body);
        out
    }
}

fn open_with(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let altered =
        || Error::Key("a sealed value does not open: altered, moved or another key".into());
    let (version, rest) = sealed.split_first().ok_or_else(altered)?;
    let (nonce, body) = rest.split_at_checked(NONCE).ok_or_else(altered)?;
    if *version != VERSION {
        return Err(Error::Key(format!("a sealed value has format {version}, not {VERSION}")));
    }
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| altered())?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(nonce), Payload { msg: body, aad })
        .map_err(|_| altered())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::host::System;

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_unaltered() {
        let ring = Keyring::new(MasterKey::new([7; 32]), Arc::new(System));
        let key = [3u8; 32];
        let sealed = ring.seal_with(&key, b"t|message.raw|1", b"hello");
        assert_eq!(open_with(&key, b"t|message.raw|1", &sealed).unwrap(), b"hello");
        assert!(open_with(&key, b"t|message.raw|2", &sealed).is_err());
        assert!(open_with(&[4; 32], b"t|message.raw|1", &sealed).is_err());
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 1;
            assert!(open_with(&key, b"t|message.raw|1", &bad).is_err(), "byte {i}");
            assert!(open_with(&key, b"t|message.raw|1", &sealed[..i]).is_err(), "cut {i}");
        }
    }

    #[test]
    fn keyed_hashes_differ_by_tenant_and_domain() {
        let ring = Keyring::new(MasterKey::new([7; 32]), Arc::new(System));
        let t = |n| TenantId::from_uuid(uuid::Uuid::from_u128(n));
        let base = ring.hash(&t(1), "ref", "x");
        assert_eq!(base, ring.hash(&t(1), "ref", "x"));
        assert_ne!(base, ring.hash(&t(2), "ref", "x"));
        assert_ne!(base, ring.hash(&t(1), "subject", "x"));
    }
}

//! Which heads read whose messages: the built-in and configured ones, and over them those that a tenant promoted.
//!
//! The database says what is promoted. Every process asks it once a second, which costs a look into an index of a
//! few rows, and reads a head when there is a new one. So promoting and going back need no restart anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::domain::ids::{ModelId, TenantId};
use crate::nlp::heads::trained::{FileError, Head};
use crate::nlp::heads::{HeadError, Triage};
use crate::store::{self, Store, model};

/// A promoted head that can't be used. What ran without it goes on.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The heads of all tenants.
#[derive(Debug)]
pub struct Promoted {
    base: Arc<Triage>,
    own: RwLock<HashMap<TenantId, Arc<Triage>>>,
    /// What `own` was made of.
    seen: Mutex<Vec<(TenantId, ModelId)>>,
}

impl Promoted {
    /// The base for everyone, until [`Promoted::refresh`].
    pub fn new(base: Arc<Triage>) -> Self {
        Self { base, own: RwLock::default(), seen: Mutex::default() }
    }

    /// What runs where nothing is promoted.
    pub fn base(&self) -> &Arc<Triage> {
        &self.base
    }

    /// The heads that read a tenant's messages.
    pub fn of(&self, tenant: &TenantId) -> Arc<Triage> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.get(tenant).unwrap_or(&self.base).clone()
    }

    /// Brings everything to what the database says. True when something changed.
    ///
    /// # Errors
    /// Store errors; everything stays as it was then. A head that can't be used is no error: it is named in the log
    /// once, and the tenant has the others.
    pub async fn refresh(&self, store: &Store) -> store::Result<bool> {
        let mut c = store.db.read().await?;
        let wanted = model::promoted(&mut c).await?;
        let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if before == wanted {
            return Ok(false);
        }
        let of = |all: &[(TenantId, ModelId)], t: &TenantId| -> Vec<ModelId> {
            all.iter().filter(|(tenant, _)| tenant == t).map(|(_, id)| id.clone()).collect()
        };
        let mut own = self.own.read().unwrap_or_else(PoisonError::into_inner).clone();
        own.retain(|t, _| wanted.iter().any(|(tenant, _)| tenant == t));
        let mut tenants: Vec<TenantId> = wanted.iter().map(|(t, _)| t.clone()).collect();
        tenants.dedup();
        for tenant in tenants {
            let ids = of(&wanted, &tenant);
            if ids == of(&before, &tenant) {
                continue;
            }
            let mut triage = self.base.clone();
            for id in ids {
                let read = match model::weights(store, &mut c, &tenant, &id).await {
                    Err(e) if e.is_transient() => return Err(e),
                    Err(e) => Err(e.into()),
                    Ok(weights) => super::blocking(|| with(&triage, &weights.head, &id)),
                };
                match read {
                    Ok(more) => {
                        tracing::info!(%tenant, model = %id, "a promoted head is in use");
                        triage = Arc::new(more);
                    }
                    Err(error) => tracing::error!(%tenant, model = %id, %error,
                        "a promoted head can't be used: the built-in one stays"),
                }
            }
            own.insert(tenant, triage);
        }
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = own;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        Ok(true)
    }
}

fn with(triage: &Triage, head: &[u8], id: &ModelId) -> Result<Triage, Unfit> {
    let head = Head::from_bytes(head, &format!("model {id}"))?;
    Ok(triage.learnt(Arc::new(head))?)
}

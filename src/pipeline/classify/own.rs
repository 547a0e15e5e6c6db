//! Taxonomies that callers bring along: fitted once, and kept for as long as the tenant uses them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Classifier, Taxonomy};
use crate::domain::ids::TenantId;
use crate::nlp::heads::own::{OwnLabel, taxonomy};

/// Why there is no taxonomy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnError {
    /// The labels can't be told apart.
    #[error("these labels can't be fitted: they need different names and different examples")]
    Labels,
    /// Others are being fitted.
    #[error("too many taxonomies wait to be fitted")]
    Busy {
        /// When it is worth another try.
        after: Duration,
    },
}

/// Each tenant's taxonomies by version, the latest used last.
type Kept = HashMap<TenantId, VecDeque<(String, Taxonomy)>>;

/// What is kept.
pub(super) struct Own {
    kept: Mutex<Kept>,
    /// For each tenant.
    most: usize,
    /// One at a time: fitting computes for as long as some hundred texts.
    fitting: Arc<Semaphore>,
}

impl Own {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most, fitting: Arc::new(Semaphore::new(1)) }
    }

    fn get(&self, tenant: &TenantId, version: &str) -> Option<Taxonomy> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.get_mut(tenant)?;
        let at = own.iter().position(|(v, _)| v == version)?;
        let found = own.remove(at)?;
        own.push_back(found.clone());
        Some(found.1)
    }

    fn put(&self, tenant: TenantId, version: String, taxonomy: Taxonomy) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.entry(tenant).or_default();
        own.push_back((version, taxonomy));
        while own.len() > self.most {
            own.pop_front();
        }
    }
}

impl Classifier {
    /// The taxonomy of a caller's own labels; fits it if it isn't kept. A caller that goes away
    /// meanwhile leaves it for the next one.
    ///
    /// # Errors
    /// [`OwnError`].
    pub async fn own(
        &self,
        tenant: &TenantId,
        labels: Vec<OwnLabel>,
    ) -> Result<Taxonomy, OwnError> {
        let intents = taxonomy(labels).map_err(|_| OwnError::Labels)?;
        let version = intents.version().to_owned();
        let own = &self.0.own;
        if let Some(known) = own.get(tenant, &version) {
            return Ok(known);
        }
        let patience = self.0.limits.deadline();
        let busy = || OwnError::Busy { after: Duration::from_secs(1) };
        let turn = tokio::time::timeout(patience, own.fitting.clone().acquire_owned());
        let turn = turn.await.ok().and_then(Result::ok).ok_or_else(busy)?;
        // Whoever stood before may have fitted the same.
        if let Some(known) = own.get(tenant, &version) {
            return Ok(known);
        }
        let (shared, tenant) = (self.0.clone(), tenant.clone());
        let fit = tokio::task::spawn_blocking(move || {
            let fitted = shared.usual.base().with_taxonomy(intents, &*shared.encoder);
            let fitted = fitted.map(|triage| Taxonomy(Arc::new(triage)));
            if let Ok(fitted) = &fitted {
                shared.own.put(tenant, version, fitted.clone());
            }
            drop(turn);
            fitted.ok()
        });
        fit.await.ok().flatten().ok_or(OwnError::Labels)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{limits, stub, usual};
    use super::*;

    fn labels(n: usize) -> Vec<OwnLabel> {
        let label = |name: &str| OwnLabel {
            name: name.parse().unwrap(),
            description: None,
            examples: (0..3).map(|i| format!("{name} {i} of {n}")).collect(),
        };
        vec![label("red"), label("blue")]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn they_are_fitted_once_and_the_oldest_goes() {
        let c = Classifier::new(
            crate::config::Classify { own_taxonomies: 2, ..limits() },
            usual(),
            [],
            stub(false).0,
        );
        let t: TenantId = "018f0000-0000-7000-8000-000000000001".parse().unwrap();
        let other: TenantId = "018f0000-0000-7000-8000-000000000002".parse().unwrap();
        let a = c.own(&t, labels(1)).await.unwrap();
        assert!(Arc::ptr_eq(&a.0, &c.own(&t, labels(1)).await.unwrap().0));
        assert!(
            !Arc::ptr_eq(&a.0, &c.own(&other, labels(1)).await.unwrap().0),
            "tenants share none"
        );
        c.own(&t, labels(2)).await.unwrap();
        c.own(&t, labels(1)).await.unwrap();
        c.own(&t, labels(3)).await.unwrap();
        let kept: Vec<usize> = c.0.own.kept.lock().unwrap().values().map(VecDeque::len).collect();
        assert_eq!(kept.iter().sum::<usize>(), 3);
        assert!(Arc::ptr_eq(&a.0, &c.own(&t, labels(1)).await.unwrap().0), "used lately");
        let same = vec![labels(1).remove(0), labels(1).remove(0)];
        assert_eq!(c.own(&t, same).await.err(), Some(OwnError::Labels));
    }
}

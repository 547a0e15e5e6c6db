//! Correspondents: a derived id, the sealed address and name.

use std::fmt;

use sqlx::AnyConnection;

use super::{Result, Store, q};
use crate::domain::ids::{ContactId, TenantId};
use crate::domain::message::{ChannelKind, Party};

/// A correspondent with the raw address; Debug shows the id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Keyed hash of kind and address.
    pub id: ContactId,
    /// The address as first seen.
    pub address: String,
    /// The display name as first seen.
    pub name: Option<String>,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The id that a party has on a kind of channel.
pub fn id_of(store: &Store, tenant: &TenantId, kind: ChannelKind, address: &str) -> ContactId {
    store.keys.contact(tenant, kind.as_str(), &kind.normalise_address(address))
}

/// Stores parties that aren't known yet and returns their ids, in order.
///
/// # Errors
/// Database and key errors.
pub async fn ensure(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    kind: ChannelKind,
    parties: &[Party],
) -> Result<Vec<ContactId>> {
    let mut ids = Vec::with_capacity(parties.len());
    for p in parties {
        let id = id_of(store, tenant, kind, &p.address);
        let now = store.host.now();
        store.keys.ensure(c, tenant, &[id.as_str()], now).await?;
        let seal = |column, text: &str| {
            store.keys.seal(tenant, id.as_str(), column, id.as_str(), text.as_bytes())
        };
        let name = p.name.as_deref().map(|n| seal("contact.name", n)).transpose()?;
        q("insert into contact (tenant_id, id, kind, address_sealed, name_sealed, created_at)
           values ($1, $2, $3, $4, $5, $6) on conflict do nothing")
        .bind(tenant.as_str().to_owned())
        .bind(id.as_str().to_owned())
        .bind(kind.as_str())
        .bind(seal("contact.address", p.address.trim())?)
        .bind(name)
        .bind(now.0)
        .execute(&mut *c)
        .await?;
        ids.push(id);
    }
    Ok(ids)
}

/// One correspondent, unsealed.
///
/// # Errors
/// [`super::Error::NotFound`], and [`super::Error::Erased`] when the key is gone.
pub async fn get(
    store: &Store,
    c: &mut AnyConnection,
    tenant: &TenantId,
    id: &ContactId,
) -> Result<Contact> {
    let row: Option<(Vec<u8>, Option<Vec<u8>>)> = sqlx::query_as(
        "select address_sealed, name_sealed from contact where tenant_id = $1 and id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(&mut *c)
    .await?;
    let (address, name) = row.ok_or(super::Error::NotFound("contact"))?;
    let s = id.as_str();
    let address = store.keys.open_text(c, tenant, s, "contact.address", s, &address).await?;
    let name = match name {
        Some(n) => Some(store.keys.open_text(c, tenant, s, "contact.name", s, &n).await?),
        None => None,
    };
    Ok(Contact { id: id.clone(), address, name })
}

//! What keys have taken of their quotas. Processes take ahead in blocks and give back what is left over,
//! so a quota is never overrun, however many processes share it; what a killed process had taken and
//! not used is lost for the period.

use sqlx::AnyConnection;

use super::{Result, Store, q};
use crate::domain::ids::{KeyId, TenantId};

/// Takes `ahead` units of a quota, or `least` if only so many are left. Gives how many were taken, none
/// if less than `least` are left, and how many are taken altogether.
///
/// # Errors
/// Database errors.
pub async fn take(
    store: &Store,
    tenant: &TenantId,
    family: &KeyId,
    period: &str,
    quota: u32,
    (least, ahead): (u32, u32),
) -> Result<(Option<u32>, u32)> {
    let mut tx = store.db.begin().await?;
    q("insert into key_use (tenant_id, family, period, used) values ($1, $2, $3, 0)
       on conflict do nothing")
    .bind(tenant.as_str().to_owned())
    .bind(family.as_str().to_owned())
    .bind(period.to_owned())
    .execute(&mut *tx)
    .await?;
    let mut taken = None;
    for units in [ahead.max(least), least] {
        let n = q("update key_use set used = used + $4
                   where tenant_id = $1 and family = $2 and period = $3 and used + $4 <= $5")
        .bind(tenant.as_str().to_owned())
        .bind(family.as_str().to_owned())
        .bind(period.to_owned())
        .bind(i64::from(units))
        .bind(i64::from(quota))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if n == 1 {
            taken = Some(units);
            break;
        }
    }
    let all = used(&mut tx, tenant, family, period).await?;
    tx.commit().await?;
    Ok((taken, all))
}

/// Gives back what was taken and not used.
///
/// # Errors
/// Database errors.
pub async fn give_back(
    c: &mut AnyConnection,
    tenant: &TenantId,
    family: &KeyId,
    period: &str,
    units: u32,
) -> Result<()> {
    q("update key_use set used = case when used > $4 then used - $4 else 0 end
       where tenant_id = $1 and family = $2 and period = $3")
    .bind(tenant.as_str().to_owned())
    .bind(family.as_str().to_owned())
    .bind(period.to_owned())
    .bind(i64::from(units))
    .execute(c)
    .await?;
    Ok(())
}

/// How many units are taken.
///
/// # Errors
/// Database errors.
pub async fn used(
    c: &mut AnyConnection,
    tenant: &TenantId,
    family: &KeyId,
    period: &str,
) -> Result<u32> {
    let row: Option<(i64,)> = sqlx::query_as(
        "select used from key_use where tenant_id = $1 and family = $2 and period = $3",
    )
    .bind(tenant.as_str())
    .bind(family.as_str())
    .bind(period)
    .fetch_optional(c)
    .await?;
    Ok(row.map_or(0, |(n,)| u32::try_from(n).unwrap_or(u32::MAX)))
}

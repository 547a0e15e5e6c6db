//! One configuration out of several layers: tables over tables, single keys over these.

use super::ConfigError;

pub(super) fn parse(origin: &str, text: &str) -> Result<toml::Table, ConfigError> {
    text.parse::<toml::Table>()
        .map_err(|e| ConfigError::Parse { origin: origin.to_owned(), source: Box::new(e) })
}

/// Fills each tenant's section with the installation's values.
pub(super) fn inherit(table: &mut toml::Table) {
    let Some(mask) = table.get("mask").and_then(toml::Value::as_table).cloned() else { return };
    let tenants = table.get_mut("tenants").and_then(toml::Value::as_table_mut);
    for (_, tenant) in tenants.into_iter().flatten() {
        let Some(tenant) = tenant.as_table_mut() else { continue };
        let mut whole = mask.clone();
        match tenant.remove("mask") {
            Some(toml::Value::Table(own)) => merge(&mut whole, own),
            // What isn't a section is refused when it is read.
            Some(other) => {
                tenant.insert("mask".to_owned(), other);
                continue;
            }
            None => {}
        }
        tenant.insert("mask".to_owned(), toml::Value::Table(whole));
    }
}

pub(super) fn merge(into: &mut toml::Table, over: toml::Table) {
    for (k, v) in over {
        match (into.get_mut(&k), v) {
            (Some(toml::Value::Table(a)), toml::Value::Table(b)) => merge(a, b),
            (_, v) => {
                into.insert(k, v);
            }
        }
    }
}

/// Sets one key from text, read as the default's type.
pub(super) fn set(
    table: &mut toml::Table,
    known: &toml::Table,
    origin: &str,
    key: &str,
    value: &str,
) -> Result<(), ConfigError> {
    let unknown = || ConfigError::Unknown { origin: origin.to_owned(), key: key.to_owned() };
    let (section, name) = key.split_once('.').ok_or_else(unknown)?;
    let default = known
        .get(section)
        .and_then(|s| s.as_table())
        .and_then(|s| s.get(name))
        .ok_or_else(unknown)?;
    let value = match default {
        toml::Value::String(_) => toml::Value::String(value.to_owned()),
        toml::Value::Array(_) if !value.trim_start().starts_with('[') => toml::Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|v| !v.is_empty())
                .map(|v| toml::Value::String(v.to_owned()))
                .collect(),
        ),
        _ => parse(origin, &format!("v = {value}"))?.remove("v").ok_or_else(unknown)?,
    };
    if let Some(s) = table.get_mut(section).and_then(|s| s.as_table_mut()) {
        s.insert(name.to_owned(), value);
    }
    Ok(())
}

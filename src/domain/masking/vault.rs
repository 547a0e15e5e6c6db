//! How the vault's entries are named here, and raw text that prints nothing of itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The opaque id of a vault entry: 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VaultId(u64);

/// A text that is not a [`VaultId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a vault id: expected 16 lower-case hexadecimal digits")]
pub struct VaultIdError;

impl VaultId {
    /// Takes 64 bits, random or from a hash; the vault sees to it that they are not taken.
    pub fn from_u64(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromStr for VaultId {
    type Err = VaultIdError;

    fn from_str(s: &str) -> Result<Self, VaultIdError> {
        let digits = s.len() == 16 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits {
            return Err(VaultIdError);
        }
        u64::from_str_radix(s, 16).map(Self).map_err(|_| VaultIdError)
    }
}

impl TryFrom<String> for VaultId {
    type Error = VaultIdError;

    fn try_from(s: String) -> Result<Self, VaultIdError> {
        s.parse()
    }
}

impl From<VaultId> for String {
    fn from(id: VaultId) -> String {
        id.to_string()
    }
}

impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The characters that a span stood for. Its Debug form does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Surface(String);

impl Surface {
    /// Wraps raw text, as when the store hands back a sealed span.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// The raw text. Whoever calls this handles personal data.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Surface({} bytes)", self.0.len())
    }
}

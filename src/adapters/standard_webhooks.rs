//! Standard Webhooks signatures: `v1,` + base64(HMAC-SHA256(secret, `id.timestamp.body`)), secrets
//! as `whsec_` + base64 of 24–64 bytes. Ours, rather than the specification's own crate, because
//! several secrets must be active at once and the clock must be an argument.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::ids::Micros;
use crate::ports::host::Host;

/// How far a timestamp may be from now, in seconds.
pub const TOLERANCE_S: i64 = 300;

/// What the ids of our own deliveries begin with. The id is signed, so a delivery of ours that is
/// sent back to us can be told, and refused, whoever else knows the secret.
pub const OURS: &str = "csreply_";

/// Why a signature doesn't stand. All of them are answered alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// A header is missing or not of its form.
    #[error("the webhook headers are missing or malformed")]
    Headers,
    /// Older or newer than the tolerance.
    #[error("the timestamp is more than 300 s away from now")]
    Timestamp,
    /// No signature matches any active secret.
    #[error("no signature matches")]
    Mismatch,
    /// It is one of our own deliveries, sent back.
    #[error("the webhook-id is one of our own")]
    Reflected,
    /// The channel has no secret.
    #[error("the channel has no usable secret")]
    NoSecret,
}

fn key(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

fn mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).ok()?;
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

/// Whether a text is a usable secret.
pub fn valid_secret(secret: &str) -> bool {
    key(secret).is_some()
}

/// A fresh secret of 32 bytes.
pub fn new_secret(host: &dyn Host) -> String {
    let mut b = [0u8; 32];
    host.fill(&mut b);
    format!("whsec_{}", STANDARD.encode(b))
}

/// The signature header for a body: one signature a secret, so that the receiver can rotate.
pub fn sign(secrets: &[String], id: &str, at: Micros, body: &[u8]) -> (String, String) {
    let timestamp = (at.0 / 1_000_000).to_string();
    let all: Vec<String> = secrets
        .iter()
        .filter_map(|s| mac(s, id, &timestamp, body))
        .map(|m| format!("v1,{}", STANDARD.encode(m.finalize().into_bytes())))
        .collect();
    (timestamp, all.join(" "))
}

/// A signed POST of a JSON body; none without a secret to sign with.
pub fn signed(
    client: &reqwest::Client,
    url: url::Url,
    secrets: &[String],
    (id, at): (&str, Micros),
    body: Vec<u8>,
) -> Option<reqwest::RequestBuilder> {
    let (timestamp, signature) = sign(secrets, id, at, &body);
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", &signature)
        .body(body);
    (!signature.is_empty()).then_some(request)
}

/// The headers of a delivery, of the right form and time. What can be refused without the body is
/// refused by making one.
pub struct Presented<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Presented<'a> {
    /// Reads the three headers. Signatures of versions that aren't ours are passed over.
    ///
    /// # Errors
    /// [`BadSignature::Headers`] or [`BadSignature::Timestamp`].
    pub fn read(
        id: &'a str,
        timestamp: &'a str,
        signatures: &str,
        now: Micros,
    ) -> Result<Self, BadSignature> {
        if id.is_empty() || id.len() > 256 || signatures.len() > 4096 {
            return Err(BadSignature::Headers);
        }
        let at: i64 = timestamp.parse().map_err(|_| BadSignature::Headers)?;
        if (now.0.div_euclid(1_000_000)).saturating_sub(at).saturating_abs() > TOLERANCE_S {
            return Err(BadSignature::Timestamp);
        }
        let signatures: Vec<[u8; 32]> = signatures
            .split(' ')
            .filter_map(|s| STANDARD.decode(s.strip_prefix("v1,")?).ok()?.try_into().ok())
            .collect();
        if signatures.is_empty() {
            return Err(BadSignature::Headers);
        }
        Ok(Self { id, timestamp, signatures })
    }

    /// Verifies the raw body, in constant time for each candidate.
    ///
    /// # Errors
    /// [`BadSignature::Mismatch`] or [`BadSignature::NoSecret`].
    pub fn verify(&self, secrets: &[String], body: &[u8]) -> Result<(), BadSignature> {
        let mut usable = false;
        for secret in secrets {
            let Some(mac) = mac(secret, self.id, self.timestamp, body) else { continue };
            usable = true;
            if self.signatures.iter().any(|given| mac.clone().verify_slice(given).is_ok()) {
                return Ok(());
            }
        }
        Err(if usable { BadSignature::Mismatch } else { BadSignature::NoSecret })
    }
}

/// Verifies a delivery over its raw bytes.
///
/// # Errors
/// [`BadSignature`].
pub fn verify(
    secrets: &[String],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: Micros,
) -> Result<(), BadSignature> {
    Presented::read(id, timestamp, signatures, now)?.verify(secrets, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_614_265_330_000_000);

    /// The specification's own example values.
    #[test]
    fn the_published_example_verifies() {
        let secret = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()];
        let body = br#"{"test": 2432232314}"#;
        let sig = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(verify(&secret, id, "1614265330", sig, body, NOW), Ok(()));
    }

    #[test]
    fn table_of_what_is_refused() {
        let a = format!("whsec_{}", STANDARD.encode([1u8; 32]));
        let b = format!("whsec_{}", STANDARD.encode([2u8; 32]));
        let c = format!("whsec_{}", STANDARD.encode([3u8; 32]));
        let active = [a.clone(), b.clone()];
        let body = b"hello";
        for secret in [&a, &b] {
            let (ts, sig) = sign(std::slice::from_ref(secret), "id", NOW, body);
            assert_eq!(verify(&active, "id", &ts, &sig, body, NOW), Ok(()));
            assert_eq!(verify(&active, "id2", &ts, &sig, body, NOW), Err(BadSignature::Mismatch));
            assert_eq!(
                verify(&active, "id", &ts, &sig, b"hellO", NOW),
                Err(BadSignature::Mismatch)
            );
        }
        let (ts, sig) = sign(&[c.clone(), a.clone()], "id", NOW, body);
        assert_eq!(verify(&active, "id", &ts, &sig, body, NOW), Ok(()), "rotation");
        let (ts, sig) = sign(std::slice::from_ref(&c), "id", NOW, body);
        assert_eq!(verify(&active, "id", &ts, &sig, body, NOW), Err(BadSignature::Mismatch));
        let (ts, sig) = sign(std::slice::from_ref(&a), "id", NOW, body);
        for (off, want) in [
            (300, Ok(())),
            (301, Err(BadSignature::Timestamp)),
            (-300, Ok(())),
            (-301, Err(BadSignature::Timestamp)),
        ] {
            let now = Micros(NOW.0 + off * 1_000_000);
            assert_eq!(verify(&active, "id", &ts, &sig, body, now), want, "{off}");
        }
        for (ts, sig) in
            [("", sig.as_str()), ("x", &sig), (&ts, ""), (&ts, "v1,"), (&ts, "v0,AAAA")]
        {
            assert!(verify(&active, "id", ts, sig, body, NOW).is_err());
        }
        assert_eq!(verify(&[], "id", &ts, &sig, body, NOW), Err(BadSignature::NoSecret));
        assert_eq!(
            verify(&["whsec_AA==".into()], "id", &ts, &sig, body, NOW),
            Err(BadSignature::NoSecret)
        );
    }
}

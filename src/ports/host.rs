//! The machine's clock and random source as an argument, so that what depends on time or chance
//! can be driven by a test. Leases don't use this clock but the database's.

use crate::domain::ids::Micros;

/// Time, fresh ids, random bytes.
pub trait Host: Send + Sync {
    /// Now.
    fn now(&self) -> Micros;
    /// A UUIDv7.
    fn uuid(&self) -> uuid::Uuid;
    /// Fills `buf` from a cryptographic source.
    fn fill(&self, buf: &mut [u8]);

    /// A number in [0, 1), for jitter.
    fn unit(&self) -> f64 {
        let mut b = [0u8; 4];
        self.fill(&mut b);
        f64::from(u32::from_le_bytes(b)) / (f64::from(u32::MAX) + 1.0)
    }

    /// 32 random hex digits: the token of a claim.
    fn token(&self) -> String {
        let mut b = [0u8; 16];
        self.fill(&mut b);
        hex::encode(b)
    }
}

/// The real machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Host for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Micros {
        Micros(jiff::Timestamp::now().as_microsecond())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that mints ids")]
    fn uuid(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
    fn fill(&self, buf: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), buf);
    }
}

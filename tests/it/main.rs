//! One binary of integration tests: the real router on port 0 with a real database per test, on
//! SQLite and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says so by panicking"
)]

mod access;
mod arch;
mod audit;
mod auditor;
mod chatwoot;
mod classify;
mod clients;
mod correcting;
mod deciding;
mod docs;
mod events;
mod faults;
mod filters;
mod harness;
mod hooks;
mod import;
mod intake;
mod labels;
mod leak;
mod learning;
mod lifecycle;
mod live;
mod load;
mod masking;
mod mcp;
mod openapi;
mod outages;
mod outside;
mod page;
mod process;
mod reviewing;
mod sending;
mod soak;
mod story;
mod tenancy;
mod training;
mod workers;
mod xss;

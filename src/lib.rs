//! **countersign**: a self-hosted AI triage and RAG agent service. Every incoming message is
//! understood, masked, answered by a grounded draft and held until a person countersigns it.
//!
//! A tour for newcomers, in the order in which a message meets the code:
//!
//! 1. [`http`] (or [`cli`]'s import) takes it; [`receive`] checks it; [`intake`] commits it.
//! 2. [`worker`] claims jobs and hands them to [`pipeline`], whose module page is the message's way.
//! 3. [`nlp`] turns text into values: encoder, heads, masking, chunks. No IO there.
//! 4. [`review`] is what people do to a draft; it is the only place that makes approvals.
//! 5. [`store`] is all SQL; [`adapters`] are the outside world behind [`ports`].
//! 6. [`domain`] holds the words all of them share, and imports nothing of ours.
//!
//! [`app`] wires everything once. `ARCHITECTURE.md` says why it is cut this way.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod eval;
pub mod failpoint;
pub mod http;
pub mod intake;
pub mod knowledge;
pub mod lifecycle;
pub mod models;
pub mod nlp;
pub mod pipeline;
pub mod ports;
pub mod receive;
pub mod review;
pub mod store;
pub mod telemetry;
pub mod worker;

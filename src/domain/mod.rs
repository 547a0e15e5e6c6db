//! What the product talks about, without IO and without a clock: ids, messages, masking, triage,
//! drafts, the review state machine, approvals. Everything else may import this; this imports
//! nothing of ours, so each rule here can be read and tested alone.

pub mod approval;
pub mod audit;
pub mod checksum;
pub mod disguise;
pub mod draft;
pub mod event;
pub mod ids;
pub mod limit;
pub mod masking;
pub mod media;
pub mod message;
pub mod offsets;
pub mod platform;
pub mod retry;
pub mod review;
pub mod segments;
pub mod triage;
pub mod vectors;

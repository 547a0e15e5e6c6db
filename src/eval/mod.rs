//! Measuring: pure metrics and their intervals, used by tests and by whatever reports a figure, so
//! that every figure of the product is computed by the same code.
//!
//! [`spans`] compares found spans with labelled ones, [`labels`] given labels with right ones,
//! [`interval`] says how far a figure can be trusted.

pub mod interval;
pub mod labels;
pub mod spans;

//! What stands in for `kernels` on CPUs other than x86-64: the same names, and no way to make an
//! [`Avx512`], so nothing here is ever called.

use std::ops::Range;

use super::linear::{ByteGroup, Then};

#[derive(Debug, Clone, Copy)]
pub(super) enum Avx512 {}

pub(super) struct FloatMap(Avx512);
pub(super) struct ByteMap(Avx512);

#[derive(Debug, Default)]
pub(super) struct ByteRows;
#[derive(Debug, Default)]
pub(super) struct AttentionScratch;

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        None
    }
}

impl FloatMap {
    pub(super) fn new(cpu: Avx512, _: &[f32], _: &[f32]) -> Self {
        match cpu {}
    }

    pub(super) fn apply(&self, _: &[f32], _: &mut [f32], _: Then) {
        match self.0 {}
    }
}

impl ByteMap {
    pub(super) fn new(cpu: Avx512, _: &[ByteGroup], _: &[f32]) -> Self {
        match cpu {}
    }

    pub(super) fn apply(&self, _: &[f32], _: &mut [f32], _: Then, _: &mut ByteRows) {
        match self.0 {}
    }
}

pub(super) fn normalise(cpu: Avx512, _: &mut [f32], _: &[f32], _: &[f32], _: f32) {
    match cpu {}
}

pub(super) fn multiply_rows(cpu: Avx512, _: &[i8], _: &[u8], _: &mut [i32]) {
    match cpu {}
}

pub(super) fn supports_heads(_: usize) -> bool {
    false
}

pub(super) fn attend(
    cpu: Avx512,
    _: &[f32],
    _: usize,
    _: usize,
    _: Range<usize>,
    _: &mut [f32],
    _: &mut AttentionScratch,
) {
    match cpu {}
}

//! What stands in for `kernels` on CPUs other than x86-64: the same names, and no way to make an
//! [`Avx512`] or an [`AvxVnni`], so nothing here is ever called.

use std::ops::Range;

use super::linear::{ByteGroup, Then};

#[derive(Debug, Clone, Copy)]
pub(super) enum Avx512 {}
#[derive(Debug, Clone, Copy)]
pub(super) enum AvxVnni {}
#[derive(Debug, Clone, Copy)]
pub(super) enum Dots {
    Avx512(Avx512),
    AvxVnni(AvxVnni),
}

pub(super) struct FloatMap(Avx512);
pub(super) struct ByteMap(Avx512);

#[derive(Debug, Default)]
pub(super) struct ByteRows;
#[derive(Debug, Default)]
pub(super) struct AttentionScratch;

impl Dots {
    pub(super) fn detect() -> Option<Self> {
        None
    }

    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        std::iter::empty()
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
    pub(super) fn new(cpu: Dots, _: &[ByteGroup], _: &[f32]) -> Self {
        match cpu {}
    }

    pub(super) fn apply(&self, _: &[f32], _: &mut [f32], _: Then, _: &mut ByteRows) {
        match self.0 {}
    }
}

pub(super) fn normalise(cpu: Avx512, _: &mut [f32], _: &[f32], _: &[f32], _: f32) {
    match cpu {}
}

pub(super) fn multiply_rows(cpu: Dots, _: &[i8], _: &[u8], _: &mut [i32]) {
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

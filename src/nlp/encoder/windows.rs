//! How texts are cut into windows that the model can take, and windows are grouped into passes.

use std::ops::Range;

use super::wordpiece::Piece;

/// Longest sequence given to the model, opening and closing tokens included; what the pinned model
/// was made for.
pub(super) const WINDOW: usize = 256;

/// Most tokens in one pass: enough rows to keep the kernels busy, few enough to stay in the cache.
pub(super) const PASS: usize = 512;

/// Cuts the tokens of one text into windows of at most `most` tokens, before the beginning of a word
/// where one lies in the second half of the window. No tokens make one empty window.
pub(super) fn cut(pieces: &[Piece], most: usize) -> Vec<Range<usize>> {
    let mut windows = Vec::with_capacity(pieces.len() / most.max(1) + 1);
    let mut start = 0;
    while pieces.len() - start > most {
        let limit = start + most;
        let half = start + most.div_ceil(2);
        let end =
            (half..=limit).rev().find(|&at| pieces[at].starts_word).unwrap_or(limit).max(start + 1);
        windows.push(start..end);
        start = end;
    }
    windows.push(start..pieces.len());
    windows
}

/// Groups windows of these lengths, in order, into passes of at most `most` tokens (a longer window
/// has a pass of its own), and into a multiple of `lanes` passes of like size where there are
/// windows enough.
pub(super) fn passes(lengths: &[usize], most: usize, lanes: usize) -> Vec<Range<usize>> {
    let total: usize = lengths.iter().sum();
    let count = total.div_ceil(most).next_multiple_of(lanes.max(1)).min(lengths.len()).max(1);
    let target = total.div_ceil(count);
    let mut passes = Vec::with_capacity(count + 1);
    let (mut start, mut size) = (0, 0);
    for (index, length) in lengths.iter().enumerate() {
        // A window goes where more than half of it still fits.
        if index > start && (size + length > most || size + length / 2 > target) {
            passes.push(start..index);
            (start, size) = (index, 0);
        }
        size += length;
    }
    if start < lengths.len() {
        passes.push(start..lengths.len());
    }
    passes
}

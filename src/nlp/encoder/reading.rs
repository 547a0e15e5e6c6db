//! What one pass gives token by token, so that sentences, names and words need no pass of their own.

use std::ops::Range;
use std::sync::Arc;

use super::order::ChannelOrder;
use super::run::{add_rows, scale};
use super::{Encoding, Token};

/// A text's encoding and its token states.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The same as [`Encoder::encode`](super::Encoder::encode) gives.
    pub encoding: Encoding,
    /// The word pieces, in the order of the text.
    pub tokens: Vec<Token>,
    /// Shared, because names, heads and vectors each ask for the reading, and the states are large.
    states: Arc<TokenStates>,
    dims: usize,
    order: Arc<ChannelOrder>,
}

/// States of some tokens in a row, each `[tokens, dims]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenStates {
    /// The mean of layers 3 and 4 of 6 (half and two thirds of the depth of other models), in the
    /// model's own order of channels.
    pub middle: Vec<f32>,
    /// Layer 4 of 6.
    pub upper: Vec<f32>,
    /// The last layer.
    pub last: Vec<f32>,
}

impl TokenStates {
    pub(super) fn with_capacity(cells: usize) -> Self {
        let row = || Vec::with_capacity(cells);
        TokenStates { middle: row(), upper: row(), last: row() }
    }

    /// Puts later tokens behind these.
    pub(super) fn append(&mut self, more: TokenStates) {
        if self.last.is_empty() {
            *self = more;
        } else {
            self.middle.extend(more.middle);
            self.upper.extend(more.upper);
            self.last.extend(more.last);
        }
    }
}

impl Reading {
    pub(super) fn new(
        encoding: Encoding,
        tokens: Vec<Token>,
        states: TokenStates,
        dims: usize,
        order: &Arc<ChannelOrder>,
    ) -> Self {
        Reading { encoding, tokens, states: Arc::new(states), dims, order: Arc::clone(order) }
    }

    /// An encoding without its tokens.
    #[must_use]
    pub fn whole(encoding: Encoding) -> Self {
        let dims = encoding.embedding.len().max(1);
        let order = Arc::new(ChannelOrder::natural());
        Reading { encoding, tokens: Vec::new(), states: Arc::default(), dims, order }
    }

    /// An encoding with tokens and their states, for a stand-in of the encoder: as many rows of the
    /// encoding's dimensions as tokens; of states that don't fit there are none.
    #[must_use]
    pub fn of(encoding: Encoding, tokens: Vec<Token>, states: TokenStates) -> Self {
        let whole = Reading::whole(encoding);
        let cells = tokens.len() * whole.dims;
        match [&states.middle, &states.upper, &states.last].iter().all(|s| s.len() == cells) {
            true => Reading { tokens, states: Arc::new(states), ..whole },
            false => whole,
        }
    }

    /// The state of each token: the mean of layers 3 and 4 of 6 (half and two thirds of the depth of
    /// other models), where names show best. As many slices as tokens, each
    /// [`Encoder::dims`](super::Encoder::dims) long.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.states.middle.chunks_exact(self.dims)
    }

    /// The encoding of a part of the text as it stands in the whole: means over the tokens that begin
    /// in these bytes. `None` when there are none.
    #[must_use]
    pub fn pool(&self, bytes: Range<usize>) -> Option<Encoding> {
        let tokens = self.tokens_in(&bytes);
        let cells = tokens.start * self.dims..tokens.end * self.dims;
        let pooled = |rows: &[f32]| -> Option<Vec<f32>> {
            let mut sum = vec![0.0; self.dims];
            let count = add_rows(rows.get(cells.clone())?, &mut sum);
            if count == 0 {
                return None;
            }
            scale(&mut sum, 1.0 / count as f32);
            self.order.restore(&mut sum);
            Some(sum)
        };
        let (mut embedding, layer4) = (pooled(&self.states.last)?, pooled(&self.states.upper)?);
        let length = embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
        scale(&mut embedding, 1.0 / length.max(f32::MIN_POSITIVE));
        Some(Encoding { embedding, layer4, tokens: tokens.len() })
    }

    /// The reading of a part of the text, with the tokens' places counted from the part's first byte
    /// and the states that they have in the whole. Without tokens in these bytes there are no states,
    /// and the encoding is the whole's.
    #[must_use]
    pub fn part(&self, bytes: Range<usize>) -> Reading {
        let tokens = self.tokens_in(&bytes);
        let cells = tokens.start * self.dims..tokens.end * self.dims;
        let rows = |all: &[f32]| all.get(cells.clone()).unwrap_or_default().to_vec();
        let moved = |token: &Token| Token {
            start: token.start.saturating_sub(bytes.start),
            end: token.end.min(bytes.end).saturating_sub(bytes.start),
            ..*token
        };
        Reading {
            encoding: self.pool(bytes.clone()).unwrap_or_else(|| self.encoding.clone()),
            tokens: self.tokens[tokens].iter().map(moved).collect(),
            states: Arc::new(TokenStates {
                middle: rows(&self.states.middle),
                upper: rows(&self.states.upper),
                last: rows(&self.states.last),
            }),
            dims: self.dims,
            order: Arc::clone(&self.order),
        }
    }

    /// The numbers of the tokens that begin in these bytes.
    #[must_use]
    pub fn tokens_within(&self, bytes: Range<usize>) -> Range<usize> {
        self.tokens_in(&bytes)
    }

    /// The last state and that of layer 4 of one token.
    #[must_use]
    pub fn rows(&self, token: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let row = |all: &[f32]| {
            let mut row = all.get(token * self.dims..(token + 1) * self.dims)?.to_vec();
            self.order.restore(&mut row);
            Some(row)
        };
        Some((row(&self.states.last)?, row(&self.states.upper)?))
    }

    /// The length of the mean of the last states of the tokens in these bytes, which
    /// [`Reading::pool`] makes one.
    #[must_use]
    pub fn last_norm(&self, bytes: Range<usize>) -> f32 {
        let tokens = self.tokens_in(&bytes);
        let mut sum = vec![0.0; self.dims];
        let cells = tokens.start * self.dims..tokens.end * self.dims;
        let count = add_rows(self.states.last.get(cells).unwrap_or_default(), &mut sum);
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
        (length / count.max(1) as f32).max(f32::MIN_POSITIVE)
    }

    /// The tokens that begin in these bytes.
    fn tokens_in(&self, bytes: &Range<usize>) -> Range<usize> {
        let at = |byte: usize| self.tokens.partition_point(|token| token.start < byte);
        at(bytes.start)..at(bytes.end).max(at(bytes.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> Reading {
        let encoding = Encoding { embedding: vec![1.0, 0.0], layer4: vec![0.5, 0.5], tokens: 3 };
        let token = |at: usize| Token { id: 0, start: at, end: at + 3, starts_word: true };
        let rows = vec![3.0, 0.0, 0.0, 4.0, 0.0, 2.0];
        let states = TokenStates { middle: rows.clone(), upper: rows.clone(), last: rows };
        Reading::of(encoding, vec![token(0), token(4), token(8)], states)
    }

    #[test]
    fn parts_are_means_over_their_tokens() {
        let reading = reading();
        let part = reading.pool(4..11).unwrap();
        assert_eq!(part.layer4, [0.0, 3.0]);
        assert_eq!(part.embedding, [0.0, 1.0]);
        assert_eq!(part.tokens, 2);
        assert_eq!(reading.pool(9..11), None);
        assert_eq!(reading.pool(3..3), None);
        assert_eq!(Reading::whole(part).pool(0..11), None);
    }

    #[test]
    fn a_part_counts_from_its_own_beginning() {
        let part = reading().part(4..11);
        assert_eq!(part.tokens.iter().map(|t| t.start).collect::<Vec<_>>(), [0, 4]);
        assert_eq!(part.states().count(), 2);
        assert_eq!(part.pool(0..3).unwrap().layer4, [0.0, 4.0]);
        assert_eq!(reading().part(20..30).states().count(), 0);
    }

    #[test]
    fn states_that_do_not_fit_are_left_out() {
        let encoding = Encoding { embedding: vec![1.0, 0.0], layer4: vec![], tokens: 1 };
        let token = Token { id: 0, start: 0, end: 1, starts_word: true };
        let wrong = Reading::of(encoding, vec![token], TokenStates::default());
        assert!(wrong.tokens.is_empty());
    }
}

//! A linear head: what a head fitted on many examples becomes when it is shipped.
//!
//! The same features as the kernel's ([`Features`]), centred and of length one, one weight for each. It is
//! read in a few microseconds, and what each word of a message adds to a score can be said exactly.

use super::calibrate::softmax;
use super::features::{BUCKETS, Features};
use super::linalg::{Matrix, dot};
use super::ridge::Ridge;

/// Weights of one head.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Mean of the examples' dense blocks.
    pub(super) centre: Vec<f32>,
    /// Classes × (dense blocks, buckets, bias).
    pub(super) weights: Matrix,
}

/// What a score grows by, per feature, at one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Slope {
    /// Per number of the dense blocks.
    pub dense: Vec<f32>,
    /// Per bucket.
    pub hashed: Vec<f32>,
}

impl Linear {
    /// `None` when the weights haven't the width that the centre and the buckets ask for.
    #[must_use]
    pub fn new(centre: Vec<f32>, weights: Matrix) -> Option<Self> {
        (weights.columns() == centre.len() + BUCKETS + 1 && weights.rows() >= 2)
            .then_some(Self { centre, weights })
    }

    /// How many classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.weights.rows()
    }

    /// Probabilities, one a class. Features of another width than the weights' give none their say.
    #[must_use]
    pub fn probabilities(&self, mut features: Features) -> Vec<f32> {
        features.centre_and_normalise(&self.centre);
        let scores: Vec<f32> = (0..self.classes())
            .map(|class| {
                let (weights, bias) = self.of(class);
                let (dense, hashed) = weights.split_at(self.centre.len());
                let words = features.hashed.iter();
                let words: f32 = words.map(|(b, x)| x * hashed[usize::from(*b) % BUCKETS]).sum();
                dot(dense, &features.dense) + words + bias
            })
            .collect();
        softmax(&scores, 1.0)
    }

    fn of(&self, class: usize) -> (&[f32], f32) {
        self.weights.row(class).split_last().map_or((&[], 0.0), |(bias, weights)| (weights, *bias))
    }

    fn slope(&self, class: usize) -> Slope {
        let (dense, hashed) = self.of(class).0.split_at(self.centre.len());
        Slope { dense: dense.to_vec(), hashed: hashed.to_vec() }
    }
}

/// Either way of learning.
#[derive(Debug, Clone, PartialEq)]
pub enum Learner {
    /// Fitted when the service starts.
    Kernel(Ridge),
    /// Shipped.
    Linear(Linear),
}

impl Learner {
    /// How many classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self {
            Self::Kernel(ridge) => ridge.classes(),
            Self::Linear(linear) => linear.classes(),
        }
    }

    /// Calibrated probabilities, one a class.
    #[must_use]
    pub fn probabilities(&self, features: Features) -> Vec<f32> {
        match self {
            Self::Kernel(ridge) => ridge.probabilities(features),
            Self::Linear(linear) => linear.probabilities(features),
        }
    }
}

/// What the words of a message can be weighed by.
pub trait Sloped: std::fmt::Debug {
    /// Mean of the dense blocks that the features are centred on.
    fn centre(&self) -> &[f32];
    /// What the score of a class grows by at these features (centred and of length one): exact for the linear
    /// head, the gradient of the kernel's.
    fn slope(&self, features: &Features, class: usize) -> Slope;
}

impl Sloped for Learner {
    fn centre(&self) -> &[f32] {
        match self {
            Self::Kernel(ridge) => &ridge.centre,
            Self::Linear(linear) => &linear.centre,
        }
    }

    fn slope(&self, features: &Features, class: usize) -> Slope {
        match self {
            Self::Kernel(ridge) => ridge.slope(features, class),
            Self::Linear(linear) => linear.slope(class),
        }
    }
}

impl Sloped for Ridge {
    fn centre(&self) -> &[f32] {
        &self.centre
    }

    fn slope(&self, features: &Features, class: usize) -> Slope {
        Ridge::slope(self, features, class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_head_scores_and_says_what_it_goes_by() {
        let mut weights = Matrix::zeros(2, 2 + BUCKETS + 1);
        weights.row_mut(1)[0] = 3.0;
        weights.row_mut(1)[2 + 7] = 2.0;
        let head = Linear::new(vec![0.5, 0.0], weights).unwrap();
        let plain = Features { dense: vec![0.5, 1.0], hashed: vec![] };
        assert_eq!(head.probabilities(plain), [0.5, 0.5]);
        let telling = Features { dense: vec![1.5, 0.0], hashed: vec![(7, 1.0)] };
        assert!(head.probabilities(telling)[1] > 0.95);
        let slope = head.slope(1);
        assert_eq!((slope.dense[0], slope.hashed[7]), (3.0, 2.0));
        assert_eq!(Linear::new(vec![], Matrix::zeros(2, 4)), None);
    }
}

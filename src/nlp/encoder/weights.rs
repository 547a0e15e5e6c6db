//! The tensors of a safetensors file, by BERT's names, checked for shape and type when taken out.
//!
//! Nothing is believed before it is checked: sizes come from tensors that exist in the file, so a
//! rubbish header can't make the encoder allocate what the file doesn't hold.

use rten_simd::float16::f16_to_f32;
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};

/// Why a `model.safetensors` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file, or only the beginning of one.
    #[error("is not a whole safetensors file: it is cut short, damaged or of another format")]
    Format(#[from] SafeTensorError),
    /// A tensor of a BERT encoder isn't there.
    #[error("has no tensor {name:?}: only encoders of the BERT family can be loaded")]
    Missing {
        /// The name looked for.
        name: String,
    },
    /// A tensor has another shape than the rest of the model asks for.
    #[error("tensor {name:?} has the shape {found:?}, and {expected:?} is needed")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that fits the others.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a type that isn't read.
    #[error("tensor {name:?} is stored as {found:?}; F32, F16 and BF16 can be read")]
    Type {
        /// The tensor.
        name: String,
        /// Its element type.
        found: Dtype,
    },
    /// A weight is infinite or not a number.
    #[error("tensor {name:?} holds a value that is not a finite number: the file is damaged")]
    NotFinite {
        /// The tensor.
        name: String,
    },
}

/// An opened safetensors file.
pub(super) struct Weights<'a> {
    tensors: SafeTensors<'a>,
    /// What stands before BERT's own names, as `bert.` in checkpoints with a head.
    prefix: String,
}

const WORD_EMBEDDINGS: &str = "embeddings.word_embeddings.weight";

impl<'a> Weights<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let prefix = tensors
            .names()
            .into_iter()
            .filter_map(|name| name.strip_suffix(WORD_EMBEDDINGS))
            .min_by_key(|prefix| prefix.len())
            .unwrap_or_default()
            .to_owned();
        Ok(Weights { tensors, prefix })
    }

    /// The two sizes of a matrix.
    pub(super) fn shape(&self, name: &str) -> Result<[usize; 2], WeightsError> {
        let (name, view) = self.view(name)?;
        match *view.shape() {
            [rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
            _ => Err(WeightsError::Shape {
                name,
                found: view.shape().to_vec(),
                expected: vec![1, 1],
            }),
        }
    }

    /// How many encoder layers there are, counted from the first without a gap.
    pub(super) fn layers(&self) -> usize {
        let has = |layer: &usize| {
            let name = format!("{}encoder.layer.{layer}.attention.self.query.weight", self.prefix);
            self.tensors.tensor(&name).is_ok()
        };
        (0..self.tensors.len()).take_while(has).count()
    }

    /// Whether there is such a tensor.
    pub(super) fn has(&self, name: &str) -> bool {
        self.view(name).is_ok()
    }

    /// A tensor of exactly this shape as f32, row by row.
    pub(super) fn take(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let (name, view) = self.view(name)?;
        if view.shape() != shape {
            return Err(WeightsError::Shape {
                name,
                found: view.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        let values = match view.dtype() {
            Dtype::F32 => read(view.data(), f32::from_le_bytes),
            Dtype::F16 => read(view.data(), |bytes| f16_to_f32(u16::from_le_bytes(bytes))),
            // bfloat16 is the upper half of an f32.
            Dtype::BF16 => read(view.data(), |bytes| {
                f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
            }),
            found => return Err(WeightsError::Type { name, found }),
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite { name });
        }
        Ok(values)
    }

    /// The scale and the shift of a layer normalisation; older checkpoints call them gamma and beta.
    pub(super) fn norm(
        &self,
        name: &str,
        width: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), WeightsError> {
        let take = |new: &str, old: &str| {
            let old = format!("{name}.{old}");
            let name = if self.has(&old) { old } else { format!("{name}.{new}") };
            self.take(&name, &[width])
        };
        Ok((take("weight", "gamma")?, take("bias", "beta")?))
    }

    fn view(&self, name: &str) -> Result<(String, TensorView<'a>), WeightsError> {
        let name = format!("{}{name}", self.prefix);
        match self.tensors.tensor(&name) {
            Ok(view) => Ok((name, view)),
            Err(SafeTensorError::TensorNotFound(_)) => Err(WeightsError::Missing { name }),
            Err(error) => Err(error.into()),
        }
    }
}

fn read<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<N>();
    values.iter().map(|value| convert(*value)).collect()
}

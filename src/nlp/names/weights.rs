//! The weights' file: a short header and 16-bit floats, little endian.
//!
//! `CSNM`, version (u16), length of the encoder's name (u8) and the name, then as u16 the sizes of
//! states, shapes, first and second layer, then the values of [`Parameters::parts`] in order.

use super::network::{CLASSES, Parameters, SPAN};
use super::shape;
use crate::nlp::half::{from_half, to_half};

const MAGIC: &[u8; 4] = b"CSNM";
/// Changes with the meaning of the inputs: the shapes and their order, the window, the states.
const VERSION: u16 = 1;
/// Sizes beyond this are damage.
const MAX_SIZE: usize = 4096;

/// A weights file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Something else altogether.
    #[error("this is not a names head: it does not begin with CSNM")]
    Magic,
    /// Of another version of the program.
    #[error("the names head has version {0}, and this program reads {VERSION}: train it again")]
    Version(u16),
    /// Trained with other inputs.
    #[error(
        "the names head reads {found} shapes, and this program gives {expected}: train it again"
    )]
    Shapes {
        /// In the file.
        found: usize,
        /// In the program.
        expected: usize,
    },
    /// Too short, too long, or with impossible sizes.
    #[error("the names head is damaged: {0}")]
    Damaged(&'static str),
}

/// The part of an encoder's id that names its weights: `53aa5117` of
/// `all-MiniLM-L6-v2@53aa5117/int8`.
pub(super) fn hash(encoder_id: &str) -> &str {
    let model = encoder_id.split('/').next().unwrap_or_default();
    model.rsplit('@').next().unwrap_or_default()
}

/// The bytes of a file.
pub(super) fn write(parameters: &Parameters, encoder: &str) -> Vec<u8> {
    let name = encoder.as_bytes();
    let name = &name[..name.len().min(255)];
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.push(name.len() as u8);
    out.extend(name);
    for size in [parameters.states, parameters.shapes, parameters.first, parameters.second] {
        out.extend((size as u16).to_le_bytes());
    }
    for part in parameters.parts() {
        out.extend(part.iter().flat_map(|x| to_half(*x).to_le_bytes()));
    }
    out
}

/// Reads a file; also the encoder's name.
pub(super) fn read(file: &[u8]) -> Result<(Parameters, String), WeightsError> {
    let mut rest = file.strip_prefix(MAGIC).ok_or(WeightsError::Magic)?;
    let version = number(&mut rest)?;
    if version != VERSION {
        return Err(WeightsError::Version(version));
    }
    let [length] = take(&mut rest)?;
    let (name, tail) = rest.split_at_checked(usize::from(length)).ok_or(SHORT)?;
    rest = tail;
    let name = std::str::from_utf8(name)
        .map_err(|_| WeightsError::Damaged("the encoder's name is no text"))?;
    let mut sizes = [0usize; 4];
    for size in &mut sizes {
        *size = usize::from(number(&mut rest)?);
        if !(1..=MAX_SIZE).contains(size) {
            return Err(WeightsError::Damaged("a size is out of range"));
        }
    }
    let [states, shapes, first, second] = sizes;
    if shapes != shape::COUNT {
        return Err(WeightsError::Shapes { found: shapes, expected: shape::COUNT });
    }
    let mut parameters = Parameters::zero(states, first, second);
    let count: usize = parameters.parts().iter().map(|p| p.len()).sum();
    if rest.len() != 2 * count {
        return Err(WeightsError::Damaged("its length does not follow from its sizes"));
    }
    let values = rest.chunks_exact(2).map(|b| from_half(u16::from_le_bytes([b[0], b[1]])));
    let slots = parameters.parts_mut();
    slots.into_iter().flatten().zip(values).for_each(|(slot, value)| *slot = value);
    debug_assert_eq!(parameters.w2.len(), SPAN * first * second);
    debug_assert_eq!(parameters.b3.len(), CLASSES);
    Ok((parameters, name.to_owned()))
}

const SHORT: WeightsError = WeightsError::Damaged("it ends early");

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], WeightsError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(SHORT)?;
    *rest = tail;
    Ok(*head)
}

fn number(rest: &mut &[u8]) -> Result<u16, WeightsError> {
    take(rest).map(u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_a_damaged_one_is_refused() {
        let mut p = Parameters::zero(8, 4, 3);
        p.w1[5] = 0.5;
        p.b3[6] = -2.0;
        let file = write(&p, "model@12345678");
        assert_eq!(read(&file), Ok((p, "model@12345678".to_owned())));
        assert_eq!(read(b"nonsense"), Err(WeightsError::Magic));
        for cut in 4..file.len() {
            assert!(read(&file[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn the_mode_and_the_folder_do_not_matter() {
        assert_eq!(hash("a@53aa5117/int8"), hash("b@53aa5117"));
        assert_ne!(hash("a@53aa5117/int8"), hash("a@00000000/int8"));
    }
}

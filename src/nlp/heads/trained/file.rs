//! A trained head as a folder: `head.json`, `weights.safetensors`, `card.md`.
//!
//! The folder is written beside its place and moved there, so that a reader never meets half of one.
//! Reading believes nothing: the weights must have the hash that `head.json` names, every tensor the shape
//! that the labels ask for, and every number must be finite.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::features::BUCKETS;
use super::super::linalg::Matrix;
use super::super::ridge::Ridge;
use super::head::{About, Head};

/// The form that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
const ABOUT: &str = "head.json";
const WEIGHTS: &str = "weights.safetensors";
const CARD: &str = "card.md";

/// Why a folder isn't a head that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file can't be read or written.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// `head.json` is something else.
    #[error("{} isn't the description of a head", path.display())]
    About {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Of another version of the program.
    #[error("{} has the format {found}, this program reads {FORMAT}: train it again", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The weights aren't those that were written.
    #[error("{} is damaged: its hash isn't the one in {ABOUT}", path.display())]
    Hash {
        /// Which.
        path: PathBuf,
    },
    /// Not a safetensors file.
    #[error("{} can't be read", path.display())]
    Weights {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SafeTensorError,
    },
    /// Tensors that don't go together, or with the description.
    #[error("{}: {what}", path.display())]
    Shape {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    #[serde(flatten)]
    about: About,
    weights_sha256: String,
}

/// Reads the format before anything else is asked of the file.
#[derive(Deserialize)]
struct Opening {
    format: u32,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> FileError + '_ {
    |source| FileError::Io { path: path.to_owned(), source }
}

impl Head {
    /// Writes the head into a folder, in the place of what stood there.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn save(&self, dir: &Path) -> Result<(), FileError> {
        // Without a slash at the end, which would put the folder beside into it.
        let dir: &Path = &dir.components().collect::<PathBuf>();
        let mut aside = dir.as_os_str().to_owned();
        aside.push(format!(".{}.tmp", std::process::id()));
        let aside = PathBuf::from(aside);
        std::fs::create_dir_all(&aside).map_err(io_at(&aside))?;
        let written = self.write(&aside).and_then(|()| replace(&aside, dir));
        if written.is_err() {
            // What was begun is of no use; the error that counts is the first one.
            let _ = std::fs::remove_dir_all(&aside);
        }
        written
    }

    fn write(&self, dir: &Path) -> Result<(), FileError> {
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).map_err(io_at(&path))
        };
        let (json, weights) = self.encoded(dir)?;
        put(WEIGHTS, &weights)?;
        put(CARD, super::card::card(&self.about).as_bytes())?;
        put(ABOUT, &json)
    }

    /// The contents of `head.json` and of `weights.safetensors`.
    fn encoded(&self, dir: &Path) -> Result<(Vec<u8>, Vec<u8>), FileError> {
        let weights = encode(&self.ridge)
            .map_err(|source| FileError::Weights { path: dir.join(WEIGHTS), source })?;
        let on_disk = OnDisk {
            about: self.about.clone(),
            weights_sha256: hex::encode(Sha256::digest(&weights)),
        };
        let json = serde_json::to_vec_pretty(&on_disk)
            .map_err(|source| FileError::About { path: dir.join(ABOUT), source })?;
        Ok((json, weights))
    }

    /// Both files of the head in one piece, for places that aren't folders: the length of `head.json` (four
    /// bytes, little-endian), `head.json`, the weights.
    ///
    /// # Errors
    /// When the numbers can't be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FileError> {
        let (json, weights) = self.encoded(Path::new(""))?;
        let length = (json.len() as u32).to_le_bytes();
        Ok([&length[..], &json, &weights].concat())
    }

    /// Reads what [`Head::to_bytes`] made. `name` is what errors call it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, FileError> {
        let place = Path::new(name);
        let parts = bytes
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize));
        let short = || FileError::Shape { path: place.to_owned(), what: "it isn't whole" };
        let (json, weights) = parts.ok_or_else(short)?;
        read(place, json, || Ok(weights.to_vec()))
    }
}

/// Moves a folder to its place. A head that stands there changes places with it in one step where the system can do
/// that and nothing else is in its folder; else its files are replaced one after the other.
fn replace(aside: &Path, dir: &Path) -> Result<(), FileError> {
    if !dir.join(ABOUT).exists() {
        if let Some(parent) = dir.parent() {
            std::fs::create_dir_all(parent).map_err(io_at(parent))?;
        }
        return std::fs::rename(aside, dir).map_err(io_at(dir));
    }
    if holds_a_head_only(dir).map_err(io_at(dir))? && exchange(aside, dir) {
        return std::fs::remove_dir_all(aside).map_err(io_at(aside));
    }
    for name in [ABOUT, WEIGHTS, CARD] {
        let (from, to) = (aside.join(name), dir.join(name));
        std::fs::rename(&from, &to).map_err(io_at(&to))?;
    }
    std::fs::remove_dir(aside).map_err(io_at(aside))
}

/// Whether a folder, not a link to one, holds the files of a head and nothing else.
fn holds_a_head_only(dir: &Path) -> io::Result<bool> {
    if !std::fs::symlink_metadata(dir)?.is_dir() {
        return Ok(false);
    }
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        if ![ABOUT, WEIGHTS, CARD].iter().any(|ours| name == *ours) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Lets two folders change places in one step; false where that isn't to be had.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> bool {
    false
}

/// Reads a head from its folder.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(dir: &Path) -> Result<Head, FileError> {
    let path = dir.join(ABOUT);
    let text = std::fs::read(&path).map_err(io_at(&path))?;
    let weights = dir.join(WEIGHTS);
    read(dir, &text, || std::fs::read(&weights).map_err(io_at(&weights)))
}

/// Reads a head from its two files. The weights are asked for once the description is known to be one.
fn read(
    dir: &Path,
    text: &[u8],
    weights: impl FnOnce() -> Result<Vec<u8>, FileError>,
) -> Result<Head, FileError> {
    let path = dir.join(ABOUT);
    let wrong = |source| FileError::About { path: path.clone(), source };
    let opening: Opening = serde_json::from_slice(text).map_err(wrong)?;
    if opening.format != FORMAT {
        return Err(FileError::Format { path, found: opening.format });
    }
    let OnDisk { about, weights_sha256 } = serde_json::from_slice(text).map_err(wrong)?;
    let path = dir.join(WEIGHTS);
    let bytes = weights()?;
    if hex::encode(Sha256::digest(&bytes)) != weights_sha256 {
        return Err(FileError::Hash { path });
    }
    let ridge = decode(&bytes, &about, &path)?;
    let labels = about.labels.len();
    let fits = ridge.classes() == labels
        && about.offsets.len() == labels
        && about.outside.is_none_or(|o| o < labels)
        && about.labels.iter().all(|l| about.task.label(l).as_deref() == Ok(l.as_str()))
        && [about.scale, about.threshold].iter().all(|v| v.is_finite());
    match fits {
        true => Ok(Head { about, ridge }),
        false => Err(FileError::Shape { path, what: "the weights don't fit the labels" }),
    }
}

fn le(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn encode(ridge: &Ridge) -> Result<Vec<u8>, SafeTensorError> {
    let pairs = || ridge.hashed.iter().flatten();
    let mut ends = 0u32;
    let lengths: Vec<u8> = ridge
        .hashed
        .iter()
        .flat_map(|row| {
            ends += row.len() as u32;
            ends.to_le_bytes()
        })
        .collect();
    let buckets: Vec<u8> = pairs().flat_map(|(bucket, _)| bucket.to_le_bytes()).collect();
    let values = le(pairs().map(|(_, value)| *value));
    let (rows, count) = (ridge.dense.rows(), pairs().count());
    let centre = le(ridge.centre.iter().copied());
    let dense = le(ridge.dense.values().iter().copied());
    let alpha = le(ridge.alpha.values().iter().copied());
    let view = |dtype, shape: Vec<usize>, bytes| TensorView::new(dtype, shape, bytes);
    safetensors::serialize(
        [
            ("centre", view(Dtype::F32, vec![ridge.centre.len()], &centre)?),
            ("dense", view(Dtype::F32, vec![rows, ridge.centre.len()], &dense)?),
            ("alpha", view(Dtype::F32, vec![rows, ridge.classes()], &alpha)?),
            ("hashed.ends", view(Dtype::U32, vec![rows], &lengths)?),
            ("hashed.buckets", view(Dtype::U16, vec![count], &buckets)?),
            ("hashed.values", view(Dtype::F32, vec![count], &values)?),
        ],
        None::<HashMap<String, String>>,
    )
}

fn decode(bytes: &[u8], about: &About, path: &Path) -> Result<Ridge, FileError> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|source| FileError::Weights { path: path.to_owned(), source })?;
    let wrong = |what| FileError::Shape { path: path.to_owned(), what };
    let take = |name: &str, dtype: Dtype| -> Result<&[u8], FileError> {
        let tensor = tensors
            .tensor(name)
            .map_err(|source| FileError::Weights { path: path.to_owned(), source })?;
        if tensor.dtype() == dtype {
            Ok(tensor.data())
        } else {
            Err(wrong("a tensor of another type"))
        }
    };
    let floats = |name: &str| -> Result<Vec<f32>, FileError> {
        let values: Vec<f32> = take(name, Dtype::F32)?
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect();
        if values.iter().all(|v| v.is_finite()) {
            Ok(values)
        } else {
            Err(wrong("a number that isn't finite"))
        }
    };
    let centre = floats("centre")?;
    let dense = Matrix::from_values(centre.len(), floats("dense")?)
        .ok_or_else(|| wrong("examples that aren't whole"))?;
    let alpha = Matrix::from_values(about.labels.len(), floats("alpha")?)
        .ok_or_else(|| wrong("weights that aren't whole"))?;
    let ends: Vec<usize> = take("hashed.ends", Dtype::U32)?
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| u32::from_le_bytes(*b) as usize)
        .collect();
    let pairs: Vec<(u16, f32)> = take("hashed.buckets", Dtype::U16)?
        .as_chunks::<2>()
        .0
        .iter()
        .map(|b| u16::from_le_bytes(*b))
        .zip(floats("hashed.values")?)
        .collect();
    let whole = alpha.rows() == dense.rows()
        && ends.len() == dense.rows()
        && ends.is_sorted()
        && ends.last().is_none_or(|end| *end == pairs.len())
        && pairs.iter().all(|(bucket, _)| usize::from(*bucket) < BUCKETS);
    if !whole {
        return Err(wrong("tensors that don't go together"));
    }
    let mut start = 0;
    let hashed = ends
        .iter()
        .map(|end| {
            let row = pairs[start..*end].to_vec();
            start = *end;
            row
        })
        .collect();
    Ridge::from_parts((about.gamma, about.scale), centre, dense, hashed, alpha)
        .ok_or_else(|| wrong("tensors that don't go together"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(at: &Path, files: &[(&str, &str)]) -> PathBuf {
        std::fs::create_dir(at).unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(at.join(name), text).unwrap());
        at.to_owned()
    }

    #[test]
    fn a_new_head_takes_the_place_of_the_old_one_and_of_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let head = |word| [(ABOUT, word), (WEIGHTS, word), (CARD, word)];
        let read = |dir: &Path, name: &str| std::fs::read_to_string(dir.join(name)).unwrap();

        let dir = folder(&at("model"), &head("old"));
        replace(&folder(&at("aside"), &head("new")), &dir).unwrap();
        assert!([ABOUT, WEIGHTS, CARD].iter().all(|name| read(&dir, name) == "new"));
        assert!(!at("aside").exists());

        // What somebody else has put there stays.
        std::fs::write(dir.join("notes.txt"), "mine").unwrap();
        replace(&folder(&at("aside"), &head("newer")), &dir).unwrap();
        assert_eq!((read(&dir, WEIGHTS), read(&dir, "notes.txt")), ("newer".into(), "mine".into()));
        assert!(!at("aside").exists());

        let fresh = at("below/model");
        replace(&folder(&at("aside"), &head("first")), &fresh).unwrap();
        assert_eq!(read(&fresh, CARD), "first");
    }
}

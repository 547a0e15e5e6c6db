//! From a model folder to an [`Encoder`], with every fault named.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::config::{Architecture, ArchitectureError, ConfigError};
use super::graph::Graph;
use super::kernels;
use super::lanes::Lanes;
use super::linear::{Kernels, Precision};
use super::weights::{Weights, WeightsError};
use super::windows::WINDOW;
use super::wordpiece::{TokenizerError, WordPiece};
use super::{Encoder, Mode};

/// Why a model folder can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A file of the folder isn't there.
    #[error("{} is missing: run `countersign models pull`, or name a folder that holds model.safetensors and tokenizer.json", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be read.
    #[error("{} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file isn't the one listed in the folder's `SHA256SUMS`.
    #[error("{} has the SHA-256 {found}, and {} lists {listed}: the file is damaged or was exchanged; run `countersign models pull`", path.display(), CHECKSUMS)]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Its digest in hexadecimal.
        found: String,
        /// The digest that it should have.
        listed: String,
    },
    /// `model.safetensors` can't be used.
    #[error("{} {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// `tokenizer.json` can't be used.
    #[error("{} can't be used: {source}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TokenizerError,
    },
    /// `config.json` or the pooling configuration can't be used.
    #[error("{}: the model's configuration {source}", path.display())]
    Config {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// The threads could not be started.
    #[error("the encoder's threads could not be started")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Digests of a folder's files as `sha256sum` writes them; `countersign models pull` leaves one.
const CHECKSUMS: &str = "SHA256SUMS";

pub(super) fn load(
    dir: &Path,
    mode: Mode,
    threads: NonZeroUsize,
    kernels: Kernels,
) -> Result<Encoder, EncoderError> {
    let checksums = Checksums::read(dir)?;
    let config = optional(&dir.join("config.json"))?;
    let pooling = optional(&dir.join("1_Pooling").join("config.json"))?;

    let weights_path = dir.join("model.safetensors");
    let bytes = required(&weights_path)?;
    let digest = checksums.check(&weights_path, &bytes)?;
    let weights_error = |source| EncoderError::Weights { path: weights_path.clone(), source };
    let architecture_error = |error| match error {
        ArchitectureError::Weights(source) => weights_error(source),
        ArchitectureError::Config(source) => EncoderError::Config { path: dir.to_owned(), source },
    };
    let weights = Weights::parse(&bytes).map_err(weights_error)?;
    let architecture = Architecture::read(config.as_deref(), pooling.as_deref(), &weights)
        .map_err(architecture_error)?;

    let tokenizer_path = dir.join("tokenizer.json");
    let json = required(&tokenizer_path)?;
    checksums.check(&tokenizer_path, &json)?;
    let tokenizer = WordPiece::parse(&json, architecture.vocabulary)
        .map_err(|source| EncoderError::Tokenizer { path: tokenizer_path, source })?;

    let kernels = match kernels {
        Kernels::Avx512(_) if !kernels::supports_heads(architecture.head_size()) => {
            Kernels::Portable
        }
        kernels => kernels,
    };
    let precision = match mode {
        Mode::F32 => Precision::Float,
        Mode::Int8 => Precision::bytes(kernels),
    };
    let graph =
        Graph::load(&weights, &architecture, precision, kernels).map_err(architecture_error)?;
    Ok(Encoder {
        id: format!("{}/{}", &digest[..8], precision.label()),
        tokenizer,
        graph,
        pooling: architecture.pooling,
        dims: architecture.hidden,
        window: architecture.positions.min(WINDOW),
        lanes: Lanes::start(threads)?,
    })
}

fn required(path: &Path) -> Result<Vec<u8>, EncoderError> {
    optional(path)?.ok_or_else(|| EncoderError::Missing { path: path.to_owned() })
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>, EncoderError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EncoderError::Read { path: path.to_owned(), source }),
    }
}

/// File names and digests from the folder's `SHA256SUMS`; empty where there is none.
struct Checksums(Vec<(String, String)>);

impl Checksums {
    fn read(dir: &Path) -> Result<Self, EncoderError> {
        let bytes = optional(&dir.join(CHECKSUMS))?.unwrap_or_default();
        let lines = String::from_utf8_lossy(&bytes);
        // A line is the digest, a blank, a blank or an asterisk, the file name.
        let entry = |line: &str| {
            let (digest, file) = line.split_once(' ')?;
            Some((file.trim_start_matches([' ', '*']).to_owned(), digest.to_ascii_lowercase()))
        };
        Ok(Checksums(lines.lines().filter_map(entry).collect()))
    }

    /// The SHA-256 of `bytes` in hexadecimal, if it is the listed one or none is listed.
    fn check(&self, path: &Path, bytes: &[u8]) -> Result<String, EncoderError> {
        let found = hex::encode(Sha256::digest(bytes));
        let listed = self
            .0
            .iter()
            .find(|(file, _)| path.file_name().is_some_and(|name| name == file.as_str()));
        match listed {
            Some((_, listed)) if *listed != found => {
                Err(EncoderError::Checksum { path: path.to_owned(), found, listed: listed.clone() })
            }
            _ => Ok(found),
        }
    }
}

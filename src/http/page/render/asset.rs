//! The files that pages refer to, each under an address that changes with its content.

use std::borrow::Cow;
use std::sync::LazyLock;

use minijinja::{Error, ErrorKind};
use sha2::{Digest, Sha256};

/// A static file of the page.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    pub content_type: &'static str,
    pub bytes: &'static [u8],
    /// Strong entity tag, quotes included.
    pub etag: &'static str,
    /// The `v` of its URL; a request that carries it may be cached for good.
    pub version: &'static str,
}

/// The file served at `/assets/{path}`, if there is one.
pub fn asset(path: &str) -> Option<Asset> {
    ASSETS.iter().find(|embedded| embedded.path == path).map(|embedded| Asset {
        content_type: embedded.content_type,
        bytes: embedded.bytes,
        etag: &embedded.etag,
        version: &embedded.version,
    })
}

struct Embedded {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    etag: String,
    version: String,
}

impl Embedded {
    fn new(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = hex::encode(Sha256::digest(bytes));
        Self {
            path,
            content_type,
            bytes,
            etag: format!("\"{}\"", &digest[..32]),
            version: digest[..12].to_owned(),
        }
    }
}

static ASSETS: LazyLock<[Embedded; 5]> = LazyLock::new(|| {
    [
        Embedded::new("app.css", "text/css; charset=utf-8", include_bytes!("../assets/app.css")),
        Embedded::new(
            "app.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../assets/app.js"),
        ),
        Embedded::new("docs.css", "text/css; charset=utf-8", include_bytes!("../assets/docs.css")),
        Embedded::new(
            "docs.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../assets/docs.js"),
        ),
        Embedded::new("favicon.svg", "image/svg+xml", include_bytes!("../assets/favicon.svg")),
    ]
});

/// Template function: the URL of a static file, with the hash of its content.
pub(super) fn asset_url(path: Cow<'_, str>) -> Result<String, Error> {
    match asset(&path) {
        Some(found) => Ok(format!("/assets/{path}?v={}", found.version)),
        None => Err(Error::new(ErrorKind::InvalidOperation, format!("there is no asset {path}"))),
    }
}

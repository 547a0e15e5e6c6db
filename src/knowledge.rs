//! Knowledge: a document becomes an article, its chunks and their vectors, in one commit.

mod pdf;

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::domain::approval::Digest;
use crate::domain::audit::Actor;
use crate::domain::ids::{ArticleId, Micros, TenantId};
use crate::nlp::encoder::Embed;
use crate::nlp::{chunk, clean, html};
use crate::pipeline::blocking;
use crate::store::article::{self, Article};
use crate::store::chunk::{self as chunks, NewChunk};
use crate::store::{self, Store, audit, tenant};

pub use self::pdf::pdf_text;

/// Largest article, in bytes.
pub const MAX_ARTICLE: usize = 2 * 1024 * 1024;
/// Longest source, in characters.
pub const LONGEST_SOURCE: usize = 500;

/// What a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ArticleFormat)]
pub enum Format {
    /// Plain text.
    #[default]
    Text,
    /// Markdown, with or without front matter.
    Markdown,
    /// HTML.
    Html,
}

/// Why a document is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Nothing in it.
    #[error("the document is empty")]
    Empty,
    /// A PDF that can't be read.
    #[error("the PDF is damaged or encrypted")]
    Pdf,
    /// Too large.
    #[error("the document is larger than {MAX_ARTICLE} bytes: split it")]
    TooLarge,
    /// No place it came from.
    #[error(
        "`source` must name where the document comes from (a path or URL of 1 to {LONGEST_SOURCE} characters)"
    )]
    Source,
}

/// A document, read.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Where it comes from; the same source replaces the article.
    pub source: String,
    /// Plain text.
    pub text: String,
}

impl Document {
    /// Reads a document; the title is the given one, the front matter's, the first heading's, or
    /// the source's last part.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn read(
        source: &str,
        title: Option<&str>,
        body: &str,
        format: Format,
    ) -> Result<Self, DocumentError> {
        if body.len() > MAX_ARTICLE {
            return Err(DocumentError::TooLarge);
        }
        // As it was given: blanks around it count, as they do in the API's description.
        let too_long = source.chars().count() > LONGEST_SOURCE;
        let source = source.trim();
        if too_long || source.is_empty() || source.chars().any(char::is_control) {
            return Err(DocumentError::Source);
        }
        let (front, body) = match format {
            Format::Markdown => front_matter(body),
            _ => (None, body),
        };
        let text = match format {
            Format::Html => html::to_text(body, &html::HtmlLimits::default()),
            _ => body.to_owned(),
        };
        let text = clean::clean(&text).text.trim().to_owned();
        if text.is_empty() {
            return Err(DocumentError::Empty);
        }
        let heading = text.lines().find_map(|l| l.strip_prefix("# ")).map(|h| h.trim().to_owned());
        let name = source.rsplit(['/', '\\']).next().unwrap_or(source).to_owned();
        let title = title.map(str::to_owned).or(front).or(heading).unwrap_or(name);
        let title: String = title.trim().chars().take(300).collect();
        let title = clean::clean(&title).text;
        Ok(Self { title, source: source.to_owned(), text })
    }
}

/// Splits `---` front matter off and reads its `title`.
fn front_matter(body: &str) -> (Option<String>, &str) {
    let Some(rest) = body.strip_prefix("---\n").or_else(|| body.strip_prefix("---\r\n")) else {
        return (None, body);
    };
    let Some(end) = rest.find("\n---") else { return (None, body) };
    let title = rest[..end]
        .lines()
        .find_map(|l| l.strip_prefix("title:"))
        .map(|t| t.trim().trim_matches(['"', '\'']).to_owned());
    let after = rest[end + 4..].split_once('\n').map_or("", |(_, b)| b);
    (title, after)
}

/// Adds an article or replaces the one of the same source; returns its id and whether it changed.
///
/// # Errors
/// Store errors.
pub async fn add(
    store: &Store,
    encoder: &dyn Embed,
    tenant_id: &TenantId,
    actor: &Actor,
    doc: &Document,
) -> store::Result<(ArticleId, bool)> {
    let sha256 = Digest::of(format!("{}\n{}", doc.title, doc.text).as_bytes());
    let unchanged = {
        let mut c = store.db.read().await?;
        article::by_source(&mut c, tenant_id, &doc.source).await?
    };
    if let Some(old) = unchanged.filter(|a| a.sha256 == sha256.as_str()) {
        return Ok((old.id, false));
    }
    let pieces = blocking(|| embed(encoder, doc));
    let row = Article {
        id: ArticleId::from_uuid(store.host.uuid()),
        title: doc.title.clone(),
        source: doc.source.clone(),
        body: doc.text.clone(),
        sha256: sha256.as_str().to_owned(),
        language: language(&doc.text).to_owned(),
        updated_at: Micros(0),
    };
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, tenant_id).await?;
    let (id, changed) = article::put(store, &mut tx, tenant_id, &row).await?;
    if changed {
        chunks::replace(store, &mut tx, tenant_id, "article", id.as_str(), encoder.id(), &pieces)
            .await?;
        let detail = json!({"sha256": sha256, "chunks": pieces.len()});
        let object = format!("article:{id}");
        audit::append(store, &mut tx, tenant_id, actor, "article.put", object, detail).await?;
    }
    tx.commit().await?;
    Ok((id, changed))
}

/// ISO 639-1 of a document, where it can be told.
fn language(text: &str) -> &'static str {
    use whatlang::Lang;
    match whatlang::detect_lang(text) {
        Some(Lang::Eng) => "en",
        Some(Lang::Deu) => "de",
        Some(Lang::Fra) => "fr",
        Some(Lang::Spa) => "es",
        Some(Lang::Ita) => "it",
        Some(Lang::Por) => "pt",
        Some(Lang::Nld) => "nl",
        Some(Lang::Pol) => "pl",
        Some(Lang::Jpn) => "ja",
        _ => "und",
    }
}

/// A chunk is embedded with its article's title in front: the title often holds the word that the
/// paragraph leaves out.
fn embed(encoder: &dyn Embed, doc: &Document) -> Vec<NewChunk> {
    let pieces = chunk::chunk(&doc.text, &chunk::ChunkOptions::default());
    let texts: Vec<String> =
        pieces.iter().map(|k| format!("{}\n{}", doc.title, &doc.text[k.start..k.end])).collect();
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    pieces
        .iter()
        .zip(encoder.embed(&refs))
        .map(|(k, e)| NewChunk {
            start: k.start,
            end: k.end,
            body: doc.text[k.start..k.end].to_owned(),
            embedding: e.embedding,
        })
        .collect()
}

/// Takes an article out, with its chunks.
///
/// # Errors
/// [`store::Error::NotFound`].
pub async fn remove(
    store: &Store,
    tenant_id: &TenantId,
    actor: &Actor,
    id: &ArticleId,
) -> store::Result<()> {
    let mut tx = store.db.begin().await?;
    tenant::lock(&mut tx, tenant_id).await?;
    article::delete(store, &mut tx, tenant_id, id).await?;
    chunks::remove(&mut tx, tenant_id, "article", id.as_str()).await?;
    let object = format!("article:{id}");
    audit::append(store, &mut tx, tenant_id, actor, "article.removed", object, json!({})).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_come_from_the_nearest_place() {
        let read = |body, format| Document::read("docs/returns.md", None, body, format).unwrap();
        let d = read("---\ntitle: \"Returns\"\ntags: [a]\n---\nBody text.", Format::Markdown);
        assert_eq!((d.title.as_str(), d.text.as_str()), ("Returns", "Body text."));
        assert_eq!(read("# Sending back\n\nBody.", Format::Markdown).title, "Sending back");
        assert_eq!(read("Body.", Format::Text).title, "returns.md");
        assert!(Document::read("x", None, "  ", Format::Text).is_err());
        assert!(Document::read("", None, "x", Format::Text).is_err());
    }

    #[test]
    fn a_source_is_measured_as_it_was_given() {
        let read = |source: &str| Document::read(source, None, "x", Format::Text);
        let longest = "x".repeat(LONGEST_SOURCE);
        assert_eq!(read(&longest).unwrap().source, longest);
        assert!(matches!(read(&format!("\n{longest}")), Err(DocumentError::Source)));
        assert_eq!(read(" a.md ").unwrap().source, "a.md");
    }
}

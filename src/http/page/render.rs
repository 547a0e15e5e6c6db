//! Turns the typed contexts into HTML, and serves the three files that the HTML refers to.
//!
//! Templates and assets are part of the binary. Everything a template prints passes through one
//! formatter that escapes it and makes deceptive characters visible; nothing is marked safe except
//! what templates themselves produce. An undefined or absent value is an error, not an empty string.
//! Engine errors stay free of page content: the engine's debug mode, which quotes variables, is off.

use std::borrow::Cow;
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::view::{
    ArticlePage, ErrorPage, KnowledgePage, LoginPage, OutboxPage, QueuePage, ReviewPage, Token,
    code_points, segments, tokens,
};

/// `Content-Security-Policy` of every page: nothing inline, nothing from elsewhere, no framing.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Templates by name; the `.html` in the names is what switches escaping on.
const TEMPLATES: &[(&str, &str)] = &[
    ("actions.html", include_str!("templates/actions.html")),
    ("analysis.html", include_str!("templates/analysis.html")),
    ("article.html", include_str!("templates/article.html")),
    ("draft.html", include_str!("templates/draft.html")),
    ("error.html", include_str!("templates/error.html")),
    ("icons.html", include_str!("templates/icons.html")),
    ("knowledge.html", include_str!("templates/knowledge.html")),
    ("layout.html", include_str!("templates/layout.html")),
    ("list.html", include_str!("templates/list.html")),
    ("login.html", include_str!("templates/login.html")),
    ("outbox.html", include_str!("templates/outbox.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("queue.html", include_str!("templates/queue.html")),
    ("review.html", include_str!("templates/review.html")),
    ("thread.html", include_str!("templates/thread.html")),
];

/// A page that could not be rendered. Always a fault of ours, so the answer is a bare 500.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template doesn't parse.
    #[error("template {template} does not parse")]
    Parse {
        template: &'static str,
        #[source]
        source: Error,
    },
    /// A template and its context disagree.
    #[error("template {template} could not be rendered")]
    Render {
        template: &'static str,
        #[source]
        source: Error,
    },
}

/// The compiled templates. Built once, shared by all handlers.
pub struct Pages {
    templates: Environment<'static>,
}

impl Pages {
    /// Compiles the embedded templates.
    pub fn new() -> Result<Self, RenderError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_debug(false);
        templates.set_syntax(whitespace()?);
        templates.set_formatter(print);
        templates.add_filter("segments", segment_values);
        templates.add_filter("plain", plain);
        templates.add_filter("component", component);
        templates.add_filter("short", short);
        templates.add_function("asset", asset_url);
        for (template, source) in TEMPLATES {
            templates
                .add_template(template, source)
                .map_err(|source| RenderError::Parse { template, source })?;
        }
        Ok(Self { templates })
    }

    /// `GET /login`.
    pub fn login(&self, page: &LoginPage) -> Result<String, RenderError> {
        self.render("login.html", page)
    }

    /// `GET /`.
    pub fn queue(&self, page: &QueuePage) -> Result<String, RenderError> {
        self.render("queue.html", page)
    }

    /// `GET /reviews/{id}`.
    pub fn review(&self, page: &ReviewPage) -> Result<String, RenderError> {
        self.render("review.html", page)
    }

    /// `GET /outbox`.
    pub fn outbox(&self, page: &OutboxPage) -> Result<String, RenderError> {
        self.render("outbox.html", page)
    }

    /// `GET /knowledge`.
    pub fn knowledge(&self, page: &KnowledgePage) -> Result<String, RenderError> {
        self.render("knowledge.html", page)
    }

    /// `GET /knowledge/{id}`.
    pub fn article(&self, page: &ArticlePage) -> Result<String, RenderError> {
        self.render("article.html", page)
    }

    /// Any failure shown to a person.
    pub fn error(&self, page: &ErrorPage) -> Result<String, RenderError> {
        self.render("error.html", page)
    }

    fn render(&self, template: &'static str, page: &impl Serialize) -> Result<String, RenderError> {
        self.templates
            .get_template(template)
            .and_then(|compiled| compiled.render(Value::from(Serde(page))))
            .map_err(|source| RenderError::Render { template, source })
    }
}

/// A block tag on a line of its own leaves no trace of that line.
fn whitespace() -> Result<SyntaxConfig, RenderError> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|source| RenderError::Parse { template: "(syntax)", source })
}

/// Prints one value of a template: the only way from a context into the HTML.
fn print(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            // Safe strings are what macros and blocks of our own templates produced.
            if value.is_safe() {
                out.write_str(text)?
            } else {
                write_escaped(out, text)?
            }
            Ok(())
        }
        ValueKind::Number => Ok(write!(out, "{value}")?),
        // Only an `if` without `else` gets here with undefined; strict mode refuses the rest earlier.
        ValueKind::Undefined => Ok(()),
        kind => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("a template printed a {kind}")))
        }
    }
}

/// Writes text that means itself in element content and in quoted attributes.
fn write_escaped(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    for token in tokens(text) {
        let run = match token {
            Token::Text(run) | Token::Placeholder(run) => run,
            Token::Hidden(run) => {
                write!(out, "\u{2039}{}\u{203A}", code_points(run))?;
                continue;
            }
        };
        let mut written = 0;
        for (at, byte) in run.bytes().enumerate() {
            let entity = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => continue,
            };
            out.write_str(&run[written..at])?;
            out.write_str(entity)?;
            written = at + 1;
        }
        out.write_str(&run[written..])?;
    }
    Ok(())
}

/// Filter for texts: cuts them so that a template can set placeholders apart.
fn segment_values(text: &str) -> Value {
    Value::from(Serde(segments(text)))
}

/// Filter for digests: the twelve digits that people compare.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// Filter for editors: drops hidden characters, so that what is typed over and saved is what was shown.
fn plain(text: &str) -> String {
    tokens(text)
        .filter_map(|token| match token {
            Token::Text(run) | Token::Placeholder(run) => Some(run),
            Token::Hidden(_) => None,
        })
        .collect()
}

/// Filter for URLs: percent-encodes all but RFC 3986's unreserved characters, so that an id stays
/// one path segment or one query value whatever is in it.
fn component(text: &str) -> String {
    // A path segment of dots alone would be resolved away, encoded or not.
    if !text.is_empty() && text.bytes().all(|byte| byte == b'.') {
        return "-".to_owned();
    }
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    encoded
}

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

static ASSETS: LazyLock<[Embedded; 3]> = LazyLock::new(|| {
    [
        Embedded::new("app.css", "text/css; charset=utf-8", include_bytes!("assets/app.css")),
        Embedded::new("app.js", "text/javascript; charset=utf-8", include_bytes!("assets/app.js")),
        Embedded::new("favicon.svg", "image/svg+xml", include_bytes!("assets/favicon.svg")),
    ]
});

/// Template function: the URL of a static file, with the hash of its content.
fn asset_url(path: Cow<'_, str>) -> Result<String, Error> {
    match asset(&path) {
        Some(found) => Ok(format!("/assets/{path}?v={}", found.version)),
        None => Err(Error::new(ErrorKind::InvalidOperation, format!("there is no asset {path}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    /// Ends attributes and elements, runs scripts, reorders text.
    const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>x</script>'&\u{202E}";

    fn pages() -> Pages {
        Pages::new().unwrap()
    }

    /// Every sample of every page: a name, its template, its context.
    fn samples() -> Vec<(&'static str, &'static str, Json)> {
        fn context(page: &impl Serialize) -> Json {
            serde_json::to_value(page).unwrap()
        }
        let mut all = vec![
            ("login", "login.html", context(&LoginPage::sample())),
            ("queue", "queue.html", context(&QueuePage::sample())),
            ("queue-empty", "queue.html", context(&QueuePage::sample_empty())),
            ("outbox", "outbox.html", context(&OutboxPage::sample())),
            ("knowledge", "knowledge.html", context(&KnowledgePage::sample())),
            ("article", "article.html", context(&ArticlePage::sample())),
            ("error", "error.html", context(&ErrorPage::sample())),
            ("error-signed-out", "error.html", context(&ErrorPage::sample_signed_out())),
        ];
        all.extend(
            ReviewPage::samples().iter().map(|(name, page)| (*name, "review.html", context(page))),
        );
        all
    }

    /// JSON pointers of all strings that people or models can fill; the words of our own enums stay out.
    fn strings(at: &str, value: &Json, found: &mut Vec<String>) {
        match value {
            Json::String(_) => found.push(at.to_owned()),
            Json::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(n, item)| strings(&format!("{at}/{n}"), item, found));
            }
            Json::Object(fields) if fields.len() == 2 && fields.contains_key("key") => {}
            Json::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(name, field)| strings(&format!("{at}/{name}"), field, found));
            }
            _ => {}
        }
    }

    fn assert_harmless(html: &str, context: &str) {
        for raw in ["<img", "<script>x", "\u{202E}"] {
            assert!(!html.contains(raw), "{context}: {raw:?} came through");
        }
    }

    fn shows_hostile(html: &str) -> bool {
        html.contains("&gt;&lt;img") || html.contains("%22%3E%3Cimg")
    }

    #[test]
    fn every_sample_renders_without_anything_inline_or_foreign() {
        for (name, template, context) in samples() {
            let html = pages().render(template, &context).unwrap();
            assert!(html.starts_with("<!doctype html>"), "{name}");
            for banned in
                ["<style", " style=", "javascript:", "http://", "https://", "<script>", "\u{202E}"]
            {
                assert!(!html.contains(banned), "{name}: {banned}");
            }
            let handler =
                html.split_whitespace().find(|word| word.starts_with("on") && word.contains("=\""));
            assert_eq!(handler, None, "{name}");
        }
    }

    #[test]
    fn typed_and_plain_contexts_render_alike() {
        let page = ReviewPage::sample();
        let plain = serde_json::to_value(&page).unwrap();
        assert_eq!(pages().review(&page).unwrap(), pages().render("review.html", &plain).unwrap());
    }

    #[test]
    fn hostile_text_is_shown_and_stays_text_in_every_field() {
        let pages = pages();
        let (mut fields, mut shown) = (BTreeSet::new(), BTreeSet::new());
        for (name, template, sample) in samples() {
            let mut pointers = Vec::new();
            strings("", &sample, &mut pointers);
            let mut together = sample.clone();
            for pointer in &pointers {
                let field: String = pointer
                    .split('/')
                    .map(|part| if part.parse::<usize>().is_ok() { "*" } else { part })
                    .collect::<Vec<_>>()
                    .join("/");
                let field = format!("{template}{field}");
                *together.pointer_mut(pointer).unwrap() = json!(HOSTILE);
                // The same field of other list items or of other samples takes the same way.
                if !shown.contains(&field) {
                    let mut alone = sample.clone();
                    *alone.pointer_mut(pointer).unwrap() = json!(HOSTILE);
                    let html = pages.render(template, &alone).unwrap();
                    assert_harmless(&html, pointer);
                    if shows_hostile(&html) {
                        shown.insert(field.clone());
                    }
                }
                fields.insert(field);
            }
            let html = pages.render(template, &together).unwrap();
            assert_harmless(&html, name);
            assert!(shows_hostile(&html), "{name}");
        }
        let silent: Vec<_> = fields.difference(&shown).collect();
        assert!(silent.is_empty(), "fields that no template shows: {silent:#?}");
    }

    #[test]
    fn the_letter_shown_is_the_text_that_is_signed() {
        let mut page = ReviewPage::sample();
        let draft = page.draft.as_mut().unwrap();
        draft.sentences[0].before = "\n  ".into();
        draft.sentences[1].text = "a < b & \"c\"  <EMAIL_1>\t\u{2003}end ".into();
        let signed: String =
            draft.sentences.iter().map(|s| format!("{}{}", s.before, s.text)).collect();

        let html = pages().review(&page).unwrap();
        let (_, letter) = html.split_once("id=\"letter\"").unwrap();
        let (_, letter) = letter.split_once('>').unwrap();
        let (letter, _) = letter.split_once("</div>").unwrap();
        assert_eq!(readable(letter), signed);
    }

    /// The characters of the letter: tags dropped, marks that aren't part of it left out.
    fn readable(html: &str) -> String {
        let (mut text, mut rest, mut marks) = (String::new(), html, 0_usize);
        while let Some((before, after)) = rest.split_once('<') {
            let (tag, next) = after.split_once('>').unwrap();
            if marks == 0 {
                text.push_str(before);
            }
            marks = match marks {
                0 => {
                    usize::from(tag.contains("class=\"cites\"") || tag.contains("class=\"verdict"))
                }
                open if tag == "/span" => open - 1,
                open => open + usize::from(tag.starts_with("span")),
            };
            rest = next;
        }
        text.push_str(rest);
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
            .iter()
            .fold(text, |text, (entity, character)| text.replace(entity, character))
    }

    #[test]
    fn every_post_carries_the_token_and_reviews_carry_what_was_seen() {
        let mut posts = 0;
        for (name, template, context) in samples() {
            let html = pages().render(template, &context).unwrap();
            for form in html
                .split("<form")
                .skip(1)
                .map(|form| form.split("</form>").next().unwrap_or_default())
            {
                if !form.contains("method=\"post\"") {
                    continue;
                }
                posts += 1;
                assert!(form.contains("name=\"csrf\" value=\"pPq"), "{name}: {form}");
                if form.contains("action=\"/reviews/") {
                    assert!(form.contains("name=\"digest\""), "{name}: {form}");
                    assert!(form.contains("name=\"revision\""), "{name}: {form}");
                }
            }
        }
        assert!(posts > 30, "{posts}");
    }

    #[test]
    fn approving_is_offered_only_where_it_is_allowed_and_asks_for_the_tick_when_flagged() {
        let form = |page: &ReviewPage| {
            let html = pages().review(page).unwrap();
            let form = html.split_once("/approve\"").map(|(_, rest)| rest.to_owned())?;
            Some(form.split("</form>").next().unwrap_or_default().to_owned())
        };
        let mut page = ReviewPage::sample();
        assert!(form(&page).unwrap().contains("name=\"flags_read\" value=\"1\" required"));
        page.sign.needs_attention = false;
        assert!(!form(&page).unwrap().contains("flags_read"));
        page.can.approve = false;
        assert_eq!(form(&page), None);
        assert_eq!(form(&ReviewPage::sample_no_match()), None);
        assert_eq!(form(&ReviewPage::sample_held()), None);
    }

    #[test]
    fn without_an_answer_the_page_says_so_and_opens_an_empty_editor() {
        let html = pages().review(&ReviewPage::sample_no_match()).unwrap();
        assert!(html.contains("The knowledge base has no answer to this."));
        let (_, editor) = html.split_once("id=\"act-respond\"").unwrap();
        assert!(editor.split_once('>').unwrap().0.contains("open"));
        let (_, text) = editor.split_once("name=\"text\"").unwrap();
        assert!(text.split_once('>').unwrap().1.starts_with("\n</textarea>"));
    }

    #[test]
    fn a_missing_or_absent_value_is_an_error_that_quotes_nothing() {
        let mut context = serde_json::to_value(ReviewPage::sample()).unwrap();
        context["subject"] = Json::Null;
        let absent = pages().render("review.html", &context).unwrap_err();
        context.as_object_mut().unwrap().remove("subject");
        let missing = pages().render("review.html", &context).unwrap_err();
        for error in [absent, missing] {
            let source = std::error::Error::source(&error).unwrap();
            let told = format!("{error} {error:?} {source:#} {source:?}");
            assert!(!told.contains("cracked") && !told.contains("<EMAIL_1>"), "{told}");
        }
    }

    #[test]
    fn asset_urls_in_pages_lead_to_assets_and_carry_their_hash() {
        let html = pages().queue(&QueuePage::sample()).unwrap();
        for path in ["app.css", "app.js", "favicon.svg"] {
            let found = asset(path).unwrap();
            assert!(html.contains(&format!("\"/assets/{path}?v={}\"", found.version)), "{path}");
            assert!(found.etag.starts_with(&format!("\"{}", found.version)), "{path}");
            assert!(!found.bytes.is_empty());
        }
        assert!(asset("../render.rs").is_none());
        assert!(asset("").is_none());
    }

    #[test]
    fn nothing_of_ours_switches_the_protections_off() {
        for (name, source) in TEMPLATES {
            for banned in ["|safe", "| safe", "autoescape", "<style", "style=", "javascript:"] {
                assert!(!source.contains(banned), "{name}: {banned}");
            }
            for (at, _) in source.match_indices("={{") {
                let quotes =
                    source[..at].rsplit('<').next().unwrap_or_default().matches('"').count();
                assert!(quotes % 2 == 1, "{name}: an attribute without quotes at byte {at}");
            }
        }
        let script = std::str::from_utf8(asset("app.js").unwrap().bytes).unwrap();
        for banned in [
            "innerHTML",
            "outerHTML = ",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http:",
            "https:",
        ] {
            assert!(!script.contains(banned), "app.js: {banned}");
        }
        let style = std::str::from_utf8(asset("app.css").unwrap().bytes).unwrap();
        for banned in ["url(", "@import"] {
            assert!(!style.contains(banned), "app.css: {banned}");
        }
        assert!(CSP.starts_with("default-src 'none';") && !CSP.contains("unsafe"));
    }

    #[test]
    fn components_stay_one_path_segment() {
        assert_eq!(component("rv-0192a7"), "rv-0192a7");
        assert_eq!(component("a/../b?c#d e"), "a%2F..%2Fb%3Fc%23d%20e");
        assert_eq!(component("é"), "%C3%A9");
        assert_eq!(component(".."), "-");
    }

    proptest! {
        #[test]
        fn escaped_text_has_no_markup_and_loses_no_visible_character(text in "[a-z<>&\"' \u{202E}é]{0,40}") {
            let mut html = String::new();
            write_escaped(&mut html, &text).unwrap();
            let raw = html.find(['<', '>', '"', '\'', '\u{202E}']);
            prop_assert_eq!(raw, None);
            let letters = |s: &str| s.chars().filter(|c| *c == 'é').count();
            prop_assert_eq!(letters(&html), letters(&text));
            prop_assert_eq!(plain(&text), text.replace('\u{202E}', ""));
        }
    }
}

//! Every page from every sample: nothing inline, nothing foreign, hostile text stays text.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::escape::{component, plain, write_escaped};
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
        ("learning", "learning.html", context(&LearningPage::sample())),
        ("learning-empty", "learning.html", context(&LearningPage::sample_empty())),
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
            fields.iter().for_each(|(name, field)| strings(&format!("{at}/{name}"), field, found));
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
            0 => usize::from(tag.contains("class=\"cites\"") || tag.contains("class=\"verdict")),
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
        for form in
            html.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap_or_default())
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
            let quotes = source[..at].rsplit('<').next().unwrap_or_default().matches('"').count();
            assert!(quotes % 2 == 1, "{name}: an attribute without quotes at byte {at}");
        }
    }
    for name in ["app.js", "docs.js"] {
        let script = std::str::from_utf8(asset(name).unwrap().bytes).unwrap();
        for banned in [
            "innerHTML",
            "outerHTML = ",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http:",
            "https:",
        ] {
            assert!(!script.contains(banned), "{name}: {banned}");
        }
    }
    for name in ["app.css", "docs.css"] {
        let style = std::str::from_utf8(asset(name).unwrap().bytes).unwrap();
        for banned in ["url(", "@import"] {
            assert!(!style.contains(banned), "{name}: {banned}");
        }
    }
    assert!(CSP.starts_with("default-src 'none';") && !CSP.contains("unsafe"));
}

#[test]
fn the_documentation_stores_no_key_and_asks_nobody_else() {
    let html = pages().docs(&DocsPage::of(&crate::http::openapi::document())).unwrap();
    for banned in ["<style", " style=", "javascript:", "url(", "srcset=", "<script>"] {
        assert!(!html.contains(banned), "{banned}");
    }
    // Addresses of others stand in examples only, never where a browser would follow them.
    for attribute in [" src=\"", " href=\"", " action=\"", " formaction=\"", " data=\""] {
        for rest in html.split(attribute).skip(1) {
            let ours = rest.starts_with('#') || rest.starts_with('/') && !rest.starts_with("//");
            assert!(ours, "{attribute}{}", rest.chars().take(80).collect::<String>());
        }
    }
    let script = std::str::from_utf8(asset("docs.js").unwrap().bytes).unwrap();
    for banned in ["localStorage", "sessionStorage", "document.cookie", "indexedDB"] {
        assert!(!script.contains(banned), "{banned}");
    }
    let mut ids: Vec<&str> =
        html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is used twice");
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

//! Quotes and signatures by the markup that mail clients put around them.
//!
//! Names of classes and ids are compared as written by the clients, also with the `x_` that Outlook
//! on the web puts before the names of quoted mail. What markup does not say is left to the lines.

use crate::nlp::html::{Attrs, Content, Mark, Name, NodeId, Tree};

/// Containers of an earlier message, by a part of their class or id.
const QUOTE_CLASSES: [&str; 21] = [
    "yahoo_quoted",
    "protonmail_quote",
    "zmail_extra",
    "airmail_on",
    "quoted-message",
    "tutanota_quote",
    "missive_quote",
    "front-blockquote",
    "freshdesk_quote",
    "history_container",
    "hs_reply",
    "outlookmessageheader",
    "olk_src_body_section",
    "ms-outlook-mobile-reference-message",
    "mail-editor-reference-message-container",
    "messagereplysection",
    "originalcontentcontainer",
    "mailru-blockquote",
    "elided-text",
    "zendesk_quote",
    "mailplugin_quote",
];
/// Points from which everything is an earlier message.
const CUT_IDS: [&str; 6] = [
    "appendonsend",
    "divrplyfwdmsg",
    "stopspelling",
    "replysplit",
    "mail-editor-reference-message-container",
    "reply-intro",
];
/// Containers of a signature.
const SIGNATURE_CLASSES: [&str; 14] = [
    "gmail_signature",
    "moz-signature",
    "protonmail_signature_block",
    "yahoo-signature",
    "ydp-signature",
    "zm_signature",
    "k9mail-signature",
    "ms-outlook-mobile-signature",
    "bloop_sign",
    "mailbird-signature",
    "sh-signature",
    "front-signature",
    "composer_signature",
    "messagesignaturesection",
];

/// One mark for each node of the tree.
pub(super) fn marks(tree: &Tree) -> Vec<Mark> {
    let mut marks = vec![Mark::None; tree.len()];
    let mut cut: Option<NodeId> = None;
    let mut gmail_until: NodeId = 0;
    let mut quotes_until: NodeId = 0;
    let mut plain: Vec<NodeId> = Vec::new();
    for id in 0..NodeId::try_from(tree.len()).unwrap_or(NodeId::MAX) {
        let Content::Element(name, attrs) = &tree.node(id).content else { continue };
        let attrs = attrs.as_deref();
        if attrs.is_some_and(is_cut)
            || (attrs.is_some_and(has_top_border) && holds_header(tree, id))
        {
            cut = Some(cut.map_or(id, |c| c.min(id)));
            break;
        }
        let Some(mark) = mark_of(*name, attrs, id < gmail_until) else { continue };
        if attrs.is_some_and(|a| has_class(a, "gmail_quote") || has_class(a, "gmail_extra"))
            && *name != Name::Blockquote
        {
            gmail_until = gmail_until.max(tree.end_of(id));
        }
        if mark != Mark::None && id >= quotes_until {
            marks[id as usize] = mark;
            if mark != Mark::Signature {
                quotes_until = tree.end_of(id);
            }
            if mark == Mark::MaybeQuote
                && *name == Name::Blockquote
                && !attrs.is_some_and(|a| has_class(a, "gmail_quote"))
            {
                plain.push(id);
            }
        }
    }
    // Without further signs the last block quotation of a mail is the message that it answers.
    if let Some(last) = plain.last() {
        marks[*last as usize] = Mark::Quote;
    }
    if let Some(cut) = cut {
        marks.iter_mut().skip(cut as usize).for_each(|mark| *mark = Mark::Quote);
    }
    marks
}

/// What an element is by itself; `None` if it says nothing.
fn mark_of(name: Name, attrs: Option<&Attrs>, in_gmail_quote: bool) -> Option<Mark> {
    if name == Name::Blockquote {
        let Some(attrs) = attrs else { return Some(Mark::MaybeQuote) };
        if attrs.kind == "cite" || in_gmail_quote || QUOTE_CLASSES.iter().any(|c| names(attrs, c)) {
            return Some(Mark::Quote);
        }
        // Gmail and Outlook indent the sender's own text with a borderless block quotation.
        let style: String = attrs.style.chars().filter(|c| !c.is_whitespace()).collect();
        let indented = style.contains("border:none")
            || style.contains("border:0")
            || style.contains("border-width:0");
        return Some(if indented { Mark::None } else { Mark::MaybeQuote });
    }
    let attrs = attrs?;
    if has_class(attrs, "gmail_quote") || has_class(attrs, "gmail_quote_container") {
        return Some(Mark::Quote);
    }
    if QUOTE_CLASSES.iter().any(|c| names(attrs, c))
        || attrs.data.contains("data-marker=__quoted_text__")
        || (name == Name::Div && attrs.name == "quote")
    {
        return Some(Mark::Quote);
    }
    let signature = SIGNATURE_CLASSES.iter().any(|c| names(attrs, c))
        || matches!(bare(&attrs.id), "signature" | "signaturecontainer")
        || attrs.data.contains("data-signatureblock=true");
    if signature {
        return Some(Mark::Signature);
    }
    attrs.class.contains("gmail_extra").then_some(Mark::None)
}

/// Whether everything from this element on is an earlier message.
fn is_cut(attrs: &Attrs) -> bool {
    CUT_IDS.contains(&bare(&attrs.id)) || attrs.data.contains("data-marker=__divider__")
}

/// A name without the prefix that Outlook on the web gives to names in quoted mail.
fn bare(mut id: &str) -> &str {
    while let Some(rest) = id.strip_prefix("x_") {
        id = rest;
    }
    id
}

fn has_class(attrs: &Attrs, class: &str) -> bool {
    attrs.class.split_ascii_whitespace().any(|c| c == class)
}

/// Whether a class, the id or the name of the element holds `part`.
fn names(attrs: &Attrs, part: &str) -> bool {
    attrs.class.contains(part) || attrs.id.contains(part) || attrs.name == part
}

/// The thin line that Outlook draws above the header of the message that is answered.
fn has_top_border(attrs: &Attrs) -> bool {
    attrs.style.contains("border-top") && attrs.style.contains("solid")
}

/// Whether the text of a subtree begins like a mail header: several lines, each with a label, so
/// that a header in a language nobody listed is known by its shape.
fn holds_header(tree: &Tree, id: NodeId) -> bool {
    let mut labels = 0;
    let mut evidence = false;
    let mut label_open = true;
    let end = tree.end_of(id);
    for node in id..end.min(id + 60) {
        match &tree.node(node).content {
            Content::Text(text) => {
                let text = text.trim();
                if label_open
                    && text
                        .split(':')
                        .next()
                        .is_some_and(|l| !l.is_empty() && l.chars().count() <= 24)
                    && text.contains([':', '：'])
                {
                    labels += 1;
                    label_open = false;
                }
                evidence |=
                    text.contains('@') || text.chars().filter(char::is_ascii_digit).count() >= 4;
            }
            Content::Element(Name::Br | Name::P | Name::Div | Name::Tr, _) => label_open = true,
            Content::Element(..) => {}
        }
    }
    labels >= 3 && evidence
}

#[cfg(test)]
mod tests {
    use crate::nlp::quote::split_html;

    #[test]
    fn quotes_of_the_usual_clients_are_known() {
        for quote in [
            "<div class=gmail_quote><div class='gmail_attr'>On Tue, 4 May 2021 at 10:02, Anna &lt;<a href='mailto:anna@shop.test'>anna@shop.test</a>&gt; wrote:<br></div><blockquote class=gmail_quote>Old</blockquote></div>",
            "<div id=appendonsend></div><hr><div id=divRplyFwdMsg><b>From:</b> Anna<br><b>Sent:</b> Monday</div><div>Old</div>",
            "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>Nuo:</b> Anna &lt;anna@shop.test&gt;<br><b>Kada:</b> 2021-05-04 10:02<br><b>Kam:</b> x</p></div><p>Old</p>",
            "<div>On 4 May 2021, at 10:02, Anna wrote:</div><br><blockquote type=cite><div>Old</div></blockquote>",
            "<div id=yahoo_quoted_1 class=yahoo_quoted><div>Am Montag schrieb Anna:</div><div>Old</div></div>",
            "<div class=moz-cite-prefix>Am 04.05.21 um 10:02 schrieb Anna:<br></div><blockquote type=cite cite='mid:1'>Old</blockquote>",
            "<blockquote style='border-left:1px solid #0857A6; padding-left:10px'>Old</blockquote>",
            "<hr id=stopSpelling>Date: Tue, 4 May 2021<br>Old",
            "<div>04.05.2021, 10:02, \"Anna\" &lt;anna@shop.test&gt;:</div><blockquote><p>Old</p></blockquote>",
        ] {
            let split =
                split_html(&format!("<html><body><div>New answer<br></div>{quote}</body></html>"));
            assert_eq!(split.visible, "New answer", "{quote}");
            assert!(split.quoted.contains("Old"), "{quote}");
        }
    }

    #[test]
    fn answers_between_quotes_and_own_quotations_stay() {
        let split = split_html(
            "<blockquote type=cite>Which colour?</blockquote><div>Red.</div><blockquote type=cite>Which size?</blockquote><div>Small.</div>",
        );
        assert_eq!(split.visible, "Red.\n\nSmall.");
        let split = split_html(
            "Look:<blockquote>A saying</blockquote><p>On 4 May 2021, at 10:02, Anna wrote:</p><blockquote>Old</blockquote>",
        );
        assert_eq!(split.visible, "Look:\n\nA saying");
        let split = split_html(
            "Mine<blockquote style='margin:0 0 0 40px;border:none;padding:0'>indented</blockquote>",
        );
        assert!(split.visible.contains("indented"));
    }

    #[test]
    fn forwards_stay_and_signatures_go() {
        let split = split_html(
            "FYI<div class=gmail_quote><div class=gmail_attr>---------- Forwarded message ---------<br>From: Anna</div><div>Complaint</div><blockquote type=cite>older</blockquote></div>",
        );
        assert!(split.visible.contains("Complaint") && split.visible.contains("older"));
        let split = split_html("<p>Hello</p><div class='gmail_signature'>Anna Berg<br>Shop</div>");
        assert_eq!(
            (split.visible.as_str(), split.signature.as_str()),
            ("Hello", "Anna Berg\nShop")
        );
    }
}

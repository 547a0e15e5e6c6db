//! Which of a mail's texts is read, and its three parts.
//!
//! A mail often carries the same text twice. The plain text is read unless it is a stump of the HTML
//! (newsletters: "view in browser") or only the HTML shows where the quote begins.

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::{Format, Oddities, decode};
use crate::nlp::clean::{Cleaned, clean};
use crate::nlp::html::HtmlLimits;
use crate::nlp::quote::{self, Context, Split};

/// The text of a message in three parts, clean.
#[derive(Default)]
pub(super) struct Body {
    pub visible: String,
    pub quoted: String,
    pub signature: String,
}

impl Body {
    /// Reads the body of a mail.
    pub(super) fn read(
        message: &Message<'_>,
        forwarded: bool,
        limits: &HtmlLimits,
        oddities: &mut Oddities,
    ) -> Self {
        let context = Context { forwarded };
        let plain = Self::of_parts(message, &message.text_body, context, limits, oddities);
        let chosen = if message.html_body == message.text_body {
            plain
        } else {
            let html = Self::of_parts(message, &message.html_body, context, limits, oddities);
            let stump = plain.letters() * 2 < html.letters();
            let blind =
                plain.quoted.is_empty() && !html.quoted.is_empty() && !html.visible.is_empty();
            if stump || blind { html } else { plain }
        };
        if chosen.letters() > 0 {
            return chosen;
        }
        Self::from_unmarked_parts(message, context, limits, oddities).unwrap_or(chosen)
    }

    /// Reads text that came without MIME.
    pub(super) fn of_text(
        text: &str,
        format: Format,
        limits: &HtmlLimits,
        oddities: &mut Oddities,
    ) -> Self {
        let mut body = Self::default();
        body.add(&split(text, format == Format::Html, Context::default(), limits), oddities);
        body
    }

    fn of_parts(
        message: &Message<'_>,
        ids: &[u32],
        context: Context,
        limits: &HtmlLimits,
        oddities: &mut Oddities,
    ) -> Self {
        let mut body = Self::default();
        for part in ids.iter().filter_map(|id| message.part(*id)) {
            body.add_part(message, part, context, limits, oddities);
        }
        body
    }

    /// A mail whose structure is broken may have its text in a part that nothing calls a body. A part
    /// with a file name is an attachment and never a body.
    fn from_unmarked_parts(
        message: &Message<'_>,
        context: Context,
        limits: &HtmlLimits,
        oddities: &mut Oddities,
    ) -> Option<Self> {
        let part = message
            .attachments()
            .find(|part| part.is_text() && part.attachment_name().is_none())?;
        let mut body = Self::default();
        body.add_part(message, part, context, limits, oddities);
        if body.letters() > 0 {
            oddities.note("The mail has no proper body; its first text part was read.");
        }
        Some(body)
    }

    fn add_part(
        &mut self,
        message: &Message<'_>,
        part: &MessagePart<'_>,
        context: Context,
        limits: &HtmlLimits,
        oddities: &mut Oddities,
    ) {
        let html = match part.body {
            PartType::Text(_) => false,
            PartType::Html(_) => true,
            _ => return,
        };
        let text = decode::text(message, part, oddities);
        self.add(&split(&text, html, context, limits), oddities);
    }

    fn add(&mut self, split: &Split, oddities: &mut Oddities) {
        for (whole, piece) in [
            (&mut self.visible, &split.visible),
            (&mut self.quoted, &split.quoted),
            (&mut self.signature, &split.signature),
        ] {
            let cleaned = clean(piece);
            tell(&cleaned, oddities);
            let text = cleaned.text.trim_matches('\n');
            if !whole.is_empty() && !text.is_empty() {
                whole.push_str("\n\n");
            }
            whole.push_str(text);
        }
    }

    fn letters(&self) -> usize {
        [&self.visible, &self.quoted, &self.signature]
            .iter()
            .map(|t| t.chars().filter(|c| !c.is_whitespace()).count())
            .sum()
    }
}

fn split(text: &str, html: bool, context: Context, limits: &HtmlLimits) -> Split {
    if html { quote::split_html_in(text, limits, context) } else { quote::split_in(text, context) }
}

/// Notes what was hidden in a text. A few invisible characters are in most newsletters.
fn tell(cleaned: &Cleaned, oddities: &mut Oddities) {
    const MANY: usize = 20;
    if cleaned.had_bidi {
        oddities.note("The text holds characters that reorder what is shown.");
    }
    if cleaned.had_tags {
        oddities
            .note("The text holds invisible tag characters, which can carry hidden instructions.");
    }
    if cleaned.removed_invisible >= MANY {
        oddities.note("Many invisible characters were removed from the text.");
    }
}

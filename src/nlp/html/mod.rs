//! HTML mail and knowledge pages as readable text.
//!
//! Why not a browser-grade parser: the HTML standard's tree construction is quadratic, and worse, on
//! crafted input (48 kB of unclosed `<font>` tags took a standard parser 15 s and 20,000 nested
//! `<div>` 2 s), and a mail sender chooses the input. What a reply looks like needs neither the
//! adoption agency nor foster parenting, so `tree` reads tags in one pass with a capped depth and
//! `render` walks the result without recursion. Text is never dropped for being badly nested;
//! only `<head>`, scripts, styles and what the sender hid (preheaders) are left out.

mod attrs;
mod looks;
mod names;
mod render;
mod tree;

pub(crate) use attrs::Attrs;
pub(crate) use names::Name;
pub(crate) use render::{Line, Mark, render};
pub(crate) use tree::{Content, NodeId, Tree};

/// Bounds on the work that one document may cause. Beyond them structure is ignored, text is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HtmlLimits {
    /// Elements and text runs kept as nodes; further tags are read as if they were not there.
    pub max_nodes: usize,
    /// Nesting kept as structure; deeper elements are read as part of their ancestor.
    pub max_depth: usize,
}

impl Default for HtmlLimits {
    fn default() -> Self {
        Self { max_nodes: 400_000, max_depth: 256 }
    }
}

/// Readable text: blocks on their own lines, list items with dashes, the cells of a data table
/// joined with ` | `, links as `text (address)` where the address says more than the text.
pub fn to_text(html: &str, limits: &HtmlLimits) -> String {
    let tree = Tree::parse(html, limits);
    let lines = render(&tree, &[]);
    let mut text = String::with_capacity(html.len() / 4);
    for line in &lines {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn text(html: &str) -> String {
        to_text(html, &HtmlLimits::default())
    }

    #[test]
    fn blocks_lists_tables_and_links_read_well() {
        let html = "<html><head><title>x</title><style>p{color:red}</style></head><body>\
            <p>Dear <b>team</b>,</p><p>two things:</p><ul><li>a <i>late</i> parcel<li>a refund\
            <ol><li>first</li><li>second</li></ol></ul>\
            <table><tr><th>Item</th><th>Price</th></tr><tr><td>Shoe</td><td>5&nbsp;&euro;</td></tr></table>\
            <p>See <a href='https://shop.test/o/7'>my order</a> or \
            <a href='https://shop.test/'>shop.test</a>, write to <a href=mailto:a@b.test>a@b.test</a></p>\
            <script>steal()</script></body></html>";
        assert_eq!(
            text(html),
            "Dear team,\n\ntwo things:\n\n- a late parcel\n- a refund\n  1. first\n  2. second\n\n\
             Item | Price\nShoe | 5 €\n\nSee my order (https://shop.test/o/7) or shop.test, write to a@b.test"
        );
    }

    #[test]
    fn layout_tables_are_blocks_not_cells() {
        let html = "<table><tr><td><table><tr><td>Left</td></tr></table></td><td><div>Right</div>\
            <div>below</div></td></tr></table>";
        assert_eq!(text(html), "Left\nRight\nbelow");
    }

    #[test]
    fn what_the_sender_hid_is_left_out() {
        let html = "<div style='display: none; max-height:0'>Preview words</div>\
            <span style=\"font-size:0px\">x<b style='font-size:12px'>shown</b></span>\
            <p hidden>no</p><p style='opacity:0'>no</p><p>Body</p><!-- no --><![if !mso]>kept<![endif]>";
        assert_eq!(text(html), "shown\n\nBody\n\nkept");
    }

    #[test]
    fn broken_markup_loses_no_text() {
        assert_eq!(
            text("a < b && c > d &amp;&lt; e &unknown; &#8217;&#146;&#x41"),
            "a < b && c > d &< e &unknown; ’’A"
        );
        assert_eq!(text("<p>one<p>two</div></b>three<td>four"), "one\n\ntwothree\n\nfour");
        assert_eq!(text("<a href='x>y' <b>open"), "open");
        assert_eq!(text("tail <div"), "tail <div");
        assert_eq!(text("<pre>  a\n    b</pre>c"), "  a\n    b\n\nc");
    }

    /// Sizes that would take a standard tree builder minutes, or the stack.
    #[test]
    fn hostile_documents_take_bounded_time_and_stack() {
        let mega = |unit: &str, bytes: usize| unit.repeat(bytes / unit.len());
        let formats: String = (0..60_000).map(|i| format!("<p><font color=#{i:06x}>x")).collect();
        let cases = [
            mega("<div>", 500_000) + "deep",
            mega("<i>", 1_000_000) + "x" + &mega("</b>", 1_000_000),
            mega("<b><p>", 1_000_000),
            formats,
            mega("<table><tr><td>", 1_500_000) + "cell",
            mega("<", 1_000_000),
            mega("&", 1_000_000),
            mega("<a href=\"", 1_000_000),
            mega("<!--", 1_000_000),
            mega("<script>", 1_000_000),
            mega("<ul><li>", 1_000_000) + "item",
            mega("<x y='", 1_000_000),
        ];
        let worker = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            for case in &cases {
                let start = Instant::now();
                let read = text(case);
                assert!(
                    start.elapsed() < Duration::from_secs(5),
                    "{} took {:?}",
                    &case[..20],
                    start.elapsed()
                );
                assert!(read.len() <= case.len() * 40);
            }
        });
        worker.unwrap().join().unwrap();
    }
}

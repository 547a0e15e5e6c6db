//! A lenient, linear reader of HTML into a flat tree.
//!
//! Node ids grow in document order, so "everything from here on" is a comparison of ids. Every
//! search of the stack of open elements is bounded by `REACH`, which keeps the whole reading linear
//! in the length of the input.

use super::HtmlLimits;
use super::attrs::{Attrs, attributes, decode};
use super::names::{COUNT, Name};

/// Position of a node in document order.
pub(crate) type NodeId = u32;

/// How far up the open elements an end tag looks for its start tag.
const REACH: usize = 256;

/// What stands at a node.
#[derive(Debug)]
pub(crate) enum Content {
    /// An element and, if it has any that matter, its attributes.
    Element(Name, Option<Box<Attrs>>),
    /// A run of text with entities decoded.
    Text(String),
}

/// A node with its place in the tree.
#[derive(Debug)]
pub(crate) struct Node {
    pub content: Content,
    pub parent: NodeId,
    pub children: Vec<NodeId>,
}

/// A document; node 0 is the root.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// Reads a document. Any input makes a tree.
    pub(crate) fn parse(html: &str, limits: &HtmlLimits) -> Self {
        Reader::new(html, limits).run()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        // An id is only ever made by pushing its node.
        &self.nodes[id as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The element name at `id`, none for text.
    pub(crate) fn name(&self, id: NodeId) -> Option<Name> {
        match self.node(id).content {
            Content::Element(name, _) => Some(name),
            Content::Text(_) => None,
        }
    }

    pub(crate) fn attrs(&self, id: NodeId) -> Option<&Attrs> {
        match &self.node(id).content {
            Content::Element(_, attrs) => attrs.as_deref(),
            Content::Text(_) => None,
        }
    }

    /// The first id after the subtree of `id`.
    pub(crate) fn end_of(&self, id: NodeId) -> NodeId {
        let mut last = id;
        while let Some(child) = self.node(last).children.last() {
            last = *child;
        }
        last + 1
    }
}

/// An open element. Beyond the depth limit it shares the node of its ancestor.
struct Open {
    name: Name,
    node: NodeId,
}

struct Reader<'a> {
    html: &'a str,
    at: usize,
    limits: HtmlLimits,
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// How many elements of each name are open: an end tag without one is skipped at once.
    counts: [u32; COUNT],
    /// Depth of the node that is being filled.
    depth: usize,
    /// Unseen elements that nothing closes any more.
    unclosed: [bool; COUNT],
    /// Whether a comment may still be closed further on.
    comments: bool,
    quotes: Quotes,
}

/// Which quote characters still occur ahead; one that does not can't open a value.
#[derive(Clone, Copy)]
struct Quotes {
    double: bool,
    single: bool,
}

impl<'a> Reader<'a> {
    fn new(html: &'a str, limits: &HtmlLimits) -> Self {
        let root = Node {
            content: Content::Element(Name::Document, None),
            parent: 0,
            children: Vec::new(),
        };
        Self {
            html,
            at: 0,
            limits: *limits,
            nodes: vec![root],
            open: Vec::new(),
            counts: [0; COUNT],
            depth: 0,
            unclosed: [false; COUNT],
            comments: true,
            quotes: Quotes { double: true, single: true },
        }
    }

    fn run(mut self) -> Tree {
        while self.at < self.html.len() {
            let rest = &self.html[self.at..];
            match rest.find('<') {
                Some(0) => self.markup(),
                Some(text) => {
                    self.text(&rest[..text]);
                    self.at += text;
                }
                None => {
                    self.text(rest);
                    break;
                }
            }
        }
        Tree { nodes: self.nodes }
    }

    /// Reads what begins with `<`: a tag, a comment, a declaration, or a plain less-than sign.
    fn markup(&mut self) {
        let rest = &self.html[self.at..];
        let next = rest.as_bytes().get(1).copied().unwrap_or(b' ');
        if self.comments && rest.starts_with("<!--") {
            match rest[4..].find("-->") {
                Some(end) => self.at += 4 + end + 3,
                // An unclosed comment hides nothing: its opening is dropped and the rest is read.
                None => {
                    self.comments = false;
                    self.at += 4;
                }
            }
        } else if next == b'!' || next == b'?' {
            match rest.find('>') {
                Some(end) => self.at += end + 1,
                None => self.rest_is_text(),
            }
        } else if next.is_ascii_alphabetic()
            || (next == b'/' && rest.as_bytes().get(2).is_some_and(u8::is_ascii_alphabetic))
        {
            match tag_end(rest, &mut self.quotes) {
                Some(end) => {
                    self.at += end;
                    self.tag(&rest[1..end - 1]);
                }
                None => self.rest_is_text(),
            }
        } else {
            self.text("<");
            self.at += 1;
        }
    }

    /// No tag can end any more.
    fn rest_is_text(&mut self) {
        let rest = &self.html[self.at..];
        self.text(rest);
        self.at = self.html.len();
    }

    /// Handles the inside of a tag, without its angle brackets.
    fn tag(&mut self, inside: &str) {
        let closing = inside.starts_with('/');
        let inside = inside.trim_start_matches('/');
        let name_len =
            inside.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(inside.len());
        let Some(name) = Name::of(&inside[..name_len]) else { return };
        if name.is_raw() {
            if !closing && !inside.ends_with('/') {
                self.skip_raw(name, &inside[..name_len]);
            }
        } else if closing {
            self.close(name);
        } else {
            self.start(name, attributes(&inside[name_len..]));
        }
    }

    /// Moves behind the end tag of a script, style or other unseen element. Without an end tag code
    /// runs to the end of the document, as in a browser; of the others only the start tag is unseen.
    fn skip_raw(&mut self, name: Name, tag: &str) {
        if self.unclosed[name as usize] {
            return;
        }
        let rest = &self.html[self.at..];
        let mut from = 0;
        while let Some(found) = rest[from..].find("</") {
            let name_at = from + found + 2;
            let matches =
                rest.get(name_at..name_at + tag.len()).is_some_and(|n| n.eq_ignore_ascii_case(tag));
            if matches {
                self.at += rest[name_at..].find('>').map_or(rest.len(), |end| name_at + end + 1);
                return;
            }
            from = name_at;
        }
        self.unclosed[name as usize] = true;
        if matches!(name, Name::Script | Name::Style) {
            self.at = self.html.len();
        }
    }

    fn start(&mut self, name: Name, attrs: Option<Box<Attrs>>) {
        self.close_implied(name);
        let room = self.nodes.len() < self.limits.max_nodes;
        if name.is_void() {
            if room {
                self.push(Content::Element(name, attrs));
            }
            return;
        }
        let node = if room && self.depth < self.limits.max_depth {
            self.depth += 1;
            self.push(Content::Element(name, attrs))
        } else {
            if room && !name.is_inline() {
                self.push(Content::Element(Name::Br, None));
            }
            self.parent()
        };
        self.counts[name as usize] += 1;
        self.open.push(Open { name, node });
    }

    /// Start tags that end an element which authors leave open.
    fn close_implied(&mut self, name: Name) {
        match name {
            Name::Li => self.close_within(Name::Li, &[Name::Ul, Name::Ol, Name::Td]),
            Name::Td => self.close_within(Name::Td, &[Name::Tr, Name::Table]),
            Name::Tr | Name::Tbody | Name::Thead | Name::Tfoot => {
                self.close_within(Name::Tr, &[Name::Table])
            }
            Name::Dt | Name::Dd => {
                self.close_within(Name::Dt, &[Name::Dl]);
                self.close_within(Name::Dd, &[Name::Dl]);
            }
            Name::Option => self.close_within(Name::Option, &[Name::Select]),
            _ => {}
        }
        if !name.is_inline() {
            let block = self.open.iter().rev().take(REACH).find(|o| !o.name.is_inline());
            if block.is_some_and(|o| o.name == Name::P) {
                self.close(Name::P);
            }
        }
    }

    /// Closes the nearest open `name` unless one of `scopes` stands before it.
    fn close_within(&mut self, name: Name, scopes: &[Name]) {
        if self.counts[name as usize] == 0 {
            return;
        }
        let found = self
            .open
            .iter()
            .rev()
            .take(REACH)
            .position(|o| o.name == name || scopes.contains(&o.name));
        if let Some(up) = found
            && self.open[self.open.len() - 1 - up].name == name
        {
            self.pop(up + 1);
        }
    }

    fn close(&mut self, name: Name) {
        if self.counts[name as usize] == 0 {
            return;
        }
        for up in 0..self.open.len().min(REACH) {
            let here = self.open[self.open.len() - 1 - up].name;
            if here == name {
                self.pop(up + 1);
                return;
            }
            // A stray </b> or </div> must not close the block or the table cell around it.
            let shielded = if name.is_inline() {
                !here.is_inline()
            } else {
                here.is_cell_scope() && !name.is_tabular()
            };
            if shielded || (here == Name::Table && name != Name::Table) {
                return;
            }
        }
    }

    fn pop(&mut self, count: usize) {
        for _ in 0..count {
            let Some(closed) = self.open.pop() else { return };
            self.counts[closed.name as usize] -= 1;
            if closed.node != self.parent() {
                self.depth -= 1;
            }
        }
    }

    fn parent(&self) -> NodeId {
        self.open.last().map_or(0, |o| o.node)
    }

    fn push(&mut self, content: Content) -> NodeId {
        let parent = self.parent();
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.nodes.push(Node { content, parent, children: Vec::new() });
        self.nodes[parent as usize].children.push(id);
        id
    }

    fn text(&mut self, raw: &str) {
        let parent = self.parent();
        let last = self.nodes[parent as usize].children.last().copied();
        // Neighbouring runs are one; beyond the node limit all text joins the newest run.
        let run = match last {
            Some(last) if last as usize + 1 == self.nodes.len() => last as usize,
            _ if self.nodes.len() >= self.limits.max_nodes => self.nodes.len() - 1,
            _ => 0,
        };
        if run > 0
            && let Content::Text(text) = &mut self.nodes[run].content
        {
            decode(raw, text);
            return;
        }
        let mut text = String::with_capacity(raw.len());
        decode(raw, &mut text);
        self.push(Content::Text(text));
    }
}

/// The length of the tag at the start of `rest` up to and with its `>`. A quoted value may hold a
/// `>`, unless its quote is never closed; then the first `>` ends the tag.
fn tag_end(rest: &str, quotes: &mut Quotes) -> Option<usize> {
    let (mut quote, mut first_close) = (None, None);
    let mut value = false;
    for (at, &b) in rest.as_bytes().iter().enumerate().skip(1) {
        match (quote, b) {
            (Some(q), _) if q == b => quote = None,
            (None, b'>') => return Some(at + 1),
            (None, b'"') if value && quotes.double => quote = Some(b),
            (None, b'\'') if value && quotes.single => quote = Some(b),
            (Some(_), b'>') if first_close.is_none() => first_close = Some(at + 1),
            _ => {}
        }
        if quote.is_none() && !b.is_ascii_whitespace() {
            value = b == b'=';
        }
    }
    // The scan met the end inside a value: that quote character does not occur again, so the next
    // tag need not look for it. This keeps the reading linear.
    match quote {
        Some(b'"') => quotes.double = false,
        Some(_) => quotes.single = false,
        None => {}
    }
    first_close
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_in_document_order_and_ends_are_found() {
        let tree =
            Tree::parse("<div id=a>x<p>y</p></div><div id='b'>z</div>", &HtmlLimits::default());
        let a = (0..tree.len() as NodeId)
            .find(|id| tree.attrs(*id).is_some_and(|at| at.id == "a"))
            .unwrap();
        let b = (0..tree.len() as NodeId)
            .find(|id| tree.attrs(*id).is_some_and(|at| at.id == "b"))
            .unwrap();
        assert_eq!(tree.end_of(a), b);
        assert_eq!(tree.node(b).parent, 0);
    }

    #[test]
    fn stray_end_tags_stay_inside_their_cell() {
        let tree = Tree::parse(
            "<div><table><tr><td>a</div>b</td><td>c</td></tr></table></div>",
            &HtmlLimits::default(),
        );
        let cells = (0..tree.len() as NodeId).filter(|id| tree.name(*id) == Some(Name::Td)).count();
        assert_eq!(cells, 2);
        assert_eq!(tree.node(0).children.len(), 1);
    }
}

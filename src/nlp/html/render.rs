//! Walks a [`Tree`] into lines of text.
//!
//! One walk serves plain reading and reply splitting: the caller may mark subtrees (a quote, a
//! signature), and no line ever holds text of two marks.

use super::attrs::Attrs;
use super::looks::{data_tables, has_margin, is_hidden, zero_font};
use super::names::Name;
use super::tree::{Content, NodeId, Tree};

/// What a subtree is known to be from its markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mark {
    /// Nothing is known.
    #[default]
    None,
    /// An earlier message.
    Quote,
    /// A block quotation that is an earlier message only if an attribution stands before it.
    MaybeQuote,
    /// A signature.
    Signature,
}

/// A line of readable text without its line end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line {
    pub text: String,
    pub mark: Mark,
}

/// Renders the tree. `marks` is empty or holds one mark per node; the innermost mark that is not
/// `None` counts, except that nothing inside a quote is anything else.
pub(crate) fn render(tree: &Tree, marks: &[Mark]) -> Vec<Line> {
    let mut writer = Writer::new(tree, marks);
    let mut steps = vec![Step::Enter(0)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Enter(id) => {
                if let Content::Text(text) = &tree.node(id).content {
                    writer.mark_for(id);
                    writer.text(text);
                } else if writer.enter(id) {
                    steps.push(Step::Exit(id));
                    steps.extend(
                        tree.node(id).children.iter().rev().map(|child| Step::Enter(*child)),
                    );
                }
            }
            Step::Exit(id) => writer.exit(id),
        }
    }
    writer.finish()
}

enum Step {
    Enter(NodeId),
    Exit(NodeId),
}

/// What an open element changes for its content.
#[derive(Debug, Clone, Copy, Default)]
struct Scope {
    mark: Mark,
    /// The font size is nought and not set again further in.
    invisible: bool,
    pre: bool,
    in_data_table: bool,
    /// Depth of lists, for the indentation.
    list_depth: usize,
    /// The next number in an ordered list; nought in a list with dashes.
    number: usize,
}

struct Writer<'a> {
    tree: &'a Tree,
    marks: &'a [Mark],
    data_tables: Vec<bool>,
    lines: Vec<Line>,
    line: String,
    /// Mark of the line in hand.
    line_mark: Mark,
    /// A collapsed space waits for the next word.
    space: bool,
    /// A blank line waits for the next line.
    gap: bool,
    /// The bullet or number that the next text begins with.
    bullet: Option<String>,
    /// A cell separator waits for the text of the next cell.
    cell: bool,
    scopes: Vec<Scope>,
    /// Open links: where their text began, as (line number, byte).
    links: Vec<(usize, usize)>,
}

impl<'a> Writer<'a> {
    fn new(tree: &'a Tree, marks: &'a [Mark]) -> Self {
        Self {
            tree,
            marks,
            data_tables: data_tables(tree),
            lines: Vec::new(),
            line: String::new(),
            line_mark: Mark::None,
            space: false,
            gap: false,
            bullet: None,
            cell: false,
            scopes: vec![Scope::default()],
            links: Vec::new(),
        }
    }

    fn scope(&self) -> Scope {
        self.scopes.last().copied().unwrap_or_default()
    }

    /// Makes the line in hand one of the mark that holds at `id`.
    fn mark_for(&mut self, id: NodeId) {
        let outer = self.scope().mark;
        let own = self.marks.get(id as usize).copied().unwrap_or_default();
        let mark = if outer == Mark::Quote || own == Mark::None { outer } else { own };
        if mark != self.line_mark {
            self.flush();
            self.line_mark = mark;
        }
    }

    /// Begins an element; false if its content is not to be read.
    fn enter(&mut self, id: NodeId) -> bool {
        let Content::Element(name, attrs) = &self.tree.node(id).content else { return false };
        let (name, attrs) = (*name, attrs.as_deref());
        let mut scope = self.scope();
        if let Some(attrs) = attrs {
            if is_hidden(attrs) {
                return false;
            }
            if let Some(zero) = zero_font(&attrs.style) {
                scope.invisible = zero;
            }
        }
        self.mark_for(id);
        scope.mark = self.line_mark;
        match name {
            Name::Br => self.line_break(scope),
            Name::Hr => self.block(true),
            Name::Img => self.image(attrs, scope),
            Name::A => self.links.push((self.lines.len(), self.line.len())),
            Name::Pre => {
                self.block(true);
                scope.pre = true;
            }
            Name::Table => {
                self.enter_table(id, &mut scope);
            }
            Name::Tr => self.flush(),
            Name::Td => self.enter_cell(scope),
            Name::Ul | Name::Ol => {
                self.block(scope.list_depth == 0);
                scope.list_depth += 1;
                scope.number = usize::from(name == Name::Ol);
            }
            Name::Li => self.enter_item(&mut scope),
            _ if name.is_inline() || (name == Name::P && scope.in_data_table) => {}
            _ => self.block(has_margin(name, attrs)),
        }
        if name.is_void() {
            return false;
        }
        self.scopes.push(scope);
        true
    }

    fn exit(&mut self, id: NodeId) {
        self.scopes.pop();
        let Some(name) = self.tree.name(id) else { return };
        let attrs = self.tree.attrs(id);
        match name {
            Name::A => {
                let start = self.links.pop();
                if let (Some(attrs), Some(start)) = (attrs, start) {
                    self.link_target(&attrs.href, start);
                }
            }
            Name::Pre => self.block(true),
            Name::Table => self.block(self.data_tables.get(id as usize).copied().unwrap_or(false)),
            Name::Ul | Name::Ol => self.block(self.scope().list_depth == 0),
            Name::Td | Name::P if self.scope().in_data_table => {}
            _ if name.is_inline() => {}
            _ => self.block(has_margin(name, attrs)),
        }
        if self.line_mark != self.scope().mark {
            self.flush();
            self.line_mark = self.scope().mark;
        }
    }

    fn enter_table(&mut self, id: NodeId, scope: &mut Scope) {
        let data = self.data_tables.get(id as usize).copied().unwrap_or(false);
        self.block(data);
        scope.in_data_table = data;
    }

    fn enter_cell(&mut self, scope: Scope) {
        if scope.in_data_table {
            self.cell = !self.line.is_empty();
            self.space = false;
        } else {
            self.flush();
        }
    }

    fn enter_item(&mut self, scope: &mut Scope) {
        self.flush();
        let indent = "  ".repeat(scope.list_depth.saturating_sub(1).min(8));
        // The counter belongs to the list, which is the innermost open scope.
        let bullet = match self.scopes.last_mut() {
            Some(list) if list.number > 0 => {
                list.number += 1;
                format!("{indent}{}. ", list.number - 1)
            }
            _ => format!("{indent}- "),
        };
        scope.number = 0;
        self.bullet = Some(bullet);
    }

    fn image(&mut self, attrs: Option<&Attrs>, scope: Scope) {
        let alt = attrs.map_or("", |a| a.alt.trim());
        // File names and numbers are what mail programs fill in, not what a person wrote.
        let useful = alt.chars().any(char::is_alphabetic)
            && !alt.rsplit('.').next().is_some_and(|e| {
                alt.contains('.')
                    && matches!(
                        e.to_ascii_lowercase().as_str(),
                        "png" | "jpg" | "jpeg" | "gif" | "bmp" | "webp" | "svg"
                    )
            });
        if useful && !scope.invisible {
            self.words(alt);
        }
    }

    /// Adds the address of a link behind its text, unless the text says the same.
    fn link_target(&mut self, href: &str, (line, byte): (usize, usize)) {
        let href = href.trim();
        let lower = href.get(..12.min(href.len())).unwrap_or("").to_ascii_lowercase();
        let wanted = ["http:", "https:", "mailto:", "tel:", "ftp:", "sms:"]
            .iter()
            .any(|s| lower.starts_with(s))
            || lower.starts_with("www.");
        if !wanted || self.scope().invisible {
            return;
        }
        let mut text = String::new();
        for earlier in self.lines.get(line..).unwrap_or(&[]) {
            text.push_str(&earlier.text);
        }
        // The link may have begun in a line that is finished by now.
        let from = if line == self.lines.len() { byte } else { 0 };
        text.push_str(self.line.get(from..).unwrap_or(""));
        let shown = plain_address(href);
        if plain_address(text.trim()) == shown {
            return;
        }
        let target =
            href.strip_prefix("mailto:").or_else(|| href.strip_prefix("tel:")).unwrap_or(href);
        let target: String = target.split_whitespace().collect::<Vec<_>>().join("%20");
        // Behind a block the address belongs to the line that is finished.
        let behind_block =
            self.line.is_empty() && !text.is_empty() && !self.gap && self.bullet.is_none();
        if behind_block
            && let Some(last) = self.lines.last_mut()
            && last.mark == self.line_mark
        {
            last.text.push_str(&format!(" ({target})"));
            return;
        }
        self.space = !self.line.is_empty();
        self.words(&format!("({target})"));
    }

    fn text(&mut self, text: &str) {
        let scope = self.scope();
        if scope.invisible {
            return;
        }
        if scope.pre {
            for (n, line) in text.split('\n').enumerate() {
                if n > 0 {
                    self.hard_break();
                }
                self.begin_text();
                self.line.push_str(line.trim_end_matches('\r'));
            }
            return;
        }
        self.words(text);
    }

    /// Adds words with runs of white space folded to one space.
    fn words(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let space = rest.find(|c: char| !is_collapsible(c)).unwrap_or(rest.len());
            if space > 0 {
                self.space = true;
                rest = &rest[space..];
                continue;
            }
            let word = rest.find(is_collapsible).unwrap_or(rest.len());
            self.begin_text();
            // A no-break space would only hinder whoever reads on.
            self.line.extend(rest[..word].chars().map(|c| if c == '\u{a0}' { ' ' } else { c }));
            rest = &rest[word..];
        }
    }

    /// Writes what waits for text: a blank line, a bullet, a cell separator, a space.
    fn begin_text(&mut self) {
        if self.line.is_empty() {
            if std::mem::take(&mut self.gap) && !self.lines.is_empty() {
                self.lines.push(Line { text: String::new(), mark: self.line_mark });
            }
            if let Some(bullet) = self.bullet.take() {
                self.line.push_str(&bullet);
            }
        } else if std::mem::take(&mut self.cell) {
            // A label and its value read better without a bar.
            self.line.push_str(if self.line.ends_with(':') { " " } else { " | " });
        } else if self.space && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
        self.cell = false;
        self.space = false;
    }

    fn line_break(&mut self, scope: Scope) {
        if scope.in_data_table {
            self.space = true;
        } else {
            self.hard_break();
        }
    }

    /// Ends the line even if it is empty.
    fn hard_break(&mut self) {
        if self.line.is_empty() {
            self.gap = true;
        } else {
            self.flush();
        }
    }

    /// Begins or ends a block.
    fn block(&mut self, margin: bool) {
        self.flush();
        self.gap |= margin;
    }

    /// Ends the line in hand, if there is one.
    fn flush(&mut self) {
        self.space = false;
        self.cell = false;
        if self.line.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.line);
        let text = text.trim_end();
        if text.is_empty() {
            self.gap = true;
        } else {
            self.lines.push(Line { text: text.to_owned(), mark: self.line_mark });
        }
    }

    fn finish(mut self) -> Vec<Line> {
        self.flush();
        self.lines
    }
}

/// White space that HTML folds; the no-break space is not.
fn is_collapsible(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// An address or a link text reduced to what a person compares.
fn plain_address(text: &str) -> String {
    let lower =
        text.trim_matches(|c: char| c.is_whitespace() || c == '<' || c == '>').to_lowercase();
    let mut rest = lower.as_str();
    for prefix in ["https://", "http://", "mailto:", "tel:", "www."] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    if lower.starts_with("tel:") || lower.starts_with('+') {
        return rest.chars().filter(|c| c.is_alphanumeric()).collect();
    }
    rest.trim_end_matches('/').split_whitespace().collect()
}

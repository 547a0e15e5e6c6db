//! How elements look where that changes how they read: margins, what is hidden, which tables hold data.

use super::attrs::Attrs;
use super::names::Name;
use super::tree::{Content, NodeId, Tree};

/// Whether a blank line stands around the element. Word's paragraphs have no margins.
pub(super) fn has_margin(name: Name, attrs: Option<&Attrs>) -> bool {
    match name {
        Name::P => {
            !attrs.is_some_and(|a| a.class.starts_with("mso") || a.class.contains("msonormal"))
        }
        Name::H | Name::Blockquote | Name::Dl | Name::Fieldset => true,
        _ => false,
    }
}

/// Whether the sender kept this element from being seen.
pub(super) fn is_hidden(attrs: &Attrs) -> bool {
    if attrs.hidden {
        return true;
    }
    let style = compact(&attrs.style);
    style.contains("display:none")
        || style.contains("visibility:hidden")
        || zero_length(&style, "opacity")
        || (zero_length(&style, "max-height") && style.contains("overflow:hidden"))
}

/// `Some(true)` if the style makes text vanish by its size, `Some(false)` if it gives it a size.
pub(super) fn zero_font(style: &str) -> Option<bool> {
    if !style.contains("font-size") {
        return None;
    }
    let style = compact(style);
    Some(zero_length(&style, "font-size"))
}

/// Whether a property of a compacted style is nought (`0`, `0px`, `0.0em`, not `0.5`).
fn zero_length(style: &str, property: &str) -> bool {
    let Some(value) = style
        .split(';')
        .filter_map(|rule| rule.split_once(':'))
        .find_map(|(name, value)| (name == property).then_some(value))
    else {
        return false;
    };
    let number = value.trim_start_matches(['0', '.']);
    number.len() < value.len() && !number.starts_with(|c: char| c.is_ascii_digit())
}

fn compact(style: &str) -> String {
    style.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Which tables hold data: no table inside, no blocks in their cells, some row of several cells.
/// The others only lay out a page.
pub(super) fn data_tables(tree: &Tree) -> Vec<bool> {
    let count = tree.len();
    let mut data = vec![false; count];
    let mut broken = vec![false; count];
    // The nearest table and row at or above each node; parents come before their children.
    let mut table_of = vec![0usize; count];
    let mut cells = vec![0u32; count];
    for id in 1..count {
        let Ok(node_id) = NodeId::try_from(id) else { break };
        let node = tree.node(node_id);
        let parent = node.parent as usize;
        let outer = table_of[parent];
        table_of[id] = outer;
        let Content::Element(name, attrs) = &node.content else { continue };
        match name {
            Name::Table => {
                broken[outer] = true;
                broken[id] =
                    attrs.as_deref().is_some_and(|a| a.data.contains("role=presentation "));
                table_of[id] = id;
            }
            Name::Td => {
                cells[parent] += 1;
                if cells[parent] > 1 && outer > 0 {
                    data[outer] = true;
                }
            }
            Name::Tr | Name::Tbody | Name::Thead | Name::Tfoot | Name::Caption => {}
            Name::P if node_is_only_child(tree, node_id) => {}
            _ if name.is_inline() => {}
            _ => broken[outer] = true,
        }
    }
    data.iter().zip(&broken).map(|(data, broken)| *data && !*broken).collect()
}

/// Whether a paragraph is all that its cell holds; then the cell still reads as one line.
fn node_is_only_child(tree: &Tree, id: NodeId) -> bool {
    let parent = tree.node(id).parent;
    tree.name(parent) == Some(Name::Td)
        && tree.node(parent).children.iter().all(|c| {
            *c == id || matches!(&tree.node(*c).content, Content::Text(t) if t.trim().is_empty())
        })
}

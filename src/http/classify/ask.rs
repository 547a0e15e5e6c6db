//! What is asked: items, and options for all of them.

use std::sync::Arc;

use serde_json::Value;

use super::options::{BAD_OPTIONS, Options};
use super::read::{Fault, Fields};
use super::shape::{ID, Role};
use crate::domain::ids::Micros;
use crate::pipeline::classify::visible;

const BAD_ITEM: &str = "bad_item";
/// So many earlier messages of a customer make the trend.
const MOODS: usize = 8;

/// The body, read: options, and one item or several that are still to be read.
pub struct Ask {
    /// For all items.
    pub options: Options,
    /// The items.
    pub items: Items,
}

/// What is to be classified.
pub enum Items {
    /// The body itself.
    One(Value),
    /// A list.
    Many(Vec<Value>),
}

impl Ask {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with the options or the form of the whole.
    pub fn read(body: Value, most: usize) -> Result<Self, Fault> {
        let mut fields = Fields::of(body, "", BAD_OPTIONS)?;
        let options = Options::read(&mut fields)?;
        let Some(items) = fields.list("items")? else {
            return Ok(Self { options, items: Items::One(fields.rest()) });
        };
        if items.is_empty() || items.len() > most {
            return Err(fields.fault("items", format!("expected 1 to {most} items")));
        }
        fields.end("items, outputs, taxonomy, vip")?;
        Ok(Self { options, items: Items::Many(items) })
    }
}

/// An item, read.
pub struct Item {
    /// The caller's name for it.
    pub id: Option<Value>,
    /// The subject line.
    pub subject: Option<String>,
    /// What is classified.
    pub text: String,
    /// The text isn't the one that was sent but made from it.
    pub converted: bool,
    /// Earlier messages, the latest last.
    pub history: Arc<[String]>,
    /// Those of them that the writer wrote.
    pub earlier: Vec<String>,
    /// Over the option.
    pub vip: Option<bool>,
}

impl Item {
    /// The id of an item that may be unreadable otherwise.
    pub fn id_of(value: &Value) -> Option<Value> {
        value.get("id").filter(|id| is_id(id)).cloned()
    }

    /// Reads an item that stands at `at`, with at most `most` bytes of text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(value: Value, at: &str, most: usize) -> Result<Self, Fault> {
        let mut fields = Fields::of(value, at, BAD_ITEM)?;
        let id = fields.take("id");
        if id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(
                fields.fault("id", format!("expected a number or up to {ID} bytes of text"))
            );
        }
        let vip = fields.flag("vip")?;
        if let Some(from) = fields.take("from") {
            sender(from, &fields.at("from"))?;
        }
        let mut item = match fields.list("messages")? {
            Some(messages) => Self::thread(messages, &mut fields)?,
            None => Self::message(&mut fields)?,
        };
        (item.id, item.vip) = (id, vip);
        fields.end("id, text, html, subject, from, history, messages, vip")?;
        let bytes = item.text.len()
            + item.subject.as_ref().map_or(0, String::len)
            + item.history.iter().map(String::len).sum::<usize>();
        if bytes > most {
            let detail = format!("the texts have more than {} KiB", most / 1024);
            return Err(Fault::new("text_too_long", at, detail));
        }
        Ok(item)
    }

    fn message(fields: &mut Fields) -> Result<Self, Fault> {
        let subject = fields.text("subject")?;
        let (text, html) = (fields.text("text")?, fields.text("html")?);
        let converted = html.is_some();
        let text = match (text, html) {
            (Some(_), Some(_)) => {
                return Err(fields.fault("html", "expected either `text` or `html`"));
            }
            (Some(text), None) => text,
            (None, Some(html)) => visible(&html),
            (None, None) if subject.is_some() => String::new(),
            (None, None) => {
                return Err(fields.whole("expected `text`, `html`, `subject` or `messages`"));
            }
        };
        let history = history(fields)?.into();
        let earlier = Vec::new();
        Ok(Self { id: None, subject, text, converted, history, earlier, vip: None })
    }

    fn thread(messages: Vec<Value>, fields: &mut Fields) -> Result<Self, Fault> {
        for other in ["text", "html", "history"] {
            if fields.has(other) {
                return Err(fields.fault(other, "not together with `messages`"));
            }
        }
        let subject = fields.text("subject")?;
        let at = fields.at("messages");
        let said = messages.into_iter().enumerate();
        let mut said: Vec<Said> =
            said.map(|(i, m)| Said::read(m, &format!("{at}/{i}"))).collect::<Result<_, _>>()?;
        if said.iter().all(|s| s.at.is_some()) {
            said.sort_by_key(|s| s.at);
        }
        let Some(last) = said.iter().rposition(|s| s.role == Role::Customer) else {
            return Err(fields.fault("messages", "expected a message with the role `customer`"));
        };
        said.truncate(last + 1);
        let text = said.pop().map(|s| s.text).unwrap_or_default();
        let of_customer = said.iter().filter(|s| s.role == Role::Customer);
        let mut earlier: Vec<String> = of_customer.map(|s| s.text.clone()).collect();
        earlier.drain(..earlier.len().saturating_sub(MOODS));
        let history = said.into_iter().map(|s| s.text).collect();
        Ok(Self { id: None, subject, text, converted: false, history, earlier, vip: None })
    }
}

/// A message of a thread, read.
struct Said {
    role: Role,
    text: String,
    at: Option<Micros>,
}

impl Said {
    fn read(value: Value, at: &str) -> Result<Self, Fault> {
        let mut fields = Fields::of(value, at, BAD_ITEM)?;
        let role = match fields.text("role")?.as_deref() {
            Some("customer") => Role::Customer,
            Some("agent") => Role::Agent,
            _ => return Err(fields.fault("role", "expected `customer` or `agent`")),
        };
        let Some(text) = fields.text("text")? else {
            return Err(fields.fault("text", "expected text"));
        };
        let at = match fields.text("at")? {
            None => None,
            Some(time) => {
                Some(Micros::parse(&time).ok_or_else(|| fields.fault("at", "expected a time"))?)
            }
        };
        fields.end("role, text, at")?;
        Ok(Self { role, text, at })
    }
}

fn is_id(id: &Value) -> bool {
    id.is_number() || id.as_str().is_some_and(|s| s.len() <= ID)
}

fn sender(from: Value, at: &str) -> Result<(), Fault> {
    if from.is_string() {
        return Ok(());
    }
    let mut fields = Fields::of(from, at, BAD_ITEM)?;
    fields.text("address")?;
    fields.text("name")?;
    fields.end("address, name")
}

fn history(fields: &mut Fields) -> Result<Vec<String>, Fault> {
    let at = fields.at("history");
    let one = |(i, value): (usize, Value)| match value {
        Value::String(text) => Ok(text),
        turn => {
            let mut turn = Fields::of(turn, &format!("{at}/{i}"), BAD_ITEM)?;
            turn.text("role")?;
            let text = turn.text("text")?.ok_or_else(|| turn.fault("text", "expected text"))?;
            turn.end("role, text")?;
            Ok(text)
        }
    };
    fields.list("history")?.unwrap_or_default().into_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(value: Value) -> Result<Item, Fault> {
        Item::read(value, "/items/3", 1024)
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_and_not_repeated() {
        for (value, pointer) in [
            (json!(7), "/items/3"),
            (json!({}), "/items/3"),
            (json!({"text": 7}), "/items/3/text"),
            (json!({"id": [1], "text": "x"}), "/items/3/id"),
            (json!({"text": "x", "html": "<p>x"}), "/items/3/html"),
            (json!({"text": "x", "secret": 1}), "/items/3"),
            (json!({"text": "x", "vip": "yes"}), "/items/3/vip"),
            (json!({"text": "x", "from": {"address": 1}}), "/items/3/from/address"),
            (json!({"text": "x", "history": ["a", {"role": "b"}]}), "/items/3/history/1/text"),
            (json!({"messages": []}), "/items/3/messages"),
            (json!({"messages": [], "text": "x"}), "/items/3/text"),
            (json!({"messages": [{"role": "agent", "text": "x"}]}), "/items/3/messages"),
            (json!({"messages": [{"role": "secret", "text": "x"}]}), "/items/3/messages/0/role"),
            (
                json!({"messages": [{"role": "agent", "text": "x", "at": "secret"}]}),
                "/items/3/messages/0/at",
            ),
            (json!({"text": "secret ".repeat(200)}), "/items/3"),
        ] {
            let fault = item(value.clone()).err().unwrap_or_else(|| panic!("{value} was read"));
            assert_eq!(fault.pointer, pointer, "{value}: {fault:?}");
            assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
        }
    }

    #[test]
    fn a_thread_is_its_last_message_of_a_customer() {
        let said = |role: &str, text: &str, at: &str| json!({"role": role, "text": text, "at": at});
        let thread = json!({"id": "t", "messages": [
            said("customer", "third", "2026-11-22T12:00:00Z"),
            said("customer", "first", "2026-11-22T10:00:00Z"),
            said("agent", "second", "2026-11-22T11:00:00Z"),
            said("agent", "fourth", "2026-11-22T13:00:00Z"),
        ]});
        let item = item(thread).unwrap();
        assert_eq!(
            (item.text.as_str(), &*item.history),
            ("third", &["first".into(), "second".into()][..])
        );
    }

    #[test]
    fn markup_is_read_as_what_it_shows_and_quotes_go() {
        let html =
            "<p>Where is my parcel?</p><blockquote type=cite><p>We sent it.</p></blockquote>";
        let item = item(json!({"html": html})).unwrap();
        assert!(item.converted);
        assert_eq!(item.text, "Where is my parcel?");
    }

    fn own(name: &str, examples: [&str; 2]) -> Value {
        json!({"name": name, "examples": examples})
    }

    #[test]
    fn the_body_is_one_item_or_a_list() {
        let read = |v: Value| Ask::read(v, 2).map(|a| matches!(a.items, Items::Many(_)));
        assert_eq!(read(json!({"text": "x", "outputs": ["spam"]})), Ok(false));
        assert_eq!(read(json!({"items": [1, 2]})), Ok(true));
        for (body, pointer) in [
            (json!([]), ""),
            (json!({"items": []}), "/items"),
            (json!({"items": [1, 2, 3]}), "/items"),
            (json!({"items": [1], "text": "x"}), ""),
            (json!({"outputs": ["intent", "mood"]}), "/outputs/1"),
            (json!({"outputs": "intent"}), "/outputs"),
            (json!({"taxonomy": 1}), "/taxonomy"),
            (json!({"taxonomy": {"labels": [{"name": "a"}]}}), "/taxonomy/labels"),
            (
                json!({"taxonomy": {"labels": [own("a", ["x", "y"]), {"name": "b"}]}}),
                "/taxonomy/labels/1/examples",
            ),
            (
                json!({"taxonomy": {"labels": [own("a", ["x", "y"]), own("a", ["z", "w"])]}}),
                "/taxonomy/labels/1/name",
            ),
            (
                json!({"taxonomy": {"labels": [own("a", ["x", "y"]), own("b", ["z", "X"])]}}),
                "/taxonomy/labels/1/examples/1",
            ),
        ] {
            assert_eq!(read(body.clone()).unwrap_err().pointer, pointer, "{body}");
        }
    }
}

//! Reading what a caller sent, field by field, so that whatever is wrong is named by a JSON pointer
//! and nothing of its content is repeated.

use serde_json::{Map, Value};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable code.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
    /// JSON pointer (RFC 6901) of what is wrong, from the body's or the line's root.
    pub pointer: String,
}

impl Fault {
    /// A value of the wrong form.
    pub fn new(code: &'static str, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), pointer: pointer.into() }
    }
}

/// An object whose fields are taken out one by one.
pub struct Fields {
    map: Map<String, Value>,
    at: String,
    code: &'static str,
}

impl Fields {
    /// Of an object at `at`; faults have the code `code`.
    ///
    /// # Errors
    /// When it isn't an object.
    pub fn of(value: Value, at: &str, code: &'static str) -> Result<Self, Fault> {
        match value {
            Value::Object(map) => Ok(Self { map, at: at.to_owned(), code }),
            _ => Err(Fault::new(code, at, "expected an object")),
        }
    }

    /// Where a field of ours stands.
    pub fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }

    /// A fault of a field of ours.
    pub fn fault(&self, name: &str, detail: impl Into<String>) -> Fault {
        Fault::new(self.code, self.at(name), detail)
    }

    /// A fault of the whole object.
    pub fn whole(&self, detail: impl Into<String>) -> Fault {
        Fault::new(self.code, self.at.clone(), detail)
    }

    /// Whether a field is there; null counts as absent.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|v| !v.is_null())
    }

    /// A field as it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|v| !v.is_null())
    }

    /// A field with text.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(name, "expected text")),
        }
    }

    /// A field with true or false.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.fault(name, "expected true or false")),
        }
    }

    /// A field with a list.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Fault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.fault(name, "expected a list")),
        }
    }

    /// The end: nothing may be left over. The name of an unknown field isn't repeated, it may be
    /// anything.
    ///
    /// # Errors
    /// When something is left.
    pub fn end(self, known: &str) -> Result<(), Fault> {
        match self.map.values().any(|v| !v.is_null()) {
            true => Err(self.whole(format!("an unknown field; known are {known}"))),
            false => Ok(()),
        }
    }

    /// What is left, for others to read.
    pub fn rest(self) -> Value {
        Value::Object(self.map)
    }
}

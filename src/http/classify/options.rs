//! Options for all items of a request.

use std::collections::HashSet;

use serde_json::Value;

use super::read::{Fault, Fields};
use super::shape::Output;
use crate::domain::triage::IntentLabel;
use crate::pipeline::classify::OwnLabel;

/// The code of what is wrong with options.
pub const BAD_OPTIONS: &str = "bad_options";
/// Most labels of a caller's own, most examples of one, and longest example, in bytes.
const LABELS: usize = 64;
const EXAMPLES: usize = 50;
const EXAMPLE: usize = 2048;

/// Whose intents, read.
#[derive(Debug, Clone, Default)]
pub enum Intents {
    /// The service's own.
    #[default]
    Usual,
    /// A configured taxonomy's.
    Named(String),
    /// The caller's own.
    Own(Vec<OwnLabel>),
}

impl Intents {
    fn read(value: Option<Value>, at: &str) -> Result<Self, Fault> {
        match value {
            None => Ok(Self::Usual),
            Some(Value::String(name)) => Ok(Self::Named(name)),
            Some(value) => labels(value, at).map(Self::Own),
        }
    }
}

fn labels(value: Value, at: &str) -> Result<Vec<OwnLabel>, Fault> {
    let mut fields = Fields::of(value, at, BAD_OPTIONS)?;
    let list = fields.list("labels")?.unwrap_or_default();
    if !(2..=LABELS).contains(&list.len()) {
        return Err(fields.fault("labels", format!("expected 2 to {LABELS} labels")));
    }
    let at = fields.at("labels");
    fields.end("labels")?;
    let (mut names, mut said) = (HashSet::new(), HashSet::new());
    let one = |(i, value): (usize, Value)| {
        let mut fields = Fields::of(value, &format!("{at}/{i}"), BAD_OPTIONS)?;
        let name = fields.text("name")?.and_then(|n| n.parse::<IntentLabel>().ok());
        let name = name.filter(|n| names.insert(n.clone()));
        let name = name.ok_or_else(|| {
            fields.fault("name", "expected up to 64 bytes of text that no other label has")
        })?;
        let description = fields.text("description")?;
        let long = |text: &String| text.len() > EXAMPLE;
        if description.as_ref().is_some_and(long) {
            return Err(fields.fault("description", format!("expected up to {EXAMPLE} bytes")));
        }
        let list = fields.list("examples")?.unwrap_or_default();
        if !(2..=EXAMPLES).contains(&list.len()) {
            return Err(fields.fault("examples", format!("expected 2 to {EXAMPLES} texts")));
        }
        let at = fields.at("examples");
        fields.end("name, description, examples")?;
        let mut example = |(j, value): (usize, Value)| match value {
            Value::String(text)
                if !text.trim().is_empty()
                    && !long(&text)
                    && said.insert(text.trim().to_lowercase()) =>
            {
                Ok(text)
            }
            _ => {
                let detail =
                    format!("expected up to {EXAMPLE} bytes of text that no other example has");
                Err(Fault::new(BAD_OPTIONS, format!("{at}/{j}"), detail))
            }
        };
        let examples = list.into_iter().enumerate().map(&mut example).collect::<Result<_, _>>()?;
        Ok(OwnLabel { name, description, examples })
    };
    list.into_iter().enumerate().map(one).collect()
}

/// Options, read.
#[derive(Debug, Clone)]
pub struct Options {
    outputs: Vec<Output>,
    /// Whose intents.
    pub intents: Intents,
    /// For items that don't say.
    pub vip: bool,
}

impl Options {
    /// Whether something is to be answered.
    pub fn wants(&self, output: Output) -> bool {
        self.outputs.contains(&output)
    }

    /// The options of a stream, from its address.
    ///
    /// # Errors
    /// An output that there isn't.
    pub fn of_query(
        outputs: Option<&str>,
        taxonomy: Option<String>,
        vip: bool,
    ) -> Result<Self, Fault> {
        let one = |name: &str| {
            let detail = || format!("expected one of {}", Output::names());
            Output::of(name.trim()).ok_or_else(|| Fault::new(BAD_OPTIONS, "", detail()))
        };
        let outputs = match outputs {
            None => Output::usual(),
            Some(list) => list.split(',').map(one).collect::<Result<_, _>>()?,
        };
        let intents = taxonomy.map_or(Intents::Usual, Intents::Named);
        Ok(Self { outputs, intents, vip })
    }

    /// Takes the options out of an object.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn read(fields: &mut Fields) -> Result<Self, Fault> {
        let outputs = match fields.list("outputs")? {
            None => Output::usual(),
            Some(list) => {
                let one = |(i, v): (usize, &Value)| {
                    v.as_str().and_then(Output::of).ok_or_else(|| {
                        let at = fields.at(&format!("outputs/{i}"));
                        Fault::new(BAD_OPTIONS, at, format!("expected one of {}", Output::names()))
                    })
                };
                list.iter().enumerate().map(one).collect::<Result<_, _>>()?
            }
        };
        let intents = Intents::read(fields.take("taxonomy"), &fields.at("taxonomy"))?;
        Ok(Self { outputs, intents, vip: fields.flag("vip")?.unwrap_or(false) })
    }
}

//! Whether an answer is as the document says: its status, content type, headers and JSON. The subset
//! of JSON Schema that the document uses is checked here; a keyword outside of it is an error, so that
//! nothing in the document goes unchecked.

use std::sync::LazyLock;

use countersign::http::openapi;
use regex::Regex;
use serde_json::{Map, Value};

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);
    &DOCUMENT
}

/// What came over the wire.
pub struct Answer<'a> {
    pub status: u16,
    pub headers: &'a reqwest::header::HeaderMap,
    pub body: &'a str,
}

/// The operation that a request asks for; none for what is not described.
pub fn operation<'a>(method: &str, path: &str) -> Option<&'a Value> {
    let paths = document()["paths"].as_object()?;
    let fits = |template: &str| {
        let (a, b) = (template.split('/'), path.split('/'));
        template.split('/').count() == path.split('/').count()
            && a.zip(b).all(|(t, p)| t == p || t.starts_with('{'))
    };
    // A path without parameters is meant before one with them.
    let mut found: Vec<&String> = paths.keys().filter(|t| fits(t)).collect();
    found.sort_by_key(|t| t.matches('{').count());
    paths[*found.first()?].get(method.to_lowercase())
}

/// Fails when the answer to a described request is not a described one.
pub fn conforms(method: &str, path: &str, answer: &Answer<'_>) {
    let Some(operation) = operation(method, path) else { return };
    // No handler is asked about a method that isn't described, nor about one that has no route.
    if let Err(why) = check(operation, answer) {
        panic!("{method} {path} answered {}: {why}\n{}", answer.status, answer.body);
    }
}

fn check(operation: &Value, answer: &Answer<'_>) -> Result<(), String> {
    let status = answer.status.to_string();
    let response = operation["responses"].get(&status).ok_or("the status is not described")?;
    let response = resolve(response)?;
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let value = answer.headers.get(name).and_then(|v| v.to_str().ok());
        let header = resolve(header)?;
        match value {
            Some(text) => {
                let number = text.parse::<i64>().map(Value::from);
                let whole = header["schema"]["type"] == "integer";
                let value = number.ok().filter(|_| whole).unwrap_or_else(|| text.into());
                fits(&header["schema"], &value, name)?;
            }
            None if header["required"] == true => return Err(format!("no header {name}")),
            None => {}
        }
    }
    let Some(content) = response["content"].as_object() else {
        return if answer.body.is_empty() { Ok(()) } else { Err("a body is not described".into()) };
    };
    let kind = answer.headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let schema = &content.get(kind).ok_or(format!("the type {kind} is not described"))?["schema"];
    let value = match kind.contains("json") && !kind.contains("ndjson") {
        true => serde_json::from_str(answer.body).map_err(|e| e.to_string())?,
        false => Value::from(answer.body),
    };
    fits(schema, &value, "")
}

/// What a reference leads to.
pub fn resolve(schema: &Value) -> Result<&Value, String> {
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return Ok(schema) };
    let pointer = reference.trim_start_matches('#');
    document().pointer(pointer).ok_or(format!("{reference} leads nowhere"))
}

/// Whether a value is as a schema says; `at` is where, as a JSON pointer.
pub fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(schema)?;
    let Some(rules) = schema.as_object() else {
        return if *schema == Value::Bool(false) {
            Err(format!("{at}: nothing fits"))
        } else {
            Ok(())
        };
    };
    for (keyword, rule) in rules {
        rule_holds(keyword, rule, value, rules, at)?;
    }
    Ok(())
}

fn rule_holds(
    keyword: &str,
    rule: &Value,
    value: &Value,
    rules: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    let holds =
        |good: bool| if good { Ok(()) } else { Err(format!("{at}: {keyword} {rule}: {value}")) };
    let list = || rule.as_array().ok_or(format!("{keyword} is no list"));
    let length = || value.as_str().map(|s| s.chars().count() as f64);
    let limit = rule.as_f64().unwrap_or_default();
    match keyword {
        "type" => match rule {
            Value::Array(all) => holds(all.iter().any(|t| is(t, value))),
            one => holds(is(one, value)),
        },
        "enum" => holds(list()?.contains(value)),
        "const" => holds(rule == value),
        "minimum" => holds(value.as_f64().is_none_or(|v| v >= limit)),
        "maximum" => holds(value.as_f64().is_none_or(|v| v <= limit)),
        "minLength" => holds(length().is_none_or(|l| l >= limit)),
        "maxLength" => holds(length().is_none_or(|l| l <= limit)),
        "minItems" => holds(value.as_array().is_none_or(|a| a.len() as f64 >= limit)),
        "maxItems" => holds(value.as_array().is_none_or(|a| a.len() as f64 <= limit)),
        "uniqueItems" => holds(
            value.as_array().is_none_or(|a| a.iter().enumerate().all(|(i, x)| !a[..i].contains(x))),
        ),
        "pattern" => {
            let pattern =
                Regex::new(rule.as_str().unwrap_or_default()).map_err(|e| e.to_string())?;
            holds(value.as_str().is_none_or(|s| pattern.is_match(s)))
        }
        "format" => holds(value.as_str().is_none_or(|s| match rule.as_str().unwrap_or_default() {
            "uuid" => uuid::Uuid::try_parse(s).is_ok(),
            "date-time" => s.parse::<jiff::Timestamp>().is_ok(),
            "int32" | "int64" | "float" | "double" => true,
            _ => false,
        })),
        "allOf" => list()?.iter().try_for_each(|s| fits(s, value, at)),
        "oneOf" => {
            let all: Vec<_> = list()?.iter().map(|s| fits(s, value, at)).collect();
            let good = all.iter().filter(|r| r.is_ok()).count();
            if good == 1 { Ok(()) } else { Err(format!("{at}: {good} of oneOf fit: {all:?}")) }
        }
        "properties" => {
            let Some(object) = value.as_object() else { return Ok(()) };
            let rules = rule.as_object().ok_or("properties are no object")?;
            rules
                .iter()
                .filter_map(|(k, s)| Some((k, s, object.get(k)?)))
                .try_for_each(|(k, schema, v)| fits(schema, v, &format!("{at}/{k}")))
        }
        "additionalProperties" => {
            let Some(object) = value.as_object() else { return Ok(()) };
            let known = rules.get("properties").and_then(Value::as_object);
            let other = object.iter().filter(|(k, _)| known.is_none_or(|p| !p.contains_key(*k)));
            other.into_iter().try_for_each(|(k, v)| fits(rule, v, &format!("{at}/{k}")))
        }
        "propertyNames" => {
            let Some(object) = value.as_object() else { return Ok(()) };
            object
                .keys()
                .try_for_each(|k| fits(rule, &Value::from(k.as_str()), &format!("{at}/{k}")))
        }
        "required" => {
            let Some(object) = value.as_object() else { return Ok(()) };
            let missing = |k: &&Value| !object.contains_key(k.as_str().unwrap_or_default());
            match list()?.iter().find(missing) {
                Some(k) => Err(format!("{at}: {k} is missing")),
                None => Ok(()),
            }
        }
        "items" => {
            let Some(all) = value.as_array() else { return Ok(()) };
            all.iter().enumerate().try_for_each(|(i, v)| fits(rule, v, &format!("{at}/{i}")))
        }
        "description" | "example" | "examples" | "default" | "title" => Ok(()),
        other => Err(format!("{at}: `{other}` is not checked by this test")),
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_checker_tells_good_from_bad() {
        let schema = json!({"type": "object", "required": ["a"], "additionalProperties": false,
            "properties": {"a": {"type": ["integer", "null"], "minimum": 1},
                "b": {"type": "array", "maxItems": 1, "items": {"type": "string", "pattern": "^x"}},
                "c": {"oneOf": [{"type": "null"}, {"type": "string", "format": "uuid"}]}}});
        for good in [json!({"a": 1}), json!({"a": null, "b": ["xy"], "c": null})] {
            assert_eq!(fits(&schema, &good, ""), Ok(()));
        }
        for bad in [
            json!([]),
            json!({}),
            json!({"a": 0}),
            json!({"a": 1.5}),
            json!({"a": 1, "b": ["y"]}),
            json!({"a": 1, "b": ["x", "x"]}),
            json!({"a": 1, "c": "no"}),
            json!({"a": 1, "d": 1}),
        ] {
            assert!(fits(&schema, &bad, "").is_err(), "{bad}");
        }
        assert!(fits(&json!({"dependentSchemas": {}}), &json!({}), "").is_err());
        assert!(
            operation("GET", "/v1/threads").is_some() && operation("PUT", "/v1/threads").is_none()
        );
    }
}

//! What `/docs` shows: the API's description, cut into what a template can print. Everything in it is
//! our own text.

use serde::Serialize;
use serde_json::{Map, Value};

/// `GET /docs`.
#[derive(Debug, Clone, Serialize)]
pub struct DocsPage {
    /// The introduction.
    pub about: Vec<Vec<Run>>,
    /// Operations by tag.
    pub groups: Vec<Group>,
    /// The types.
    pub schemas: Vec<Schema>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `text`, `code`, `strong` or `type`, which is the name of a schema.
    pub kind: &'static str,
    /// The words.
    pub text: String,
}

/// Operations of one tag.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The tag.
    pub name: String,
    /// What they have in common.
    pub about: Vec<Run>,
    /// The operations.
    pub operations: Vec<Operation>,
}

/// A method of a path.
#[derive(Debug, Clone, Serialize)]
pub struct Operation {
    /// Its name, which is its anchor, too.
    pub id: String,
    /// Upper case.
    pub method: String,
    /// With parameters in braces.
    pub path: String,
    /// In a few words.
    pub summary: String,
    /// In more.
    pub about: Vec<Vec<Run>>,
    /// In path, query and headers.
    pub parameters: Vec<Field>,
    /// What may be sent.
    pub bodies: Vec<Body>,
    /// What may be answered.
    pub answers: Vec<Answer>,
    /// A command; `$COUNTERSIGN` stands for the service's address, `$KEY` for the key.
    pub curl: String,
    /// Whether it can be tried from the page: nothing needs to be signed.
    pub can_try: bool,
}

/// A field or parameter.
#[derive(Debug, Clone, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// `path`, `query`, `header` or `body`.
    pub place: String,
    /// Whether it must be there.
    pub required: bool,
    /// Its type.
    pub kind: Vec<Run>,
    /// What it means.
    pub about: Vec<Run>,
}

/// A body of one media type.
#[derive(Debug, Clone, Serialize)]
pub struct Body {
    /// Its media type.
    pub media: String,
    /// Its type.
    pub kind: Vec<Run>,
    /// An example; empty when there is none.
    pub example: String,
}

/// An answer of one status.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The status.
    pub status: String,
    /// Whether it is a problem.
    pub refused: bool,
    /// What it means, a line for each code of a problem.
    pub lines: Vec<Vec<Run>>,
    /// What it holds.
    pub bodies: Vec<Body>,
}

/// A type.
#[derive(Debug, Clone, Serialize)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// What it means.
    pub about: Vec<Run>,
    /// What it is, where it isn't an object with fields.
    pub kind: Vec<Run>,
    /// Its fields.
    pub fields: Vec<Field>,
}

impl DocsPage {
    /// Of an OpenAPI document.
    pub fn of(document: &Value) -> Self {
        let tags = document["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
        let group = |tag: &Value| Group {
            name: text(&tag["name"]),
            about: runs(&text(&tag["description"])),
            operations: operations(document, &tag["name"]),
        };
        let schemas = document["components"]["schemas"].as_object();
        Self {
            about: paragraphs(&text(&document["info"]["description"])),
            groups: tags.iter().map(group).collect(),
            schemas: schemas.into_iter().flatten().map(|(n, s)| schema(n, s)).collect(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn operations(document: &Value, tag: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in ["get", "post", "patch", "put", "delete"] {
            let Some(o) = item.get(method) else { continue };
            if o["tags"].as_array().is_some_and(|tags| tags.contains(tag)) {
                all.push(operation(document, path, method, o));
            }
        }
    }
    all
}

fn operation(document: &Value, path: &str, method: &str, o: &Value) -> Operation {
    let parameters: Vec<Field> = list(&o["parameters"]).iter().map(parameter).collect();
    let bodies = bodies(&o["requestBody"]["content"]);
    let answers = o["responses"].as_object().into_iter().flatten();
    let signed = parameters.iter().any(|p| p.place == "header" && p.required);
    Operation {
        id: text(&o["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&o["summary"]),
        about: paragraphs(&text(&o["description"])),
        curl: curl(path, method, o.get("security").is_some(), &parameters, bodies.first()),
        can_try: !signed,
        answers: answers.map(|(status, r)| answer(status, resolved(document, r))).collect(),
        parameters,
        bodies,
    }
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|p| document.pointer(p)).unwrap_or(value)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn parameter(p: &Value) -> Field {
    Field {
        name: text(&p["name"]),
        place: text(&p["in"]),
        required: p["required"] == true,
        kind: type_of(&p["schema"]),
        about: runs(&text(&p["description"])),
    }
}

fn bodies(content: &Value) -> Vec<Body> {
    let body = |(media, c): (&String, &Value)| Body {
        media: media.clone(),
        kind: type_of(&c["schema"]),
        example: match &c["example"] {
            Value::Null => String::new(),
            Value::String(lines) => lines.clone(),
            value => serde_json::to_string_pretty(value).unwrap_or_default(),
        },
    };
    content.as_object().into_iter().flatten().map(body).collect()
}

fn answer(status: &str, r: &Value) -> Answer {
    let said = text(&r["description"]);
    let refused = status.starts_with(['4', '5']);
    let lines = said.lines().map(|l| runs(l.strip_prefix("- ").unwrap_or(l))).collect();
    let bodies = if refused { Vec::new() } else { bodies(&r["content"]) };
    Answer { status: status.to_owned(), refused, lines, bodies }
}

fn schema(name: &str, s: &Value) -> Schema {
    let mut fields = Vec::new();
    gather(s, &mut fields);
    let kind = match s.get("allOf") {
        _ if fields.is_empty() => type_of(s),
        Some(parts) => joined(list(parts).iter().filter(|p| p.get("$ref").is_some()), " and "),
        None => Vec::new(),
    };
    Schema { name: name.to_owned(), about: runs(&text(&s["description"])), kind, fields }
}

fn gather(s: &Value, fields: &mut Vec<Field>) {
    list(&s["allOf"]).iter().for_each(|part| gather(part, fields));
    let needed = list(&s["required"]);
    for (name, rule) in s["properties"].as_object().into_iter().flatten() {
        fields.push(Field {
            name: name.clone(),
            place: "body".to_owned(),
            required: needed.contains(&Value::from(name.as_str())),
            kind: type_of(rule),
            about: runs(&text(&rule["description"])),
        });
    }
}

fn plain(text: impl Into<String>) -> Run {
    Run { kind: "text", text: text.into() }
}

fn joined<'a>(parts: impl Iterator<Item = &'a Value>, between: &str) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    for part in parts {
        if !all.is_empty() {
            all.push(plain(between));
        }
        all.extend(type_of(part));
    }
    all
}

/// A type in words.
fn type_of(s: &Value) -> Vec<Run> {
    if let Some(reference) = s["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return vec![Run { kind: "type", text: name.to_owned() }];
    }
    for (keyword, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = s.get(keyword) {
            return joined(list(parts).iter(), between);
        }
    }
    if let Some(words) = s.get("enum") {
        let words = list(words).iter().filter_map(Value::as_str);
        return vec![plain(words.collect::<Vec<_>>().join(" | "))];
    }
    let kinds: Vec<&str> = match &s["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => return vec![plain("anything")],
    };
    let mut all = Vec::new();
    for kind in kinds {
        if !all.is_empty() {
            all.push(plain(" or "));
        }
        all.extend(simple(kind, s));
    }
    all.extend(limits(s.as_object()).map(plain));
    all
}

fn simple(kind: &str, s: &Value) -> Vec<Run> {
    let of = |words: &str, inner: &Value| {
        let mut all = vec![plain(words)];
        all.extend(type_of(inner));
        all
    };
    match (kind, &s["format"], &s["additionalProperties"]) {
        ("array", ..) => of("list of ", &s["items"]),
        ("object", _, inner) if inner.is_object() => of("object of ", inner),
        ("string", Value::String(format), _) => vec![plain(format!("string ({format})"))],
        _ => vec![plain(kind)],
    }
}

fn limits(s: Option<&Map<String, Value>>) -> Option<String> {
    let s = s?;
    let said = [
        ("minLength", "at least ", " characters"),
        ("maxLength", "at most ", " characters"),
        ("minItems", "at least ", ""),
        ("maxItems", "at most ", ""),
        ("minimum", "from ", ""),
        ("maximum", "to ", ""),
        ("pattern", "", ""),
    ];
    let of = |(keyword, before, after): (&str, &str, &str)| {
        let value = s.get(keyword)?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(format!("{before}{value}{after}"))
    };
    let all: Vec<String> = said.into_iter().filter_map(of).collect();
    (!all.is_empty()).then(|| format!(", {}", all.join(", ")))
}

fn paragraphs(text: &str) -> Vec<Vec<Run>> {
    text.split("\n\n").filter(|p| !p.is_empty()).map(runs).collect()
}

/// Cuts a line of Markdown at `` `code` `` and `**strong**`.
fn runs(text: &str) -> Vec<Run> {
    let mut all = Vec::new();
    for (i, part) in text.split('`').enumerate() {
        if i % 2 == 1 {
            all.push(Run { kind: "code", text: part.to_owned() });
            continue;
        }
        for (i, part) in part.split("**").enumerate() {
            let kind = if i % 2 == 1 { "strong" } else { "text" };
            all.push(Run { kind, text: part.to_owned() });
        }
    }
    all.retain(|run| !run.text.is_empty());
    all
}

fn curl(path: &str, method: &str, key: bool, parameters: &[Field], body: Option<&Body>) -> String {
    let path = path.replace('{', "$").replace('}', "").replace("$id", "$ID");
    let path = path.replace("$channel", "$CHANNEL");
    let mut parts = vec![match method {
        "get" => format!("curl \"$COUNTERSIGN{path}\""),
        "post" if body.is_some() => format!("curl \"$COUNTERSIGN{path}\""),
        _ => format!("curl -X {} \"$COUNTERSIGN{path}\"", method.to_uppercase()),
    }];
    if key {
        parts.push("-H \"Authorization: Bearer $KEY\"".to_owned());
    }
    for p in parameters.iter().filter(|p| p.place == "header" && p.required) {
        let variable = p.name.to_uppercase().replace('-', "_");
        parts.push(format!("-H \"{}: ${variable}\"", p.name));
    }
    if let Some(body) = body {
        let example = match serde_json::from_str::<Value>(&body.example) {
            Ok(value) => value.to_string(),
            Err(_) => "{}".to_owned(),
        };
        parts.push(format!("-d '{}'", example.replace('\'', "'\\''")));
    }
    parts.join(" \\\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;

    #[test]
    fn every_operation_and_schema_is_on_the_page() {
        let document = openapi::document();
        let page = DocsPage::of(&document);
        let shown: usize = page.groups.iter().map(|g| g.operations.len()).sum();
        let items = document["paths"].as_object().unwrap().values();
        let there: usize = items.map(|i| i.as_object().unwrap().len()).sum();
        assert_eq!(shown, there);
        assert!(page.groups.iter().all(|g| !g.operations.is_empty()));
        assert_eq!(
            page.schemas.len(),
            document["components"]["schemas"].as_object().unwrap().len()
        );
        let classify = page.groups.iter().flat_map(|g| &g.operations).find(|o| o.id == "classify");
        let classify = classify.unwrap();
        assert!(
            classify.can_try && classify.curl.starts_with("curl \"$COUNTERSIGN/v1/classify\" \\\n")
        );
        assert!(classify.answers.iter().any(|a| a.status == "429" && a.refused));
    }

    #[test]
    fn lines_are_cut_at_their_marks() {
        let kinds: Vec<_> =
            runs("a `b` **c** d").iter().map(|r| (r.kind, r.text.clone())).collect();
        let expected =
            [("text", "a "), ("code", "b"), ("text", " "), ("strong", "c"), ("text", " d")];
        assert_eq!(kinds, expected.map(|(k, t)| (k, t.to_owned())));
        assert_eq!(
            type_of(&serde_json::json!({"type": ["string", "null"], "maxLength": 9})).len(),
            4
        );
    }
}

//! Labelled texts from people's files: JSON Lines or CSV. A bad line is reported by its number and the run goes on.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::say;
use crate::nlp::heads::Input;
use crate::nlp::heads::trained::{Example, Task};

/// Where a file holds what.
#[derive(clap::Args, Debug, Clone)]
pub struct Fields {
    /// The field of the label.
    #[arg(long, default_value = "label", value_name = "NAME")]
    pub label_field: String,
    /// The field of the text.
    #[arg(long, default_value = "text", value_name = "NAME")]
    pub text_field: String,
}

/// The rows of some files.
#[derive(Debug, Default)]
pub struct Labelled {
    /// Text and label of each good line.
    pub examples: Vec<Example>,
    /// The line's `id`, or file and line where it has none.
    pub ids: Vec<Value>,
    /// How many lines were no use.
    pub bad: u64,
}

/// Reads files one after the other. `.csv` and `.tsv` have a line of names first; everything else is JSON
/// Lines.
///
/// # Errors
/// When a file can't be read at all.
pub fn read(files: &[PathBuf], fields: &Fields, task: Task) -> anyhow::Result<Labelled> {
    let mut all = Labelled::default();
    for file in files {
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => csv(file, b',', fields, task, &mut all)?,
            "tsv" => csv(file, b'\t', fields, task, &mut all)?,
            _ => json_lines(file, fields, task, &mut all)?,
        }
    }
    Ok(all)
}

impl Labelled {
    fn take(
        &mut self,
        file: &Path,
        line: u64,
        row: Result<Map<String, Value>, String>,
        fields: &Fields,
        task: Task,
    ) {
        let name = file.display();
        match row.and_then(|row| example(&row, fields, task).map(|e| (e, row))) {
            Ok((example, row)) => {
                let id = row.get("id").filter(|id| id.is_string() || id.is_number());
                self.ids.push(id.cloned().unwrap_or_else(|| format!("{name}:{line}").into()));
                self.examples.push(example);
            }
            Err(e) => {
                self.bad += 1;
                say(&format!("{name}, line {line}: {e}"));
            }
        }
    }
}

/// A label as text: numbers and booleans are labels too.
pub fn label(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn example(row: &Map<String, Value>, fields: &Fields, task: Task) -> Result<Example, String> {
    let missing = |field: &str| format!("`{field}` is missing or of the wrong type");
    let text = row.get(&fields.text_field).and_then(Value::as_str);
    let text = text.ok_or_else(|| missing(&fields.text_field))?;
    let label = label(row.get(&fields.label_field)).ok_or_else(|| missing(&fields.label_field))?;
    task.label(&label).map_err(|e| e.to_string())?;
    let subject = row.get("subject").and_then(Value::as_str);
    let text = Input { subject, text, ..Input::default() }.encoder_text().into_owned();
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    Ok(Example { text, label })
}

fn json_lines(file: &Path, fields: &Fields, task: Task, all: &mut Labelled) -> anyhow::Result<()> {
    let mut lines = BufReader::new(File::open(file).with_context(|| file.display().to_string())?);
    let (mut buffer, mut number) = (Vec::new(), 0);
    loop {
        buffer.clear();
        if lines.read_until(b'\n', &mut buffer).with_context(|| file.display().to_string())? == 0 {
            return Ok(());
        }
        number += 1;
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row = match serde_json::from_slice(&buffer) {
            Ok(Value::Object(row)) => Ok(row),
            Ok(_) => Err("not a JSON object".to_owned()),
            Err(e) => Err(format!("not JSON (column {})", e.column())),
        };
        all.take(file, number, row, fields, task);
    }
}

fn csv(
    file: &Path,
    delimiter: u8,
    fields: &Fields,
    task: Task,
    all: &mut Labelled,
) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_path(file)
        .with_context(|| file.display().to_string())?;
    let names = reader.headers().with_context(|| file.display().to_string())?.clone();
    for wanted in [&fields.text_field, &fields.label_field] {
        anyhow::ensure!(
            names.iter().any(|name| name.trim_start_matches('\u{feff}') == wanted),
            "{}: no column `{wanted}`; name it with --text-field or --label-field",
            file.display()
        );
    }
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        let row = match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => Ok(names
                .iter()
                .zip(&record)
                .map(|(n, v)| (n.trim_start_matches('\u{feff}').to_owned(), v.into()))
                .collect()),
            Err(e) if e.is_io_error() => return Err(e).with_context(|| file.display().to_string()),
            Err(_) => Err("not a row of this table".to_owned()),
        };
        let line = record.position().map_or(line, csv::Position::line);
        all.take(file, line, row, fields, task);
    }
}

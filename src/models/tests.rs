//! Pulls of a small model, from folders and from a server on this machine that may break off.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::*;

const WORDS: &[u8] = b"the words";
const NOTES: &[u8] = b"what need not be there";

/// Contents that no accident repeats, larger than one packet.
fn weights() -> Vec<u8> {
    (0..100_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn pinned(name: &'static str, content: &[u8], required: bool) -> ModelFile {
    let sha256 = hex::encode(Sha256::digest(content)).leak();
    ModelFile { name, sha256, bytes: content.len() as u64, required }
}

/// A model of three files: words, notes that nobody needs, weights.
fn model() -> Model {
    let files = vec![
        pinned("words.json", WORDS, true),
        pinned("NOTES", NOTES, false),
        pinned("weights.bin", &weights(), true),
    ];
    Model {
        name: "small",
        repository: "someone/small",
        licence: "Apache-2.0",
        files: files.leak(),
        wheels: &[],
    }
}

fn put(dir: &Path, files: &[(&str, &[u8])]) {
    std::fs::create_dir_all(dir).unwrap();
    for (name, content) in files {
        std::fs::write(dir.join(name), content).unwrap();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    all.sort();
    all
}

async fn pull_from(sources: &[Source], target: &Path) -> Result<(), PullError> {
    pull(&model(), sources, target, &mut |_| {}).await
}

/// The one source's fault.
fn fault(result: Result<(), PullError>) -> SourceError {
    match result {
        Err(PullError::NoSource { mut attempts, .. }) => {
            assert_eq!(attempts.len(), 1);
            attempts.remove(0).1
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_folder_fills_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to/small"));
    // Some lie in the folder itself, some in one named as the model.
    put(&from, &[("words.json", WORDS)]);
    put(&from.join("small"), &[("weights.bin", &weights()), ("unasked", b"?")]);
    let mut seen = Vec::new();
    let mut progress = |p: Progress| seen.push(p);
    pull(&model(), &[Source::Folder(from.clone())], &to, &mut progress).await.unwrap();

    assert_eq!(names(&to), ["NOTICE", "SHA256SUMS", "weights.bin", "words.json"]);
    assert_eq!(std::fs::read(to.join("words.json")).unwrap(), WORDS);
    assert_eq!(std::fs::read(to.join("weights.bin")).unwrap(), weights());
    let files = model().files;
    let sums = format!("{}  words.json\n{}  weights.bin\n", files[0].sha256, files[2].sha256);
    assert_eq!(std::fs::read_to_string(to.join("SHA256SUMS")).unwrap(), sums);
    assert!(std::fs::read_to_string(to.join("NOTICE")).unwrap().contains("Apache-2.0"));
    let size = weights().len() as u64;
    let last = Progress { what: "weights.bin".to_owned(), done: size, total: Some(size) };
    assert_eq!(seen.last(), Some(&last));

    // What is whole needs no source.
    pull_from(&[], &to).await.unwrap();
}

#[tokio::test]
async fn what_need_not_be_there_is_taken_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    put(&from, &[("words.json", WORDS), ("NOTES", NOTES), ("weights.bin", &weights())]);
    pull_from(&[Source::Folder(from)], &to).await.unwrap();
    assert_eq!(std::fs::read(to.join("NOTES")).unwrap(), NOTES);
    assert!(std::fs::read_to_string(to.join("SHA256SUMS")).unwrap().contains("  NOTES\n"));
}

#[tokio::test]
async fn another_content_is_refused_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let mut wrong = weights();
    wrong[7] ^= 1;
    put(&from, &[("words.json", WORDS), ("weights.bin", &wrong)]);
    let result = pull_from(&[Source::Folder(from.clone())], &to).await;
    let text = result.as_ref().unwrap_err().to_string();
    let expected = model().files[2].sha256;
    assert!(text.contains("folder:") && text.contains(expected), "{text}");
    match fault(result) {
        SourceError::Digest { file, found, expected: wanted } => {
            assert_eq!((file.as_str(), wanted.as_str()), ("weights.bin", expected));
            assert_eq!(found, hex::encode(Sha256::digest(&wrong)));
        }
        other => panic!("{other:?}"),
    }
    // Only the folder in which files are staged, and of the wrong file not even a part.
    assert_eq!(names(&to), [".pull"]);
    assert_eq!(names(&to.join(".pull")), ["lock", "words.json"]);

    // The next one goes on with what was right.
    put(&from, &[("weights.bin", &weights())]);
    std::fs::remove_file(from.join("words.json")).unwrap();
    pull_from(&[Source::Folder(from)], &to).await.unwrap();
    assert_eq!(names(&to), ["NOTICE", "SHA256SUMS", "weights.bin", "words.json"]);
}

#[tokio::test]
async fn a_missing_file_is_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    put(&from, &[("words.json", WORDS)]);
    let result = pull_from(&[Source::Folder(from)], &to).await;
    let text = result.as_ref().unwrap_err().to_string();
    assert!(text.contains("it has no weights.bin"), "{text}");
    assert!(text.contains("words.json  9 bytes  SHA-256"), "{text}");
    assert!(matches!(fault(result), SourceError::Absent { file } if file == "weights.bin"));
    let none = pull_from(&[], &to).await.unwrap_err().to_string();
    assert!(none.contains("No source is set."), "{none}");
}

/// A hub on this machine. `act` gets each request's path, its `Range` and the open connection.
fn hub(act: impl Fn(&str, Option<u64>, &mut TcpStream) + Send + 'static) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("hub:http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let range = head
                .lines()
                .find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'))
                .map(|from| from.parse().unwrap());
            act(&path, range, &mut stream);
        }
    });
    address.parse().unwrap()
}

/// Answers with `content` from `range` on, but breaks off after `most` bytes.
fn answer(stream: &mut TcpStream, content: &[u8], range: Option<u64>, most: usize) {
    let from = range.unwrap_or(0) as usize;
    let rest = &content[from..];
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len());
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&rest[..most.min(rest.len())]);
}

fn refuse(stream: &mut TcpStream) {
    let head = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(head).unwrap();
}

#[tokio::test]
async fn a_download_that_broke_off_goes_on_where_it_stopped() {
    const CUT: usize = 150_000;
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let (asked, broken) = (Arc::clone(&ranges), AtomicBool::new(false));
    let source = hub(move |path, range, stream| match path {
        "/someone/small/resolve/main/words.json" => answer(stream, WORDS, range, usize::MAX),
        "/someone/small/resolve/main/weights.bin" => {
            asked.lock().unwrap().push(range);
            let first = !broken.swap(true, Ordering::SeqCst);
            answer(stream, &weights(), range, if first { CUT } else { usize::MAX });
        }
        _ => refuse(stream),
    });
    let dir = tempfile::tempdir().unwrap();
    let sources = [source];
    let first = pull_from(&sources, dir.path()).await;
    assert!(matches!(fault(first), SourceError::Request(_)));
    assert_eq!(names(dir.path()), [".pull"]);
    let part = std::fs::read(dir.path().join(".pull/weights.bin.part")).unwrap();
    assert!(part.len() == CUT && weights().starts_with(&part), "{}", part.len());

    let mut seen = Vec::new();
    let mut progress = |p: Progress| seen.push(p.done);
    pull(&model(), &sources, dir.path(), &mut progress).await.unwrap();
    assert_eq!(*ranges.lock().unwrap(), [None, Some(CUT as u64)]);
    assert!(seen[0] > CUT as u64, "{seen:?}");
    assert_eq!(std::fs::read(dir.path().join("weights.bin")).unwrap(), weights());
    assert_eq!(names(dir.path()), ["NOTICE", "SHA256SUMS", "weights.bin", "words.json"]);
}

#[tokio::test]
async fn a_server_without_ranges_sends_it_all_again() {
    let source = hub(|path, _, stream| {
        let content = if path.ends_with("words.json") { WORDS.to_vec() } else { weights() };
        answer(stream, &content, None, usize::MAX);
    });
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join(".pull"), &[("weights.bin.part", b"not how it begins")]);
    // It answers any path, so the notes are another content; nobody needs them.
    pull_from(&[source], dir.path()).await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("weights.bin")).unwrap(), weights());
    assert!(!dir.path().join("NOTES").exists());
}

#[tokio::test]
async fn a_hub_that_sends_too_much_is_refused() {
    let source = hub(|path, range, stream| match path.ends_with("words.json") {
        true => answer(stream, b"the words and more", range, usize::MAX),
        false => answer(stream, &weights(), range, usize::MAX),
    });
    let dir = tempfile::tempdir().unwrap();
    let error = fault(pull_from(&[source], dir.path()).await);
    assert!(matches!(&error, SourceError::Digest { file, .. } if file == "words.json"), "{error}");
    assert_eq!(names(&dir.path().join(".pull")), ["lock"]);
}

#[tokio::test]
async fn a_second_puller_hears_that_the_folder_is_busy() {
    let (arrived, at_work) = mpsc::channel();
    let (go, going) = mpsc::channel::<()>();
    let source = hub(move |path, range, stream| {
        let _ = arrived.send(());
        // Until the second has had its answer.
        let _ = going.recv_timeout(Duration::from_secs(30));
        match path.rsplit('/').next() {
            Some("words.json") => answer(stream, WORDS, range, usize::MAX),
            Some("weights.bin") => answer(stream, &weights(), range, usize::MAX),
            _ => refuse(stream),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let target: PathBuf = dir.path().to_owned();
    let first = thread::spawn({
        let target = target.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(pull_from(&[source], &target))
        }
    });
    at_work.recv_timeout(Duration::from_secs(30)).unwrap();
    match pull_from(&[], &target).await {
        Err(PullError::Busy { path }) => assert_eq!(path, target),
        other => panic!("{other:?}"),
    }
    drop(go);
    first.join().unwrap().unwrap();
    pull_from(&[], &target).await.unwrap();
}

#[test]
fn sources_are_read_and_written_alike() {
    for text in ["folder:/srv/models", "pip:some-package==1.0.2", "hub:https://hub.example/base"] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
    let wheel = &ALL_MINILM_L6_V2.wheels[0];
    let known: Source = format!("pip:{} == {}", wheel.package, wheel.version).parse().unwrap();
    assert!(
        matches!(&known, Source::Pip { wheel_sha256: Some(pin), .. } if pin == wheel.sha256),
        "{known:?}"
    );
    let unknown: Source = format!("pip:{}==9.9.9", wheel.package).parse().unwrap();
    assert!(matches!(unknown, Source::Pip { wheel_sha256: None, .. }), "{unknown:?}");
}

#[test]
fn what_is_no_source_is_told_what_one_is() {
    let fault = |text: &str| text.parse::<Source>().unwrap_err();
    for text in ["", "folder", "folder:", "/srv/models", "ftp:x", "Folder:/srv"] {
        assert!(matches!(fault(text), SourceParseError::Kind(t) if t == text), "{text}");
    }
    for text in
        ["pip:", "pip:name", "pip:name=1", "pip:==1", "pip:name==", "pip:--index==1", "pip:a b==1"]
    {
        assert!(matches!(fault(text), SourceParseError::Package(_)), "{text}");
    }
    assert!(matches!(fault("hub:hub.example"), SourceParseError::Address { .. }));
    for text in ["hub:ftp://hub.example", "hub:file:///srv"] {
        assert!(matches!(fault(text), SourceParseError::Scheme(_)), "{text}");
    }
    assert!(fault("nowhere").to_string().contains("hub:https://address"));
}

#[test]
fn files_are_missing_torn_or_right() {
    let dir = tempfile::tempdir().unwrap();
    let model = model();
    let states = || {
        let all = inspect(&model, dir.path()).into_iter();
        all.map(|(file, state)| (file.name, state)).collect::<Vec<_>>()
    };
    assert!(states().iter().all(|(_, state)| *state == FileState::Absent));
    let whole = weights();
    put(dir.path(), &[("words.json", WORDS), ("weights.bin", &whole[..whole.len() / 2])]);
    std::fs::create_dir(dir.path().join("NOTES")).unwrap();
    assert_eq!(
        states(),
        [
            ("words.json", FileState::Verified),
            ("NOTES", FileState::Unreadable),
            ("weights.bin", FileState::Differs),
        ]
    );
}

#[test]
fn the_known_models_are_pinned_whole() {
    for model in MODELS {
        let pins =
            model.files.iter().map(|f| f.sha256).chain(model.wheels.iter().map(|w| w.sha256));
        for pin in pins {
            assert!(pin.len() == 64 && pin.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
        // What takes a folder for a model looks for the weights: they are moved in last.
        assert!(model.files.last().is_some_and(|file| file.name == "model.safetensors"));
    }
}

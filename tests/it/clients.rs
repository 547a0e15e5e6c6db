//! The Python and the TypeScript client against the real binary, their types against the description,
//! and the commands of the cookbook.

use crate::live::Live;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_python_client_works() {
    let live = Live::start(&["review.hold_s=600"]).await;
    let words = ["-m", "unittest", "discover", "-s", "clients/python/tests"];
    let said = live.run("python3", &words).await.stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("OK") && !said.contains("skipped"), "{said}");
    live.process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_typescript_client_works() {
    let live = Live::start(&["review.hold_s=600"]).await;
    let files = ["service", "retries"].map(|n| format!("clients/typescript/test/{n}.test.js"));
    let said = live.run("node", &["--test", &files[0], &files[1]]).await.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("# fail 0") && said.contains("# skipped 0"), "{said}");
    live.process.stop().await;
}

#[test]
fn the_types_of_the_clients_are_those_of_the_description() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = std::process::Command::new("python3")
        .args(["scripts/client_types.py", "--check"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Every block of commands, in order, in one shell: later ones use what earlier ones set.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cookbook_works() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let book = std::fs::read_to_string(root.join("docs/cookbook.md")).unwrap();
    let blocks: Vec<&str> = book
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(blocks.len() > 8, "{}", blocks.len());
    let mut script = String::from("set -euo pipefail\n");
    for (i, block) in blocks.iter().enumerate() {
        script.push_str(&format!("echo '# block {}' >&2\n{block}", i + 1));
    }
    let live = Live::start(&["review.hold_s=600"]).await;
    live.run("bash", &["-c", &script]).await;
    live.process.stop().await;
}

//! A PostgreSQL of the test's own, that it may restart, stop and freeze.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The server's programs; the newest of several versions.
fn bin() -> PathBuf {
    let mut all: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|d| d.unwrap().path().join("bin"))
        .filter(|d| d.join("initdb").is_file())
        .collect();
    all.sort();
    all.pop().expect("PostgreSQL's programs: run the tests by `make test`, which installs them")
}

/// Removed with its test.
pub struct Cluster {
    dir: tempfile::TempDir,
    port: u16,
    pub url: String,
}

impl Cluster {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("countersign-pg.").tempdir_in("/tmp").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if is_root() {
            // initdb refuses root.
            let owned = Command::new("chown").arg("postgres").arg(dir.path()).status().unwrap();
            assert!(owned.success());
        }
        let me = Self { dir, port, url: format!("postgres://test@127.0.0.1:{port}/postgres") };
        let data = me.data();
        me.run("initdb", &["-D", &data, "-U", "test", "-A", "trust", "--no-sync"]);
        me.control("start");
        me
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, args: &[&str]) {
        let program = bin().join(program);
        let mut command = if is_root() {
            let mut c = Command::new("runuser");
            c.args(["-u", "postgres", "--"]).arg(program);
            c
        } else {
            Command::new(program)
        };
        let status = command
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}: {status}");
    }

    /// `start`, or `restart` as after a crash: nothing is written back first.
    pub fn control(&self, action: &str) {
        let (data, log) = (self.data(), self.dir.path().join("log").display().to_string());
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} \
             -c shared_buffers=32MB",
            self.port,
            self.dir.path().display()
        );
        self.run(
            "pg_ctl",
            &["-D", &data, "-w", "-l", &log, "-m", "immediate", "-o", &options, action],
        );
    }

    /// Sends a signal to every process of the server.
    pub fn signal(&self, name: &str) {
        let file = Path::new(&self.data()).join("postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        let postmaster = text.lines().next().unwrap().to_owned();
        let children =
            std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))
                .unwrap();
        for pid in children.split_whitespace().chain([postmaster.as_str()]) {
            // One that has ended meanwhile needs none.
            let _ = Command::new("kill").args([name, pid]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::fs::exists(Path::new(&self.data()).join("postmaster.pid")).unwrap_or(false) {
            self.signal("-CONT");
            let stop = std::panic::AssertUnwindSafe(|| self.control("stop"));
            let _ = std::panic::catch_unwind(stop);
        }
    }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|s| s.lines().any(|l| l.starts_with("Uid:\t0\t")))
}

//! Named places at which a test can end or hold the process. `COUNTERSIGN_FAIL=understand.before:3`
//! aborts at the third passage of that place; `understand.read@ID` only where the place is passed for
//! that id; `job.claimed=stop` stops the process (SIGSTOP) instead, as a machine that hangs would.
//! Compiled to nothing in release builds.

/// Passes a named place.
#[inline]
pub fn point(name: &str) {
    at(name, "");
}

/// Passes a named place on behalf of something that has an id.
#[inline]
pub fn at(name: &str, id: &str) {
    #[cfg(debug_assertions)]
    armed::at(name, id);
    #[cfg(not(debug_assertions))]
    let _ = (name, id);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) struct Armed {
        pub(super) place: String,
        pub(super) id: Option<String>,
        pub(super) left: AtomicU64,
        pub(super) stop: bool,
    }

    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

    impl Armed {
        /// Reads `PLACE[@ID][:N][=stop]`.
        pub(super) fn read(spec: &str) -> Self {
            let (spec, action) = spec.split_once('=').unwrap_or((spec, ""));
            let (spec, n) = spec.split_once(':').unwrap_or((spec, "1"));
            let (place, id) = match spec.split_once('@') {
                Some((place, id)) => (place, Some(id.to_owned())),
                None => (spec, None),
            };
            Self {
                place: place.to_owned(),
                id,
                left: AtomicU64::new(n.parse().unwrap_or(1)),
                stop: action == "stop",
            }
        }

        /// Whether this passage is the one.
        pub(super) fn hit(&self, name: &str, id: &str) -> bool {
            self.place == name
                && self.id.as_deref().is_none_or(|want| want == id)
                && self.left.fetch_sub(1, Ordering::SeqCst) == 1
        }
    }

    pub fn at(name: &str, id: &str) {
        let armed =
            ARMED.get_or_init(|| Some(Armed::read(&std::env::var("COUNTERSIGN_FAIL").ok()?)));
        let Some(a) = armed.as_ref().filter(|a| a.hit(name, id)) else { return };
        if a.stop {
            let me = std::process::id().to_string();
            let _ = std::process::Command::new("kill").args(["-STOP", &me]).status();
            // On a busy machine another thread may take the signal a moment after this one went on.
            std::thread::sleep(std::time::Duration::from_millis(500));
        } else {
            // The same as `kill -9`: no destructor runs, nothing is flushed.
            std::process::abort();
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::Armed;

    #[test]
    fn a_place_is_hit_at_its_passage_and_for_its_id_only() {
        let third = Armed::read("a.b:3");
        assert_eq!([1, 2, 3, 4].map(|_| third.hit("a.b", "x")), [false, false, true, false]);
        let one = Armed::read("a.b@x=stop");
        assert!(one.stop && !one.hit("a.b", "y") && !one.hit("a.c", "x"));
        assert!(one.hit("a.b", "x") && !one.hit("a.b", "x"));
        assert!(!third.stop);
    }
}

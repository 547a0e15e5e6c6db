//! Named places at which a test can kill the process. `COUNTERSIGN_FAIL=understand.before:3` aborts
//! at the third passage of that place. Compiled to nothing in release builds.

/// Passes a named place.
#[inline]
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    armed::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        name: String,
        left: AtomicU64,
    }

    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

    pub fn point(name: &str) {
        let armed = ARMED.get_or_init(|| {
            let spec = std::env::var("COUNTERSIGN_FAIL").ok()?;
            let (name, n) = spec.split_once(':').unwrap_or((&spec, "1"));
            Some(Armed { name: name.to_owned(), left: AtomicU64::new(n.parse().unwrap_or(1)) })
        });
        if let Some(a) = armed
            && a.name == name
            && a.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            // The same as `kill -9`: no destructor runs, nothing is flushed.
            std::process::abort();
        }
    }
}

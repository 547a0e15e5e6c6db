//! Processor time of this process, so that what else the machine does counts as little as possible.
//! The peers' package has this file too: both sides are timed alike.

use std::time::{Duration, Instant};

/// A time in which all messages are read again and again: long beside the kernel's tick, in which
/// it books processor time.
const ROUND: Duration = Duration::from_millis(1500);

/// Processor time that the threads of this process have used, or `None` where the kernel doesn't
/// tell (Linux does). All of them, as an encoder computes in threads of its own.
fn spent() -> Option<Duration> {
    let mut nanoseconds = 0u64;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        // A thread that has ended in between took no part.
        let Ok(line) = std::fs::read_to_string(thread.ok()?.path().join("schedstat")) else {
            continue;
        };
        nanoseconds += line.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

/// Runs `work` once and gives the seconds that it took: of the processor, or else by the clock.
pub fn seconds(work: impl FnOnce()) -> f64 {
    let (begun, before) = (Instant::now(), spent());
    work();
    let clock = begun.elapsed();
    let cpu = before.and_then(|b| spent()?.checked_sub(b)).filter(|t| !t.is_zero());
    cpu.unwrap_or(clock).as_secs_f64()
}

/// Does `one` to every text, again and again for a round; gives texts per second and what `one`
/// gave in all for the texts read once.
pub fn rate(texts: &[String], one: impl Fn(&str) -> usize) -> (f64, usize) {
    let mut passes = 0u32;
    let mut found = 0;
    let taken = seconds(|| {
        let begun = Instant::now();
        while passes == 0 || begun.elapsed() < ROUND {
            found = texts.iter().map(|t| one(std::hint::black_box(t))).sum();
            passes += 1;
        }
    });
    let read = f64::from(passes) * f64::from(u32::try_from(texts.len()).unwrap_or(u32::MAX));
    (read / taken, found)
}

//! Processor time of one thread, so that what else the machine does counts as little as possible.
//! The peers' package has this file too: both sides are timed alike.

use std::time::{Duration, Instant};

/// A time in which all messages are read again and again: long beside the kernel's tick, in which
/// it books processor time.
const ROUND: Duration = Duration::from_millis(1500);

/// Processor time that this thread has used, or `None` where the kernel doesn't tell (Linux does).
fn spent() -> Option<Duration> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
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

//! A request's body as lines, one at a time: however large the body, no more than one line of it is
//! held.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use tokio::time::Instant;

/// Why there are no more lines, though the body has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broke {
    /// No line came for too long.
    #[error("no line that holds anything came within server.body_timeout_s")]
    Slow,
    /// The connection broke.
    #[error("the body broke off")]
    Gone,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Its bytes, without the line's end.
    Whole(Vec<u8>),
    /// It was longer than allowed and is thrown away.
    TooLong,
}

/// Reads lines.
#[derive(Debug)]
pub struct Lines {
    body: Body,
    /// What has arrived.
    buffer: Vec<u8>,
    /// So much of the buffer is given out.
    start: usize,
    /// Between there and here is no line's end.
    looked: usize,
    /// The rest of a line that is too long is being skipped.
    skipping: bool,
    ended: bool,
    number: u64,
    most: usize,
    patience: Duration,
    /// Since when a line is waited for.
    waiting: Option<Instant>,
}

impl Lines {
    /// Lines of up to `most` bytes; waits for each for `patience`, however many blank ones come meanwhile.
    pub fn new(body: Body, most: usize, patience: Duration) -> Self {
        let buffer = Vec::new();
        Self {
            body,
            buffer,
            start: 0,
            looked: 0,
            skipping: false,
            ended: false,
            number: 0,
            most,
            patience,
            waiting: None,
        }
    }

    /// The number of the last line, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Waits for the next line from now on.
    pub fn wait_anew(&mut self) {
        self.waiting = None;
    }

    /// The next line that isn't blank; none at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Broke`].
    pub async fn next(&mut self) -> Result<Option<Line>, Broke> {
        let until = *self.waiting.get_or_insert_with(Instant::now) + self.patience;
        loop {
            if let Some(line) = self.complete() {
                if matches!(&line, Line::Whole(text) if text.iter().all(u8::is_ascii_whitespace)) {
                    continue;
                }
                self.waiting = None;
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            // Blank lines that are there at once would never let the time-out have its turn.
            if Instant::now() >= until {
                return Err(Broke::Slow);
            }
            let more = tokio::time::timeout_at(until, self.body.frame());
            match more.await.map_err(|_| Broke::Slow)? {
                None => self.ended = true,
                Some(Err(_)) => return Err(Broke::Gone),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.buffer.drain(..self.start);
                        self.looked -= self.start;
                        self.start = 0;
                        self.buffer.extend_from_slice(bytes);
                    }
                }
            }
        }
    }

    /// A line that has arrived whole; at the body's end its rest is one, too.
    fn complete(&mut self) -> Option<Line> {
        let found = self.buffer[self.looked..].iter().position(|b| *b == b'\n');
        let end = match found {
            Some(at) => self.looked + at,
            None if self.ended && (self.skipping || self.start < self.buffer.len()) => {
                self.buffer.len()
            }
            None => {
                self.looked = self.buffer.len();
                if self.skipping || self.looked - self.start > self.most {
                    self.skipping = true;
                    self.start = self.looked;
                }
                return None;
            }
        };
        let text = &self.buffer[self.start..end];
        let too_long = std::mem::take(&mut self.skipping) || text.len() > self.most;
        let line = if too_long { Line::TooLong } else { Line::Whole(text.to_vec()) };
        self.start = (end + 1).min(self.buffer.len());
        self.looked = self.start;
        self.number += 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::StreamExt as _;

    use super::*;

    async fn lines(pieces: &[&'static str]) -> Vec<(u64, Result<String, ()>)> {
        let pieces: Vec<_> = pieces.iter().map(|p| Ok::<_, Infallible>(*p)).collect();
        let body = Body::from_stream(futures::stream::iter(pieces));
        let mut lines = Lines::new(body, 8, Duration::from_secs(5));
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            let text = match line {
                Line::Whole(text) => Ok(String::from_utf8(text).unwrap()),
                Line::TooLong => Err(()),
            };
            all.push((lines.number(), text));
        }
        all
    }

    fn whole(number: u64, text: &str) -> (u64, Result<String, ()>) {
        (number, Ok(text.to_owned()))
    }

    #[tokio::test]
    async fn lines_are_found_however_they_arrive() {
        let want = [whole(1, "one"), whole(2, "two"), whole(4, "four")];
        assert_eq!(lines(&["one\ntwo\n \nfour\n"]).await, want);
        assert_eq!(lines(&["o", "ne\nt", "wo", "\n", "\nfo", "ur"]).await, want);
        assert_eq!(lines(&[]).await, []);
        assert_eq!(lines(&["\r\n\n"]).await, []);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_told() {
        let want = [whole(1, "a"), (2, Err(())), whole(3, "12345678"), (4, Err(()))];
        assert_eq!(lines(&["a\n123456789\n12345678\n123456789"]).await, want);
        let pieces = ["a\n1234", "56789", "0123456789", "0\n1234", "5678\n1234567", "8", "9", "0"];
        assert_eq!(lines(&pieces).await, want);
    }

    #[tokio::test]
    async fn a_body_that_stands_still_or_breaks_off_says_which() {
        let never = futures::stream::pending::<Result<&str, Infallible>>();
        let mut slow = Lines::new(Body::from_stream(never), 8, Duration::from_millis(20));
        assert_eq!(slow.next().await, Err(Broke::Slow));
        let blank = futures::stream::repeat_with(|| Ok::<_, Infallible>(" \n"));
        let mut blank = Lines::new(Body::from_stream(blank), 8, Duration::from_millis(20));
        assert_eq!(blank.next().await, Err(Broke::Slow));
        // Who was kept waiting himself has all the time again.
        let late = futures::stream::iter([Ok::<_, Infallible>("a"), Ok("b\n")]);
        let late = late.then(|piece| async move {
            if matches!(piece, Ok("b\n")) {
                tokio::task::yield_now().await;
            }
            piece
        });
        let mut late = Lines::new(Body::from_stream(late), 8, Duration::from_millis(20));
        assert!(futures::FutureExt::now_or_never(late.next()).is_none(), "the rest is on its way");
        tokio::time::sleep(Duration::from_millis(40)).await;
        late.wait_anew();
        assert_eq!(late.next().await, Ok(Some(Line::Whole(b"ab".to_vec()))));
        let gone = futures::stream::iter([Err::<&str, _>(std::io::Error::other("reset"))]);
        let mut gone = Lines::new(Body::from_stream(gone), 8, Duration::from_secs(5));
        assert_eq!(gone.next().await, Err(Broke::Gone));
    }
}

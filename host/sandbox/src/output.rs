//! What a driver prints goes to the log, line by line, and no further than its budget: as a warning what it says on standard
//! error, as information the rest.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longest line that is logged as one.
const LINE_BYTES: usize = 4096;
/// What a line costs beside its text: each carries the names of driver, backend and operation, so empty ones are not free.
const LINE_COST: usize = 64;
/// How much of the end is kept to explain a trap: a panic's message is the last thing that is printed.
const TAIL_BYTES: usize = 2048;

/// Name of standard error.
pub const ERROR: &str = "stderr";

/// Who is speaking.
#[derive(Debug, Clone)]
pub struct LogContext {
    /// Driver name.
    pub driver: Arc<str>,
    /// Backend.
    pub backend: Arc<str>,
    /// Generation.
    pub generation: u64,
    /// Operation.
    pub operation: String,
}

struct Journal {
    speaker: LogContext,
    left: usize,
    dropped: usize,
    tail: Vec<u8>,
}

/// The log of one call, shared by its two streams.
#[derive(Clone)]
pub struct Output(Arc<Mutex<Journal>>);

impl Output {
    /// An empty log with a budget in bytes.
    #[must_use]
    pub fn new(speaker: LogContext, budget: usize) -> Self {
        Self(Arc::new(Mutex::new(Journal {
            speaker,
            left: budget,
            dropped: 0,
            tail: Vec::new(),
        })))
    }

    /// One of the two streams.
    #[must_use]
    pub fn stream(&self, name: &'static str) -> Stream {
        Stream {
            output: self.clone(),
            name,
            line: Arc::default(),
        }
    }

    /// The end of what was printed.
    #[must_use]
    pub fn tail(&self) -> String {
        let journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = String::from_utf8_lossy(&journal.tail);
        tail.trim()
            .lines()
            .map(plain)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn keep(&self, bytes: &[u8]) {
        let mut journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        journal.tail.extend_from_slice(
            bytes
                .get(bytes.len().saturating_sub(TAIL_BYTES)..)
                .unwrap_or(bytes),
        );
        let excess = journal.tail.len().saturating_sub(TAIL_BYTES);
        journal.tail.drain(..excess);
    }

    fn log(&self, stream: &'static str, line: &[u8]) {
        let mut journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = line.len().saturating_add(LINE_COST);
        let Some(left) = journal.left.checked_sub(cost) else {
            // What comes after the first line that is too much is dropped as well, however short it is.
            journal.left = 0;
            journal.dropped = journal.dropped.saturating_add(line.len().max(1));
            return;
        };
        journal.left = left;
        let LogContext {
            driver,
            backend,
            generation,
            operation,
        } = &journal.speaker;
        let text = plain(&String::from_utf8_lossy(line));
        match stream {
            ERROR => tracing::warn!(
                target: "driver", %driver, %backend, generation, operation = %operation, stream, "{text}"
            ),
            _ => tracing::info!(
                target: "driver", %driver, %backend, generation, operation = %operation, stream, "{text}"
            ),
        }
    }
}

/// Text without what commands a terminal or hides what is there: control and bidirectional characters are spelled out.
fn plain(text: &str) -> String {
    let hides = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hides(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.dropped > 0 {
            let LogContext {
                driver,
                backend,
                generation,
                operation,
            } = &self.speaker;
            tracing::warn!(
                target: "driver", %driver, %backend, generation, operation = %operation, dropped = self.dropped,
                "the driver printed more than log_kib in [driver.<name>.limits] allows; the rest was dropped"
            );
        }
    }
}

/// Standard output or standard error of one call.
#[derive(Clone)]
pub struct Stream {
    output: Output,
    name: &'static str,
    line: Arc<Mutex<Vec<u8>>>,
}

impl Stream {
    fn take(&self, bytes: &[u8]) {
        self.output.keep(bytes);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            for part in piece.chunks(LINE_BYTES) {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") || line.len() >= LINE_BYTES {
                    self.output.log(self.name, line.trim_ascii_end());
                    line.clear();
                }
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if Arc::strong_count(&self.line) == 1 {
            let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            if !line.is_empty() {
                self.output.log(self.name, &line);
            }
        }
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! The log of one test, as text.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;

/// What was logged on this thread while the subscriber was set.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// What writes here. Set it with `tracing::subscriber::set_default`.
    ///
    /// A second dispatcher is registered once and for good: while there is only one in the process, `tracing` asks the
    /// *current thread's* default whether anybody wants a line, and a test on another thread, which has none, would
    /// answer for all that nobody does.
    pub fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync {
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| {
            Dispatch::new(
                tracing_subscriber::fmt()
                    .with_writer(std::io::sink)
                    .finish(),
            )
        });
        LazyLock::force(&SECOND);
        let this = self.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || this.clone())
            .finish()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

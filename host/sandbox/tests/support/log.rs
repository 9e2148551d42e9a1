//! The log of one test, as text.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// What was logged on this thread while the subscriber was set.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync {
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

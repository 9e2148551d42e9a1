//! A progress bar for an operation that is being watched. On a terminal only; elsewhere one line for each change, or nothing
//! for a program, to which standard error is for errors.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{field, list};

/// Follows one operation.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    last: String,
}

impl Progress {
    /// Begins, with a bar where there is a terminal, else with `lines` where they are wanted.
    #[must_use]
    pub fn begin(lines: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} [{bar:30}] {pos}/{len} {msg}")
            {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            lines,
            last: String::new(),
        }
    }

    /// Shows the newest state.
    pub fn show(&mut self, operation: &Value) {
        let message = now(operation);
        match &self.bar {
            Some(bar) => {
                let count = |pointer: &str| {
                    operation
                        .pointer(pointer)
                        .and_then(Value::as_u64)
                        .unwrap_or(0)
                };
                bar.set_length(count("/progress/total"));
                bar.set_position(count("/progress/done") + count("/progress/failed"));
                bar.set_message(message);
            }
            None if self.lines && message != self.last => {
                crate::out::note(&message);
                self.last = message;
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `waiting: promote batch 3 of 20 (waiting for the array's transfer)`.
#[must_use]
pub fn now(operation: &Value) -> String {
    let steps = list(operation, "/steps");
    let current = steps
        .iter()
        .rev()
        .find(|step| matches!(field(step, "/state").as_str(), "running" | "waiting"))
        .or(steps.last());
    let state = field(operation, "/state");
    let Some(step) = current else {
        return state;
    };
    let waiting = match field(step, "/waiting_for").as_str() {
        "-" => String::new(),
        what => format!(" (waiting for {what})"),
    };
    format!("{state}: {}{waiting}", field(step, "/name"))
}

//! What an import found: what is taken over, what is left out, and what stands in the way.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Lines of one kind that are shown; the rest is counted.
const SHOWN: usize = 20;

/// Findings. Nothing is written while there is one that stands in the way.
#[derive(Debug, Default)]
pub struct Report {
    taken: Vec<(&'static str, usize)>,
    left: BTreeMap<String, Vec<String>>,
    refused: BTreeMap<String, Vec<String>>,
}

impl Report {
    /// So many of a kind are taken over.
    pub fn taken(&mut self, kind: &'static str, count: usize) {
        self.taken.push((kind, count));
    }

    /// Something is not taken over, and that is no reason to stop. `why` is shown once for all of its subjects.
    pub fn leave(&mut self, why: &str, subject: impl Into<String>) {
        let subjects = self.left.entry(why.to_owned()).or_default();
        subjects.push(subject.into());
    }

    /// Something stands in the way. `why` says what to do, and is shown once for all of its subjects.
    pub fn refuse(&mut self, why: &str, subject: impl Into<String>) {
        let subjects = self.refused.entry(why.to_owned()).or_default();
        subjects.push(subject.into());
    }

    /// Whether something stands in the way.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// As text for the operator.
    #[must_use]
    pub fn text(&self, dry_run: bool) -> String {
        let mut text = String::new();
        let head = match (self.is_refused(), dry_run) {
            (true, _) => "Found:",
            (false, true) => "Would take over:",
            (false, false) => "Takes over:",
        };
        let _ = writeln!(text, "{head}");
        for (kind, count) in &self.taken {
            let _ = writeln!(text, "  {count:>7} {kind}");
        }
        section(&mut text, "Not taken over:", &self.left);
        section(
            &mut text,
            "In the way, so that nothing is written:",
            &self.refused,
        );
        text
    }
}

fn section(text: &mut String, title: &str, findings: &BTreeMap<String, Vec<String>>) {
    if findings.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}");
    for (why, subjects) in findings {
        let _ = writeln!(text, "  {why}");
        for subject in subjects.iter().take(SHOWN).filter(|s| !s.is_empty()) {
            let _ = writeln!(text, "      {subject}");
        }
        if subjects.len() > SHOWN {
            let _ = writeln!(text, "      and {} more", subjects.len() - SHOWN);
        }
    }
}

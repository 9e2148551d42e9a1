//! What is wrong with a configuration, all of it at once: an operator who fixes one line at a time and starts the host
//! after each is an operator whose backends are down.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, counted from 1; none where it is about the file as a whole.
    pub line: Option<usize>,
    /// One sentence: what, and what to write instead.
    pub text: String,
}

impl Problem {
    /// A problem on a line.
    #[must_use]
    pub fn at(line: usize, text: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            text: text.into(),
        }
    }

    /// A problem of the whole file.
    #[must_use]
    pub fn general(text: impl Into<String>) -> Self {
        Self {
            line: None,
            text: text.into(),
        }
    }
}

/// Collects problems while the file is read on.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Remembers one.
    pub fn report(&self, line: usize, text: impl Into<String>) {
        self.0.borrow_mut().push(Problem::at(line, text));
    }

    /// All of them, in the order of their lines.
    #[must_use]
    pub fn take(&self) -> Vec<Problem> {
        let mut problems = std::mem::take(&mut *self.0.borrow_mut());
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it; never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// The file cannot be used at all, for one reason.
    #[must_use]
    pub fn general(path: &Path, text: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            problems: vec![Problem::general(text)],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.path.display())?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {}", problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// `, did you mean "x"?` where one of the candidates is close enough to be a slip of the finger, else nothing.
#[must_use]
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score >= 0.82)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

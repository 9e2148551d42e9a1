//! One line of a grant: `GET,POST /api/*/volumes/**`.

use std::fmt;
use std::str::FromStr;

use http::Method;

use super::path;

/// Longest rule, bytes.
const LONGEST: usize = 512;

/// Methods and a pattern for paths.
///
/// In a segment of the pattern `*` stands for any text, once; a last segment `**` for any further segments, none included. A slash at the
/// end makes no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// None: every method.
    methods: Option<Vec<Method>>,
    segments: Vec<String>,
    /// Whether further segments may follow.
    open: bool,
    text: String,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{text:.80?} is no rule for requests: {why}"));
        let Some((methods, pattern)) = text.split_once(' ') else {
            return wrong("write methods and a path, \"GET,POST /api/*/volumes\"");
        };
        if text.len() > LONGEST {
            return wrong("it is longer than 512 bytes");
        }
        let known = |name: &str| {
            let known =
                ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"].contains(&name);
            known.then(|| Method::from_str(name).ok()).flatten()
        };
        let methods = match methods {
            "*" => None,
            names => match names.split(',').map(known).collect::<Option<Vec<_>>>() {
                Some(methods) => Some(methods),
                None => {
                    return wrong(
                        "the methods are GET, HEAD, OPTIONS, POST, PUT, PATCH and DELETE, with commas between them, or *",
                    );
                }
            },
        };
        if !path::is_plain(pattern) {
            return wrong(
                "the path must begin with a slash and have no empty segment, no `..`, no query and nothing encoded that changes it",
            );
        }
        let mut segments: Vec<String> = segments(pattern).map(str::to_owned).collect();
        let open = segments.last().is_some_and(|last| last == "**");
        if open {
            segments.pop();
        }
        if segments
            .iter()
            .any(|segment| segment.matches('*').count() > 1)
        {
            return wrong("`*` stands once in a segment, and `**` alone at the end");
        }
        Ok(Self {
            methods,
            segments,
            open,
            text: text.to_owned(),
        })
    }

    /// Every method on every path.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            methods: None,
            segments: Vec::new(),
            open: true,
            text: "* /**".to_owned(),
        }
    }

    /// The rule for exactly this request.
    #[must_use]
    pub fn exactly(method: &Method, path: &str) -> String {
        format!("{method} {path}")
    }

    /// Whether it stands for a request.
    #[must_use]
    pub fn allows(&self, method: &Method, path: &str) -> bool {
        self.covers(method, path, |one, other| one == other)
    }

    /// The same without regard to case: a rule that forbids must not be got round by an array that has none.
    #[must_use]
    pub fn forbids(&self, method: &Method, path: &str) -> bool {
        self.covers(method, path, str::eq_ignore_ascii_case)
    }

    fn covers(&self, method: &Method, path: &str, same: fn(&str, &str) -> bool) -> bool {
        if self
            .methods
            .as_ref()
            .is_some_and(|known| !known.contains(method))
        {
            return false;
        }
        let mut asked = segments(path);
        for pattern in &self.segments {
            match asked.next() {
                Some(segment) if matches(segment, pattern, same) => {}
                _ => return false,
            }
        }
        self.open || asked.next().is_none()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let inside = path.strip_prefix('/').unwrap_or(path);
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    inside.split('/').filter(|segment| !segment.is_empty())
}

fn matches(segment: &str, pattern: &str, same: fn(&str, &str) -> bool) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return same(segment, pattern);
    };
    let Some(end) = segment.len().checked_sub(after.len()) else {
        return false;
    };
    end >= before.len()
        && segment
            .get(..before.len())
            .is_some_and(|start| same(start, before))
        && segment.get(end..).is_some_and(|rest| same(rest, after))
}

//! The table of checks, `xtask/mutants.txt`.

use anyhow::{Context, bail};

use super::suite::Suite;

/// The table.
const TABLE: &str = include_str!("../../mutants.txt");

/// A check that is taken away.
#[derive(Debug, Default)]
pub(super) struct Check {
    /// Name of the mutant.
    pub name: String,
    /// File below the root.
    pub file: String,
    /// Code that is in the file once, blanks aside; what is replaced stands between « and ».
    pub code: String,
    /// What it is replaced with: an expression; a statement, or nothing, where a statement is replaced.
    pub instead: String,
    /// Which tests have to notice: a suite and the beginning of the tests' names, in this order.
    pub tests: Vec<(Suite, String)>,
}

/// All of them.
///
/// # Errors
/// A line that is none, a suite that is none, a name given twice.
pub(super) fn all() -> anyhow::Result<Vec<Check>> {
    parse(TABLE)
}

fn parse(table: &str) -> anyhow::Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    for line in table.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_end_matches(']').to_owned();
            if checks.iter().any(|known| known.name == name) {
                bail!("the mutant {name} is there twice");
            }
            checks.push(Check {
                name,
                ..Check::default()
            });
            continue;
        }
        let check = checks.last_mut().context("a line before the first name")?;
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value.trim();
        match key {
            "file" => value.clone_into(&mut check.file),
            "code" => value.clone_into(&mut check.code),
            "instead" => value.clone_into(&mut check.instead),
            "tests" => {
                for word in value.split(' ') {
                    let (suite, beginning) = word.split_once(':').unwrap_or((word, ""));
                    check.tests.push((suite.parse()?, beginning.to_owned()));
                }
            }
            _ => bail!("{}: `{key}` is no key", check.name),
        }
    }
    Ok(checks)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_check_names_tests_that_have_to_notice() {
        for check in all().unwrap() {
            assert!(!check.tests.is_empty(), "{}", check.name);
        }
    }

    #[test]
    fn a_table_that_cannot_be_read_says_where() {
        for (table, word) in [
            ("file f", "before"),
            ("[a]\nfiel f", "fiel"),
            ("[a]\n[a]", "twice"),
            ("[a]\ntests nothing", "nothing"),
        ] {
            let error = parse(table).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}

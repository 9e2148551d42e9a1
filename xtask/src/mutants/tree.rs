//! A copy of the repository with all mutants in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::CHOICE;
use super::checks::Check;
use crate::shell::{command, output, root, target};

/// Writes the copy, and only what is another in it, so that a second build is short.
pub(super) fn plant(checks: &[Check]) -> anyhow::Result<PathBuf> {
    let tree = target().join("mutants");
    let mut of_file: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in checks {
        of_file.entry(&check.file).or_default().push(check);
    }
    let listed =
        output(command("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    for name in listed.lines() {
        let from = root().join(name);
        // Removed and not committed yet.
        if !from.is_file() {
            continue;
        }
        let mut bytes = fs::read(&from)?;
        if let Some(checks) = of_file.remove(name) {
            let code = String::from_utf8(bytes).with_context(|| name.to_owned())?;
            bytes = mutated(&code, &checks)?.into_bytes();
        }
        write(&tree.join(name), &bytes)?;
    }
    if let Some(file) = of_file.keys().next() {
        bail!("there is no file {file}");
    }
    Ok(tree)
}

fn write(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(to, bytes).with_context(|| to.display().to_string())
}

/// A place in a file, what is there, and which check it is.
struct Cut<'a> {
    from: usize,
    until: usize,
    check: &'a Check,
}

/// The code with a choice at each place.
fn mutated(code: &str, checks: &[&Check]) -> anyhow::Result<String> {
    let mut cuts = checks
        .iter()
        .map(|check| cut(code, check))
        .collect::<anyhow::Result<Vec<_>>>()?;
    cuts.sort_by_key(|cut| cut.from);
    let (mut made, mut at) = (String::new(), 0);
    for Cut { from, until, check } in cuts {
        let (Some(before), Some(own)) = (code.get(at..from), code.get(from..until)) else {
            bail!("{}: two mutants overlap", check.name);
        };
        made += before;
        made += &choice(own, check);
        at = until;
    }
    Ok(made + code.get(at..).unwrap_or_default())
}

/// Where the marked code of a check is in its file. Blanks and line breaks do not count.
fn cut<'a>(code: &str, check: &'a Check) -> anyhow::Result<Cut<'a>> {
    let (name, file) = (&check.name, &check.file);
    let parts = check.code.split_once('«');
    let parts = parts.and_then(|(before, rest)| Some((before, rest.split_once('»')?)));
    let Some((before, (own, behind))) = parts else {
        bail!("{name}: nothing is marked");
    };
    let before = dense(before);
    let whole = before.clone() + &dense(own) + &dense(behind);
    let text = dense(code);
    let mut found = text.match_indices(&whole);
    let (Some((place, _)), None) = (found.next(), found.next()) else {
        bail!("{name}: {file} does not have that code exactly once");
    };
    let first = place + before.len();
    let last = first + dense(own).len();
    let mut places = solid(code).scan(0, |seen, (at, c)| {
        let begin = *seen;
        *seen += c.len_utf8();
        Some((begin, at, at + c.len_utf8()))
    });
    let from = places.find(|(begin, ..)| *begin == first);
    let from = from
        .with_context(|| format!("{name}: nothing is marked"))?
        .1;
    let until = places.take_while(|(begin, ..)| *begin < last).last();
    Ok(Cut {
        from,
        until: until.map_or(from + 1, |(.., until)| until),
        check,
    })
}

/// What is no blank, and where it is.
fn solid(text: &str) -> impl Iterator<Item = (usize, char)> {
    text.char_indices().filter(|(_, c)| !c.is_whitespace())
}

fn dense(text: &str) -> String {
    solid(text).map(|(_, c)| c).collect()
}

fn choice(own: &str, check: &Check) -> String {
    let Check { name, instead, .. } = check;
    let is_chosen =
        format!("std::env::var_os({CHOICE:?}).is_some_and(|chosen| chosen == {name:?})");
    match own.ends_with(';') {
        true => format!("if {is_chosen} {{ {instead} }} else {{ {own} }}"),
        false => format!("(if {is_chosen} {{ {instead} }} else {{ {own} }})"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(code: &str, instead: &str) -> Check {
        Check {
            name: "n".to_owned(),
            code: code.to_owned(),
            instead: instead.to_owned(),
            ..Check::default()
        }
    }

    #[test]
    fn marked_code_becomes_a_choice_between_itself_and_its_mutant() {
        let one = check("if «a» {", "true");
        let made = mutated("if a { b }", &[&one]).unwrap();
        assert!(made.starts_with("if (if std::env::var_os(\"SPRINGFORM_MUTANT\")"));
        assert!(made.ends_with("{ true } else { a }) { b }"), "{made}");
        let two = check("{ «b(c);»", "");
        let made = mutated("if a {\n b( c );\n}", &[&two, &one]).unwrap();
        assert!(made.ends_with("else { b( c ); }\n}"), "{made}");
    }

    #[test]
    fn code_that_is_gone_or_there_twice_is_no_mutant() {
        let one = check("if «a» {", "true");
        for code in ["if c {", "if a { if a {"] {
            assert!(mutated(code, &[&one]).is_err(), "{code}");
        }
    }

    #[test]
    fn every_check_is_in_the_code_as_the_table_has_it() {
        let missing = |check: &Check| {
            let code = fs::read_to_string(root().join(&check.file)).unwrap();
            cut(&code, check).err().map(|why| why.to_string())
        };
        let checks = super::super::checks::all().unwrap();
        let missing: Vec<_> = checks.iter().filter_map(missing).collect();
        assert!(missing.is_empty(), "{missing:#?}");
    }
}

//! What is printed.

use std::collections::BTreeSet;

use super::arrows::Arrows;
use super::circles;
use super::plan::TOO_LONG;
use super::survey::{Crate, File, Survey};
use super::workspace::Package;

/// Lines above which a file is looked at hard.
const LONG: usize = 400;
/// Names that one arrow shows.
const NAMES: usize = 3;

/// The crates from top to bottom.
pub fn crates(survey: &Survey) {
    let name = |one: &Crate| one.name.len();
    let width = survey.crates.iter().map(name).max().unwrap_or_default();
    println!(
        "{:width$}  {:>6}  {:>5}  {:>6}  {:>7}  {:>7}  depends on",
        "crate", "lines", "files", "median", "longest", "circles"
    );
    for one in &survey.crates {
        let longest = one.files.iter().map(|file| file.lines).max();
        let of = |package: &&Package| package.name == one.name;
        let needs = survey.packages.iter().find(of).map(needs);
        let line = format!(
            "{:width$}  {:>6}  {:>5}  {:>6}  {:>7}  {:>7}  {}",
            one.name,
            one.lines(),
            one.files.len(),
            one.median(),
            longest.unwrap_or_default(),
            circles::count(&one.arrows),
            needs.unwrap_or_default()
        );
        println!("{}", line.trim_end());
    }
    let files = || survey.crates.iter().flat_map(|one| &one.files);
    let tests = || survey.tests.values().flatten();
    let lines = |file: &File| file.lines;
    println!(
        "{} lines in {} files; {} of tests in {} files.",
        files().map(lines).sum::<usize>(),
        files().count(),
        tests().map(lines).sum::<usize>(),
        tests().count()
    );
}

/// The crates of the workspace that a crate depends on; in brackets those of its tests only.
fn needs(package: &Package) -> String {
    let mut words: Vec<_> = package.needs.iter().cloned().collect();
    let tests = package.tests_need.difference(&package.needs);
    words.extend(tests.map(|name| format!("({name})")));
    words.join(" ")
}

/// The files that are to be looked at: long ones, and tests' that are too long.
pub fn files(survey: &Survey) {
    let files = survey.crates.iter().flat_map(|one| &one.files);
    list("Files to look at hard", files, LONG);
    let tests = survey.tests.values().flatten();
    list("Tests' files that are too long", tests, TOO_LONG);
}

fn list<'a>(title: &str, files: impl Iterator<Item = &'a File>, above: usize) {
    let mut files: Vec<_> = files.filter(|file| file.lines > above).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.lines));
    let files: String = files.into_iter().map(file).collect();
    println!("\n{title}, over {above} lines:{files}");
}

/// A file on a line of its own.
pub fn file(file: &File) -> String {
    format!("\n    {} {}", file.lines, file.path.display())
}

/// A circle: the way around, then where each arrow is.
pub fn circle(arrows: &Arrows, circle: &[&str]) -> String {
    let around = || circle.iter().chain(circle.first()).copied();
    let way: Vec<_> = around().collect();
    let mut text = format!("\n    {}", way.join(" -> "));
    for (from, to) in around().zip(around().skip(1)) {
        text += &arrow(arrows, &(from.to_owned(), to.to_owned()));
    }
    text
}

/// Where an arrow is, and what is named there.
fn arrow(arrows: &Arrows, key: &(String, String)) -> String {
    let Some(arrow) = arrows.get(key) else {
        return String::new();
    };
    let line = arrow.names.keys().next().copied().unwrap_or_default();
    let names: BTreeSet<_> = arrow.names.values().flatten().map(String::as_str).collect();
    let mut shown = names
        .iter()
        .copied()
        .take(NAMES)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMES {
        shown += &format!(", {} more", names.len() - NAMES);
    }
    let (from, to) = key;
    format!(
        "\n        {}:{line}: {from} -> {to} ({shown})",
        arrow.file.display()
    )
}

/// All circles of a crate, the cheapest way out first.
pub fn circles(one: &Crate) {
    let groups = circles::groups(&one.arrows);
    let count: usize = groups.iter().map(BTreeSet::len).sum();
    println!(
        "{}: {count} modules in circles, {} groups.",
        one.name,
        groups.len()
    );
    for group in &groups {
        let inside = circles::within(&one.arrows, group).count();
        let names: Vec<_> = group.iter().copied().collect();
        println!(
            "\n{} modules with {inside} arrows among them: {}",
            group.len(),
            names.join(", ")
        );
        let shortest = circles::shortest(&one.arrows, group);
        println!("\n  A shortest circle:{}", circle(&one.arrows, &shortest));
        println!("\n  What to cut for one module:");
        for cut in circles::cuts(&one.arrows, group) {
            let keys = cut.arrows.iter();
            let lines: String = keys.map(|key| arrow(&one.arrows, key)).collect();
            println!(
                "    {}: {} arrow(s), frees {}{lines}",
                cut.module,
                cut.arrows.len(),
                cut.frees
            );
        }
        println!("\n  All arrows:");
        for key in circles::within(&one.arrows, group) {
            println!("{}", arrow(&one.arrows, key).trim_start_matches('\n'));
        }
    }
}

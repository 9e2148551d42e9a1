//! Compares what was found with what is recorded. Better than recorded is a failure too: a record that flatters lets the same
//! debt come back unseen.

use std::collections::{BTreeMap, BTreeSet};

use super::arrows::Arrows;
use super::circles;
use super::plan::{FILE, Plan, TOO_LONG};
use super::show;
use super::survey::{Crate, Survey};

/// Lines above which a crate is too large.
const TOO_LARGE: usize = 12_000;
/// New circles that one failure shows.
const SHOWN: usize = 5;

/// Tells the arrows that a crate had when the plan was last written, if that can be known.
pub type Past<'a> = &'a dyn Fn(&str) -> Option<Arrows>;

/// A sentence, or a few lines, for each thing that is not as recorded.
pub fn failures(plan: &Plan, survey: &Survey, past: Past<'_>) -> Vec<String> {
    let mut failures = Vec::new();
    for one in &survey.crates {
        for file in one.files.iter().filter(|file| file.lines > TOO_LONG) {
            let (path, lines) = (file.path.display(), file.lines);
            failures.push(format!(
                "{path} has {lines} lines; no file has more than {TOO_LONG}."
            ));
        }
        for path in &one.stray {
            failures.push(format!("{} belongs to no module.", path.display()));
        }
    }
    let crates = || survey.crates.iter();
    let circles = crates().map(|one| (one.name.clone(), circles::count(&one.arrows)));
    failures.extend(
        Debt {
            recorded: &plan.circles,
            found: circles.collect(),
            table: "circles",
            what: "modules in circles",
            worse: &|name| {
                let one = crates().find(|one| one.name == name);
                one.map_or_else(String::new, |one| new_circles(one, past(name)))
            },
        }
        .failures(),
    );
    let large = crates().filter(|one| one.lines() > TOO_LARGE);
    let large = large.map(|one| (one.name.clone(), one.lines().next_multiple_of(100)));
    failures.extend(
        Debt {
            recorded: &plan.lines,
            found: large.collect(),
            table: "lines",
            what: "lines, rounded up to the next 100",
            worse: &|_| format!("\n    The goal is at most {TOO_LARGE}."),
        }
        .failures(),
    );
    let long = |folder: &str| {
        let files = survey.tests.get(folder).into_iter().flatten();
        files.filter(|file| file.lines > TOO_LONG)
    };
    let folders = survey.tests.keys();
    failures.extend(
        Debt {
            recorded: &plan.long_tests,
            found: folders
                .map(|folder| (folder.clone(), long(folder).count()))
                .collect(),
            table: "long_tests",
            what: "tests' files over 500 lines",
            worse: &|folder| long(folder).map(show::file).collect(),
        }
        .failures(),
    );
    failures
}

/// One kind of debt.
struct Debt<'a> {
    recorded: &'a BTreeMap<String, usize>,
    found: BTreeMap<String, usize>,
    /// Where it is recorded.
    table: &'a str,
    what: &'a str,
    /// What helps to repair it where it grew.
    worse: &'a dyn Fn(&str) -> String,
}

impl Debt<'_> {
    fn failures(&self) -> Vec<String> {
        let names: BTreeSet<_> = self.recorded.keys().chain(self.found.keys()).collect();
        let failure = |name: &String| {
            let of =
                |numbers: &BTreeMap<String, usize>| numbers.get(name).copied().unwrap_or_default();
            let (recorded, found) = (of(self.recorded), of(&self.found));
            let Self { table, what, .. } = self;
            if found > recorded {
                let help = (self.worse)(name);
                return Some(format!(
                    "{name}: {found} {what}, and {recorded} are recorded.{help}"
                ));
            }
            let now = match found {
                0 => format!("take its line out of [{table}] in {FILE}"),
                _ => format!("write {found} below [{table}] in {FILE}"),
            };
            let better = found < recorded || self.recorded.get(name) == Some(&0);
            better.then(|| {
                format!("{name}: only {found} {what}, and {recorded} are recorded: {now}.")
            })
        };
        names.into_iter().filter_map(failure).collect()
    }
}

/// The circles that new arrows close; if nothing is known of the past, one of each group.
fn new_circles(one: &Crate, past: Option<Arrows>) -> String {
    let arrows = &one.arrows;
    let groups = circles::groups(arrows);
    let mut found = Vec::new();
    if let Some(past) = past {
        let inside = groups
            .iter()
            .flat_map(|group| circles::within(arrows, group));
        let new = inside.filter(|arrow| !past.contains_key(arrow));
        found.extend(new.map(|arrow| circles::shortest_through(arrows, arrow)));
    }
    if found.is_empty() {
        found.extend(groups.iter().map(|group| circles::shortest(arrows, group)));
    }
    found.sort_by_key(Vec::len);
    let mut seen = BTreeSet::new();
    found.retain(|circle| seen.insert(circle.iter().copied().collect::<BTreeSet<_>>()));
    let shown = found.iter().take(SHOWN);
    let mut text: String = shown.map(|circle| show::circle(arrows, circle)).collect();
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        text += &format!(
            "\n    and {more} more: cargo xtask house --crate {}",
            one.name
        );
    }
    text
}

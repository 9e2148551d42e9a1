//! Tiny crates with and without what the plan forbids.

use std::path::Path;

use tempfile::TempDir;

use super::arrows::Arrows;
use super::compare;
use super::plan::Plan;
use super::survey::Survey;
use super::{circles, order};

/// A workspace with one crate, `host/one`, that has these files below `src`.
fn one_crate(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "Cargo.toml",
        "[workspace]\nmembers = [\"host/*\"]\nresolver = \"3\"\n",
    );
    add_crate(folder.path(), "one", "");
    for (name, text) in files {
        write(folder.path(), &format!("host/one/src/{name}"), text);
    }
    folder
}

/// Adds an empty crate.
fn add_crate(root: &Path, name: &str, dependencies: &str) {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{dependencies}"
    );
    write(root, &format!("host/{name}/Cargo.toml"), &manifest);
    write(root, &format!("host/{name}/src/lib.rs"), "");
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn plan(text: &str) -> Plan {
    let order = "product = [\"host\"]\norder = [[\"top\"], [\"one\", \"two\"], [\"bottom\"]]\n";
    toml::from_str(&format!("{order}{text}")).unwrap()
}

fn survey(folder: &TempDir) -> Survey {
    Survey::take(&folder.path().canonicalize().unwrap(), &plan("")).unwrap()
}

fn arrows(files: &[(&str, &str)]) -> Arrows {
    let mut survey = survey(&one_crate(files));
    survey.crates.remove(0).arrows
}

/// The modules of each group of circles.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let arrows = arrows(files);
    let groups = circles::groups(&arrows).into_iter();
    groups
        .map(|group| group.into_iter().map(str::to_owned).collect())
        .collect()
}

/// Each arrow as `from -> to`.
fn list(arrows: &Arrows) -> Vec<String> {
    arrows
        .keys()
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect()
}

fn failures(folder: &TempDir, recorded: &str) -> Vec<String> {
    compare::failures(&plan(recorded), &survey(folder), &|_| None)
}

/// Two modules that name each other.
const PAIR: &[(&str, &str)] = &[
    ("lib.rs", "mod a;\nmod b;\n"),
    ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
    (
        "b.rs",
        "pub struct B;\nfn f() {\n    let _: crate::a::A;\n}\n",
    ),
];

#[test]
fn a_circle_through_a_re_export_leads_to_the_module_that_defines_the_name() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a/mod.rs", "mod inner;\npub use inner::Thing;\n"),
        (
            "a/inner.rs",
            "use crate::b::Other;\npub struct Thing(Other);\n",
        ),
        (
            "b.rs",
            "use crate::a;\npub struct Other;\nfn f(_: a::Thing) {}\n",
        ),
    ];
    assert_eq!(circles_of(&files), [["a::inner", "b"]]);
}

#[test]
fn a_circle_through_two_re_exports_and_a_glob_is_found() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\npub use a::*;\n"),
        ("a/mod.rs", "mod inner;\npub use inner::Thing as Renamed;\n"),
        ("a/inner.rs", "use crate::b;\npub struct Thing(b::Other);\n"),
        (
            "b.rs",
            "use crate::{Renamed as Mine};\npub struct Other;\nfn f(_: Mine) {}\n",
        ),
    ];
    assert_eq!(circles_of(&files), [["a::inner", "b"]]);
}

#[test]
fn a_circle_through_super_is_found() {
    let files = [
        ("lib.rs", "mod a;\n"),
        ("a.rs", "mod b;\nmod c;\n"),
        ("a/b.rs", "pub fn b() { super::c::c() }\n"),
        ("a/c.rs", "use super::b;\npub fn c() { b::b() }\n"),
    ];
    assert_eq!(circles_of(&files), [["a::b", "a::c"]]);
}

#[test]
fn a_child_that_uses_its_parent_and_is_used_by_it_is_in_a_circle() {
    let files = [
        ("lib.rs", "mod a;\n"),
        (
            "a.rs",
            "mod b;\npub use b::B;\npub const LIMIT: u8 = 1;\nfn f(_: B) {}\n",
        ),
        ("a/b.rs", "pub struct B([u8; super::LIMIT as usize]);\n"),
    ];
    assert_eq!(circles_of(&files), [["a", "a::b"]]);
}

#[test]
fn a_parent_that_only_passes_its_child_on_is_in_no_circle() {
    let files = [
        ("lib.rs", "mod a;\npub use a::B;\n"),
        (
            "a.rs",
            "mod b;\npub use b::B;\npub(crate) use b::*;\npub const LIMIT: u8 = 1;\n",
        ),
        ("a/b.rs", "pub struct B([u8; super::LIMIT as usize]);\n"),
    ];
    assert_eq!(list(&arrows(&files)), ["a::b -> a"]);
}

#[test]
fn a_module_that_passes_on_what_is_not_below_it_uses_it() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("a.rs", "pub use crate::c::*;\n"),
        ("b.rs", "pub(crate) use crate::c::C;\n"),
        ("c.rs", "pub struct C;\n"),
    ];
    assert_eq!(list(&arrows(&files)), ["a -> c", "b -> c"]);
}

#[test]
fn an_import_of_the_parent_is_followed_for_its_children() {
    let files = [
        ("lib.rs", "mod a;\nmod c;\n"),
        ("a.rs", "mod b;\nuse crate::c::C;\nfn f(_: C) {}\n"),
        ("a/b.rs", "use super::*;\npub struct B(C);\n"),
        ("c.rs", "pub struct C;\n"),
    ];
    assert_eq!(list(&arrows(&files)), ["a -> c", "a::b -> c"]);
}

#[test]
fn a_glob_that_no_name_comes_from_is_an_arrow_to_its_module() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        (
            "a.rs",
            "use crate::b::*;\nfn f() -> usize {\n    1.size()\n}\n",
        ),
        ("b.rs", "pub trait Size {}\n"),
    ];
    assert_eq!(list(&arrows(&files)), ["a -> b"]);
}

#[test]
fn code_for_tests_does_not_count() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        (
            "b.rs",
            "pub struct B;\n#[cfg(test)]\nuse crate::a::A;\n#[cfg(all(test, unix))]\nfn f(_: crate::a::A) {}\n\
             #[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more {\n    use crate::a::A;\n}\n\
             impl B {\n    #[cfg(test)]\n    fn g(_: crate::a::A) {}\n}\n",
        ),
        ("b/tests.rs", "use crate::a::A;\n"),
    ];
    let survey = survey(&one_crate(&files));
    let [one] = survey.crates.as_slice() else {
        panic!("{:?}", survey.crates);
    };
    assert_eq!(list(&one.arrows), ["a -> b"]);
    assert_eq!((one.files.len(), one.stray.len()), (3, 0));
    assert_eq!(survey.tests["host/one"].len(), 1);
}

#[test]
fn code_without_tests_counts() {
    let mut files = PAIR.to_vec();
    files.push((
        "b.rs",
        "pub struct B;\n#[cfg(not(test))]\nuse crate::a::A;\n",
    ));
    assert_eq!(circles_of(&files), [["a", "b"]]);
}

#[test]
fn paths_in_macros_and_attributes_are_found() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\n"),
        (
            "a.rs",
            "fn f() {\n    println!(\"{}\", crate::b::b());\n    select! { x = crate::c::c() => x.crate_name }\n}\n",
        ),
        (
            "b.rs",
            "#[derive(Serialize)]\nstruct B {\n    #[serde(with = \"crate::d\", default = \"super::e::e\")]\n    b: u8,\n}\npub fn b() {}\n",
        ),
        ("c.rs", "#[other(of = crate::e::E)]\npub fn c() {}\n"),
        (
            "d.rs",
            "macro_rules! d {\n    () => { $crate::e::e(); super::c::c(); $a::b() };\n}\npub(crate) use d;\n",
        ),
        ("e.rs", "pub struct E;\npub fn e() { crate::d::d!() }\n"),
    ];
    let found = [
        "a -> b", "a -> c", "b -> e", "c -> e", "d -> c", "d -> e", "e -> d",
    ];
    assert_eq!(list(&arrows(&files)), found);
}

#[test]
fn a_variable_is_no_function_of_that_name() {
    let files = [
        ("lib.rs", "mod a;\n"),
        (
            "a.rs",
            "mod b;\npub use b::*;\nfn f(b: u8) -> u8 {\n    let d = |c: u8| c;\n    d(b)\n}\n",
        ),
        ("a/b.rs", "pub fn b() {}\npub fn c() {}\npub fn d() {}\n"),
    ];
    assert_eq!(list(&arrows(&files)), [""; 0]);
}

#[test]
fn a_name_that_a_macro_defines_belongs_to_the_module_that_calls_it() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        (
            "a/mod.rs",
            "mod words;\nmod other;\npub use words::*;\npub use other::*;\n",
        ),
        (
            "a/words.rs",
            "macro_rules! words {\n    ($name:ident {}) => { pub enum $name {} };\n}\nwords! { Word {} }\n",
        ),
        ("a/other.rs", "pub struct Other;\n"),
        ("b.rs", "use crate::a::Word;\n"),
    ];
    assert_eq!(list(&arrows(&files)), ["b -> a::words"]);
}

#[test]
fn a_module_stands_where_its_path_says() {
    let files = [
        (
            "lib.rs",
            "#[path = \"elsewhere/file.rs\"]\nmod a;\nmod b;\n",
        ),
        ("elsewhere/file.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\npub fn f(_: crate::a::A) {}\n"),
        ("lost.rs", ""),
    ];
    let folder = one_crate(&files);
    let found = failures(&folder, "[circles]\none = 2\n");
    assert_eq!(found, ["host/one/src/lost.rs belongs to no module."]);
}

#[test]
fn a_module_in_braces_belongs_to_the_file_around_it() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        (
            "a.rs",
            "pub mod inner {\n    pub struct A(super::Of, crate::b::B);\n}\npub struct Of;\nfn f(_: inner::A) {}\n",
        ),
        ("b.rs", "pub struct B;\nfn f(_: crate::a::inner::A) {}\n"),
    ];
    assert_eq!(circles_of(&files), [["a", "b"]]);
}

#[test]
fn a_dependency_may_only_point_down() {
    let folder = one_crate(&[]);
    let root = folder.path();
    add_crate(
        root,
        "bottom",
        "[dependencies]\none = { path = \"../one\" }\n",
    );
    add_crate(
        root,
        "two",
        "[dependencies]\none = { path = \"../one\" }\n[dev-dependencies]\ntop = { path = \"../top\" }\n",
    );
    add_crate(
        root,
        "top",
        "[dependencies]\none = { path = \"../one\" }\nother = { path = \"../other\" }\n",
    );
    add_crate(root, "other", "");
    assert_eq!(
        order::failures(&plan(""), &survey(&folder).packages),
        [
            "top depends on other, which is no crate of the host.",
            "two depends on one: they stand on one level of xtask/house.toml and do not know each other.",
            "bottom depends on one, which stands above it in xtask/house.toml.",
            "other has no place in the order of xtask/house.toml.",
        ]
    );
}

#[test]
fn a_new_circle_is_shown_with_the_line_of_each_arrow() {
    let found = failures(&one_crate(PAIR), "");
    let expected = "one: 2 modules in circles, and 0 are recorded.\n    a -> b -> a\n        \
                    host/one/src/a.rs:1: a -> b (crate::b::B)\n        host/one/src/b.rs:3: b -> a (crate::a::A)";
    assert_eq!(found, [expected]);
}

#[test]
fn of_several_circles_the_one_is_shown_that_the_past_did_not_have() {
    let mut files = PAIR.to_vec();
    files.push(("lib.rs", "mod a;\nmod b;\nmod c;\n"));
    files.push(("c.rs", "use crate::b::B;\npub struct C(B);\n"));
    let past = arrows(&files);
    files.push((
        "a.rs",
        "use crate::b::B;\nuse crate::c::C;\npub struct A(B, C);\n",
    ));
    let now = survey(&one_crate(&files));
    let plan = plan("[circles]\none = 2\n");
    let found = compare::failures(&plan, &now, &|_| Some(past.clone()));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("\n    a -> c -> b -> a\n"), "{found:?}");
    assert!(!found[0].contains("a -> b -> a"), "{found:?}");
}

#[test]
fn what_is_as_recorded_is_no_failure() {
    let none: [&str; 0] = [];
    assert_eq!(failures(&one_crate(PAIR), "[circles]\none = 2\n"), none);
}

#[test]
fn what_is_better_than_recorded_fails_and_tells_the_number() {
    assert_eq!(
        failures(&one_crate(PAIR), "[circles]\none = 3\n"),
        [
            "one: only 2 modules in circles, and 3 are recorded: write 2 below [circles] in xtask/house.toml."
        ]
    );
    let gone = "[circles]\none = 2\n[lines]\ngone = 12600\n";
    assert_eq!(
        failures(&one_crate(PAIR), gone),
        [
            "gone: only 0 lines, rounded up to the next 100, and 12600 are recorded: \
          take its line out of [lines] in xtask/house.toml."
        ]
    );
}

#[test]
fn sizes_have_limits() {
    let folder = one_crate(&[("lib.rs", "mod long;\n"), ("long.rs", &"\n".repeat(501))]);
    write(folder.path(), "host/one/tests/long.rs", &"\n".repeat(501));
    write(folder.path(), "tests/other/src/short.rs", &"\n".repeat(500));
    assert_eq!(
        failures(&folder, ""),
        [
            "host/one/src/long.rs has 501 lines; no file has more than 500.",
            "host/one: 1 tests' files over 500 lines, and 0 are recorded.\n    501 host/one/tests/long.rs",
        ]
    );
    let mut survey = survey(&folder);
    survey.tests.clear();
    survey.crates[0].files[0].lines = 12_000;
    survey.crates[0].files[1].lines = 1;
    let found = |recorded| compare::failures(&plan(recorded), &survey, &|_| None);
    assert_eq!(
        found("[lines]\none = 12100\n").len(),
        1,
        "the file is too long"
    );
    assert_eq!(found("").len(), 2);
    assert_eq!(found("[lines]\none = 12200\n").len(), 2);
}

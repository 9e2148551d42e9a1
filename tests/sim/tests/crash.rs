//! The host is killed with SIGKILL at every journal point, during every verb, and started again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use springform_sim_tests::{crash, groups, lives};

/// Calls that the host makes on its own, whether somebody asks for something or not.
const OWN: [&str; 2] = [" backend.", " replication.observe"];

fn host(words: &[&str], dir: &Path, crash_at: Option<&str>, trace: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_springform-sim"));
    command.args([words[0], dir.to_str().unwrap(), words[1]]);
    if let Some(at) = crash_at {
        command.env("SPRINGFORM_CRASH_AT", at);
    }
    if trace {
        command.env("SPRINGFORM_CRASH_TRACE", "1");
    }
    command.output().unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn killed_at_every_point_of_every_verb_the_host_ends_where_an_undisturbed_one_does() {
    let mut jobs = Vec::new();
    let root = tempfile::tempdir().unwrap();
    let verbs = crash::VERBS.into_iter();
    for verb in verbs.chain(groups::VERBS).chain(lives::VERBS) {
        let template = root.path().join(verb);
        std::fs::create_dir(&template).unwrap();
        let made = host(&["prepare", verb], &template, None, false);
        assert!(made.status.success(), "{verb}: {}", text(&made.stderr));
        let calm = tempfile::tempdir().unwrap();
        copy(&template, calm.path());
        let undisturbed = host(&["carry-out", verb], calm.path(), None, true);
        assert!(
            undisturbed.status.success(),
            "{verb}: {}",
            text(&undisturbed.stderr)
        );
        let points: Vec<String> = text(&undisturbed.stderr)
            .lines()
            .filter_map(|l| l.strip_prefix("crash-point ").map(str::to_owned))
            .filter(|point| !OWN.iter().any(|own| point.contains(own)))
            .collect();
        assert!(!points.is_empty(), "{verb} has no journal point");
        let expected = text(&undisturbed.stdout);
        jobs.extend(
            points
                .into_iter()
                .map(|point| (verb, template.clone(), point, expected.clone())),
        );
    }
    let kills = AtomicUsize::new(0);
    let queue = Mutex::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some((verb, template, point, expected)) = queue.lock().unwrap().pop()
                    else {
                        return;
                    };
                    let dir = tempfile::tempdir().unwrap();
                    copy(&template, dir.path());
                    let killed = host(&["carry-out", verb], dir.path(), Some(&point), false);
                    assert_eq!(
                        killed.status.signal(),
                        Some(9),
                        "{verb} at {point}: {}",
                        text(&killed.stderr)
                    );
                    kills.fetch_add(1, Ordering::Relaxed);
                    let again = host(&["carry-out", verb], dir.path(), None, false);
                    assert!(
                        again.status.success(),
                        "{verb} killed at {point}: {}",
                        text(&again.stderr)
                    );
                    let told = text(&again.stdout);
                    let differ: Vec<_> = told
                        .lines()
                        .zip(expected.lines())
                        .filter(|(a, b)| a != b)
                        .collect();
                    assert!(told == expected, "{verb} killed at {point}: {differ:#?}");
                }
            });
        }
    });
    let kills = kills.into_inner();
    println!("{kills} kills");
    assert!(kills >= 300, "only {kills} kills");
}

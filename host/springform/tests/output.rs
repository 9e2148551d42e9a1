//! Golden files of what the command line prints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use serde_json::{Value, json};
use springform::cli::Cli;
use springform::manual;
use springform::show::{driver, operation, plan, progress, reload, standing, table, width};

fn failover() -> Value {
    json!({
        "id": "0193-a", "verb": "failover", "state": "partly-failed", "backend": "pure1",
        "subject_kind": "backend", "subject": "pure1", "generation": 3,
        "progress": {"done": 19, "failed": 1, "total": 20},
        "created_at": 1_700_000_000_123_456_i64, "finished_at": 1_700_000_004_623_456_i64,
        "steps": [
            {"name": "plan", "state": "succeeded", "attempts": 1,
             "started_at": 1_700_000_000_123_456_i64, "finished_at": 1_700_000_000_323_456_i64},
            {"name": "promote batch 1 of 1", "state": "partly-failed", "attempts": 2,
             "started_at": 1_700_000_000_323_456_i64, "finished_at": 1_700_000_090_323_456_i64},
            {"name": "finish", "state": "waiting", "attempts": 1, "percent": 40,
             "started_at": 1_700_000_004_323_456_i64, "finished_at": null, "waiting_for": "the array's clone"},
        ],
        "error": {"code": "unavailable", "message": "volume v7 has no replica on sec2; wait for the next replication and retry",
                  "backend": "pure1", "target": "sec2", "driver": "pure-async", "generation": 3, "retryable": true},
    })
}

#[test]
fn the_help_names_every_command() {
    insta::assert_snapshot!("help", Cli::command().render_long_help().to_string());
}

/// The words of every command: `["springform", "driver", "install"]`.
fn every_command(above: &Command, words: &[String], found: &mut Vec<Vec<String>>) {
    let words = [words, &[above.get_name().to_owned()]].concat();
    for below in above.get_subcommands() {
        every_command(below, &words, found);
    }
    found.push(words);
}

#[test]
fn every_shell_completes_the_names_of_commands_and_of_commands_below_them() {
    for shell in Shell::value_variants() {
        let script = manual::completion(*shell, &mut Cli::command());
        for word in ["failover", "rollback", "only-detached"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn the_manual_page_names_every_command_and_what_may_follow_it() {
    let page = manual::page(Cli::command()).unwrap().replace("\\-", "-");
    let mut commands = Vec::new();
    every_command(&Cli::command(), &[], &mut commands);
    assert!(commands.len() > 40, "{commands:?}");
    for words in commands {
        let named = words.join(" ");
        assert!(page.contains(&named), "{named} is not in the page");
    }
    let installing = page.lines().find(|line| line.contains("driver install"));
    let installing = installing.unwrap();
    assert!(installing.contains("<NAME> <FILE>"), "{installing}");
}

#[test]
fn a_directory_gets_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    manual::pages(Some(&pages), Cli::command()).unwrap();
    let mut commands = Vec::new();
    every_command(&Cli::command(), &[], &mut commands);
    let written = std::fs::read_dir(&pages).unwrap().count();
    assert_eq!(written, commands.len());
    for words in commands {
        let page = pages.join(format!("{}.1", words.join("-")));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

/// The examples of a command and of those below it: the command's words, and the lines.
fn examples_of(above: &Command, words: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let words = [words, &[above.get_name().to_owned()]].concat();
    for below in above.get_subcommands() {
        examples_of(below, &words, found);
    }
    let help = above.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let lines = help.lines().map(str::trim);
    let lines = lines.filter(|line| line.starts_with("springform "));
    let typed = lines.map(|line| line.split(" #").next().unwrap().to_owned());
    found.push((words.join(" "), typed.collect()));
}

#[test]
fn every_command_of_a_bad_night_has_examples_and_every_example_is_understood() {
    let mut found = Vec::new();
    examples_of(&Cli::command(), &[], &mut found);
    for (command, examples) in &found {
        for example in examples {
            let words = example.split_whitespace();
            let understood = Cli::command().try_get_matches_from(words);
            assert!(understood.is_ok(), "{example}: {:?}", understood.err());
        }
        let own = examples.iter().any(|example| example.starts_with(command));
        assert!(examples.is_empty() || own, "{command}: {examples:?}");
    }
    for command in [
        "status",
        "plan",
        "failover",
        "failback",
        "drill",
        "drill start",
        "reconcile",
        "operation",
        "driver install",
        "driver activate",
        "driver rollback",
        "config check",
        "config reload",
        "db backup",
        "db restore",
    ] {
        let command = format!("springform {command}");
        let shown = found.iter().find(|(name, _)| *name == command);
        assert!(!shown.unwrap().1.is_empty(), "{command} has no examples");
    }
}

#[test]
fn the_status_is_of_everything_or_of_one_thing() {
    let understood = |words: &str| {
        let words = words.split(' ');
        Cli::command().try_get_matches_from(words).is_ok()
    };
    assert!(understood("springform status"));
    assert!(understood("springform status --volume a --volume b"));
    assert!(understood("springform status --backend pure1 --all"));
    assert!(!understood("springform status --backend pure1 --group g"));
    assert!(!understood("springform status --all"));
}

#[test]
fn operations_are_listed_one_to_a_line() {
    let create = json!({"id": "0193-b", "verb": "create-volume", "state": "running", "backend": null,
        "subject_kind": "volume", "subject": "v1", "created_at": 1_700_000_000_000_000_i64});
    insta::assert_snapshot!(
        "operation_list",
        operation::list_of(&json!({"operations": [failover(), create]}))
    );
}

#[test]
fn an_operation_shows_its_steps_and_why_it_failed() {
    insta::assert_snapshot!("operation", operation::one(&failover()));
}

#[test]
fn the_progress_line_says_what_is_being_done_and_what_is_waited_for() {
    assert_eq!(
        progress::now(&failover()),
        "partly-failed: finish (waiting for the array's clone)"
    );
    assert_eq!(
        progress::now(&json!({"state": "queued", "steps": []})),
        "queued"
    );
}

#[test]
fn a_plan_says_what_moves_what_is_lost_and_what_cannot_move() {
    let answer = json!({
        "id": "plan-1", "verb": "failover", "mode": "unplanned", "target": "sec2", "expires_at": "2026-11-21 10:00:00",
        "volumes": [
            {"volume_id": "v1", "source": "pure1", "possible": true, "point": {"id": "cinder-group.7", "taken_at": 0},
             "loss_seconds": 754, "loss_bytes": 1_572_864, "warnings": []},
            {"volume_id": "v2", "source": "pure1", "possible": true, "point": {"id": "cinder-group.7", "taken_at": 0},
             "loss_seconds": 0, "warnings": ["is 2 GiB larger now than at the recovery point"]},
            {"volume_id": "v3", "source": "pure1", "possible": false, "reason": "it is not replicated", "warnings": []},
        ],
        "interrupts": ["snapshots cannot be taken until the failover is over"],
    });
    insta::assert_snapshot!("plan", plan::one(&answer));
}

#[test]
fn a_table_is_broken_at_blanks_where_the_terminal_is_narrow_and_becomes_paragraphs_where_a_word_would_be()
 {
    let mut lines = table(&["volume", "to", "note"]);
    let grown = "is 2 GiB larger now than at the recovery point";
    lines.add_row(["0193f2a8-1111-2222-3333-444455556666", "sec2", grown]);
    lines.add_row(["v2", "sec2", "-"]);
    let shown: Vec<String> = [100, 70, 50]
        .into_iter()
        .map(|columns| format!("{columns} columns\n{}", width::fitted(&lines, columns)))
        .collect();
    insta::assert_snapshot!("narrow", shown.join("\n"));
}

#[test]
fn drivers_are_listed_with_their_four_versions_and_why_one_was_refused() {
    let old = json!({"number": 3, "digest": "sha256:ab12cd34ef567890", "version": "1.0.0"});
    let new = json!({"number": 4, "digest": "sha256:99aa88bb77cc66dd", "version": "1.1.0"});
    let answer = json!({"drivers": [{"name": "pure-async", "configured": "/usr/lib/springform/pure_async.wasm",
    "deployed": new, "running": old, "rollback": null,
    "generations": [{"number": 4, "signers": []}, {"number": 3, "signers": ["ours", "vendor"]}], "backends": [
        {"backend": "pure1", "generation": 3, "in_flight": 2, "ready": true, "reason": null},
        {"backend": "pure2", "generation": 3, "in_flight": 0, "ready": false,
         "reason": "the array sec2 does not answer; it is tried again every 10 s"},
    ]}]});
    insta::assert_snapshot!("driver_list", driver::list_of(&answer));
}

#[test]
fn a_component_is_shown_with_its_imports_and_options() {
    let answer = json!({
        "digest": "sha256:ab12cd34ef567890", "world": "springform:driver@0.1.0", "size": 412_672,
        "imports": ["wasi:http/outgoing-handler@0.2.0"], "exports": ["springform:driver/identity@0.1.0"],
        "description": {
            "name": "pure-async", "vendor": "Example", "version": "1.0.0", "summary": "Asynchronous replication.",
            "replication": ["async"], "protocols": ["iSCSI", "FC"], "features": ["snapshots"],
            "options": [
                {"name": "pure_api_token", "kind": "text", "default": null, "required": true, "secret": true, "doc": "API token."},
                {"name": "pure_nvme_transport", "kind": {"choice": ["roce", "tcp"]}, "default": "roce", "required": false,
                 "secret": false, "doc": "NVMe transport."},
            ],
            "target_options": [],
            "extensions": [["springform/requests", "GET,POST /api/2.*/volumes"], ["other", "x"]],
        },
    });
    insta::assert_snapshot!("inspection", driver::inspection(&answer));
}

/// A backend after an unplanned failover: one volume did not follow, the old primary is back and not fenced yet.
fn moved() -> Value {
    json!({
        "backend": "pure1", "host": "springform@pure1", "driver": "pure-async", "generation": 3, "up": true, "reason": null,
        "disabled": true, "disabled_reason": "failed-over", "frozen": false,
        "replication_status": "failed-over", "active_target": "sec2", "operation": null,
        "operations": [{"id": "0193-a", "verb": "fence", "subject": "backend pure1"}],
        "observed_at": 1_700_000_000_123_456_i64, "failures": 2, "error": "the driver did not answer within 10 s",
        "volumes": 20, "protection": {"protected": 0, "unprotected": 19, "unknown": 1}, "split_brain": ["v7"], "drills": 1,
        "targets": [
            {"target": "pure1", "primary": true, "active": false, "reachable": false, "problems": ["a controller is away"],
             "links": {"down": 19}, "worst": "down", "lag_seconds": null, "ratio_permille": null, "severity": "critical",
             "owed": 19, "back": 0, "written_off": 0},
            {"target": "sec2", "primary": false, "active": true, "reachable": true, "problems": [],
             "links": {"healthy": 1}, "worst": "healthy", "lag_seconds": 65, "ratio_permille": 722, "severity": "fine",
             "owed": 0, "back": 0, "written_off": 0},
        ],
    })
}

#[test]
fn backends_are_shown_at_a_glance_with_what_is_not_well_below() {
    let well = json!({
        "backend": "pure2", "host": "springform@pure2", "driver": "pure-async", "generation": 3, "up": true, "frozen": true,
        "disabled": true, "replication_status": "enabled", "active_target": null, "operations": [],
        "observed_at": 1_700_000_000_123_456_i64, "failures": 0, "volumes": 2, "protection": {"protected": 2},
        "targets": [
            {"target": "pure2", "primary": true, "active": true, "reachable": true, "links": {}, "worst": null},
            {"target": "sec2", "primary": false, "active": false, "reachable": true, "links": {"healthy": 2}, "worst": "healthy", "lag_seconds": 30},
        ],
    });
    let down = json!({"backend": "pure3", "host": "springform@pure3", "up": false,
        "reason": "the component cannot be loaded: it is no component", "targets": []});
    let answer = json!({"backends": [moved(), well, down]});
    insta::assert_snapshot!("status", standing::backends(&answer));
}

#[test]
fn a_backend_is_shown_with_its_arrays_and_what_to_look_at() {
    insta::assert_snapshot!("status_backend", standing::backend(&moved()));
}

#[test]
fn volumes_are_shown_with_their_copies_and_what_to_look_at() {
    let volume = json!({
        "id": "v7", "name": "ledger", "backend": "pure1", "replicated": true, "serving": "sec2", "desired": "sec2",
        "phase": "settled", "generation": 1, "moved_at": 1_700_000_000_123_456_i64, "attachments": 1, "operation": null,
        "drill": {"id": "d1", "target": "pure1"},
        "observed": {"at": 1_700_000_000_123_456_i64, "what": {"protection": "rpo-exceeded", "links": [
            {"target": "pure1", "kind": "async", "state": "healthy",
             "last_point": {"id": "sec2:cinder-group.5", "taken_at": 1_700_000_000_000_u64}},
            {"target": "new3", "kind": "async", "state": "resyncing", "last_point": null},
        ]}},
        "concerns": ["its copies are older than promised", "pure1 is 3.2 times the schedule behind"],
    });
    let plain = json!({"id": "v8", "backend": "pure1", "replicated": false, "serving": "pure1", "concerns": []});
    let answer = json!({"volumes": [volume, plain]});
    insta::assert_snapshot!("status_volumes", standing::volumes(&answer));
    insta::assert_snapshot!("status_volume", standing::volume(&volume));
}

#[test]
fn an_operation_of_which_volumes_failed_says_how_to_try_them_again() {
    let mut ended = failover();
    ended["result"] = json!({"target": "sec2", "failures": {"v7": {"code": "unavailable", "message": "it has no replica on sec2"}}});
    let text = operation::one(&ended);
    assert!(
        text.contains("volume v7: it has no replica on sec2"),
        "{text}"
    );
    assert!(
        text.contains("`springform operation retry 0193-a`"),
        "{text}"
    );
    let many = (0..60).map(|n| (format!("v{n:02}"), json!({"message": "no"})));
    ended["result"]["failures"] = Value::Object(many.collect());
    assert!(operation::one(&ended).contains("(and 10 more)"));
    ended["verb"] = json!("create-volume");
    assert!(!operation::one(&ended).contains("operation retry"));
}

#[test]
fn a_reload_says_what_changed_and_what_it_waits_for() {
    let mut answer = json!({
        "dry_run": false, "unchanged": 1, "drivers": [
            {"name": "pure-trisync", "change": "added"}, {"name": "pure-async", "change": "changed"}],
        "backends": [
            {"name": "pure1", "change": "changed", "what": ["targets sec2, new3", "limits of driver pure-async"],
             "driver": "pure-async", "generation": 2, "ready": true, "reason": null},
            {"name": "pure2", "change": "added", "what": [], "driver": "pure-trisync", "generation": 1,
             "ready": false, "reason": "array pure2 does not answer"},
            {"name": "pure3", "change": "removed", "what": [], "driver": "pure-async", "generation": null,
             "ready": false, "reason": null}],
    });
    let done = reload::one(&answer);
    answer["dry_run"] = json!(true);
    for backend in answer["backends"].as_array_mut().unwrap() {
        backend["generation"] = Value::Null;
    }
    let nothing = json!({"dry_run": false, "unchanged": 2, "drivers": [], "backends": []});
    insta::assert_snapshot!(
        "reload",
        format!(
            "{done}\n{}\n{}",
            reload::one(&answer),
            reload::one(&nothing)
        )
    );
}

#[test]
fn the_grants_of_the_generation_that_serves_are_listed_with_where_each_comes_from() {
    let answer = json!({
        "running": {"number": 2},
        "generations": [
            {"number": 3, "grants": ["egress https://other"]},
            {"number": 2, "grants": ["egress https://pure1", "allow GET /api/2.*/volumes  # the component"]},
        ],
    });
    assert_eq!(
        driver::grants(&answer),
        "egress https://pure1\nallow GET /api/2.*/volumes  # the component\n"
    );
    let none = json!({"running": null, "generations": []});
    assert_eq!(driver::grants(&none), "no generation serves\n");
}

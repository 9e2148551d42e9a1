//! Logging and printing never stop anything.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_of_the_log_may_stop_reading_and_go_away() {
    let house = House::new("log_filter = \"trace\"", "");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = house.serve("exec", writer);
    let client = reqwest::Client::new();
    house.is_ready(&mut child, &client, &house.url()).await;
    let asks = async |times| {
        for _ in 0..times {
            for path in ["healthz", "v3/types"] {
                let answer = client.get(format!("{}/{path}", house.url())).send();
                let answer = answer.await.expect("the request was cut");
                assert_eq!(answer.status(), 200);
            }
        }
    };
    // Much more than a pipe holds.
    asks(500).await;
    drop(reader);
    asks(50).await;
    assert!(child.try_wait().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_goes_into_a_file_has_no_colours() {
    let house = House::new("", "");
    let (reader, writer) = std::io::pipe().unwrap();
    let _child = house.serve("exec", writer);
    let read = tokio::task::spawn_blocking(move || {
        let mut seen = Vec::new();
        for line in BufReader::new(reader).lines() {
            let line = line.unwrap();
            let last = line.contains("serving");
            seen.push(line);
            if last {
                break;
            }
        }
        seen
    });
    let seen = read.await.unwrap().join("\n");
    assert!(seen.contains("serving"), "{seen}");
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_quietly_when_nobody_reads_what_it_prints() {
    let house = House::new("", "");
    let _host = house.runs().await;
    let commands: [&[&str]; 5] = [
        &["config", "check"],
        &["status"],
        &["driver", "list"],
        &["--format", "json", "operation", "list"],
        &["--help"],
    ];
    for command in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = house.run(command, writer).await;
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), err.as_str()),
            (Some(0), ""),
            "{command:?}"
        );
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = house.run(&["driver", "list"], full.unwrap()).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("standard output cannot be written"), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    let shown = house.run(&["driver", "list"], Stdio::piped()).await;
    assert!(!shown.stdout.is_empty());
}

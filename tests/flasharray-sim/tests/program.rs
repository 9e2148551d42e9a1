//! The program: what it prints, and how it stops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::process::Stdio;

use flasharray_sim::SimControl;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

struct Program {
    child: Child,
    summary: Value,
}

async fn start(args: &[&str]) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flasharray-sim"))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    Program {
        child,
        summary: serde_json::from_str(&line).unwrap(),
    }
}

impl Program {
    fn control(&self) -> SimControl {
        SimControl::new(self.summary["control"].as_str().unwrap())
    }

    /// Asks it to stop, as a service manager would, and waits.
    async fn stop(mut self) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
        assert!(self.child.wait().await.unwrap().success());
    }
}

#[tokio::test]
async fn it_says_where_everything_is_and_stops_when_asked() {
    let program = start(&[
        "--arrays",
        "a,b",
        "--connect",
        "a:b:sync",
        "--clock",
        "test",
        "--purity",
        "6.1.5",
        "--rest",
        "2.4",
    ])
    .await;
    let ca = std::path::PathBuf::from(program.summary["ca"].as_str().unwrap());
    assert!(
        std::fs::read_to_string(&ca)
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    let state = program.control().state().await.unwrap();
    assert_eq!(
        state["arrays"]["a"]["id"],
        program.summary["arrays"]["a"]["id"]
    );
    assert_eq!(state["arrays"]["b"]["version"], "6.1.5");
    assert_eq!(state["links"][0]["type"], "sync");
    program.stop().await;
    assert!(!ca.exists(), "certificates of our own are removed");
}

#[tokio::test]
async fn a_file_describes_it_and_another_keeps_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sim.toml");
    std::fs::write(
        &config,
        "tls = false\nclock = \"test\"\n[[arrays]]\nname = \"x\"\napi_token = \"secret\"\n",
    )
    .unwrap();
    let state = dir.path().join("state.json");
    let args = [
        "--config",
        config.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
    ];
    let program = start(&args).await;
    assert_eq!(program.summary["arrays"]["x"]["api_token"], "secret");
    let body = json!({"action": "create", "volume": "v", "bytes": 1 << 30});
    let path = "/arrays/x/behind-our-back";
    program
        .control()
        .call(http::Method::POST, path, &body)
        .await
        .unwrap();
    program.stop().await;
    let program = start(&args).await;
    let dump = program.control().state().await.unwrap();
    assert_eq!(dump["arrays"]["x"]["volumes"][0]["name"], "v");
    // Plain HTTP was asked for.
    let address = program.summary["arrays"]["x"]["address"].as_str().unwrap();
    let answer = reqwest::get(format!("http://{address}/api/api_version"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    program.stop().await;
}

#[tokio::test]
async fn a_mistake_on_the_command_line_is_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_flasharray-sim"))
        .args(["--arrays", "a", "--connect", "a:b:sync"])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("there is no array b"), "{text}");
}

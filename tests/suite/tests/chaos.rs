//! Two short seeds of chaos: the real host before real simulators, with everything going wrong that can. Ten seeds of three
//! minutes are a stage of `cargo xtask judge`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

/// How long each goes on before all is healed and judged, minutes.
const LONG: &str = "0.75";

fn nothing_is_violated(seed: u64) {
    let played = Command::new(env!("CARGO_BIN_EXE_springform-chaos"))
        .args(["--seed", &seed.to_string(), "--minutes", LONG])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(
        played.status.success() && said.trim_end().ends_with("violations 0"),
        "{said}\n{}",
        String::from_utf8_lossy(&played.stderr)
    );
}

/// One after the other: each needs the machine for itself.
#[test]
fn nothing_acknowledged_is_lost_while_everything_goes_wrong_that_can() {
    for seed in [1, 2] {
        nothing_is_violated(seed);
    }
}

use super::*;

#[test]
fn nothing_that_a_tenant_or_a_driver_says_is_obeyed_by_a_terminal() {
    let value = serde_json::json!({"name": "\u{1b}[2Jledger\nvolume  x\u{9b}1m"});
    assert_eq!(
        field(&value, "/name"),
        "\u{fffd}[2Jledger volume  x\u{fffd}1m"
    );
    assert_eq!(harmless("line:1\nline:2\r"), "line:1\nline:2\u{fffd}");
}

#[test]
fn amounts_are_written_for_people() {
    let shown: Vec<String> = [0, 1023, 1024, 1536, 5 << 30]
        .into_iter()
        .map(bytes)
        .collect();
    assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB"]);
    let shown: Vec<String> = [5, 65, 3720, 90_000].into_iter().map(seconds).collect();
    assert_eq!(shown, ["5 s", "1 min 05 s", "1 h 02 min", "1 d 01 h"]);
}

use super::*;

#[test]
fn an_array_without_a_port_is_spoken_to_on_443() {
    let shown: Vec<String> = [
        "192.0.2.1",
        "array.example",
        "array.example:8443",
        "2001:db8::1",
        "[2001:db8::1]:9",
    ]
    .iter()
    .map(|address| with_port(address))
    .collect();
    assert_eq!(
        shown,
        [
            "192.0.2.1:443",
            "array.example:443",
            "array.example:8443",
            "[2001:db8::1]:443",
            "[2001:db8::1]:9"
        ]
    );
}

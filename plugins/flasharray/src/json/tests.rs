use super::*;
use serde_json::{Value, json};

#[test]
fn what_is_written_reads_back_the_same() {
    let written = json!({
        "empty": {}, "none": [], "null": null, "yes": true, "no": false,
        "large": u64::MAX, "negative": i64::MIN,
        "text": "quote \" backslash \\ line\n tab\t bell\u{7} unit\u{1f} ümlaut 🦀",
        "list": [1, [2, {"a\"b": 3}]],
    });
    let theirs: Value = serde_json::from_slice(&bytes(&written)).unwrap();
    assert_eq!(theirs, written);
    assert_eq!(value(&bytes(&written)), Some(written));
}

#[test]
fn a_fraction_is_no_number_that_an_array_is_sent() {
    assert_eq!(text(&json!([0.5, 1])), "[null,1]");
}

/// Well formed or not: the verdict is the library's, and so is the value.
#[test]
fn a_document_is_read_as_the_library_reads_it() {
    let documents: &[&[u8]] = &[
        b" { \"a\" : [ 1 , -2 , \"x\" ] ,\r\n\t\"b\":{} } ",
        b"\"\\u00e4\\ud83e\\udd80\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
        "\"\u{7f} \u{2028} 🦀\"".as_bytes(),
        b"{\"a\":1,\"a\":2}",
        b"18446744073709551615",
        b"-9223372036854775808",
        b"0",
        b"0.5",
        b"1.0",
        b"1E2",
        b"1e+2",
        b"1e-2",
        b"-12.25e1",
        b"1e400",
        b"",
        b" ",
        b"nul",
        b"nullx",
        b"True",
        b"01",
        b"-",
        b"+1",
        b".5",
        b"1.",
        b"1e",
        b"1e+-2",
        b"0x10",
        b"NaN",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1",
        b"]",
        b"{\"a\":1,}",
        b"{\"a\" 1}",
        b"{a:1}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{",
        b"\"",
        b"\"\\\"",
        b"\"a\nb\"",
        b"\"\\x\"",
        b"\"\\u12\"",
        b"\"\\u+123\"",
        b"\"\\ud800\"",
        b"\"\\ud800\\u0041\"",
        b"\"\\udc00\"",
        b"\xff",
        b"\"\xc3\"",
        b"\xef\xbb\xbf1",
        b"1 2",
        b"'a'",
        b"/* */ 1",
    ];
    for document in documents {
        let theirs: Option<Value> = serde_json::from_slice(document).ok();
        let shown = String::from_utf8_lossy(document);
        assert_eq!(value(document), theirs, "{shown}");
    }
}

#[test]
fn of_a_long_list_only_the_names_of_its_items_are_kept() {
    let answer = br#"{"items":[{"id":"1","name":"a","pod":{"name":"p"},"tags":[{"name":"t"}]},{"name":"b"},{}],
        "more_items_remaining":true,"continuation_token":"next"}"#;
    let kept = json!({
        "items": [{"name": "a"}, {"name": "b"}, {}],
        "more_items_remaining": true, "continuation_token": "next",
    });
    assert_eq!(names(answer), Some(kept));
    assert_eq!(names(b"{\"items\":[{\"name\":}]}"), None);
}

#[test]
fn a_fraction_is_near_enough() {
    for (written, meant) in [
        ("0.333333333333333333333", 1.0 / 3.0),
        ("123456.789e-3", 123.456_789),
    ] {
        let read = value(written.as_bytes()).and_then(|v| v.as_f64()).unwrap();
        assert!((read - meant).abs() < 1e-12, "{written}: {read}");
    }
    assert_eq!(value(b"18446744073709551616").unwrap().as_u64(), None);
}

#[test]
fn a_document_that_nests_without_end_is_refused() {
    assert!(value("[".repeat(1_000_000).as_bytes()).is_none());
    assert!(value(("[".repeat(60) + &"]".repeat(60)).as_bytes()).is_some());
}

use super::*;

#[test]
fn a_request_has_no_more_names_than_fit_into_it_and_none_is_left_out() {
    let short: Vec<_> = (0..300).map(|n| format!("volume-{n}")).collect();
    let sizes: Vec<_> = chunks(&short).map(<[_]>::len).collect();
    assert_eq!(sizes, [128, 128, 44]);
    let long: Vec<_> = (0..300).map(|n| format!("pod::{n:0>100}")).collect();
    let mut seen = Vec::new();
    for chunk in chunks(&long) {
        let query = Query::new().list("names", chunk);
        assert!(query.behind("/volumes").len() < 7_100, "{}", chunk.len());
        seen.extend_from_slice(chunk);
    }
    assert_eq!(seen, long);
    let giant = ["x".repeat(10_000), "y".to_owned()];
    assert_eq!(chunks(&giant).map(<[_]>::len).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(chunks::<String>(&[]).count(), 0);
}

#[test]
fn lists_are_joined_by_a_literal_comma_and_elements_are_encoded() {
    let query = Query::new()
        .list("names", &["cinder-pod::v 1", "vg/v"])
        .on("overwrite");
    assert_eq!(
        query.behind("/volumes"),
        "/volumes?names=cinder-pod%3A%3Av%201,vg/v&overwrite=true"
    );
}

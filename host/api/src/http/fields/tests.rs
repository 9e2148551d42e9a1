#![allow(clippy::unwrap_used)]

use super::*;

fn fields(text: &str) -> Fields {
    Fields::parse(text.as_bytes()).unwrap()
}

#[test]
fn what_is_missing_is_named_as_cinder_names_it() {
    let refusal = fields("{}").object("volume").unwrap_err();
    assert_eq!(refusal.message, "'volume' is a required property");
}

#[test]
fn a_number_out_of_range_is_refused_with_its_limit() {
    let refusal = fields(r#"{"size":0}"#).integer("size", 1..=10).unwrap_err();
    assert_eq!(
        refusal.message,
        "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1"
    );
    assert!(fields(r#"{"size":1.5}"#).integer("size", 1..=10).is_err());
    assert_eq!(
        fields(r#"{"size":"7"}"#).integer("size", 1..=10).unwrap(),
        Some(7)
    );
}

#[test]
fn a_member_nobody_knows_is_refused_by_name() {
    let refusal = fields(r#"{"colour":"red"}"#).finish().unwrap_err();
    assert_eq!(
        refusal.message,
        "Additional properties are not allowed ('colour' was unexpected)"
    );
}

#[test]
fn nulls_count_as_missing_where_cinder_takes_them() {
    let mut fields = fields(r#"{"name":null,"metadata":null,"multiattach":null}"#);
    assert_eq!(fields.name().unwrap(), None);
    assert_eq!(fields.pairs_or_null("metadata", Keys::Words).unwrap(), None);
    assert_eq!(fields.boolean_or_null("multiattach").unwrap(), None);
    fields.finish().unwrap();
}

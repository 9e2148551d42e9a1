//! The zoo: attackers that lose. A table for each way in; each line is one attack with what stops it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../support/mod.rs"]
mod support;

mod behaviours;
mod bytes;
mod calls;
mod components;
mod requests;

#[test]
fn there_are_fifty_attacks_and_more_each_with_a_name_of_its_own() {
    let mut names: Vec<&str> = components::ATTACKS.iter().map(|attack| attack.0).collect();
    names.extend(requests::ATTACKS.iter().map(|attack| attack.0));
    names.extend(behaviours::ATTACKS.iter().map(|attack| attack.name));
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(all >= 70, "{all}");
}

//! Random operations on two connected arrays, next to a small model of what
//! must come out: every byte that a host can read, after every failure and
//! after every failover.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod history;
mod mediator;
mod pod;
mod run;

use proptest::prelude::*;

use run::{Op, Run};

fn op() -> impl Strategy<Value = Op> {
    let volume = 0..4usize;
    let cell = 0..4usize;
    prop_oneof![
        3 => volume.clone().prop_map(Op::Create),
        8 => (volume.clone(), cell.clone(), 1..=255u8).prop_map(|(v, c, b)| Op::Write(v, c, b)),
        2 => volume.clone().prop_map(Op::Snapshot),
        2 => volume.clone().prop_map(Op::Revert),
        2 => volume.clone().prop_map(Op::Clone),
        1 => volume.clone().prop_map(Op::Destroy),
        1 => volume.clone().prop_map(Op::Rename),
        3 => volume.clone().prop_map(Op::Join),
        1 => volume.clone().prop_map(Op::Leave),
        1 => any::<bool>().prop_map(Op::Enable),
        1 => Just(Op::ReplicateNow),
        6 => (1..10u64).prop_map(Op::Advance),
        3 => (10..180u64).prop_map(Op::Advance),
        2 => Just(Op::Failover),
        3 => volume.clone().prop_map(Op::CreateInPod),
        8 => (any::<bool>(), volume.clone(), cell, 1..=255u8).prop_map(|(a, v, c, b)| Op::WriteInPod(a, v, c, b)),
        1 => (any::<bool>(), volume).prop_map(|(a, v)| Op::DestroyInPod(a, v)),
        3 => any::<bool>().prop_map(Op::Link),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(a, on)| Op::Power(a, on)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_byte_is_where_the_model_says(ops in prop::collection::vec(op(), 1..120)) {
        let mut run = Run::new();
        for op in ops {
            run.step(op);
        }
        run.settle_and_compare();
    }
}

/// All sequences of three events, from the start and from a cut link.
#[test]
fn no_acknowledged_write_is_lost_in_any_short_story() {
    let events = mediator::all();
    for a in &events {
        for b in &events {
            for c in &events {
                mediator::check(&[*a, *b, *c]);
                mediator::check(&[mediator::Event::Link(false), *a, *b, *c]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_acknowledged_write_is_lost_in_a_long_story(
        story in prop::collection::vec(prop::sample::select(mediator::all()), 4..40)
    ) {
        mediator::check(&story);
    }
}

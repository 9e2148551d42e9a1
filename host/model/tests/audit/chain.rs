//! What the chain proves, and what it does not.

use proptest::prelude::*;
use springform_model::audit::chain::digest;
use springform_model::audit::{
    Action, CHAIN, Checkpoint, Entry, Flaw, GENESIS, Kind, Link, Outcome, Report, Verifier, Who,
};
use springform_model::time::Timestamp;

fn entry(host: &str, n: u64) -> Entry {
    let at = Timestamp(i64::try_from(n).unwrap() * 1_000_000);
    Entry::new(at, Who::of(Kind::Host), Action::Failover, Outcome::Begun)
        .with("n", n.to_string())
        .by_host(host)
}

fn push(chain: &mut Vec<Link>, entry: &Entry) {
    let (seq, previous) = match chain.last() {
        Some(last) => (last.seq + 1, last.hash.clone()),
        None => (1, GENESIS.to_owned()),
    };
    chain.push(Link::new(&entry.host, seq, &previous, entry.text().unwrap()).unwrap());
}

fn chain(host: &str, length: u64) -> Vec<Link> {
    let mut links = Vec::new();
    for n in 1..=length {
        push(&mut links, &entry(host, n));
    }
    links
}

/// In the order of the numbers, as the table is read.
fn read<'a>(links: impl IntoIterator<Item = &'a Link>, anchors: &[Checkpoint]) -> Report {
    let mut verifier = Verifier::new();
    anchors
        .iter()
        .for_each(|at| verifier.anchor(None, at.clone()));
    links.into_iter().for_each(|link| verifier.link(link));
    verifier.finish()
}

fn head(links: &[Link]) -> Checkpoint {
    let last = links.last().unwrap();
    Checkpoint {
        seq: last.seq,
        hash: last.hash.clone(),
    }
}

fn only(report: &Report) -> (u64, Flaw) {
    assert_eq!(report.faults.len(), 1, "{report:?}");
    (report.faults[0].seq, report.faults[0].flaw.clone())
}

/// Writes every entry from here on anew, as somebody would who knows how.
fn forge(links: &mut [Link]) {
    for n in 1..links.len() {
        let previous = links[n - 1].hash.clone();
        let link = &links[n];
        links[n] = Link::new(&link.host, link.seq, &previous, link.entry.get().to_owned()).unwrap();
    }
}

proptest! {
    // Whatever was edited is looked for under thousands of other numbers.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_chain_that_nobody_touched_is_sound_and_so_are_several(lengths in prop::collection::vec(1_u64..20, 1..4)) {
        let chains: Vec<Vec<Link>> = lengths.iter().enumerate()
            .map(|(n, length)| chain(&format!("h{n}"), *length)).collect();
        let anchors: Vec<_> = chains.iter().map(|links| head(links)).collect();
        let report = read(chains.iter().flatten(), &anchors);
        prop_assert!(report.faults.is_empty(), "{report:?}");
        let heads: Vec<_> = report.heads.iter().map(|head| head.last.clone()).collect();
        prop_assert_eq!(heads, anchors);
    }

    #[test]
    fn any_byte_of_an_entry_that_is_changed_is_found_at_its_number(length in 1_u64..12, at in 0_usize..1000, by in 1_u8..4) {
        let mut links = chain("h", length);
        let n = at % links.len();
        let mut bytes = links[n].entry.get().as_bytes().to_vec();
        let place = at % bytes.len();
        bytes[place] = bytes[place].wrapping_add(by);
        let text = String::from_utf8(bytes).ok().and_then(|text| serde_json::value::RawValue::from_string(text).ok());
        prop_assume!(text.is_some());
        links[n].entry = text.unwrap();
        prop_assert_eq!(only(&read(&links, &[])), (n as u64 + 1, Flaw::Edited));
    }

    #[test]
    fn an_entry_that_is_removed_is_found_and_a_cut_end_with_an_anchor(length in 2_u64..12, at in 0_usize..1000) {
        let whole = chain("h", length);
        let mut links = whole.clone();
        let n = at % links.len();
        links.remove(n);
        let report = read(&links, &[head(&whole)]);
        let seq = n as u64 + 1;
        let (found, flaw) = only(&report);
        prop_assert_eq!(found, seq);
        match seq == length {
            true => {
                let cut = matches!(flaw, Flaw::Cut { last, .. } if last == length - 1);
                prop_assert!(cut, "{:?}", flaw);
            }
            false => prop_assert_eq!(flaw, Flaw::Missing { through: seq }),
        }
    }

    #[test]
    fn two_entries_that_change_places_are_found_at_the_first_of_them(length in 2_u64..12, a in 0_usize..1000, b in 0_usize..1000) {
        let mut links = chain("h", length);
        let (a, b) = (a % links.len(), b % links.len());
        prop_assume!(a < b);
        (links[a].seq, links[b].seq) = (links[b].seq, links[a].seq);
        links.sort_by_key(|link| link.seq);
        let (seq, flaw) = only(&read(&links, &[]));
        prop_assert_eq!((seq, flaw), (a as u64 + 1, Flaw::Reordered { was: b as u64 + 1 }));
    }

    #[test]
    fn a_chain_that_is_written_anew_is_found_by_an_anchor_and_by_nothing_else(length in 2_u64..12, at in 0_usize..1000) {
        let whole = chain("h", length);
        let mut links = whole.clone();
        let n = at % links.len();
        let (seq, previous) = (links[n].seq, links[n].previous.clone());
        links[n] = Link::new("h", seq, &previous, entry("h", 77).text().unwrap()).unwrap();
        forge(&mut links);
        prop_assert!(read(&links, &[]).faults.is_empty());
        let (seq, flaw) = only(&read(&links, &[head(&whole)]));
        prop_assert_eq!(seq, length);
        let exchanged = matches!(flaw, Flaw::Exchanged { .. });
        prop_assert!(exchanged, "{:?}", flaw);
    }

    #[test]
    fn a_pruned_chain_is_sound_with_the_entry_that_says_so_and_only_with_it(length in 2_u64..12, at in 0_usize..1000) {
        let mut links = chain("h", length);
        let n = at % links.len();
        let kept = Checkpoint { seq: links[n].seq, hash: links[n].hash.clone() };
        let without = links[n + 1..].to_vec();
        if !without.is_empty() {
            prop_assert_eq!(only(&read(&without, &[])), (1, Flaw::Missing { through: kept.seq }));
        }
        let mut pruned = entry("h", 99).with(format!("{CHAIN}h"), kept.to_string());
        pruned.action = Action::AuditPruned;
        push(&mut links, &pruned);
        let after = &links[n + 1..];
        let report = read(after, std::slice::from_ref(&kept));
        prop_assert!(report.faults.is_empty(), "{report:?}");
        prop_assert_eq!(report.heads[0].first, kept.seq + 1);
    }
}

#[test]
fn an_entry_that_was_edited_and_hashed_anew_is_found_at_the_entry_behind_it() {
    let mut links = chain("h", 5);
    let (seq, previous) = (links[2].seq, links[2].previous.clone());
    links[2] = Link::new("h", seq, &previous, entry("h", 77).text().unwrap()).unwrap();
    assert_eq!(only(&read(&links, &[])), (4, Flaw::Unlinked));
}

#[test]
fn a_chain_that_is_gone_or_cut_is_found_by_what_another_host_saw_of_it() {
    let other = chain("a", 3);
    let mut started = entry("b", 1).with(format!("{CHAIN}a"), head(&other).to_string());
    started.action = Action::HostStarted;
    let mut own = Vec::new();
    push(&mut own, &started);
    assert!(read(other.iter().chain(&own), &[]).faults.is_empty());
    let (seq, flaw) = only(&read(&own, &[]));
    assert!(
        seq == 3 && matches!(flaw, Flaw::Cut { last: 0, .. }),
        "{flaw:?}"
    );
    let (seq, flaw) = only(&read(other[..1].iter().chain(&own), &[]));
    assert!(
        seq == 2 && matches!(flaw, Flaw::Cut { last: 1, .. }),
        "{flaw:?}"
    );
}

#[test]
fn a_digest_is_what_any_other_program_says_it_is() {
    // printf '%s\n%s\n%s' 0000…0000 1 '{}' | sha256sum
    let expected = "857ee6299d26533d1f5f46c02209ae8bc34dc4898a8a9545493946b4ea59d6f3";
    assert_eq!(digest(GENESIS, 1, "{}"), expected);
    let text = format!("17:{}", digest(GENESIS, 1, "{}").to_uppercase());
    assert_eq!(Checkpoint::parse(&text).unwrap().seq, 17);
    assert_eq!(Checkpoint::parse("17:ab"), None);
}

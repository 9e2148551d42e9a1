//! Requests that are under way, and which of them a poll says are over.

/// Takes what is ready out of what is under way. A poll names places in whatever order the host found them in, and
/// nothing but what it names may be touched: a request that is dropped before its answer may have been carried out.
pub(crate) fn take<T>(flying: &mut Vec<T>, ready: &[u32]) -> Vec<T> {
    let mut place = 0;
    let named = |_: &mut T| {
        let named = ready.contains(&place);
        place += 1;
        named
    };
    flying.extract_if(.., named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_poll_names_in_any_order_is_taken_and_nothing_else() {
        for ready in [
            vec![0, 3],
            vec![3, 0],
            vec![2, 4, 1],
            vec![4, 0, 4, 2],
            vec![4, 3, 2, 1, 0],
            vec![7],
        ] {
            let mut flying: Vec<u32> = (0..5).collect();
            let taken = take(&mut flying, &ready);
            let mut named: Vec<u32> = ready.iter().copied().filter(|place| *place < 5).collect();
            named.sort_unstable();
            named.dedup();
            assert_eq!(taken, named, "{ready:?}");
            let rest: Vec<u32> = (0..5).filter(|place| !named.contains(place)).collect();
            assert_eq!(flying, rest, "{ready:?}");
        }
    }
}

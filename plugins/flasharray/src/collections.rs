//! Filling sets and tables. `collect` sorts first, and brings a sort of its own into the component for every type: five
//! kilobytes each. One by one is as quick for names that arrive in order.

use std::collections::{BTreeMap, BTreeSet};

/// A set of these.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut all = BTreeSet::new();
    all.extend(items);
    all
}

/// A table of these.
pub fn table<K: Ord, V>(items: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut all = BTreeMap::new();
    all.extend(items);
    all
}

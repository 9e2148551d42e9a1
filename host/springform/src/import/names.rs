//! What Cinder's driver of FlashArray calls things on the array. The driver here gives the same names; Cinder's database has
//! only those of volumes.

use super::backends::Backend;

/// A snapshot of a volume.
#[must_use]
pub fn snapshot(volume: &str, id: &str) -> String {
    format!("{volume}.snapshot-{id}")
}

/// The protection group of a consistency group; in the pod where a type of it is replicated synchronously.
#[must_use]
pub fn group(backend: &Backend, id: &str, in_pod: bool) -> String {
    let name = format!("consisgroup-{id}-cinder");
    if in_pod {
        format!("{}::{name}", backend.pod)
    } else {
        name
    }
}

/// One volume's part of a group's snapshot.
#[must_use]
pub fn part(group: &str, group_snapshot: &str, volume: &str) -> String {
    let volume = volume.split_once("::").map_or(volume, |(_, name)| name);
    format!("{group}.cgsnapshot-{group_snapshot}-cinder.{volume}")
}

//! A volume that was grown after its recovery point has the size of before on the array it moved to.

use springform_model::contract::Placement;

use crate::replication::env::Member;

/// Key under which a driver says how many bytes a volume has where it was promoted.
const SIZE: &str = "springform/size";

/// A GiB, in which volumes are counted.
const GIB: u64 = 1 << 30;

/// The size that a placement tells of, in bytes. It is news of the promotion, not a part of where the volume is.
pub(super) fn taken(placement: &mut Placement) -> Option<u64> {
    let at = placement.extensions.iter().position(|(k, _)| k == SIZE)?;
    let (_, told) = placement.extensions.remove(at);
    told.parse().ok().filter(|bytes| *bytes > 0)
}

/// Lets the record follow the array, and with it the quota; gives the size it had, where it changed.
pub(super) fn follow(member: &mut Member, bytes: u64) -> Option<u64> {
    let was = member.volume.size;
    let now = bytes.div_ceil(GIB);
    if was == now {
        return None;
    }
    member.volume.size = now;
    member.spec.size = now.saturating_mul(GIB);
    Some(was)
}

//! Names on the array, as Cinder's driver gives them, so that an array which Cinder has used is taken over as it is.

/// Longest base of a volume name; a longer one is cut from the left.
const LONGEST_BASE: usize = 56;

/// Longest name of a volume without its containers.
const LONGEST: usize = 63;

/// How the mark of a deleted volume ends.
const MARK: &str = "-left";

/// Longest part of a connector's host name in a host object's name.
const LONGEST_HOST: usize = 23;

/// `volume-<uuid>-cinder`.
#[must_use]
pub fn volume(name: &str) -> String {
    let skip = name.chars().count().saturating_sub(LONGEST_BASE);
    format!("{}-cinder", name.chars().skip(skip).collect::<String>())
}

/// The id of the cloud's volume that has this name here, in whatever pod or volume group.
#[must_use]
pub fn volume_id(name: &str) -> Option<&str> {
    let id = base(name)
        .strip_prefix("volume-")?
        .strip_suffix("-cinder")?;
    let like_one = |(at, c): (usize, char)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    };
    (id.len() == 36 && id.chars().enumerate().all(like_one)).then_some(id)
}

/// `<pod>::<name>`.
#[must_use]
pub fn in_pod(pod: &str, name: &str) -> String {
    format!("{pod}::{name}")
}

/// The pod in a name.
#[must_use]
pub fn pod_of(name: &str) -> Option<&str> {
    name.split_once("::").map(|(pod, _)| pod)
}

/// A name without its pod.
#[must_use]
pub fn without_pod(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, rest)| rest)
}

/// A volume group, as a type names it: what an array does not allow in a name becomes a dash.
#[must_use]
pub fn vgroup(name: &str) -> String {
    clean(name.chars())
}

/// The volume group in a name.
#[must_use]
pub fn vgroup_of(name: &str) -> Option<&str> {
    let (group, _) = without_pod(name).split_once('/')?;
    Some(group)
}

/// A name without its pod and its volume group.
#[must_use]
pub fn base(name: &str) -> &str {
    let inside = without_pod(name);
    inside.split_once('/').map_or(inside, |(_, base)| base)
}

/// `[<group>/]<base>`: a volume in a volume group, or in none. A group is never in a pod here.
#[must_use]
pub fn in_vgroup(group: Option<&str>, base: &str) -> String {
    group.map_or_else(|| base.to_owned(), |group| format!("{group}/{base}"))
}

/// Another name in the same pod and volume group.
#[must_use]
pub fn beside(name: &str, other: &str) -> String {
    let container = name.strip_suffix(base(name)).unwrap_or_default();
    format!("{container}{other}")
}

/// The pod in which one volume travels into or out of a stretched pod.
#[must_use]
pub fn ghost_pod(prefix: &str, volume_id: &str) -> String {
    format!("{prefix}-{volume_id}")
}

/// The protection group of a consistency group: `[<pod>::]consisgroup-<id>-cinder`.
#[must_use]
pub fn group(pod: Option<&str>, id: &str) -> String {
    let name = format!("consisgroup-{id}-cinder");
    pod.map_or_else(|| name.clone(), |pod| in_pod(pod, &name))
}

/// How a snapshot of a consistency group ends: `cgsnapshot-<id>-cinder`.
#[must_use]
pub fn group_suffix(snapshot_id: &str) -> String {
    format!("cgsnapshot-{snapshot_id}-cinder")
}

/// The protection group into which an operation restores a whole recovery point: `springform-<operation>`.
#[must_use]
pub fn restored(operation: &str) -> String {
    let kept = operation
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    format!("springform-{}", kept.take(40).collect::<String>())
}

/// What a move of a volume to another backend's array makes, on either array: `springform-move-<move>`.
#[must_use]
pub fn moving(migration: &str) -> String {
    let kept = migration
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-');
    format!("springform-move-{}", kept.take(36).collect::<String>())
}

/// What a volume is called that has moved away and is to be destroyed: its name is free at once, in case it comes back before
/// the array has eradicated what it left.
#[must_use]
pub fn left_behind(volume: &str, migration: &str) -> String {
    let mut end: Vec<char> = migration
        .chars()
        .rev()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    end.reverse();
    let end: String = end.into_iter().collect();
    let base = base(volume);
    let skip = (base.chars().count() + 2 + end.len()).saturating_sub(LONGEST);
    let kept: String = base.chars().skip(skip).collect();
    beside(volume, &format!("{}-m{end}", kept.trim_start_matches('-')))
}

/// One volume in a snapshot of a protection group; its pod is in the group's name already.
#[must_use]
pub fn part(taken: &str, volume: &str) -> String {
    format!("{taken}.{}", without_pod(volume))
}

/// `<volume>.<snapshot name>`.
#[must_use]
pub fn snapshot(volume: &str, snapshot: &str) -> String {
    format!("{volume}.{snapshot}")
}

/// A writable copy made for a drill: outside any pod and volume group, so that nothing of it replicates.
#[must_use]
pub fn test_copy(volume: &str, test: &str) -> String {
    let volume = base(volume);
    let base = volume.strip_suffix("-cinder").unwrap_or(volume);
    format!("{base}-t{}", short(test))
}

/// Suffix of the snapshots from which such copies are made.
#[must_use]
pub fn drill_snapshot(test: &str) -> String {
    format!("drill-{}", short(test))
}

fn short(test: &str) -> String {
    let kept = test.chars().filter(char::is_ascii_alphanumeric);
    kept.take(8).collect()
}

/// `<host>-<32 hex>-cinder`. The digits follow from the whole name, the DMI UUID and an initiator, none of which is unique
/// alone, so that a machine gets its own name, and the same one again.
#[must_use]
pub fn host(host: &str, system_uuid: Option<&str>, initiator: &str) -> String {
    let uuid = system_uuid.unwrap_or_default().to_ascii_lowercase();
    let digits = digest(&format!("{host}\n{uuid}\n{initiator}"));
    format!("{}-{digits}-cinder", beginning(host))
}

/// Whether a host object was made by this driver or by Cinder's for a machine of this name.
#[must_use]
pub fn is_host_of(object: &str, host: &str) -> bool {
    let digits = object.strip_prefix(&format!("{}-", beginning(host)));
    is_our_host(object)
        && digits.is_some_and(|rest| !rest.trim_end_matches("-cinder").contains('-'))
}

/// Whether the digits in a host object's name are this DMI UUID.
#[must_use]
pub fn ends_in_uuid(object: &str, uuid: &str) -> bool {
    let digits = uuid.chars().filter(char::is_ascii_hexdigit);
    let digits: String = digits.map(|c| c.to_ascii_lowercase()).collect();
    object.ends_with(&format!("-{digits}-cinder"))
}

fn beginning(host: &str) -> String {
    let kept = clean(host.chars().take(LONGEST_HOST));
    kept.trim_matches('-').to_owned()
}

/// The mark of a volume that was deleted while its stretched self could not be reached.
#[must_use]
pub fn mark(volume: &str) -> String {
    format!("{volume}{MARK}")
}

/// The volume that a mark stands for.
#[must_use]
pub fn marked(mark: &str) -> Option<&str> {
    let volume = mark.strip_suffix(MARK)?;
    volume.ends_with("-cinder").then_some(volume)
}

fn clean(text: impl Iterator<Item = char>) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    text.map(|c| if allowed(&c) { c } else { '-' }).collect()
}

/// Whether a host object was made by this driver or by Cinder's.
#[must_use]
pub fn is_our_host(name: &str) -> bool {
    let Some(digits) = name
        .strip_suffix("-cinder")
        .and_then(|rest| rest.rsplit('-').next())
    else {
        return false;
    };
    digits.len() == 32
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// `3624a9370<serial>`: how a host sees the volume.
#[must_use]
pub fn wwn(serial: &str) -> String {
    format!("3624a9370{}", serial.to_ascii_lowercase())
}

/// How a host sees the volume over NVMe: vendor and serial woven into a globally unique id.
#[must_use]
pub fn nguid(serial: &str) -> String {
    let serial = serial.to_ascii_lowercase();
    let head: String = serial.chars().take(14).collect();
    let skip = serial.chars().count().saturating_sub(10);
    let tail: String = serial.chars().skip(skip).collect();
    format!("00{head}24a937{tail}")
}

/// 32 hex digits that depend on nothing but the text (FNV-1a, twice); a name, not a secret.
fn digest(text: &str) -> String {
    let fnv = |seed: u64| {
        text.bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    format!(
        "{:016x}{:016x}",
        fnv(0xcbf2_9ce4_8422_2325),
        fnv(0x8422_2325_cbf2_9ce4)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_called_what_cinder_would_call_it() {
        assert_eq!(
            volume("volume-5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d"),
            "volume-5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d-cinder"
        );
    }

    #[test]
    fn a_long_base_loses_its_head() {
        let long = "x".repeat(10) + &"y".repeat(56);
        assert_eq!(volume(&long), "y".repeat(56) + "-cinder");
    }

    #[test]
    fn a_name_says_in_which_volume_group_a_volume_is() {
        assert_eq!(vgroup("gold tier/1"), "gold-tier-1");
        assert_eq!(in_vgroup(Some("gold"), "v"), "gold/v");
        assert_eq!(in_vgroup(None, "v"), "v");
        for (name, group, plain) in [
            ("v", None, "v"),
            ("gold/v", Some("gold"), "v"),
            ("pod::v", None, "v"),
            ("pod::gold/v", Some("gold"), "v"),
        ] {
            assert_eq!((vgroup_of(name), base(name)), (group, plain), "{name}");
            assert_eq!(beside(name, "v"), name);
        }
    }

    #[test]
    fn what_a_volume_leaves_behind_is_no_volume_of_the_cloud_and_its_name_is_not_too_long() {
        let (one, other) = (
            "019a0000-0000-7000-8000-00000000abcd",
            "019a0000-0000-7000-8000-00000000abce",
        );
        let name = "gold/volume-5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d-cinder";
        let left = left_behind(name, one);
        assert_eq!(left, format!("{name}-m0000abcd"));
        assert_ne!(left, left_behind(name, other));
        assert_eq!(volume_id(&left), None);
        let long = left_behind(&"x".repeat(63), one);
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("x-m0000abcd"));
        let temporary = volume(&moving(one));
        assert!(temporary.starts_with("springform-move-019a") && temporary.len() <= 63);
    }

    #[test]
    fn a_machine_gets_the_same_host_name_again_and_it_is_known_as_ours() {
        let uuid = Some("4C4C4544-0032-3410-8051-B4C04F4E4D31");
        let with = host("node.1", uuid, "iqn.a");
        assert_eq!(with, host("node.1", uuid, "iqn.a"));
        let without = host("node1", None, "iqn.a");
        assert!(with.starts_with("node-1-") && without.starts_with("node1-"));
        assert!(is_our_host(&with) && is_our_host(&without));
        assert!(is_host_of(&with, "node.1") && !is_host_of(&with, "node"));
        assert!(!is_our_host("esx-07"));
    }

    #[test]
    fn machines_that_differ_in_anything_have_names_that_differ() {
        let uuid = Some("4C4C4544-0032-3410-8051-B4C04F4E4D31");
        let long = "compute-of-the-second-row-1";
        let names = [
            host(long, uuid, "iqn.a"),
            host("compute-of-the-second-row-2", uuid, "iqn.a"),
            host(long, uuid, "iqn.b"),
            host(long, None, "iqn.a"),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(
                names.iter().skip(at + 1).all(|other| other != name),
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_that_ends_in_a_dmi_uuid_is_told_from_one_that_does_not() {
        let uuid = "4C4C4544-0032-3410-8051-B4C04F4E4D31";
        assert!(ends_in_uuid(
            "node1-4c4c4544003234108051b4c04f4e4d31-cinder",
            uuid
        ));
        assert!(!ends_in_uuid(&host("node1", Some(uuid), "iqn.a"), uuid));
    }
}

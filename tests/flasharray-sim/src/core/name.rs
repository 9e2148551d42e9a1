//! Names of objects: what is allowed, and how pods, volume groups and
//! snapshots compose them.

use super::error::{ApiError, Res};

/// A name taken apart: `pod::group/base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Name of the pod, if any.
    pub pod: Option<&'a str>,
    /// Name of the volume group, without the pod, if any.
    pub vgroup: Option<&'a str>,
    /// The last component.
    pub base: &'a str,
}

/// Takes a name apart.
pub fn parts(name: &str) -> Parts<'_> {
    let (pod, rest) = match name.split_once("::") {
        Some((pod, rest)) => (Some(pod), rest),
        None => (None, name),
    };
    let (vgroup, base) = match rest.split_once('/') {
        Some((vgroup, base)) => (Some(vgroup), base),
        None => (None, rest),
    };
    Parts { pod, vgroup, base }
}

/// A name without the pod's prefix.
pub fn without_pod(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, rest)| rest)
}

/// Puts a name together.
pub fn compose(pod: Option<&str>, vgroup: Option<&str>, base: &str) -> String {
    let mut name = String::new();
    if let Some(pod) = pod {
        name.push_str(pod);
        name.push_str("::");
    }
    if let Some(vgroup) = vgroup {
        name.push_str(vgroup);
        name.push('/');
    }
    name.push_str(base);
    name
}

/// Checks one component of a name: letters, digits, `-` and `_`, at most 63
/// characters, the first and the last a letter or a digit.
pub fn check(kind: &str, base: &str) -> Res<()> {
    let word = |c: char| c.is_ascii_alphanumeric();
    let ok = base.len() <= 63
        && base.starts_with(word)
        && base.ends_with(word)
        && base.chars().all(|c| word(c) || c == '-' || c == '_');
    if ok {
        Ok(())
    } else {
        Err(ApiError::refuse(base, format!("{kind} name is invalid.")))
    }
}

/// Checks the suffix of a snapshot.
pub fn check_suffix(suffix: &str) -> Res<()> {
    let ok = !suffix.is_empty()
        && suffix.len() <= 64
        && suffix.starts_with(|c: char| c.is_ascii_alphanumeric())
        && suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-');
    if ok {
        Ok(())
    } else {
        Err(ApiError::refuse(suffix, "Snapshot suffix is invalid."))
    }
}

/// Initiators compare without case and, for WWNs, without colons.
pub fn normal_initiator(text: &str) -> String {
    let bare: String = text.chars().filter(|c| *c != ':').collect();
    if bare.len() == 16 && bare.chars().all(|c| c.is_ascii_hexdigit()) {
        bare.to_ascii_uppercase()
    } else {
        text.to_ascii_lowercase()
    }
}

/// A WWN the way the array prints it: `52:4A:93:...`; other text unchanged.
pub fn printed_wwn(text: &str) -> String {
    let normal = normal_initiator(text);
    if normal.len() != 16 || normal.contains([':', '.']) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(23);
    for (i, c) in normal.chars().enumerate() {
        if i > 0 && i % 2 == 0 {
            out.push(':');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart_and_together() {
        let p = parts("pod::vg/vol");
        assert_eq!((p.pod, p.vgroup, p.base), (Some("pod"), Some("vg"), "vol"));
        assert_eq!(compose(p.pod, p.vgroup, p.base), "pod::vg/vol");
        assert_eq!(without_pod("pod::vg/vol"), "vg/vol");
    }

    #[test]
    fn wwns_compare_in_any_notation() {
        assert_eq!(
            normal_initiator("52:4a:93:00:00:00:00:01"),
            "524A930000000001"
        );
        assert_eq!(printed_wwn("524a930000000001"), "52:4A:93:00:00:00:00:01");
        assert_eq!(printed_wwn("iqn.2004-10.org:x"), "iqn.2004-10.org:x");
    }
}

//! `[verification]`: whose signatures a component must have before a byte of it is parsed, and what is never loaded.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use super::section::{Item, Node, Section};

/// What a component must show to be loaded as a driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Known keys of minisign by the operator's names for them; those that are denied are not among them.
    pub keys: BTreeMap<String, String>,
    /// Names of the keys that all must have signed it.
    pub all_of: BTreeSet<String>,
    /// Names of keys of which some must have signed it.
    pub any_of: BTreeSet<String>,
    /// How many of `any_of` at least.
    pub minimum: usize,
    /// Whether it is refused where no known key signed it, and no digest is pinned.
    pub refuse_unsigned: bool,
    /// SHA-256 of components that are never loaded, in hex.
    pub denied_digests: BTreeSet<String>,
    /// Versions below it are refused, whoever signed them; none: none are.
    pub min_version: Option<Version>,
}

impl Verification {
    /// Reads `[verification]`, which holds for drivers that have no such table of their own.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut keys = read_keys(section.table("keys", "[verification.keys]"));
        for (name, line) in section.texts_at("denied_keys").unwrap_or_default() {
            if keys.remove(&name).is_none() {
                section.report(
                    line,
                    format!(
                        "has `denied_keys` with \"{name}\", which [verification.keys] does not name"
                    ),
                );
            }
        }
        let denied_digests = section.texts_at("denied_digests").unwrap_or_default();
        let denied_digests = denied_digests.into_iter().filter_map(|(text, line)| {
            let digest = digest(&text);
            if digest.is_none() {
                section.report(
                    line,
                    format!(
                        "has `denied_digests` with \"{text}\", which is not 64 hexadecimal digits"
                    ),
                );
            }
            digest
        });
        let default = Self {
            keys,
            denied_digests: denied_digests.collect(),
            ..Self::default()
        };
        default.with_rules(section, "[verification.any_of]")
    }

    /// Reads `[driver.<name>.verification]`: its rules stand in the place of the general ones, keys and denials stay.
    pub(super) fn of_driver(&self, mut section: Section<'_>, driver: &str) -> Self {
        let min_version = section.text_at("min_version").and_then(|(text, line)| {
            let version = Version::parse(&text);
            if version.is_err() {
                section.report(
                    line,
                    format!("has `min_version = \"{text}\"`, which is no version such as 1.4.0"),
                );
            }
            version.ok()
        });
        let own = self.with_rules(section, &format!("[driver.{driver}.verification.any_of]"));
        Self { min_version, ..own }
    }

    /// These rules with those that the table writes in their place.
    fn with_rules(&self, mut section: Section<'_>, any_of: &str) -> Self {
        let words = [("refuse", true), ("allow", false)];
        let refuse_unsigned = section.choice("unsigned", &words);
        let all_of = section.texts_at("all_of");
        let mut any = section.table("any_of", any_of);
        let any_keys = any.texts_at("keys");
        let minimum = any.number("minimum", 1..=64);
        if let (None, Some(_)) = (&any_keys, minimum) {
            any.report(any.line, "has `minimum` and needs the key `keys`");
        }
        let known = |named: Option<Vec<(String, usize)>>, key: &str, section: &Section<'_>| {
            let mut names = BTreeSet::new();
            for (name, line) in named.unwrap_or_default() {
                if !self.keys.contains_key(&name) {
                    section.report(
                        line,
                        format!("has `{key}` with \"{name}\", which is no key of [verification.keys] or a denied one"),
                    );
                }
                names.insert(name);
            }
            names
        };
        let own = all_of.is_some() || any_keys.is_some();
        let all_of = known(all_of, "all_of", &section);
        let any_of = known(any_keys, "keys", &any);
        let minimum = minimum.map_or(1, |minimum| usize::try_from(minimum).unwrap_or(usize::MAX));
        if !any_of.is_empty() && minimum > any_of.len() {
            any.report(
                any.line,
                format!("has `minimum = {minimum}` of {} keys", any_of.len()),
            );
        }
        any.finish();
        section.finish();
        let refuse_unsigned = refuse_unsigned.unwrap_or(self.refuse_unsigned);
        match own {
            true => Self {
                all_of,
                any_of,
                minimum,
                refuse_unsigned,
                ..self.clone()
            },
            false => Self {
                refuse_unsigned,
                ..self.clone()
            },
        }
    }
}

/// A digest as hex digits alone.
pub(super) fn digest(text: &str) -> Option<String> {
    let digest = text.strip_prefix("sha256:").unwrap_or(text).to_lowercase();
    let valid = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then_some(digest)
}

fn read_keys(section: Section<'_>) -> BTreeMap<String, String> {
    let (name, line, problems) = (section.name.clone(), section.line, section.problems());
    let mut keys = BTreeMap::new();
    for (key, Item { line: at, node }) in section.rest() {
        let at = at.max(line);
        let Node::Text(text) = node else {
            problems.report(
                at,
                format!("{name} has `{key}` as something else than a string"),
            );
            continue;
        };
        match minisign_verify::PublicKey::from_base64(&text) {
            Ok(_) => {
                keys.insert(key, text);
            }
            Err(_) => problems.report(
                at,
                format!(
                    "{name} has `{key}`, which is no public key of minisign; write the second line of its .pub file"
                ),
            ),
        }
    }
    keys
}

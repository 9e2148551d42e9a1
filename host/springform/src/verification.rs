//! Whether a file may be loaded as a driver: its digest, then its signatures, then its version. All but the version is asked
//! before a byte of it is parsed.
//!
//! Signatures are minisign's, one or several, in a file beside the component: `driver.wasm.minisig`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};
use semver::Version;
use springform_sandbox::ComponentFile;

use crate::config::{DriverConfig, Verification};

/// Largest file of signatures that is read, bytes.
const SIGNATURES: u64 = 64 << 10;
/// Lines of one signature of minisign.
const LINES: usize = 4;

/// Where the signatures of a component are.
#[must_use]
pub fn signatures_of(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

/// The rules for one driver, or for all that have none of their own.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    verification: &'a Verification,
    driver: Option<&'a DriverConfig>,
}

impl<'a> Rules<'a> {
    /// Those of a configured driver.
    #[must_use]
    pub fn of(driver: &'a DriverConfig) -> Self {
        Self {
            verification: &driver.verification,
            driver: Some(driver),
        }
    }

    /// Those of `[verification]`.
    #[must_use]
    pub fn general(verification: &'a Verification) -> Self {
        Self {
            verification,
            driver: None,
        }
    }

    /// Whether a file may be parsed, compiled and run; gives back the names of the keys that signed it.
    ///
    /// # Errors
    /// The rule that refuses it, its digest, and what to do.
    pub fn admit(&self, file: &ComponentFile) -> Result<Vec<String>, String> {
        let (digest, path) = (file.digest(), file.path().display());
        if self.verification.denied_digests.contains(digest) {
            return Err(format!(
                "{path} has the digest {digest}, which `denied_digests` of [verification] names; it is loaded as no driver"
            ));
        }
        let pinned = self
            .driver
            .and_then(|driver| Some((&driver.name, driver.sha256.as_deref()?)));
        if let Some((name, pinned)) = pinned
            && pinned != digest
        {
            return Err(format!(
                "{path} has the digest {digest} and the configuration pins {pinned}; to serve this file, write its digest as sha256 in [driver.{name}] and reload the configuration"
            ));
        }
        let signatures = signatures_of(file.path());
        let signed = match self.verification.keys.is_empty() {
            // Nobody's signature counts.
            true => Signed::default(),
            false => Signed::read(&signatures, file.bytes(), &self.verification.keys)?,
        };
        let lacking = self.lacking(&signed, pinned.is_some());
        match lacking {
            None => Ok(signed.by),
            Some(rule) => Err(format!(
                "{path} (digest {digest}) {rule}. {} Put the signatures of a key that counts into {}",
                signed.in_words(),
                signatures.display()
            )),
        }
    }

    /// The first rule that the signatures do not satisfy.
    fn lacking(&self, signed: &Signed, pinned: bool) -> Option<String> {
        let Verification {
            all_of,
            any_of,
            minimum,
            refuse_unsigned,
            ..
        } = self.verification;
        let is_signed = |name: &&String| signed.by.contains(name);
        if let Some(name) = all_of.iter().find(|name| !is_signed(name)) {
            return Some(format!(
                "is not signed by \"{name}\", which `all_of` asks for"
            ));
        }
        let some = any_of.iter().filter(is_signed).count();
        if !any_of.is_empty() && some < *minimum {
            let names: Vec<&str> = any_of.iter().map(String::as_str).collect();
            return Some(format!(
                "is signed by {some} of {}, and `any_of` asks for {minimum}",
                names.join(", ")
            ));
        }
        let no_rule = all_of.is_empty() && any_of.is_empty();
        if no_rule && *refuse_unsigned && signed.by.is_empty() && !pinned {
            return Some(
                "is signed by no key of [verification.keys], has no `sha256` in the configuration, and `unsigned = \"refuse\"`"
                    .to_owned(),
            );
        }
        None
    }

    /// Whether the version that a component states is new enough: an old one, rightly signed, may have a known hole.
    ///
    /// # Errors
    /// It is older, or no version.
    pub fn admit_version(&self, stated: &str) -> Result<(), String> {
        let Some(least) = &self.verification.min_version else {
            return Ok(());
        };
        match Version::parse(stated) {
            Ok(version) if version >= *least => Ok(()),
            _ => Err(format!(
                "it states the version {stated:?} and `min_version` of its driver is {least}"
            )),
        }
    }
}

/// What the signatures beside a file say.
#[derive(Debug, Default)]
struct Signed {
    /// Names of the keys that signed it.
    by: Vec<String>,
    /// Names of the keys of which there is a signature that is not of these bytes.
    damaged: Vec<String>,
    /// How many are of other keys.
    unknown: usize,
}

impl Signed {
    fn read(path: &Path, bytes: &[u8], keys: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut signed = Self::default();
        let shown = path.display();
        let size = match std::fs::metadata(path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(signed),
            Err(error) => return Err(format!("{shown} cannot be read: {error}")),
        };
        if size > SIGNATURES {
            return Err(format!(
                "{shown} has {size} bytes; signatures of one component have at most {SIGNATURES}"
            ));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{shown} cannot be read: {error}"))?;
        for signature in each(&text) {
            let signature = Signature::decode(&signature).map_err(|_| {
                format!("{shown} holds something else than signatures of minisign; sign the component again")
            })?;
            signed.add(&signature, bytes, keys);
        }
        Ok(signed)
    }

    fn add(&mut self, signature: &Signature, bytes: &[u8], keys: &BTreeMap<String, String>) {
        let mut known = false;
        for (name, key) in keys {
            let Ok(key) = PublicKey::from_base64(key) else {
                continue;
            };
            let list = match key.verify(bytes, signature, false) {
                Ok(()) => &mut self.by,
                Err(minisign_verify::Error::UnexpectedKeyId) => continue,
                Err(_) => &mut self.damaged,
            };
            known = true;
            if !list.contains(name) {
                list.push(name.clone());
            }
        }
        self.unknown += usize::from(!known);
    }

    fn in_words(&self) -> String {
        let mut words = String::new();
        if self.by.is_empty() {
            words.push_str("No known key signed it.");
        } else {
            let _ = write!(words, "It is signed by {}.", self.by.join(", "));
        }
        if !self.damaged.is_empty() {
            let _ = write!(
                words,
                " A signature by {} is of other bytes.",
                self.damaged.join(", ")
            );
        }
        if self.unknown > 0 {
            let _ = write!(
                words,
                " {} signatures are of keys that are not known.",
                self.unknown
            );
        }
        words
    }
}

/// The signatures in a file, one after another.
pub(crate) fn each(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.chunks(LINES).map(|four| four.join("\n")).collect()
}

#[cfg(test)]
mod tests;

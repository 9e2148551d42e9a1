#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::PathBuf;

use minisign::KeyPair;
use tempfile::TempDir;

use super::*;
use crate::config::Config;

const BYTES: &[u8] = b"\0asm and whatever follows";

struct Place {
    folder: TempDir,
    keys: BTreeMap<&'static str, KeyPair>,
}

impl Place {
    /// Three keys: of two the operator knows the names, of one nothing.
    fn new() -> Self {
        let pair = |name| (name, KeyPair::generate_unencrypted_keypair().unwrap());
        Self {
            folder: tempfile::tempdir().unwrap(),
            keys: ["vendor", "release", "stranger"].map(pair).into(),
        }
    }

    fn component(&self) -> PathBuf {
        self.folder.path().join("driver.wasm")
    }

    fn signature(&self, by: &str, bytes: &[u8]) -> String {
        let key = &self.keys[by].sk;
        let made = minisign::sign(None, key, Cursor::new(bytes), Some("test"), None);
        made.unwrap().into_string()
    }

    /// The component with these signatures beside it.
    fn signed(&self, signatures: &[String]) -> ComponentFile {
        std::fs::write(self.component(), BYTES).unwrap();
        std::fs::write(signatures_of(&self.component()), signatures.concat()).unwrap();
        self.read()
    }

    fn read(&self) -> ComponentFile {
        ComponentFile::read(&self.component(), 1 << 20).unwrap()
    }

    fn config(&self, general: &str, driver: &str) -> String {
        let key = |name: &str| self.keys[name].pk.to_base64();
        format!(
            "[verification]\n{general}\n[verification.keys]\nvendor = \"{}\"\nrelease = \"{}\"\n[driver.d]\npath = \"driver.wasm\"\n{driver}\n",
            key("vendor"),
            key("release"),
        )
    }

    fn parsed(&self, general: &str, driver: &str) -> Result<Config, String> {
        let text = self.config(general, driver);
        Config::parse(&self.folder.path().join("c.toml"), &text).map_err(|error| error.to_string())
    }

    fn admits(&self, file: &ComponentFile, general: &str, driver: &str) -> Result<String, String> {
        let config = self.parsed(general, driver).unwrap();
        let admitted = Rules::of(&config.drivers["d"]).admit(file);
        admitted.map(|signers| signers.join(","))
    }
}

fn admitted(by: &str) -> Result<String, String> {
    Ok(by.to_owned())
}

fn refused(result: Result<String, String>, why: &str) {
    let reason = result.unwrap_err();
    assert!(reason.contains(why), "{reason}");
    assert!(reason.contains("digest"), "{reason}");
}

const ALL: &str = "all_of = [\"vendor\"]";
const ANY: &str = "any_of = { minimum = 2, keys = [\"vendor\", \"release\"] }";
const REFUSE: &str = "unsigned = \"refuse\"";

#[test]
fn signatures_of_the_very_bytes_by_the_keys_that_are_asked_for_count_and_no_others() {
    let place = Place::new();
    let [vendor, release, stranger] =
        ["vendor", "release", "stranger"].map(|by| place.signature(by, BYTES));
    let other = place.signature("vendor", b"other bytes");

    let file = place.signed(&[]);
    assert_eq!(place.admits(&file, "", ""), admitted(""));
    refused(place.admits(&file, ALL, ""), "not signed by \"vendor\"");
    refused(
        place.admits(&file, ANY, ""),
        "signed by 0 of release, vendor",
    );
    refused(place.admits(&file, REFUSE, ""), "signed by no key");

    let file = place.signed(std::slice::from_ref(&vendor));
    assert_eq!(place.admits(&file, ALL, ""), admitted("vendor"));
    assert_eq!(place.admits(&file, REFUSE, ""), admitted("vendor"));
    refused(place.admits(&file, ANY, ""), "signed by 1 of");

    let file = place.signed(&[vendor.clone(), vendor.clone()]);
    refused(place.admits(&file, ANY, ""), "signed by 1 of");

    let file = place.signed(&[release.clone(), vendor.clone()]);
    assert_eq!(place.admits(&file, ANY, ""), admitted("release,vendor"));

    let file = place.signed(&[stranger]);
    refused(place.admits(&file, REFUSE, ""), "keys that are not known");

    let file = place.signed(&[other]);
    refused(place.admits(&file, ALL, ""), "by vendor is of other bytes");

    // The same signature over a component of which one byte was changed.
    place.signed(&[vendor]);
    let mut bytes = BYTES.to_vec();
    bytes[7] ^= 1;
    std::fs::write(place.component(), bytes).unwrap();
    refused(place.admits(&place.read(), ALL, ""), "of other bytes");
}

#[test]
fn what_is_no_signature_is_refused_and_never_passed_over() {
    let place = Place::new();
    let vendor = place.signature("vendor", BYTES);
    let lines: Vec<&str> = vendor.lines().collect();
    // The comment is signed too.
    let told = vendor.replace("trusted comment: test", "trusted comment: tost");
    refused(
        place.admits(&place.signed(&[told]), ALL, ""),
        "of other bytes",
    );
    for text in [
        "nonsense".to_owned(),
        lines[..3].join("\n"),
        format!("{vendor}one more line\n"),
        vendor.repeat(400),
    ] {
        let file = place.signed(&[text]);
        let reason = place.admits(&file, ALL, "").unwrap_err();
        assert!(reason.contains("driver.wasm.minisig"), "{reason}");
    }
}

#[test]
fn denied_digests_and_keys_refuse_what_is_signed() {
    let place = Place::new();
    let file = place.signed(&[place.signature("vendor", BYTES)]);
    let denied = format!("denied_digests = [\"sha256:{}\"]", file.digest());
    refused(place.admits(&file, &denied, ""), "denied_digests");
    refused(
        place.admits(
            &file,
            "unsigned = \"refuse\"\ndenied_keys = [\"vendor\"]",
            "",
        ),
        "signed by no key",
    );
}

#[test]
fn rules_of_a_driver_stand_in_the_place_of_the_general_ones_and_denials_stay() {
    let place = Place::new();
    let file = place.signed(&[place.signature("release", BYTES)]);
    let own = "[driver.d.verification]\nall_of = [\"release\"]";
    refused(place.admits(&file, ALL, ""), "\"vendor\"");
    assert_eq!(place.admits(&file, ALL, own), admitted("release"));
    let none = "[driver.d.verification]\nall_of = []";
    assert_eq!(place.admits(&file, ALL, none), admitted("release"));
    let denied = format!("{ALL}\ndenied_digests = [\"{}\"]", file.digest());
    refused(place.admits(&file, &denied, own), "denied_digests");
}

#[test]
fn a_pinned_digest_holds_for_every_file_and_makes_up_for_a_signature_where_no_rule_asks_for_one() {
    let place = Place::new();
    let file = place.signed(&[]);
    let pin = format!("sha256 = \"{}\"", file.digest());
    assert_eq!(place.admits(&file, REFUSE, &pin), admitted(""));
    refused(place.admits(&file, ALL, &pin), "\"vendor\"");
    let wrong = format!("sha256 = \"{}\"", "ab".repeat(32));
    refused(place.admits(&file, "", &wrong), "[driver.d]");
}

#[test]
fn an_old_version_is_refused_however_well_it_is_signed() {
    let place = Place::new();
    let own = "[driver.d.verification]\nmin_version = \"1.4.0\"";
    let config = place.parsed("", own).unwrap();
    let rules = Rules::of(&config.drivers["d"]);
    for (stated, allowed) in [
        ("1.4.0", true),
        ("1.10.0", true),
        ("1.3.9", false),
        ("1.4.0-rc.1", false),
        ("newest", false),
        ("", false),
    ] {
        assert_eq!(rules.admit_version(stated).is_ok(), allowed, "{stated}");
    }
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_by_name() {
    let place = Place::new();
    for (general, driver, why) in [
        ("all_of = [\"nobody\"]", "", "\"nobody\""),
        ("denied_keys = [\"nobody\"]", "", "\"nobody\""),
        (
            "all_of = [\"vendor\"]\ndenied_keys = [\"vendor\"]",
            "",
            "denied",
        ),
        ("denied_digests = [\"12\"]", "", "64 hexadecimal digits"),
        ("unsigned = \"perhaps\"", "", "perhaps"),
        (
            "any_of = { minimum = 2, keys = [\"vendor\"] }",
            "",
            "minimum = 2",
        ),
        ("any_of = { minimum = 1 }", "", "needs the key `keys`"),
        ("al_of = []", "", "al_of"),
        (
            "",
            "[driver.d.verification]\nmin_version = \"new\"",
            "min_version",
        ),
        ("", "[driver.d.verification]\nminimum = 1", "minimum"),
    ] {
        let error = place.parsed(general, driver).unwrap_err();
        assert!(error.contains(why), "{general} {driver}: {error}");
    }
    let text = "[verification.keys]\nvendor = \"RWQ\"\n[driver.d]\npath = \"d.wasm\"\n";
    let error = Config::parse(Path::new("c.toml"), text).unwrap_err();
    assert!(
        error.to_string().contains("no public key of minisign"),
        "{error}"
    );
}

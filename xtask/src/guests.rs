//! Builds components: the drivers of `plugins/` and the fixtures of `tests/guests`, side by side in `<target>/guests`.

use std::path::Path;

use anyhow::Context;

use crate::shell::{cargo, command, output, root, run, target};

const TRIPLE: &str = "wasm32-wasip2";
const DRIVERS: &[&str] = &["pure-async", "pure-activecluster", "pure-trisync"];

/// Builds all of them; adds the compilation target where it is missing.
pub fn build() -> anyhow::Result<()> {
    add_target()?;
    let destination = target().join("guests");
    std::fs::create_dir_all(&destination)?;

    let mut drivers = cargo();
    drivers.args([
        "build",
        "--locked",
        "--target",
        TRIPLE,
        "--profile",
        "guest",
    ]);
    for driver in DRIVERS {
        drivers.args(["-p", driver]);
    }
    run(&mut drivers)?;
    collect(&target().join(TRIPLE).join("guest"), &destination)?;

    let fixtures = root().join("tests/guests");
    let built = target().join("guests-build");
    for manifest in manifests(&fixtures)? {
        run(cargo()
            .args([
                "build",
                "--target",
                TRIPLE,
                "--profile",
                "guest",
                "--target-dir",
            ])
            .arg(&built)
            .arg("--manifest-path")
            .arg(&manifest))?;
    }
    collect(&built.join(TRIPLE).join("guest"), &destination)
}

/// The fixtures' workspace, and the fixtures that stand alone because they are built against another contract.
fn manifests(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut manifests = Vec::new();
    let workspace = folder.join("Cargo.toml");
    let listed = std::fs::read_to_string(&workspace).unwrap_or_default();
    if !listed.is_empty() {
        manifests.push(workspace);
    }
    for entry in std::fs::read_dir(folder).context("tests/guests is not there")? {
        let manifest = entry?.path().join("Cargo.toml");
        if std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains("[workspace]")) {
            manifests.push(manifest);
        }
    }
    Ok(manifests)
}

fn add_target() -> anyhow::Result<()> {
    let sysroot = output(command("rustc").args(["--print", "sysroot"]))?;
    if Path::new(&sysroot)
        .join("lib/rustlib")
        .join(TRIPLE)
        .is_dir()
    {
        return Ok(());
    }
    run(command("rustup").args(["target", "add", TRIPLE]))
        .with_context(|| format!("the Rust target {TRIPLE} is missing and rustup cannot add it"))
}

fn collect(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)
        .with_context(|| format!("nothing was built in {}", from.display()))?
    {
        let path = entry?.path();
        let Some(name) = path
            .file_name()
            .filter(|_| path.extension().is_some_and(|end| end == "wasm"))
        else {
            continue;
        };
        // Beside it first: a test that maps the old file must never see half of the new one.
        let beside = to.join(format!(".{}.new", name.to_string_lossy()));
        let component = std::fs::read(&path)?;
        std::fs::write(&beside, without_names(&component).unwrap_or(component))?;
        std::fs::rename(&beside, to.join(name))?;
    }
    Ok(())
}

/// A component without the names of its parts: the linker strips its modules only, and nobody reads the names beside them.
/// None for what is not a sequence of sections.
fn without_names(component: &[u8]) -> Option<Vec<u8>> {
    const NAMES: &[u8] = b"\x0ecomponent-name";
    let (preamble, mut rest) = component.split_at_checked(8)?;
    let mut kept = preamble.to_vec();
    while let Some((&kind, behind)) = rest.split_first() {
        let (length, content) = length(behind)?;
        let (content, after) = content.split_at_checked(length)?;
        if kind != 0 || !content.starts_with(NAMES) {
            kept.extend_from_slice(rest.get(..rest.len() - after.len())?);
        }
        rest = after;
    }
    Some(kept)
}

/// An unsigned LEB128 number, and what follows it.
fn length(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        bytes = rest;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((length, bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_a_component_are_taken_out() {
        let mut long = vec![0, 0xcf, 0x01, 14];
        long.extend_from_slice(b"component-name");
        long.extend(std::iter::repeat_n(b'x', 0xcf - 15));
        let preamble = b"\0asm\x0d\0\x01\0".to_vec();
        let other = [0, 5, 4, b'n', b'o', b't', b'e', 1, 2, 7, 7];
        let component = [preamble.clone(), long, other.to_vec()].concat();
        assert_eq!(
            without_names(&component),
            Some([preamble, other.to_vec()].concat())
        );
        assert_eq!(without_names(b"not a component"), None);
    }
}

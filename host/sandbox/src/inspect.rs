//! Looks at a component without running or compiling it: what it is, what it wants, what it offers.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload, Validator};

use crate::error::LoadError;
use crate::features::FEATURES;
use crate::size;
use crate::world::{self, World};

/// What can be known of a component from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Names of what it imports, sorted.
    pub imports: Vec<String>,
    /// Names of what it exports, sorted.
    pub exports: Vec<String>,
    /// The worlds it fits by the names of its exports, the richest first.
    pub worlds: Vec<World>,
}

/// Inspects the bytes of a file, and validates all of them.
///
/// # Errors
/// When this is no driver that this host could serve; the message names what is wrong.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadError> {
    let inspection = survey(bytes)?;
    validate(bytes)?;
    Ok(inspection)
}

/// Validates what a survey has not looked into: size, types and code.
///
/// # Errors
/// Where the component is damaged, uses WebAssembly that drivers are not given, or is made of more than a compiler
/// should be shown.
pub fn validate(bytes: &[u8]) -> Result<(), LoadError> {
    size::check(bytes)?;
    Validator::new_with_features(FEATURES)
        .validate_all(bytes)
        .map(drop)
        .map_err(malformed)
}

pub(crate) fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Malformed {
        offset: error.offset(),
        reason: error.message().to_owned(),
    }
}

/// Reads names only. Enough where the very same bytes have been validated and compiled before.
///
/// # Errors
/// As [`inspect`], without the code's faults.
pub fn survey(bytes: &[u8]) -> Result<Inspection, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    let (imports, exports) = names(bytes)?;
    world::check_imports(&imports)?;
    world::check_exports(&exports)?;
    Ok(Inspection {
        digest: hex::encode(Sha256::digest(bytes)),
        size: bytes.len() as u64,
        worlds: world::fitting(&exports),
        imports: imports.into_iter().collect(),
        exports: exports.into_iter().collect(),
    })
}

fn names(bytes: &[u8]) -> Result<(BTreeSet<String>, BTreeSet<String>), LoadError> {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => return Err(LoadError::CoreModule),
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.insert(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(malformed)?;
                    if export.kind == ComponentExternalKind::Instance {
                        exports.insert(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

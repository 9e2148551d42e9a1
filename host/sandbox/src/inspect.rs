//! Looks at a component without running or compiling it: what it is, what it wants, what it offers.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use wasmparser::{
    ComponentExternalKind, Encoding, KnownCustom, Parser, Payload, ProducersSectionReader,
    Validator,
};

use crate::error::LoadError;
use crate::features::FEATURES;
use crate::size::{self, Counts};
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
    /// Tools that made it, as it says itself: `wit-component 0.245.1`. Shortened, and nothing of it is believed.
    pub producers: Vec<String>,
    /// Version of the contract it is built for.
    pub contract: &'static str,
}

/// Names of tools that are kept of a component, and characters of each.
const PRODUCERS: (usize, usize) = (32, 80);

/// Inspects the bytes of a file, and validates all of them.
///
/// # Errors
/// When this is no driver that this host could serve; the message names what is wrong.
pub fn inspect(bytes: &[u8]) -> Result<(Inspection, Counts), LoadError> {
    let inspection = survey(bytes)?;
    let counts = size::check(bytes)?;
    validate(bytes)?;
    Ok((inspection, counts))
}

/// Validates types and code, which a survey does not look into. [`size::check`] comes before it.
///
/// # Errors
/// Where the component is damaged, or uses WebAssembly that drivers are not given.
pub fn validate(bytes: &[u8]) -> Result<(), LoadError> {
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
    let Names {
        imports,
        exports,
        producers,
    } = names(bytes)?;
    world::check_imports(&imports)?;
    world::check_exports(&exports)?;
    Ok(Inspection {
        digest: hex::encode(Sha256::digest(bytes)),
        size: bytes.len() as u64,
        worlds: world::fitting(&exports),
        imports: imports.into_iter().collect(),
        exports: exports.into_iter().collect(),
        producers: producers.into_iter().collect(),
        // Those of another version were refused just now.
        contract: world::SERVED,
    })
}

#[derive(Default)]
struct Names {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    producers: BTreeSet<String>,
}

fn names(bytes: &[u8]) -> Result<Names, LoadError> {
    let Names {
        mut imports,
        mut exports,
        mut producers,
    } = Names::default();
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
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(fields) = section.as_known() {
                    note_producers(fields, &mut producers);
                }
            }
            _ => {}
        }
    }
    Ok(Names {
        imports,
        exports,
        producers,
    })
}

/// Notes which tools a section names. One that cannot be read says nothing, which is no reason to refuse a driver.
fn note_producers(fields: ProducersSectionReader<'_>, known: &mut BTreeSet<String>) {
    let (most, length) = PRODUCERS;
    for field in fields.into_iter().flatten() {
        for value in field.values.into_iter().flatten() {
            if known.len() < most {
                let text = format!("{} {}", value.name, value.version);
                known.insert(text.escape_debug().take(length).collect());
            }
        }
    }
}

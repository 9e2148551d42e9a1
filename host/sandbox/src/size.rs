//! What a component is made of, counted before anything is validated or compiled: a file of 700 KB can hold twenty thousand
//! nested components, each of which costs the compiler a quarter of a megabyte.

use wasmparser::{Parser, Payload};

use crate::error::LoadError;
use crate::inspect::malformed;

/// Core modules and components, nested ones included. A Rust driver has 4, a Python one about 60.
pub const MAX_PARTS: u64 = 512;
/// Functions with a body, over all modules. A Python driver has about 30,000.
pub const MAX_FUNCTIONS: u64 = 150_000;
/// Types, imports, exports, instances and everything else that a section lists, over all parts.
pub const MAX_ITEMS: u64 = 500_000;
/// Bytes of one function, which also bounds the labels of a `br_table` in it.
pub const MAX_FUNCTION_BYTES: u64 = 2 << 20;
/// Locals of one function.
pub const MAX_LOCALS: u64 = 20_000;

/// What a component is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Core modules and components, nested ones included.
    pub parts: u64,
    /// Functions with a body, over all modules.
    pub functions: u64,
    /// Bytes of those bodies.
    pub code_bytes: u64,
}

/// Counts; stops at the first count that is too high.
///
/// # Errors
/// [`LoadError::TooComplex`] with what there is too much of; [`LoadError::Malformed`].
pub fn check(bytes: &[u8]) -> Result<Counts, LoadError> {
    let mut code_bytes = 0_u64;
    let (mut parts, mut functions, mut items) = (0_u64, 0_u64, 0_u64);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        match &payload {
            Payload::Version { .. } => {
                at_most("core modules and components", &mut parts, 1, MAX_PARTS)?
            }
            Payload::CodeSectionStart { count, .. } => {
                at_most(
                    "functions",
                    &mut functions,
                    u64::from(*count),
                    MAX_FUNCTIONS,
                )?;
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let length = range.end.saturating_sub(range.start) as u64;
                code_bytes = code_bytes.saturating_add(length);
                at_most("bytes in one function", &mut 0, length, MAX_FUNCTION_BYTES)?;
                let mut locals = 0;
                for group in body.get_locals_reader().map_err(malformed)? {
                    let (count, _) = group.map_err(malformed)?;
                    at_most(
                        "locals in one function",
                        &mut locals,
                        u64::from(count),
                        MAX_LOCALS,
                    )?;
                }
            }
            other => {
                let count = u64::from(listed(other));
                at_most(
                    "types, imports, exports and instances",
                    &mut items,
                    count,
                    MAX_ITEMS,
                )?;
            }
        }
    }
    Ok(Counts {
        parts,
        functions,
        code_bytes,
    })
}

fn at_most(of: &'static str, sum: &mut u64, more: u64, limit: u64) -> Result<(), LoadError> {
    *sum = sum.saturating_add(more);
    if *sum > limit {
        return Err(LoadError::TooComplex { of, limit });
    }
    Ok(())
}

/// How many entries a section lists.
fn listed(payload: &Payload<'_>) -> u32 {
    match payload {
        Payload::TypeSection(s) => s.count(),
        Payload::ImportSection(s) => s.count(),
        Payload::FunctionSection(s) => s.count(),
        Payload::TableSection(s) => s.count(),
        Payload::MemorySection(s) => s.count(),
        Payload::GlobalSection(s) => s.count(),
        Payload::ExportSection(s) => s.count(),
        Payload::ElementSection(s) => s.count(),
        Payload::DataSection(s) => s.count(),
        Payload::InstanceSection(s) => s.count(),
        Payload::CoreTypeSection(s) => s.count(),
        Payload::ComponentInstanceSection(s) => s.count(),
        Payload::ComponentAliasSection(s) => s.count(),
        Payload::ComponentTypeSection(s) => s.count(),
        Payload::ComponentCanonicalSection(s) => s.count(),
        Payload::ComponentImportSection(s) => s.count(),
        Payload::ComponentExportSection(s) => s.count(),
        _ => 1,
    }
}

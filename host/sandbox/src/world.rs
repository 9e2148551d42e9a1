//! Which imports a driver may have and which exports it must.

use std::collections::BTreeSet;

use crate::error::LoadError;

/// Version of the contract that this host serves.
pub const SERVED: &str = "0.1.0";

const PACKAGE: &str = "springform:driver/";
const REQUIRED: [&str; 4] = ["identity", "backend", "volumes", "connections"];

/// What may be imported: interface without version. All of it is harmless or goes through the egress broker.
const ALLOWED: [&str; 20] = [
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
];

/// A world of the contract, by what a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// `driver`.
    Driver,
    /// `replicating-driver`.
    Replicating,
    /// `full-driver`.
    Full,
}

impl World {
    /// The name in the WIT.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Replicating => "replicating-driver",
            Self::Full => "full-driver",
        }
    }
}

/// Full name of an interface of the contract.
#[must_use]
pub fn interface(name: &str) -> String {
    format!("{PACKAGE}{name}@{SERVED}")
}

/// The worlds whose exports are all there, the richest first.
#[must_use]
pub fn fitting(exports: &BTreeSet<String>) -> Vec<World> {
    let has = |name: &str| exports.contains(&interface(name));
    let mut worlds = Vec::new();
    if REQUIRED.iter().all(|name| has(name)) {
        if has("replication") {
            if has("groups") {
                worlds.push(World::Full);
            }
            worlds.push(World::Replicating);
        }
        worlds.push(World::Driver);
    }
    worlds
}

/// Refuses what a driver is not given.
///
/// # Errors
/// Names the first import that is not allowed.
pub fn check_imports(imports: &BTreeSet<String>) -> Result<(), LoadError> {
    for import in imports {
        let (bare, version) = import.split_once('@').unwrap_or((import, ""));
        if bare.starts_with(PACKAGE) {
            // Types that the exports use; nothing to call.
            if version != SERVED {
                return Err(LoadError::WrongVersion {
                    found: import.clone(),
                    served: SERVED,
                });
            }
        } else if !ALLOWED.contains(&bare) || !version.starts_with("0.2.") {
            return Err(LoadError::ForbiddenImport {
                import: import.clone(),
                hint: hint(bare),
            });
        }
    }
    Ok(())
}

fn hint(bare: &str) -> &'static str {
    if bare.starts_with("wasi:filesystem") {
        "drivers have no files; keep what must be remembered in the state that `setup` returns"
    } else if bare.starts_with("wasi:sockets") {
        "drivers have no sockets; send requests to https://<target>/ through wasi:http/outgoing-handler"
    } else if bare.starts_with("wasi:") {
        "this host serves wasi:http/outgoing-handler, wasi:io, wasi:clocks, wasi:random and wasi:cli without files, in version 0.2"
    } else {
        "remove the import; the host knows only WASI 0.2 and springform:driver"
    }
}

/// Refuses what is no driver of this version.
///
/// # Errors
/// Names the version or the export.
pub fn check_exports(exports: &BTreeSet<String>) -> Result<(), LoadError> {
    let mut of_contract = exports.iter().filter(|e| e.starts_with(PACKAGE)).peekable();
    if of_contract.peek().is_none() {
        let list = exports.iter().map(String::as_str).collect::<Vec<_>>();
        return Err(LoadError::WrongWorld {
            exports: if list.is_empty() {
                "nothing".to_owned()
            } else {
                list.join(", ")
            },
        });
    }
    let suffix = format!("@{SERVED}");
    if let Some(found) = of_contract.find(|e| !e.ends_with(&suffix)) {
        return Err(LoadError::WrongVersion {
            found: found.clone(),
            served: SERVED,
        });
    }
    match REQUIRED
        .iter()
        .map(|name| interface(name))
        .find(|name| !exports.contains(name))
    {
        Some(export) => Err(LoadError::MissingExport { export }),
        None => Ok(()),
    }
}

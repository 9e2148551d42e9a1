//! Where the functions of the contract are in one component, looked up once.

use std::collections::HashMap;

use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre};

use crate::bindings::exports::springform::driver as wit;
use crate::error::LoadError;
use crate::state::CallState;
use crate::world::{self, SERVED};

/// Functions by `interface.function`.
pub struct Exports(HashMap<String, ComponentExportIndex>);

const FUNCTIONS: &[(&str, &[&str])] = &[
    ("identity", &["describe"]),
    ("backend", &["setup", "check", "stats"]),
    (
        "volumes",
        &[
            "create",
            "create-from-snapshot",
            "clone",
            "delete",
            "extend",
            "create-snapshot",
            "delete-snapshot",
            "revert",
            "retype",
            "inspect",
            "manage",
            "unmanage",
            "manage-snapshot",
            "unmanage-snapshot",
            "list-manageable",
            "list-manageable-snapshots",
        ],
    ),
    ("connections", &["connect", "disconnect"]),
    (
        "replication",
        &[
            "observe",
            "plan-failover",
            "final-sync",
            "demote",
            "fail-over",
            "finish-failover",
            "reprotect",
            "resync",
            "enable",
            "disable",
            "start-test",
            "stop-test",
            "commit-test",
            "reconcile",
        ],
    ),
    (
        "groups",
        &[
            "create",
            "delete",
            "update",
            "create-snapshot",
            "delete-snapshot",
            "create-from",
            "enable-replication",
            "disable-replication",
        ],
    ),
    (
        "migrating",
        &["offer", "accept", "send", "receive", "release", "settle"],
    ),
];

impl Exports {
    /// Looks every function up.
    ///
    /// # Errors
    /// When an interface is there and lacks a function.
    pub fn find(component: &Component) -> Result<Self, LoadError> {
        let mut found = HashMap::new();
        for (interface, functions) in FUNCTIONS {
            let full = world::interface(interface);
            let Some(at) = component.get_export_index(None, full.as_str()) else {
                continue;
            };
            for function in *functions {
                let index = component
                    .get_export_index(Some(&at), *function)
                    .ok_or_else(|| LoadError::MissingExport {
                        export: format!("{full}#{function}"),
                    })?;
                found.insert(format!("{interface}.{function}"), index);
            }
        }
        Ok(Self(found))
    }

    /// One function; none where the component lacks its interface.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ComponentExportIndex> {
        self.0.get(name)
    }

    /// Checks the types of everything that is exported, against an instance: some differences show only there.
    ///
    /// # Errors
    /// Names the function that differs.
    pub fn check_types(
        &self,
        pre: &InstancePre<CallState>,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> Result<(), LoadError> {
        macro_rules! check {
            ($($module:ident => $first:literal),+ $(,)?) => { $(
                if self.get($first).is_some() {
                    wit::$module::GuestIndices::new(pre)
                        .and_then(|indices| indices.load(&mut *store, instance))
                        .map_err(|e| LoadError::Mismatch {
                            served: SERVED,
                            reason: format!("interface {}: {e:#}", stringify!($module)),
                        })?;
                }
            )+ };
        }
        check!(
            identity => "identity.describe",
            backend => "backend.setup",
            volumes => "volumes.create",
            connections => "connections.connect",
            replication => "replication.observe",
            groups => "groups.create",
            migrating => "migrating.offer",
        );
        Ok(())
    }
}

//! `[driver.<name>]`: which component, how much of the machine it may use, what it may reach.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use springform_sandbox::Rule;

use super::section::{Item, Node, Section};
use super::verification::{Verification, digest};

/// One driver.
#[derive(Debug, Clone)]
pub struct DriverConfig {
    /// Name by which backends refer to it.
    pub name: String,
    /// The component.
    pub path: PathBuf,
    /// SHA-256 that the file must have; none: any.
    pub sha256: Option<String>,
    /// Limits that differ from the host's.
    pub limits: LimitsConfig,
    /// What it may do.
    pub grant: Grant,
    /// Whose signatures the file needs.
    pub verification: Verification,
    /// Line in the file.
    pub line: usize,
}

/// Limits of one call, where the operator sets them; what is none keeps the sandbox's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Linear memory of all instances of a call, bytes.
    pub memory_bytes: Option<u64>,
    /// Wall clock of a call.
    pub call: Option<Duration>,
    /// Calls at a time; further ones wait for their turn until their deadline.
    pub concurrent_calls: Option<u64>,
    /// HTTP requests in one call.
    pub requests_per_call: Option<u64>,
    /// HTTP requests of one call at a time.
    pub open_requests: Option<u64>,
    /// Body of one answer, bytes.
    pub response_bytes: Option<u64>,
    /// Log of one call, bytes.
    pub log_bytes: Option<u64>,
    /// Result of one call, bytes.
    pub result_bytes: Option<u64>,
    /// What the host holds for one call at a time, bytes.
    pub held_bytes: Option<u64>,
    /// Requests, bodies and streams that one call may hold.
    pub handles: Option<u64>,
    /// Elements of all tables of one call.
    pub table_elements: Option<u64>,
    /// Opaque state, plan token or cursor, bytes.
    pub state_bytes: Option<u64>,
}

/// What the operator grants: targets, and requests beside or instead of those that the component proposes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Targets it may send requests to, by name; none: all targets of the backend it serves.
    pub targets: Option<Vec<String>>,
    /// Whether the requests that the component proposes are refused.
    pub refuse_proposal: bool,
    /// Requests to every target.
    pub requests: Requests,
    /// Requests to one target, by its name.
    pub by_target: BTreeMap<String, Requests>,
}

/// Requests that are allowed beside what is proposed, and those that are denied whoever allows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests {
    /// Allowed.
    pub allow: Vec<Rule>,
    /// Denied.
    pub deny: Vec<Rule>,
}

/// Reads every `[driver.<name>]`.
pub(super) fn read_all(
    section: Section<'_>,
    folder: &Path,
    verification: &Verification,
) -> BTreeMap<String, DriverConfig> {
    let (line, problems) = (section.line, section.problems());
    let mut drivers = BTreeMap::new();
    for (name, Item { line: at, node }) in section.rest() {
        let Node::Table(items) = node else {
            problems.report(
                at,
                format!("[driver] has the unknown key `{name}`; write a table for each driver: [driver.{name}]"),
            );
            continue;
        };
        let table = Section::new(format!("[driver.{name}]"), at.max(line), items, problems);
        if let Some(driver) = read(table, &name, folder, verification) {
            drivers.insert(name, driver);
        }
    }
    drivers
}

fn read(
    mut section: Section<'_>,
    name: &str,
    folder: &Path,
    verification: &Verification,
) -> Option<DriverConfig> {
    let path = section.required("path");
    let sha256 = section.text_at("sha256").and_then(|(text, line)| {
        let digest = digest(&text);
        if digest.is_none() {
            section.report(line, "has a `sha256` which is not 64 hexadecimal digits");
        }
        digest
    });
    let own = section.table("verification", format!("[driver.{name}.verification]"));
    let verification = verification.of_driver(own, name);
    let limits = read_limits(section.table("limits", format!("[driver.{name}.limits]")));
    let grant = read_grant(
        section.table("grant", format!("[driver.{name}.grant]")),
        name,
    );
    let line = section.line;
    section.finish();
    Some(DriverConfig {
        name: name.to_owned(),
        path: folder.join(path?),
        sha256,
        limits,
        grant,
        verification,
        line,
    })
}

fn read_limits(mut section: Section<'_>) -> LimitsConfig {
    let limits = LimitsConfig {
        memory_bytes: section.number("memory_mib", 1..=4096).map(|mib| mib << 20),
        call: section
            .number("call_seconds", 1..=3600)
            .map(Duration::from_secs),
        concurrent_calls: section.number("concurrent_calls", 1..=10_000),
        requests_per_call: section.number("requests_per_call", 1..=1_000_000),
        open_requests: section.number("open_requests", 1..=1000),
        response_bytes: section
            .number("response_mib", 1..=1024)
            .map(|mib| mib << 20),
        log_bytes: section.number("log_kib", 0..=65_536).map(|kib| kib << 10),
        result_bytes: section.number("result_mib", 1..=1024).map(|mib| mib << 20),
        held_bytes: section.number("held_mib", 1..=4096).map(|mib| mib << 20),
        handles: section.number("handles", 1..=1_000_000),
        table_elements: section.number("table_elements", 1..=10_000_000),
        state_bytes: section.number("state_kib", 1..=16_384).map(|kib| kib << 10),
    };
    section.finish();
    limits
}

fn read_grant(mut section: Section<'_>, name: &str) -> Grant {
    let mut grant = Grant {
        targets: section.texts("targets"),
        refuse_proposal: section.boolean("proposal") == Some(false),
        requests: read_requests(&mut section),
        by_target: BTreeMap::new(),
    };
    let title = format!("[driver.{name}.grant.target]");
    let targets = section.table("target", &title);
    let (line, problems) = (targets.line, targets.problems());
    for (target, Item { line: at, node }) in targets.rest() {
        let Node::Table(items) = node else {
            problems.report(at, format!("{title} has the unknown key `{target}`; write a table for each target: [driver.{name}.grant.target.{target}]"));
            continue;
        };
        let of = format!("[driver.{name}.grant.target.{target}]");
        let mut table = Section::new(of, at.max(line), items, problems);
        grant.by_target.insert(target, read_requests(&mut table));
        table.finish();
    }
    section.finish();
    grant
}

fn read_requests(section: &mut Section<'_>) -> Requests {
    let mut rules = |key| {
        let mut rules = Vec::new();
        for (text, line) in section.texts_at(key).unwrap_or_default() {
            match Rule::parse(&text) {
                Ok(rule) => rules.push(rule),
                Err(why) => section.report(line, format!("has in `{key}` what is none: {why}")),
            }
        }
        rules
    };
    Requests {
        allow: rules("allow"),
        deny: rules("deny"),
    }
}

//! `springform audit`: reads the log in a database file, so that it needs neither a running host nor its word.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use springform_model::audit::{Action, Outcome};
use springform_model::audit::{Checkpoint, Entry, Kind, Link, Report, Verifier, Who};
use springform_model::time::Timestamp;
use springform_store::{verify_audit, visit_audit};

use crate::cli::{AuditCommand, AuditFile};
use crate::config::{Config, ServiceConfig};
use crate::out;

/// Bytes that are printed together.
const PAGE: usize = 64 << 10;

/// Carries out a command about the audit log.
///
/// # Errors
/// The log cannot be read, or an argument makes no sense. That a chain is broken is no error but a status of 1.
pub async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify {
            file,
            anchors,
            since,
        } => verify(&database(file)?, &anchors, since.as_deref()).await,
        AuditCommand::Export { file, from } => export(&database(file)?, from.as_deref()).await,
    }
}

/// An entry about what a command does to the database of a host.
pub(crate) fn entry(service: &ServiceConfig, action: Action) -> Entry {
    use std::os::unix::fs::MetadataExt as _;
    // The system says of this folder whose process it is; there is no such file elsewhere than on Linux.
    let uid = std::fs::metadata("/proc/self").map(|process| process.uid());
    let who = Who {
        user: uid.ok().map(|uid| format!("uid {uid}")),
        ..Who::of(Kind::CommandLine)
    };
    Entry::new(Timestamp::now(), who, action, Outcome::Succeeded).by_host(&service.host)
}

fn database(file: AuditFile) -> anyhow::Result<PathBuf> {
    match file.database {
        Some(database) => Ok(database),
        None => Ok(Config::load(&file.config)?.service.database),
    }
}

async fn verify(
    database: &Path,
    anchors: &[String],
    since: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let mut verifier = Verifier::new();
    for text in anchors {
        let (host, at) = match text.rsplit_once('/') {
            Some((host, at)) => (Some(host.to_owned()), at),
            None => (None, text.as_str()),
        };
        let at = Checkpoint::parse(at).with_context(|| {
            format!("{text} is no anchor; write SEQ:HASH or HOST/SEQ:HASH with the 64 digits of the hash")
        })?;
        verifier.anchor(host, at);
    }
    if let Some(export) = since {
        for (host, at) in heads(export)? {
            verifier.anchor(Some(host), at);
        }
    }
    let report = verify_audit(database, verifier).await?.finish();
    out::print(&in_words(database, &report))?;
    Ok(match report.faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The ends of chains that an export names.
fn heads(export: &Path) -> anyhow::Result<Vec<(String, Checkpoint)>> {
    let shown = export.display();
    let text = std::fs::read_to_string(export).with_context(|| format!("cannot read {shown}"))?;
    let mut found = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("{\"head\"")) {
        let head: Value = serde_json::from_str(line)
            .with_context(|| format!("{shown} has a line that is no JSON; export the log again"))?;
        let at = head.pointer("/head").and_then(Value::as_str);
        let host = head.pointer("/host").and_then(Value::as_str);
        if let (Some(at), Some(host)) = (at.and_then(Checkpoint::parse), host) {
            found.push((host.to_owned(), at));
        }
    }
    if found.is_empty() {
        bail!(
            "{shown} does not end with the heads of chains: it is no export, or one that broke off"
        );
    }
    Ok(found)
}

fn in_words(database: &Path, report: &Report) -> String {
    let mut lines = Vec::new();
    if report.heads.is_empty() && report.faults.is_empty() {
        lines.push(format!(
            "the audit log in {} has no entry",
            database.display()
        ));
    }
    for head in &report.heads {
        let broken = report.faults.iter().any(|fault| fault.host == head.host);
        let word = if broken { "sound up to here" } else { "sound" };
        lines.push(format!(
            "{}: entries {} to {}, {word}; anchor {}/{}",
            head.host, head.first, head.last.seq, head.host, head.last
        ));
    }
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    for fault in &report.faults {
        lines.push(format!(
            "{}: entry {} is not sound: {}",
            fault.host, fault.seq, fault.flaw
        ));
    }
    lines.join("\n") + "\n"
}

async fn export(database: &Path, from: Option<&str>) -> anyhow::Result<ExitCode> {
    let from = match from {
        None => None,
        Some(text) => Some(Timestamp::parse(text).with_context(|| {
            format!("{text} is no point in time; write it as 2026-11-30 or 2026-11-30T09:10:11Z")
        })?),
    };
    let mut page = String::new();
    let ends = visit_audit(database, from, |row| {
        let read = serde_json::from_str::<Link>(&row.doc).is_ok();
        if !read || row.doc.contains('\n') {
            bail!(
                "entry {} of {} is not what the host wrote; see `springform audit verify`",
                row.seq,
                row.host
            );
        }
        page.push_str(&row.doc);
        page.push('\n');
        if page.len() >= PAGE {
            out::print(&page)?;
            page.clear();
        }
        Ok(())
    })
    .await?;
    for (host, at) in ends {
        let head = json!({ "head": at.to_string(), "host": host });
        page.push_str(&format!("{head}\n"));
    }
    out::print(&page)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_export_gives_its_heads_and_one_that_broke_off_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("export");
        let hash = "ab".repeat(32);
        let head = json!({ "head": format!("7:{hash}"), "host": "h" });
        std::fs::write(&file, format!("{{\"entry\":{{}}}}\n{head}\n")).unwrap();
        assert_eq!(
            heads(&file).unwrap(),
            [("h".to_owned(), Checkpoint { seq: 7, hash })]
        );
        std::fs::write(&file, "{\"entry\":{}}\n").unwrap();
        assert!(heads(&file).unwrap_err().to_string().contains("broke off"));
    }
}

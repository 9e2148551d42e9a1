//! Everything that is taken over, as records of this host.

use std::collections::BTreeMap;

use springform_control::attachments::Secret;
use springform_model::cloud::{
    Attachment, DefaultType, Group, GroupSnapshot, GroupType, Metadata, QosSpecs, QuotaSet,
    Service, Snapshot, Transfer, Volume, VolumeType,
};
use springform_model::replication::relation::Relation;
use springform_store::Changes;

use super::backends::Backend;
use super::report::Report;
use super::row::Row;
use super::source::Source;
use super::{attachments, groups, machines, projects, services, snapshots, types, volumes};

/// The records.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Records {
    pub services: Vec<Service>,
    pub qos: Vec<QosSpecs>,
    pub types: Vec<VolumeType>,
    pub default_types: Vec<DefaultType>,
    pub group_types: Vec<GroupType>,
    pub groups: Vec<Group>,
    pub group_snapshots: Vec<GroupSnapshot>,
    pub volumes: Vec<Volume>,
    pub relations: Vec<Relation>,
    pub snapshots: Vec<Snapshot>,
    pub attachments: Vec<Attachment>,
    pub quotas: Vec<QuotaSet>,
    pub transfers: Vec<Transfer>,
    pub secrets: Vec<Secret>,
}

/// What is read from, and what was found so far.
pub struct Reader<'a> {
    /// Cinder's database.
    pub source: &'a mut Source,
    /// The backends that are taken over.
    pub backends: &'a [Backend],
    /// Whether what is on other backends stays Cinder's.
    pub only: bool,
    /// Findings.
    pub report: &'a mut Report,
}

impl Reader<'_> {
    /// The backend in `host@backend#pool`. What is on another one is left out where the operator named backends, and stands in
    /// the way otherwise.
    pub fn backend(&mut self, host: &str, what: &str, id: &str) -> Option<usize> {
        let service = host.split('#').next().unwrap_or_default();
        let found = self.backends.iter().position(|b| b.host == service);
        if found.is_none() && self.only {
            self.report.leave(&format!("{what} on other backends"), id);
        } else if found.is_none() {
            self.report.refuse(
                "they are on a host that cinder.conf does not enable; enable it, move them, or name with --backend what to take",
                format!("{what} {id} on {host}"),
            );
        }
        found
    }

    /// Pairs of a table of metadata, by the owner in `column`.
    pub async fn pairs(
        &mut self,
        table: &str,
        columns: &'static [&'static str],
    ) -> anyhow::Result<BTreeMap<String, Metadata>> {
        let rows = self.source.live(table, columns).await?;
        let owner = columns.first().copied().unwrap_or_default();
        let mut all: BTreeMap<String, Metadata> = BTreeMap::new();
        for row in rows {
            let Some(id) = row.owned(owner) else { continue };
            let pairs = all.entry(id).or_default();
            pairs.insert(row.text("key"), row.text("value"));
        }
        Ok(all)
    }
}

/// A word of Cinder as a state; one that is not known, or in which something is under way, stands in the way.
pub fn state<T: std::str::FromStr>(
    report: &mut Report,
    row: &Row,
    column: &str,
    what: &str,
) -> Option<T> {
    let word = row.text(column);
    let read = word.parse().ok();
    if read.is_none() {
        report.refuse(
            "their state is not known here",
            format!("{what} {} is {word:?}", row.text("id")),
        );
    }
    read
}

/// Reads everything.
///
/// # Errors
/// What the database says.
pub async fn read(mut reader: Reader<'_>) -> anyhow::Result<Records> {
    let mut records = Records::default();
    types::read(&mut reader, &mut records).await?;
    services::read(&mut reader, &mut records).await?;
    groups::read(&mut reader, &mut records).await?;
    volumes::read(&mut reader, &mut records).await?;
    snapshots::read(&mut reader, &mut records).await?;
    // Before the attachments, which know a password only where the row of its machine is gone.
    machines::read(&mut reader, &mut records).await?;
    attachments::read(&mut reader, &mut records).await?;
    projects::read(&mut reader, &mut records).await?;
    left(&mut reader).await?;
    let report = reader.report;
    for (kind, count) in [
        ("backends", records.services.len()),
        ("volume types", records.types.len()),
        ("QoS specs", records.qos.len()),
        ("default types of projects", records.default_types.len()),
        ("group types", records.group_types.len()),
        ("groups", records.groups.len()),
        ("group snapshots", records.group_snapshots.len()),
        ("volumes", records.volumes.len()),
        ("snapshots", records.snapshots.len()),
        ("attachments", records.attachments.len()),
        ("sets of quotas", records.quotas.len()),
        ("transfers", records.transfers.len()),
        ("CHAP passwords of machines", records.secrets.len()),
    ] {
        report.taken(kind, count);
    }
    Ok(records)
}

/// What has no counterpart here.
async fn left(reader: &mut Reader<'_>) -> anyhow::Result<()> {
    for (table, why) in [
        (
            "backups",
            "backups: there is no backup service here; restore them with Cinder's, or keep it for them",
        ),
        (
            "messages",
            "messages to users: they speak of what happened in Cinder",
        ),
    ] {
        let rows = reader.source.live(table, &["id"]).await?;
        for row in rows {
            reader.report.leave(why, row.text("id"));
        }
    }
    for row in reader.source.live("consistencygroups", &["id"]).await? {
        let why = "consistency groups of the time before generic groups; `cinder-manage db online_data_migrations` moves them";
        reader.report.refuse(why, row.text("id"));
    }
    Ok(())
}

impl Records {
    /// All of it as one change.
    #[must_use]
    pub fn changes(&self) -> Changes {
        macro_rules! insert {
            ($changes:ident, $($field:ident),+) => { $( for record in &self.$field { $changes = $changes.insert(record); } )+ };
        }
        let mut changes = Changes::new();
        insert!(
            changes,
            services,
            qos,
            types,
            default_types,
            group_types,
            groups,
            group_snapshots,
            volumes,
            relations,
            snapshots,
            attachments,
            quotas,
            transfers,
            secrets
        );
        changes
    }

    /// A volume by its id.
    #[must_use]
    pub fn volume(&self, id: &str) -> Option<&Volume> {
        // Volumes are in the order of their ids.
        let at = self
            .volumes
            .binary_search_by(|v| v.id.as_str().cmp(id))
            .ok()?;
        self.volumes.get(at)
    }
}

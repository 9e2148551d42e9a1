//! Services of backends: disabled, frozen, failed over. A Cinder that runs stands in the way.

use springform_model::cloud::{ReplicationStatus, Service};
use springform_model::time::Timestamp;

use super::records::{Reader, Records};

/// Seconds after which Cinder itself takes a silent service for dead.
const DOWN: u64 = 60;

const COLUMNS: &[&str] = &[
    "id",
    "host",
    "binary",
    "disabled",
    "disabled_reason",
    "availability_zone",
    "replication_status",
    "active_backend_id",
    "frozen",
    "cluster_name",
    "created_at",
    "updated_at",
];

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let rows = reader.source.live("services", COLUMNS).await?;
    let volume = |row: &&super::row::Row| row.opt("binary") == Some("cinder-volume");
    for backend in reader.backends {
        let of = rows.iter().filter(volume);
        let Some(row) = of
            .clone()
            .find(|row| row.opt("host") == Some(&backend.host))
        else {
            reader.report.refuse(
                "cinder-volume never ran for these; was the host renamed? `host` and `backend_host` have to be as Cinder knew them",
                &backend.host,
            );
            continue;
        };
        if let Some(cluster) = row.opt("cluster_name") {
            reader.report.refuse(
                "clusters are not taken over; stop the services, and take the names of clusters away in Cinder",
                format!("{} is in cluster {cluster}", backend.host),
            );
        }
        let active = row.owned("active_backend_id").filter(|id| !id.is_empty());
        let known = |id: &String| *id == backend.primary || backend.replicas.contains(id);
        if let Some(id) = active.as_ref().filter(|id| !known(id)) {
            reader.report.refuse(
                "they are failed over to an array that cinder.conf does not name",
                format!("{} to {id}", backend.host),
            );
        }
        let word = row.text("replication_status");
        let status = match word.parse() {
            Ok(ReplicationStatus::FailingOver) | Err(_) => {
                reader.report.refuse(
                    "their replication is under way, or in a state that is not known here",
                    format!("{} is {word:?}", backend.host),
                );
                ReplicationStatus::Error
            }
            Ok(known) => known,
        };
        records.services.push(Service {
            backend: backend.name.clone(),
            host: backend.host.clone(),
            availability_zone: row.text("availability_zone"),
            disabled: row.flag("disabled"),
            disabled_reason: row.owned("disabled_reason"),
            frozen: row.flag("frozen"),
            replication_status: status,
            active_target: active.filter(|id| *id != backend.primary),
            driver_state: Vec::new(),
            ready: false,
            not_ready_reason: None,
            statistics: None,
            statistics_at: None,
            targets: Vec::new(),
            identity: String::new(),
            look_only_since: None,
            adopted: None,
            operation: None,
            created_at: row.created(),
            updated_at: row.time("updated_at"),
        });
    }
    Ok(())
}

/// Services of Cinder that reported themselves in the last minute.
///
/// # Errors
/// What the database says.
pub async fn alive(source: &mut super::source::Source) -> anyhow::Result<Vec<String>> {
    let rows = source.live("services", COLUMNS).await?;
    let now = Timestamp::now();
    let young = rows.iter().filter(|row| {
        let seen = row.time("updated_at").unwrap_or_default();
        now.seconds_since(seen) < DOWN
    });
    Ok(young
        .map(|row| format!("{} on {}", row.text("binary"), row.text("host")))
        .collect())
}

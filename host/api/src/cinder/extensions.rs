//! The extensions of Cinder's API that are here. Clients look for an alias before they offer what belongs to it.

use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::{Extension, Many, NoItems, One};

/// Alias, name, description, when it was last changed.
type Row = (&'static str, &'static str, &'static str, &'static str);

const EXTENSIONS: [Row; 30] = [
    (
        "os-admin-actions",
        "AdminActions",
        "What only administrators do to volumes and snapshots.",
        "2012-08-25T00:00:00+00:00",
    ),
    (
        "os-availability-zone",
        "AvailabilityZones",
        "Availability zones.",
        "2013-06-27T00:00:00+00:00",
    ),
    (
        "backups",
        "Backups",
        "Backups: there is no service for them, and their list is empty.",
        "2012-12-12T00:00:00+00:00",
    ),
    (
        "capabilities",
        "Capabilities",
        "What backends can do.",
        "2015-08-31T00:00:00+00:00",
    ),
    (
        "os-extended-services",
        "ExtendedServices",
        "Why services are disabled.",
        "2014-01-10T00:00:00-00:00",
    ),
    (
        "os-extended-snapshot-attributes",
        "ExtendedSnapshotAttributes",
        "Progress and project of snapshots.",
        "2012-06-19T00:00:00+00:00",
    ),
    (
        "os-hosts",
        "Hosts",
        "What is on hosts.",
        "2011-06-29T00:00:00+00:00",
    ),
    (
        "qos-specs",
        "Qos_specs_manage",
        "QoS specs.",
        "2013-08-02T00:00:00+00:00",
    ),
    (
        "os-quota-class-sets",
        "QuotaClasses",
        "Default quotas.",
        "2012-03-12T00:00:00+00:00",
    ),
    (
        "os-quota-sets",
        "Quotas",
        "Quotas of projects.",
        "2011-08-08T00:00:00+00:00",
    ),
    (
        "OS-SCH-HNT",
        "SchedulerHints",
        "Hints for the scheduler.",
        "2013-04-18T00:00:00+00:00",
    ),
    (
        "scheduler-stats",
        "Scheduler_stats",
        "Pools of backends.",
        "2014-09-07T00:00:00+00:00",
    ),
    (
        "os-services",
        "Services",
        "Services.",
        "2012-10-28T00:00:00-00:00",
    ),
    (
        "os-snapshot-actions",
        "SnapshotActions",
        "Progress of snapshots that Nova takes.",
        "2013-07-16T00:00:00+00:00",
    ),
    (
        "os-snapshot-manage",
        "SnapshotManage",
        "Taking over snapshots of an array.",
        "2014-12-31T00:00:00+00:00",
    ),
    (
        "os-snapshot-unmanage",
        "SnapshotUnmanage",
        "Giving snapshots back to an array.",
        "2014-12-31T00:00:00+00:00",
    ),
    (
        "os-types-extra-specs",
        "TypesExtraSpecs",
        "Extra specs of volume types.",
        "2011-08-24T00:00:00+00:00",
    ),
    (
        "os-types-manage",
        "TypesManage",
        "Making and changing volume types.",
        "2011-08-24T00:00:00+00:00",
    ),
    (
        "os-used-limits",
        "UsedLimits",
        "How much of the limits is used.",
        "2013-10-03T00:00:00+00:00",
    ),
    (
        "os-volume-actions",
        "VolumeActions",
        "Actions on volumes.",
        "2012-05-31T00:00:00+00:00",
    ),
    (
        "os-volume-encryption-metadata",
        "VolumeEncryptionMetadata",
        "How volumes are encrypted by the host that attaches them.",
        "2013-07-10T00:00:00+00:00",
    ),
    (
        "os-vol-host-attr",
        "VolumeHostAttribute",
        "The host of a volume.",
        "2011-11-03T00:00:00+00:00",
    ),
    (
        "os-vol-image-meta",
        "VolumeImageMetadata",
        "Image metadata of volumes.",
        "2012-12-07T00:00:00+00:00",
    ),
    (
        "os-volume-manage",
        "VolumeManage",
        "Taking over volumes of an array.",
        "2014-02-10T00:00:00+00:00",
    ),
    (
        "os-vol-mig-status-attr",
        "VolumeMigStatusAttribute",
        "The migration status of a volume.",
        "2013-08-08T00:00:00+00:00",
    ),
    (
        "os-vol-tenant-attr",
        "VolumeTenantAttribute",
        "The project of a volume.",
        "2011-11-03T00:00:00+00:00",
    ),
    (
        "os-volume-transfer",
        "VolumeTransfer",
        "Transfers of volumes between projects.",
        "2013-05-29T00:00:00+00:00",
    ),
    (
        "os-volume-type-access",
        "VolumeTypeAccess",
        "Who may use a private volume type.",
        "2014-06-26T00:00:00Z",
    ),
    (
        "encryption",
        "VolumeTypeEncryption",
        "Encryption of volume types: there is none.",
        "2013-07-01T00:00:00+00:00",
    ),
    (
        "os-volume-unmanage",
        "VolumeUnmanage",
        "Giving volumes back to an array.",
        "2012-05-31T00:00:00+00:00",
    ),
];

pub(super) fn routes(r: &mut Routes) {
    r.get("/extensions", "volume:extensions", list)
        .says("Lists extensions.")
        .returns::<Many<Extension>>(200);
    r.get("/extensions/{alias}", "volume:extensions", show)
        .says("Shows an extension.")
        .returns::<One<Extension>>(200);
}

fn view((alias, name, description, updated): &Row) -> Extension {
    Extension {
        alias,
        description,
        links: NoItems,
        name,
        updated,
    }
}

async fn list(_call: Call) -> Answer {
    json(200, &Many(EXTENSIONS.iter().map(view).collect()))
}

async fn show(call: Call) -> Answer {
    let alias = call.part("alias");
    match EXTENSIONS.iter().find(|(known, _, _, _)| *known == alias) {
        Some(found) => json(200, &One(view(found))),
        None => Err(ApiError::not_found("The resource could not be found.")),
    }
}

//! State words of Cinder, as types.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum $name { $(#[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in Cinder's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as Cinder writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownWord(text.to_owned())) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// A word that is none of the state's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a known state")]
pub struct UnknownWord(pub String);

words! {
    /// `volume.status`.
    VolumeStatus {
        Creating => "creating", Available => "available", Deleting => "deleting", Error => "error",
        ErrorDeleting => "error_deleting", Managing => "managing", ErrorManaging => "error_managing",
        Attaching => "attaching", InUse => "in-use", Detaching => "detaching", Maintenance => "maintenance",
        RestoringBackup => "restoring-backup", ErrorRestoring => "error_restoring", Reserved => "reserved",
        AwaitingTransfer => "awaiting-transfer", BackingUp => "backing-up", ErrorBackingUp => "error_backing-up",
        Downloading => "downloading", Uploading => "uploading", Retyping => "retyping", Reverting => "reverting",
        Extending => "extending", ErrorExtending => "error_extending", Unmanaging => "unmanaging",
    }
}

words! {
    /// `snapshot.status`.
    SnapshotStatus {
        Creating => "creating", Available => "available", Deleting => "deleting", Deleted => "deleted",
        Error => "error", ErrorDeleting => "error_deleting", Updating => "updating", Unmanaging => "unmanaging",
        BackingUp => "backing-up", Restoring => "restoring", Managing => "managing", ErrorManaging => "error_managing",
    }
}

words! {
    /// `group.status` and `group_snapshot.status`.
    GroupStatus {
        Creating => "creating", Available => "available", Deleting => "deleting", Deleted => "deleted",
        Updating => "updating", InUse => "in-use", Error => "error", ErrorDeleting => "error_deleting",
    }
}

words! {
    /// `attachment.attach_status`.
    AttachStatus {
        Reserved => "reserved", Attaching => "attaching", Attached => "attached", Detached => "detached",
        ErrorAttaching => "error_attaching", ErrorDetaching => "error_detaching", Deleted => "deleted",
    }
}

words! {
    /// `replication_status` of services, volumes and groups.
    ReplicationStatus {
        Error => "error", Enabled => "enabled", Disabled => "disabled", NotCapable => "not-capable",
        FailingOver => "failing-over", FailoverError => "failover-error", FailedOver => "failed-over",
        Enabling => "enabling", Disabling => "disabling",
    }
}

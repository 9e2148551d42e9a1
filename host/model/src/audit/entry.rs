//! One entry. Fields and keys are in the order of the alphabet: the text of an entry is then the one that any other program
//! writes which sorts its keys, and the chain can be checked without ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

/// Bytes of one text in an entry: the one who is audited does not decide how much is written.
const TEXT: usize = 1024;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// What was done. A closed set: a reader of the log can name everything that may stand in it.
    Action {
        /// Somebody without the right to do so asked for something.
        AccessDenied = "access-denied",
        /// The record of which array is the active one was repaired by hand.
        ActiveBackendReset = "active-backend-reset",
        /// Entries older than the retention were removed; `details` say where each chain begins now.
        AuditPruned = "audit-pruned",
        /// An address sent so many wrong tokens that the next ones are not looked at for a moment.
        AuthenticationBraked = "authentication-braked",
        /// A token that nobody has.
        AuthenticationFailed = "authentication-failed",
        /// Changes on a backend are refused from now on.
        BackendFrozen = "backend-frozen",
        /// Changes on a backend are taken again.
        BackendThawed = "backend-thawed",
        /// A request of a driver that its grant does not cover.
        CallDenied = "call-denied",
        /// The records of a Cinder were taken over.
        CinderImported = "cinder-imported",
        /// The configuration was read again.
        ConfigurationReloaded = "configuration-reloaded",
        /// A backup was put in the place of the database.
        DatabaseRestored = "database-restored",
        /// A drill became a failover.
        DrillCommitted = "drill-commit",
        /// Writable copies were made for a drill.
        DrillStarted = "drill-start",
        /// The copies of a drill were removed.
        DrillStopped = "drill-stop",
        /// Another component serves.
        DriverActivated = "driver-activated",
        /// A component became known as a driver's newest.
        DriverInstalled = "driver-installed",
        /// A component serves since the start of the host.
        DriverLoaded = "driver-loaded",
        /// No call is let through to a driver that traps, hangs or breaks its limits.
        DriverQuarantined = "driver-quarantined",
        /// A driver answers again.
        DriverReleased = "driver-released",
        /// The component that served before serves again.
        DriverRolledBack = "driver-rolled-back",
        /// Volumes were moved back to their first array.
        Failback = "failback",
        /// Volumes were moved to another array.
        Failover = "failover",
        /// An array that was left behind lost the writable role.
        Fence = "fence",
        /// What a driver may ask of arrays is not what it was.
        GrantChanged = "grant-changed",
        /// The host began.
        HostStarted = "host-started",
        /// The host ended in order.
        HostStopped = "host-stopped",
        /// The secrets in the database were sealed with a new key.
        KeyRotated = "key-rotated",
        /// Somebody asked an operation to stop.
        OperationCancelled = "operation-cancelled",
        /// The arrays of a changed configuration became the backend's own.
        Promote = "promote",
        /// Arrays were brought up to the configuration, or the records up to the arrays.
        Reconcile = "reconcile",
        /// Replication was switched off.
        ReplicationDisabled = "replication-disable",
        /// Replication was switched on.
        ReplicationEnabled = "replication-enable",
        /// Volumes are replicated again from where they are.
        Reprotect = "reprotect",
        /// Copies were brought up to date.
        Resync = "resync",
        /// The scheduler may not use a backend.
        ServiceDisabled = "service-disabled",
        /// The scheduler may use a backend again.
        ServiceEnabled = "service-enabled",
        /// An array that was away was told what it was owed.
        Settle = "settle",
        /// A component was refused for its digest, its signatures or its version.
        VerificationRefused = "verification-refused",
    }
}

words! {
    /// What came of it.
    Outcome {
        /// It was written down and begins; another entry tells of its end.
        Begun = "begun",
        /// It was stopped before anything dangerous.
        Cancelled = "cancelled",
        /// The caller or the driver has no right to it.
        Denied = "denied",
        /// It was tried and is not done.
        Failed = "failed",
        /// It is done for some of its volumes.
        PartlyFailed = "partly-failed",
        /// It was not begun; nothing was changed.
        Refused = "refused",
        /// It is done.
        Succeeded = "succeeded",
    }
}

words! {
    /// Who did it.
    Kind {
        /// A command on the host's machine, which needs no token.
        CommandLine = "command-line",
        /// A driver.
        Driver = "driver",
        /// The host itself.
        Host = "host",
        /// A client of the API that nobody knows.
        Unknown = "unknown",
        /// A user of the API.
        User = "user",
    }
}

/// Who did it, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Address of the client; behind a proxy the proxy's, of an IPv6 client its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who that is.
    pub kind: Kind,
    /// Project of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Id of the API's request, as in the host's log and the client's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The user; of a command on the machine its `uid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl Who {
    /// Somebody of whom nothing else is known.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            address: None,
            kind,
            project: None,
            request: None,
            user: None,
        }
    }
}

/// What it was done to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// SHA-256 of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Generation of the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Operation of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Kind and id of what an operation is about: `volume 5d0c…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Names of the keys whose signatures of the component were verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
}

impl Subject {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was done.
    pub action: Action,
    /// When, UTC, to the millisecond.
    #[serde(serialize_with = "write_at", deserialize_with = "read_at")]
    pub at: Timestamp,
    /// What else is to be known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// Which host wrote it.
    pub host: String,
    /// To what.
    #[serde(default, skip_serializing_if = "Subject::is_empty")]
    pub on: Subject,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, where it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who.
    pub who: Who,
}

impl Entry {
    /// An entry that says nothing else yet. Its host is filled in by who writes it.
    #[must_use]
    pub fn new(at: Timestamp, who: Who, action: Action, outcome: Outcome) -> Self {
        Self {
            action,
            at: Timestamp(at.0 - at.0.rem_euclid(1000)),
            details: BTreeMap::new(),
            host: String::new(),
            on: Subject::default(),
            outcome,
            reason: None,
            who,
        }
    }

    /// With what it was done to.
    #[must_use]
    pub fn on(mut self, on: Subject) -> Self {
        self.on = on;
        self
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, reason: impl AsRef<str>) -> Self {
        self.reason = Some(shortened(reason.as_ref()));
        self
    }

    /// With one more detail.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl AsRef<str>) -> Self {
        self.details.insert(key.into(), shortened(value.as_ref()));
        self
    }

    /// Written by this host.
    #[must_use]
    pub fn by_host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// The one text of it.
    ///
    /// # Errors
    /// None in practice: every field can be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// At most so many bytes, cut between two characters.
fn shortened(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let end = text.char_indices().map(|(at, _)| at);
    let end = end.take_while(|at| *at <= TEXT - 3).last().unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// `2026-11-30T09:10:11.123Z`.
fn written(at: Timestamp) -> String {
    let text = at.to_cinder();
    format!("{}Z", text.get(..23).unwrap_or(&text))
}

fn write_at<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*at))
}

fn read_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no point in time")))
}

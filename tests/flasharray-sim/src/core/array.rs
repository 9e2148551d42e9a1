//! One array: who it is, its limits, and the names it knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::connection::Connections;
use super::error::{ApiError, Res};
use super::host::{Host, HostGroup};
use super::key::{ArrayIx, PgKey, PgSnapKey, PodKey, SnapKey, VgKey, VolumeKey};
use super::offload::Offload;
use super::session::Sessions;
use super::totals::Totals;
use super::world::{World, mix, uuid_of};

/// What an array is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArraySpec {
    /// Its name, which other arrays know it by.
    pub name: String,
    /// Its only API token.
    pub api_token: String,
    /// Version of Purity it claims.
    pub purity: String,
    /// REST versions it claims, ascending.
    pub rest_versions: Vec<String>,
    /// Usable bytes.
    pub capacity: u64,
}

/// An array.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Array {
    /// Its position in the world.
    pub ix: ArrayIx,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its API token.
    pub api_token: String,
    /// The one before, while it is still good.
    #[serde(default)]
    pub old_token: Option<String>,
    /// Version of Purity it claims.
    pub purity: String,
    /// REST versions it claims, ascending.
    pub rest_versions: Vec<String>,
    /// Usable bytes.
    pub capacity: u64,
    /// Bytes in use that belong to no volume we know.
    pub ballast: u64,
    /// Most volumes it takes, destroyed ones included.
    pub volume_limit: Option<usize>,
    /// SafeMode: nothing can be eradicated by hand.
    pub eradication_disabled: bool,
    /// False while it is dark.
    pub powered: bool,
    /// When it was made, in milliseconds.
    pub created: u64,
    /// Login sessions.
    #[serde(skip)]
    pub sessions: Sessions,
    /// Volumes by name.
    pub volumes: BTreeMap<String, VolumeKey>,
    /// Volume groups by name.
    pub vgroups: BTreeMap<String, VgKey>,
    /// Volume snapshots by name.
    pub snaps: BTreeMap<String, SnapKey>,
    /// Protection groups by name.
    pub pgroups: BTreeMap<String, PgKey>,
    /// Protection group snapshots by name.
    pub pgsnaps: BTreeMap<String, PgSnapKey>,
    /// Pods by name.
    pub pods: BTreeMap<String, PodKey>,
    /// Hosts by name.
    pub hosts: BTreeMap<String, Host>,
    /// Host groups by name.
    pub host_groups: BTreeMap<String, HostGroup>,
    /// Which host an initiator belongs to, by its normal form.
    pub initiators: BTreeMap<String, String>,
    /// Who sees which volume.
    pub connections: Connections,
    /// Offload targets by name.
    pub offloads: BTreeMap<String, Offload>,
    /// Names of the groups that new volumes join, by container (empty for the array).
    pub default_protections: BTreeMap<String, Vec<String>>,
    /// What its own volumes have together; those in pods not included.
    pub totals: Totals,
    serials: u64,
}

impl Array {
    /// A new, empty array.
    pub fn new(ix: ArrayIx, spec: ArraySpec, now: u64) -> Self {
        let seed = spec
            .name
            .bytes()
            .fold(17, |seed: u64, byte| mix(seed ^ u64::from(byte)));
        Self {
            ix,
            id: uuid_of(seed, mix(seed)),
            name: spec.name,
            api_token: spec.api_token,
            old_token: None,
            purity: spec.purity,
            rest_versions: spec.rest_versions,
            capacity: spec.capacity,
            ballast: 0,
            volume_limit: None,
            eradication_disabled: false,
            powered: true,
            created: now,
            sessions: Sessions::default(),
            volumes: BTreeMap::new(),
            vgroups: BTreeMap::new(),
            snaps: BTreeMap::new(),
            pgroups: BTreeMap::new(),
            pgsnaps: BTreeMap::new(),
            pods: BTreeMap::new(),
            hosts: BTreeMap::new(),
            host_groups: BTreeMap::new(),
            initiators: BTreeMap::new(),
            connections: Connections::default(),
            offloads: BTreeMap::new(),
            default_protections: BTreeMap::new(),
            totals: Totals::default(),
            serials: 0,
        }
    }

    /// A number that differs between arrays, for WWNs, IQNs and addresses.
    pub fn seed(&self) -> u64 {
        self.name
            .bytes()
            .fold(23, |seed: u64, byte| mix(seed ^ u64::from(byte)))
    }

    /// A new serial number: 24 upper-case hexadecimal digits.
    pub(super) fn next_serial(&mut self) -> String {
        self.serials += 1;
        format!("{:016X}{:08X}", self.seed(), 0x0001_1000 + self.serials)
    }

    /// Whether Purity is at least `major.minor.patch`.
    pub fn purity_at_least(&self, wanted: [u32; 3]) -> bool {
        let mut parts = self
            .purity
            .split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0));
        let have = [(); 3].map(|()| parts.next().unwrap_or(0));
        have >= wanted
    }
}

/// How full an array is, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Written by volumes.
    pub unique: u64,
    /// Held by snapshots only.
    pub snapshots: u64,
    /// Provisioned to volumes that are not destroyed.
    pub provisioned: u64,
}

impl World {
    /// How full an array is.
    pub fn usage(&self, ix: ArrayIx) -> Res<Usage> {
        let array = self.array(ix)?;
        let mut totals = array.totals;
        for key in array.pods.values() {
            totals = totals.plus(self.pod(*key)?.totals);
        }
        let mut usage = Usage {
            unique: totals.written,
            snapshots: 0,
            provisioned: totals.provisioned,
        };
        for key in array.snaps.values() {
            let snap = self.snap(*key)?;
            // Blocks that the snapshot shares with its volume take no space.
            usage.snapshots += match snap.volume.and_then(|key| self.volumes.get(&key)) {
                Some(volume) => snap.image.delta(&volume.image),
                None => snap.image.written(),
            };
        }
        Ok(usage)
    }

    /// Refuses when an array is too full to take new data.
    pub(super) fn room(&self, ix: ArrayIx) -> Res<()> {
        let array = self.array(ix)?;
        // Counting every block for each request would be slow; an array that
        // nobody has filled by hand is never full.
        if array.ballast >= array.capacity {
            return Err(ApiError::refuse(
                array.name.clone(),
                "Insufficient space: the array is full.",
            ));
        }
        Ok(())
    }

    /// Refuses when an array has as many volumes as it takes.
    pub fn volume_allowed(&self, ix: ArrayIx, more: usize) -> Res<()> {
        let array = self.array(ix)?;
        match array.volume_limit {
            Some(limit) if array.volumes.len() + more > limit => Err(ApiError::refuse(
                array.name.clone(),
                "Volume limit reached.",
            )),
            _ => Ok(()),
        }
    }
}

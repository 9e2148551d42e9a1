//! The world: every array, the links between them, and time. A deterministic
//! state machine without input or output; HTTP is a layer around it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::array::{Array, ArraySpec};
use super::clock::{Clock, Timer};
use super::error::{ApiError, Res};
use super::key::{ArrayIx, Home, PgKey, PgSnapKey, PodKey, SnapKey, TransferKey, VgKey, VolumeKey};
use super::link::{Link, LinkKind};
use super::pgroup::Pgroup;
use super::pgsnap::PgSnap;
use super::pod::{Mediator, Pod};
use super::snapshot::Snap;
use super::transfer::{Stuck, Transfer};
use super::vgroup::Vgroup;
use super::volume::Volume;

/// What the whole world has in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Bytes per second of asynchronous replication on each link.
    pub bandwidth: u64,
    /// How long a side of a pod resyncs after a reconnect, in milliseconds, besides its bytes.
    pub resync_ms: u64,
    /// How long a new side of a pod resyncs after stretching, in milliseconds.
    pub stretch_ms: u64,
    /// How long destroyed objects can be recovered, in milliseconds.
    pub eradication_ms: u64,
    /// How long a session lives without a request, in milliseconds.
    pub session_ms: u64,
    /// Items in an answer when the client sets no limit.
    pub page: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bandwidth: 1 << 30,
            resync_ms: 2_000,
            stretch_ms: 0,
            eradication_ms: 24 * 3600 * 1000,
            session_ms: 30 * 60 * 1000,
            page: 1000,
        }
    }
}

/// All arrays and what connects them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// Time.
    pub clock: Clock,
    /// Common settings.
    pub settings: Settings,
    counter: u64,
    pub(super) arrays: Vec<Array>,
    pub(super) links: Vec<Link>,
    pub(super) mediator: Mediator,
    pub(super) volumes: BTreeMap<VolumeKey, Volume>,
    pub(super) vgroups: BTreeMap<VgKey, Vgroup>,
    pub(super) snaps: BTreeMap<SnapKey, Snap>,
    pub(super) pgroups: BTreeMap<PgKey, Pgroup>,
    pub(super) pgsnaps: BTreeMap<PgSnapKey, PgSnap>,
    pub(super) pods: BTreeMap<PodKey, Pod>,
    pub(super) transfers: BTreeMap<TransferKey, Transfer>,
    pub(super) stuck: Vec<Stuck>,
}

macro_rules! lookups {
    ($($get:ident $get_mut:ident $table:ident $key:ty => $value:ty, $what:literal;)*) => {
        impl World {$(
            #[doc = concat!("The ", $what, " behind a key.")]
            pub fn $get(&self, key: $key) -> Res<&$value> {
                self.$table.get(&key).ok_or_else(|| ApiError::inconsistent($what))
            }

            pub(super) fn $get_mut(&mut self, key: $key) -> Res<&mut $value> {
                self.$table.get_mut(&key).ok_or_else(|| ApiError::inconsistent($what))
            }
        )*}
    };
}

lookups! {
    volume volume_mut volumes VolumeKey => Volume, "volume";
    vgroup vgroup_mut vgroups VgKey => Vgroup, "volume group";
    snap snap_mut snaps SnapKey => Snap, "snapshot";
    pgroup pgroup_mut pgroups PgKey => Pgroup, "protection group";
    pgsnap pgsnap_mut pgsnaps PgSnapKey => PgSnap, "protection group snapshot";
    pod pod_mut pods PodKey => Pod, "pod";
}

impl World {
    /// A world of unconnected arrays at `now` (milliseconds since the epoch).
    pub fn new(specs: Vec<ArraySpec>, settings: Settings, now: u64) -> Self {
        let arrays = specs
            .into_iter()
            .enumerate()
            .map(|(ix, spec)| Array::new(ArrayIx(ix), spec, now))
            .collect();
        Self {
            clock: Clock::at(now),
            settings,
            counter: 0,
            arrays,
            links: Vec::new(),
            mediator: Mediator::default(),
            volumes: BTreeMap::new(),
            vgroups: BTreeMap::new(),
            snaps: BTreeMap::new(),
            pgroups: BTreeMap::new(),
            pgsnaps: BTreeMap::new(),
            pods: BTreeMap::new(),
            transfers: BTreeMap::new(),
            stuck: Vec::new(),
        }
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Lets everything happen that is due until `to` (milliseconds since the epoch).
    pub fn advance(&mut self, to: u64) {
        while let Some(timer) = self.clock.next_until(to) {
            self.fire(timer);
        }
        self.clock.move_to(to);
    }

    fn fire(&mut self, timer: Timer) {
        // A timer that no longer applies finds nothing to do; an error here
        // would mean exactly that.
        let _ = match timer {
            Timer::Replicate(pg) => self.replication_due(pg),
            Timer::Snapshot(pg) => self.snapshot_due(pg),
            Timer::Transfers => {
                self.settle_transfers();
                Ok(())
            }
            Timer::Resync(pod) => self.resync_due(pod),
            Timer::EradicateVolume(key) => self.eradicate_volume_if_due(key),
            Timer::EradicateSnap(key) => self.eradicate_snap_if_due(key),
            Timer::EradicateGroup(key) => self.eradicate_pgroup_if_due(key),
            Timer::EradicateGroupSnap(key) => self.eradicate_pgsnap_if_due(key),
            Timer::EradicatePod(key) => self.eradicate_pod_if_due(key),
            Timer::EradicateVolumeGroup(key) => self.eradicate_vgroup_if_due(key),
        };
    }

    pub(super) fn next_key(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A new id in the form of a UUID, the same in every run.
    pub(super) fn next_id(&mut self) -> String {
        let n = self.next_key();
        uuid_of(mix(n), mix(n ^ 0x5851_f42d_4c95_7f2d))
    }

    /// The array of a name.
    pub fn find_array(&self, name: &str) -> Option<ArrayIx> {
        self.arrays.iter().find(|a| a.name == name).map(|a| a.ix)
    }

    /// All arrays.
    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    /// All links.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The array at a position.
    pub fn array(&self, ix: ArrayIx) -> Res<&Array> {
        self.arrays
            .get(ix.0)
            .ok_or_else(|| ApiError::inconsistent("array"))
    }

    /// The array at a position, to change it.
    pub fn array_mut(&mut self, ix: ArrayIx) -> Res<&mut Array> {
        self.arrays
            .get_mut(ix.0)
            .ok_or_else(|| ApiError::inconsistent("array"))
    }

    /// Connects two arrays (or upgrades their connection).
    pub fn connect_arrays(&mut self, a: ArrayIx, b: ArrayIx, kind: LinkKind) {
        if let Some(link) = self.links.iter_mut().find(|l| l.joins(a, b)) {
            link.kind = kind;
            return;
        }
        let id = self.next_id();
        self.links.push(Link {
            id,
            a,
            b,
            kind,
            up: true,
            bandwidth: None,
        });
    }

    /// The arrays on which an object with this home is visible.
    pub fn holders(&self, home: Home) -> Vec<ArrayIx> {
        match home {
            Home::Array(ix) => vec![ix],
            Home::Pod(pod) => self
                .pods
                .get(&pod)
                .map(|pod| pod.holders.clone())
                .unwrap_or_default(),
        }
    }

    /// When something destroyed now will be gone.
    pub(super) fn doom(&self, with_parent: bool) -> super::key::Doom {
        super::key::Doom {
            eradicate_at: self.now() + self.settings.eradication_ms,
            with_parent,
        }
    }

    /// Milliseconds until eradication, for answers.
    pub fn remaining(&self, doom: Option<super::key::Doom>) -> Option<u64> {
        doom.map(|doom| doom.eradicate_at.saturating_sub(self.now()))
    }
}

/// A well mixed number from a small one (splitmix64).
pub(super) fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Prints 128 bits as a UUID.
pub(super) fn uuid_of(high: u64, low: u64) -> String {
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
        .into_uuid()
        .to_string()
}

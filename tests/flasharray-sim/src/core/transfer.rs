//! Moving protection group snapshots to their targets, at the speed of the links.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::clock::Timer;
use super::error::Res;
use super::image::Image;
use super::key::{ArrayIx, Home, PgKey, PgSnapKey, TransferKey};
use super::pgroup::Place;
use super::pgsnap::{Arrival, PgSnap};
use super::snapshot::Snap;
use super::world::World;

/// A replication of one snapshot to one array.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transfer {
    /// The snapshot on the source.
    pub source: PgSnapKey,
    /// Its group.
    pub group: PgKey,
    /// Where the group lives.
    pub home: Home,
    /// The target array.
    pub to: ArrayIx,
    /// The snapshot on the target.
    pub arrival: PgSnapKey,
    /// Bytes to move.
    pub total: u64,
    /// Bytes moved until `since`.
    pub done: u64,
    /// From where it runs and since when, in milliseconds.
    pub running: Option<(ArrayIx, u64)>,
}

/// Transfers between two arrays that get no further than a share of their bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stuck {
    /// Source array, any if none.
    pub from: Option<ArrayIx>,
    /// Target array, any if none.
    pub to: Option<ArrayIx>,
    /// Share at which they stop, 0 to 1.
    pub at: f64,
}

impl World {
    /// Queues the replication of a snapshot to all allowed targets of its group.
    pub(super) fn start_transfers(&mut self, key: PgSnapKey) -> Res<()> {
        let snap = self.pgsnap(key)?;
        let (group, home) = (snap.group, snap.home);
        let targets = self.pgroup(group)?.targets.clone();
        for target in targets {
            let (Place::Array(to), Some(remote)) = (&target.place, target.remote) else {
                continue;
            };
            if self.target_allowed(&target) {
                self.queue_transfer(key, group, home, *to, remote)?;
            }
        }
        self.settle_transfers();
        Ok(())
    }

    fn queue_transfer(
        &mut self,
        key: PgSnapKey,
        group: PgKey,
        home: Home,
        to: ArrayIx,
        remote: PgKey,
    ) -> Res<()> {
        let snap = self.pgsnap(key)?.clone();
        let full = format!("{}.{}", self.pgroup(remote)?.name, snap.suffix);
        if self.array(to)?.pgsnaps.contains_key(&full) {
            return Ok(());
        }
        let base = self.latest_arrival(remote);
        let mut pending = Vec::new();
        let mut total = 0;
        for part in &snap.parts {
            let part = self.snap(*part)?.clone();
            let known = base
                .iter()
                .filter_map(|key| self.snaps.get(key))
                .find(|old| old.source.id == part.source.id)
                .map(|old| old.image.clone());
            total += part.image.delta(&known.unwrap_or_else(Image::default));
            pending.push(Snap {
                name: format!("{full}.{}", part.suffix),
                id: self.next_id(),
                serial: self.array_mut(to)?.next_serial(),
                home: Home::Array(to),
                volume: None,
                ..part
            });
        }
        let arrival_key = PgSnapKey(self.next_key());
        for part in &mut pending {
            part.pgsnap = Some(arrival_key);
        }
        let arrival = PgSnap {
            name: full.clone(),
            id: self.next_id(),
            home: Home::Array(to),
            group: remote,
            parts: Vec::new(),
            doom: None,
            arrival: Some(Arrival {
                started: self.now(),
                completed: None,
                bytes: 0,
                pending,
            }),
            ..snap
        };
        self.pgsnaps.insert(arrival_key, arrival);
        self.array_mut(to)?.pgsnaps.insert(full, arrival_key);
        let transfer = TransferKey(self.next_key());
        self.transfers.insert(
            transfer,
            Transfer {
                source: key,
                group,
                home,
                to,
                arrival: arrival_key,
                total,
                done: 0,
                running: None,
            },
        );
        Ok(())
    }

    /// The parts of the newest complete snapshot of a group on a target.
    fn latest_arrival(&self, remote: PgKey) -> Vec<super::key::SnapKey> {
        self.pgsnaps
            .values()
            .filter(|snap| snap.group == remote && snap.complete())
            .max_by_key(|snap| snap.created)
            .map(|snap| snap.parts.clone())
            .unwrap_or_default()
    }

    fn rate(&self, from: ArrayIx, to: ArrayIx) -> u64 {
        self.link(from, to)
            .and_then(|link| link.bandwidth)
            .unwrap_or(self.settings.bandwidth)
            .max(1)
    }

    /// Bytes of a transfer that may be moved before it gets stuck.
    fn limit(&self, transfer: &Transfer, from: ArrayIx) -> Option<u64> {
        self.stuck
            .iter()
            .find(|stuck| {
                stuck.from.is_none_or(|ix| ix == from)
                    && stuck.to.is_none_or(|ix| ix == transfer.to)
            })
            .map(|stuck| (transfer.total as f64 * stuck.at.clamp(0.0, 1.0)) as u64)
    }

    /// Bytes of a transfer that have arrived by now.
    pub fn transferred(&self, transfer: &Transfer) -> u64 {
        let Some((from, since)) = transfer.running else {
            return transfer.done;
        };
        let elapsed = u128::from(self.now().saturating_sub(since));
        let moved = elapsed * u128::from(self.rate(from, transfer.to)) / 1000;
        let most = self.limit(transfer, from).unwrap_or(transfer.total);
        let done = u128::from(transfer.done) + moved;
        u64::try_from(done)
            .unwrap_or(u64::MAX)
            .min(most.max(transfer.done))
            .min(transfer.total)
    }

    /// Counts what has arrived, completes what is complete, and lets the first
    /// transfer between each two arrays run if its way is free.
    pub(super) fn settle_transfers(&mut self) {
        let now = self.now();
        let keys: Vec<TransferKey> = self.transfers.keys().copied().collect();
        for key in &keys {
            if let Some(done) = self.transfers.get(key).map(|t| self.transferred(t))
                && let Some(transfer) = self.transfers.get_mut(key)
            {
                transfer.done = done;
                transfer.running = None;
            }
        }
        let mut ways: BTreeSet<(ArrayIx, ArrayIx)> = BTreeSet::new();
        for key in keys {
            let Some(transfer) = self.transfers.get(&key).cloned() else {
                continue;
            };
            let Some(from) = self.way(&transfer) else {
                continue;
            };
            if !ways.insert((from, transfer.to)) {
                continue;
            }
            let limit = self.limit(&transfer, from);
            if transfer.done >= transfer.total && limit.is_none() {
                // A vanished target leaves nothing to complete.
                let _ = self.complete_transfer(key);
                ways.remove(&(from, transfer.to));
                continue;
            }
            if let Some(transfer) = self.transfers.get_mut(&key) {
                transfer.running = Some((from, now));
            }
            if limit.is_none() {
                let left = u128::from(transfer.total - transfer.done) * 1000;
                let ms = left.div_ceil(u128::from(self.rate(from, transfer.to)));
                let at = now + u64::try_from(ms).unwrap_or(u64::MAX >> 1).max(1);
                self.clock.set(at, Timer::Transfers);
            }
        }
    }

    /// The array a transfer can come from now.
    fn way(&self, transfer: &Transfer) -> Option<ArrayIx> {
        self.holders(transfer.home)
            .into_iter()
            .find(|from| self.serves(*from, transfer.home) && self.reaches(*from, transfer.to))
    }

    fn complete_transfer(&mut self, key: TransferKey) -> Res<()> {
        let Some(transfer) = self.transfers.remove(&key) else {
            return Ok(());
        };
        let now = self.now();
        let snap = self.pgsnap_mut(transfer.arrival)?;
        let (remote, doom) = (snap.group, snap.doom);
        let Some(arrival) = &mut snap.arrival else {
            return Ok(());
        };
        arrival.completed = Some(now);
        arrival.bytes = transfer.total;
        let pending = std::mem::take(&mut arrival.pending);
        for part in pending {
            let part_key = super::key::SnapKey(self.next_key());
            self.snaps.insert(part_key, part);
            self.link_snap(part_key)?;
            self.pgsnap_mut(transfer.arrival)?.parts.push(part_key);
        }
        self.set_pgsnap_doom(transfer.arrival, doom)?;
        let keep = match self.pgroups.get(&transfer.group) {
            Some(group) => group.target_retention,
            None => self.pgroup(remote)?.target_retention,
        };
        self.expire(remote, keep, |_| true)?;
        let unfinished = self.transfers.values().any(|t| t.group == transfer.group);
        if !unfinished {
            self.drop_old_sources(transfer.group, transfer.source)?;
            if let Some(group) = self.pgroups.get_mut(&transfer.group)
                && std::mem::take(&mut group.replication.overdue)
            {
                group.replication.next = Some(now);
                self.clock.set(now, Timer::Replicate(transfer.group));
            }
        }
        Ok(())
    }

    /// The source keeps only the newest of the snapshots it took for replication.
    fn drop_old_sources(&mut self, group: PgKey, newest: PgSnapKey) -> Res<()> {
        let Ok(created) = self.pgsnap(newest).map(|snap| snap.created) else {
            return Ok(());
        };
        let old = super::pod::keys_in(&self.pgsnaps, |snap| {
            snap.group == group
                && snap.for_replication
                && snap.scheduled
                && snap.arrival.is_none()
                && snap.created < created
        });
        for key in old {
            self.drop_pgsnap(key)?;
        }
        Ok(())
    }

    /// Gives up the transfers of a snapshot that is eradicated on either end.
    pub(super) fn cancel_transfers(&mut self, snap: PgSnapKey) -> Res<()> {
        let keys = super::pod::keys_in(&self.transfers, |t| t.source == snap || t.arrival == snap);
        for key in &keys {
            if let Some(transfer) = self.transfers.remove(key) {
                self.drop_pgsnap(transfer.arrival)?;
            }
        }
        if !keys.is_empty() {
            self.settle_transfers();
        }
        Ok(())
    }

    /// Lets transfers get stuck at a share of their bytes, or frees them again.
    pub fn set_stuck(&mut self, stuck: Option<Stuck>) {
        self.settle_transfers();
        match stuck {
            Some(stuck) => self.stuck.push(stuck),
            None => self.stuck.clear(),
        }
        self.settle_transfers();
    }

    /// The transfer that brings a snapshot to a target, while it lasts.
    pub fn transfer_of(&self, arrival: PgSnapKey) -> Option<&Transfer> {
        self.transfers
            .values()
            .find(|transfer| transfer.arrival == arrival)
    }

    /// Transfers that are not complete.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.transfers.values()
    }
}

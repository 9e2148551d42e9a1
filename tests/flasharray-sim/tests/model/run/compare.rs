//! Whether the simulator is as the model says.

use std::collections::BTreeSet;

use flasharray_sim::core::key::ArrayIx;

use super::{A, Run, SIDES};
use crate::history::Cells;
use crate::pod::BLOCK;

impl Run {
    /// What a host reads through an array.
    pub(super) fn cells(&self, ix: ArrayIx, name: &str) -> Result<Cells, u16> {
        let bytes = self
            .world
            .io_read(ix, "h", name, 0, 4 * BLOCK as usize)
            .map_err(|error| error.status)?;
        let mut cells = Cells::default();
        for (n, cell) in cells.iter_mut().enumerate() {
            *cell = bytes[n * BLOCK as usize + 17];
        }
        let others = bytes
            .iter()
            .enumerate()
            .filter(|(at, _)| at % BLOCK as usize != 17);
        assert!(others.into_iter().all(|(_, byte)| *byte == 0));
        Ok(cells)
    }

    /// Compares everything a host can see, and what a stale side kept.
    pub(super) fn compare(&mut self) {
        self.compare_sums();
        for (name, cells) in &self.local {
            let expected = if self.power[0] { Ok(*cells) } else { Err(503) };
            assert_eq!(self.cells(A, name), expected, "{name}");
        }
        for (side, ix) in SIDES.into_iter().enumerate() {
            let known = self.pod.known(side).clone();
            let listed: BTreeSet<String> = self
                .world
                .array(ix)
                .unwrap()
                .volumes
                .keys()
                .filter(|name| name.starts_with("p::"))
                .cloned()
                .collect();
            assert_eq!(
                listed,
                known.keys().cloned().collect(),
                "volumes known on side {side}"
            );
            for (name, cells) in known {
                self.see(ix, &name);
                let expected = if self.power[side] && self.pod.serves(side) {
                    Ok(cells)
                } else {
                    Err(503)
                };
                assert_eq!(
                    self.cells(ix, &name),
                    expected,
                    "{name} on side {side}, {:?}",
                    self.pod.state
                );
                let key = self.world.find_volume(ix, &name).unwrap();
                let kept = &self.world.volume(key).unwrap().image;
                for (n, cell) in cells.iter().enumerate() {
                    assert_eq!(
                        kept.read(n as u64 * BLOCK + 17, 1),
                        [*cell],
                        "kept by side {side}"
                    );
                }
            }
        }
    }

    /// The sums that are kept along must be those of the volumes.
    fn compare_sums(&self) {
        for ix in SIDES {
            let volumes = self.world.array(ix).unwrap().volumes.values();
            let volumes: Vec<_> = volumes
                .map(|key| self.world.volume(*key).unwrap())
                .collect();
            let written: u64 = volumes.iter().map(|volume| volume.image.written()).sum();
            let provisioned: u64 = volumes
                .iter()
                .filter(|v| v.doom.is_none())
                .map(|v| v.size)
                .sum();
            let usage = self.world.usage(ix).unwrap();
            assert_eq!((usage.unique, usage.provisioned), (written, provisioned));
        }
    }
}

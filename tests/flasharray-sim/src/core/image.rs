//! The bytes of a volume: sparse, and shared with its snapshots until written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes in a block; the grain of sharing and of replication.
pub const BLOCK: u64 = 4096;

type Block = Arc<[u8]>;

/// A sparse sequence of bytes. Cloning is cheap and makes a point-in-time copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    blocks: Arc<BTreeMap<u64, Block>>,
}

impl Image {
    /// Writes `data` at `offset`, in bytes.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let blocks = Arc::make_mut(&mut self.blocks);
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let number = at / BLOCK;
            let start = (at % BLOCK) as usize;
            let length = rest.len().min(BLOCK as usize - start);
            let (now, later) = rest.split_at(length);
            let mut block = match blocks.get(&number) {
                Some(old) => old.to_vec(),
                None => vec![0; BLOCK as usize],
            };
            if let Some(part) = block.get_mut(start..start + length) {
                part.copy_from_slice(now);
            }
            blocks.insert(number, block.into());
            at += length as u64;
            rest = later;
        }
    }

    /// Reads `length` bytes from `offset`; what was never written is zero.
    pub fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length);
        let mut at = offset;
        while out.len() < length {
            let start = (at % BLOCK) as usize;
            let take = (length - out.len()).min(BLOCK as usize - start);
            match self
                .blocks
                .get(&(at / BLOCK))
                .and_then(|b| b.get(start..start + take))
            {
                Some(part) => out.extend_from_slice(part),
                None => out.resize(out.len() + take, 0),
            }
            at += take as u64;
        }
        out
    }

    /// Forgets what lies at or beyond `size` bytes.
    pub fn truncate(&mut self, size: u64) {
        let first_gone = size.div_ceil(BLOCK);
        if self.blocks.range(first_gone..).next().is_some() {
            Arc::make_mut(&mut self.blocks).split_off(&first_gone);
        }
        let inside = (size % BLOCK) as usize;
        if inside != 0 {
            let number = size / BLOCK;
            if let Some(old) = self.blocks.get(&number) {
                let mut block = old.to_vec();
                if let Some(tail) = block.get_mut(inside..) {
                    tail.fill(0);
                }
                Arc::make_mut(&mut self.blocks).insert(number, block.into());
            }
        }
    }

    /// Bytes that occupy space.
    pub fn written(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK
    }

    /// Bytes to send to turn `base` into `self`.
    pub fn delta(&self, base: &Image) -> u64 {
        if Arc::ptr_eq(&self.blocks, &base.blocks) {
            return 0;
        }
        let changed = self
            .blocks
            .iter()
            .filter(|(number, block)| match base.blocks.get(number) {
                Some(old) => !Arc::ptr_eq(old, block) && old != *block,
                None => true,
            })
            .count();
        let gone = base
            .blocks
            .keys()
            .filter(|number| !self.blocks.contains_key(number))
            .count();
        (changed + gone) as u64 * BLOCK
    }

    /// A hash of the contents (FNV-1a over numbers and bytes of written blocks that are not zero).
    pub fn digest(&self) -> u64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut eat = |byte: u8| {
            hash ^= u64::from(byte);
            hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        };
        for (number, block) in self.blocks.iter() {
            if block.iter().all(|byte| *byte == 0) {
                continue;
            }
            number.to_le_bytes().into_iter().for_each(&mut eat);
            block.iter().copied().for_each(&mut eat);
        }
        hash
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        serializer.collect_map(self.blocks.iter().map(|(n, b)| (n, engine.encode(b))))
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        use serde::de::Error as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let mut blocks = BTreeMap::new();
        for (number, text) in BTreeMap::<u64, String>::deserialize(deserializer)? {
            let mut block = engine.decode(text).map_err(D::Error::custom)?;
            block.resize(BLOCK as usize, 0);
            blocks.insert(number, Block::from(block));
        }
        Ok(Self {
            blocks: Arc::new(blocks),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_its_bytes_when_the_original_is_written() {
        let mut image = Image::default();
        image.write(4090, b"hello world");
        let copy = image.clone();
        image.write(4092, b"XX");
        assert_eq!(copy.read(4090, 11), b"hello world");
        assert_eq!(image.read(4090, 11), b"heXXo world");
        assert_eq!(image.delta(&copy), BLOCK);
        assert_eq!(copy.delta(&copy.clone()), 0);
    }

    #[test]
    fn unwritten_bytes_are_zero_and_truncation_forgets() {
        let mut image = Image::default();
        image.write(BLOCK * 3 + 10, b"tail");
        image.write(0, b"head");
        image.truncate(2);
        assert_eq!(image.read(0, 4), b"he\0\0");
        assert_eq!(image.read(BLOCK * 3 + 10, 4), [0; 4]);
    }

    #[test]
    fn an_image_survives_being_saved() {
        let mut image = Image::default();
        image.write(5000, b"bytes");
        let text = serde_json::to_string(&image).unwrap();
        let back: Image = serde_json::from_str(&text).unwrap();
        assert_eq!(back.read(5000, 5), b"bytes");
        assert_eq!(back.digest(), image.digest());
    }
}

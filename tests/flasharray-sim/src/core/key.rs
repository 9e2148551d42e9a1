//! Keys of the simulator's tables. They never leave the process: clients see
//! names and ids, which may be shared by the two copies of a split pod.

use serde::{Deserialize, Serialize};

macro_rules! key {
    ($(#[$doc:meta] $name:ident),* $(,)?) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);
    )*};
}

key!(
    /// A volume.
    VolumeKey,
    /// A volume snapshot.
    SnapKey,
    /// A protection group, on its source or on a target.
    PgKey,
    /// A protection group snapshot, on its source or on a target.
    PgSnapKey,
    /// A pod, or one side of it after a split.
    PodKey,
    /// A volume group.
    VgKey,
    /// A replication of one protection group snapshot to one target.
    TransferKey,
);

/// Position of an array in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArrayIx(pub usize);

/// Where an object lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Home {
    /// On one array.
    Array(ArrayIx),
    /// In a pod, hence on every array that holds the pod.
    Pod(PodKey),
}

/// Since when an object is destroyed and when it will be gone, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doom {
    /// When the eradication timer runs out.
    pub eradicate_at: u64,
    /// Destroyed as part of its parent; it is recovered with it.
    pub with_parent: bool,
}

/// Maps whose keys are no strings, saved as lists of pairs.
pub mod pairs {
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    /// Writes the map as a sequence of pairs.
    pub fn serialize<'a, M, K, V, S>(map: &'a M, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        K: Serialize + 'a,
        V: Serialize + 'a,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, M, K, V, D>(deserializer: D) -> Result<M, D::Error>
    where
        M: FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

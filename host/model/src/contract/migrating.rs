//! Interface `migrating`.

use serde::{Deserialize, Serialize};

use super::Extensions;

/// One end of a move, as the driver of the other end is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Name of the backend.
    pub backend: String,
    /// The array, by its configured name.
    pub target: String,
    /// Its own id, where the host knows it.
    pub array_id: Option<String>,
    /// Its own name, where the host knows it.
    pub array_name: Option<String>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// One move of a volume to the array of another backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Names the move on both arrays.
    pub id: String,
    /// Where the volume is.
    pub source: Side,
    /// Where it goes.
    pub destination: Side,
    /// Room for growth.
    pub extensions: Extensions,
}

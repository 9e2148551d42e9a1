//! Interface `connections`.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Extensions;

/// CHAP credential of one initiator, made and kept by the host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chap {
    /// User.
    pub user: String,
    /// Password; wiped from memory when it is dropped.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Chap {
    /// Hides the password: connectors are logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chap")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The machine that wants a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// Host name.
    pub host: String,
    /// Address.
    pub ip: Option<String>,
    /// IQN.
    pub initiator: Option<String>,
    /// FC port names.
    pub wwpns: Vec<String>,
    /// FC node names.
    pub wwnns: Vec<String>,
    /// NVMe qualified name.
    pub nqn: Option<String>,
    /// System UUID.
    pub system_uuid: Option<String>,
    /// Whether several paths are used.
    pub multipath: bool,
    /// CHAP credential, where the backend asks for it.
    pub chap: Option<Chap>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// One way to reach a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Target the path leads to.
    pub target: String,
    /// `ip:port`.
    pub portal: Option<String>,
    /// IQN, WWPN or NQN.
    pub port: String,
    /// LUN or namespace id.
    pub lun: u32,
    /// Whether it is a near path.
    pub preferred: bool,
}

/// How to reach a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `iscsi`, `fibre_channel`, `nvmeof`.
    pub driver_volume_type: String,
    /// All paths.
    pub paths: Vec<Path>,
    /// WWN the host will see.
    pub wwn: Option<String>,
    /// NVMe NGUID.
    pub nguid: Option<String>,
    /// Whether discard works.
    pub discard: bool,
    /// CHAP credential.
    pub chap: Option<Chap>,
    /// NVMe transport word.
    pub transport: Option<String>,
    /// Copied into Cinder's `data`.
    pub data: Vec<(String, String)>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// Answer of `disconnect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnected {
    /// The host has no further volume there.
    pub last_of_host: bool,
    /// What was taken away.
    pub connection: Option<Connection>,
}

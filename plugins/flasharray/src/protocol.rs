//! How machines reach the array: what each protocol calls an initiator, and what a host object holds of it.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::interfaces::connections::Connector;
use springform_sdk::types::{Failure, FailureCode};

/// The protocol of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// iSCSI.
    #[default]
    Iscsi,
    /// Fibre Channel.
    FibreChannel,
    /// NVMe over RoCE.
    NvmeRoce,
    /// NVMe over TCP.
    NvmeTcp,
}

impl Protocol {
    /// As the scheduler matches it.
    #[must_use]
    pub fn capability(self) -> &'static str {
        match self {
            Self::Iscsi => "iSCSI",
            Self::FibreChannel => "FC",
            Self::NvmeRoce => "NVMe-RoCE",
            Self::NvmeTcp => "NVMe-TCP",
        }
    }

    /// As os-brick chooses its connector by.
    #[must_use]
    pub fn volume_type(self) -> &'static str {
        match self {
            Self::Iscsi => "iscsi",
            Self::FibreChannel => "fibre_channel",
            Self::NvmeRoce | Self::NvmeTcp => "nvmeof",
        }
    }

    /// Transport word of NVMe.
    #[must_use]
    pub fn transport(self) -> Option<&'static str> {
        match self {
            Self::NvmeRoce => Some("rdma"),
            Self::NvmeTcp => Some("tcp"),
            Self::Iscsi | Self::FibreChannel => None,
        }
    }

    /// Service which a network interface of the array offers for it.
    #[must_use]
    pub fn service(self) -> Option<&'static str> {
        match self {
            Self::NvmeRoce => Some("nvme-roce"),
            Self::NvmeTcp => Some("nvme-tcp"),
            Self::Iscsi | Self::FibreChannel => None,
        }
    }

    /// Whether it is one of the NVMe protocols.
    #[must_use]
    pub fn is_nvme(self) -> bool {
        self.transport().is_some()
    }

    /// The machine's initiators, in the array's notation.
    #[must_use]
    pub fn initiators(self, connector: &Connector) -> Vec<String> {
        match self {
            Self::Iscsi => connector.initiator.iter().cloned().collect(),
            Self::FibreChannel => connector.wwpns.iter().map(|w| plain(w)).collect(),
            Self::NvmeRoce | Self::NvmeTcp => connector.nqn.iter().cloned().collect(),
        }
    }

    /// The same, of which there must be one.
    ///
    /// # Errors
    /// `invalid-argument`, saying what the machine lacks.
    pub fn need(self, target: &str, connector: &Connector) -> Result<Vec<String>, Failure> {
        let found = self.initiators(connector);
        if !found.is_empty() {
            return Ok(found);
        }
        let lack = match self {
            Self::Iscsi => {
                "the connector has no iSCSI initiator name; install and start an iSCSI initiator on the machine"
            }
            Self::FibreChannel => {
                "the connector has no WWPN; the machine needs a Fibre Channel adapter whose ports are online"
            }
            Self::NvmeRoce | Self::NvmeTcp => {
                "the connector has no NQN; install nvme-cli on the machine, so that it has /etc/nvme/hostnqn"
            }
        };
        Err(failure_on(target, FailureCode::InvalidArgument, lack))
    }

    /// Finds the host objects that hold one of these initiators.
    #[must_use]
    pub fn filter(self, initiators: &[String]) -> String {
        let any: Vec<_> = initiators
            .iter()
            .map(|i| format!("{}='{}'", self.field(), i.replace('\'', "")))
            .collect();
        match any.as_slice() {
            [one] => format!("{one} and is_local"),
            many => format!("({}) and is_local", many.join(" or ")),
        }
    }

    /// Body of a new host object.
    #[must_use]
    pub fn held(self, initiators: &[String]) -> Value {
        json!({ self.field(): initiators })
    }

    fn field(self) -> &'static str {
        match self {
            Self::Iscsi => "iqns",
            Self::FibreChannel => "wwns",
            Self::NvmeRoce | Self::NvmeTcp => "nqns",
        }
    }
}

/// A WWN without colons, in capitals.
#[must_use]
pub fn plain(wwn: &str) -> String {
    wwn.chars()
        .filter(|c| *c != ':')
        .collect::<String>()
        .to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_several_ports_is_found_by_any_of_them() {
        let wwns = ["2100000000000001".to_owned(), "2100000000000002".to_owned()];
        assert_eq!(
            Protocol::FibreChannel.filter(&wwns),
            "(wwns='2100000000000001' or wwns='2100000000000002') and is_local"
        );
        assert_eq!(
            Protocol::Iscsi.filter(&["iqn.a".to_owned()]),
            "iqns='iqn.a' and is_local"
        );
    }

    #[test]
    fn a_wwn_is_the_same_in_every_notation() {
        assert_eq!(plain("52:4a:93:00:00:00:00:01"), "524A930000000001");
    }
}

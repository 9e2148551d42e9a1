//! The ports of an array by which a machine reaches a volume.

use std::net::IpAddr;

use serde_json::Value;
use springform_sdk::fail::failure_on;
use springform_sdk::interfaces::connections::Path;
use springform_sdk::types::{Failure, FailureCode};

use crate::array::{Array, text};
use crate::options::Options;
use crate::pgroup;
use crate::protocol::{Protocol, plain};
use crate::query::Query;

/// Every usable path of an array to a volume with this LUN (or namespace id).
///
/// # Errors
/// `failed-precondition`, when no port is usable.
pub fn of(options: &Options<'_>, on: &Array<'_>, lun: u32) -> Result<Vec<Path>, Failure> {
    let protocol = options.protocol();
    let ports = on
        .list("/ports", &Query::new())
        .map_err(pgroup::unexpected)?;
    let found = match protocol {
        Protocol::Iscsi => portals(&ports, "/iqn", &options.iscsi_cidrs()),
        Protocol::FibreChannel => fibre_channel(&ports),
        Protocol::NvmeRoce | Protocol::NvmeTcp => {
            let served = interfaces(on, protocol)?;
            let ours: Vec<_> = ports
                .into_iter()
                .filter(|p| {
                    text(p, "/name").is_some_and(|n| served.contains(&n.to_ascii_lowercase()))
                })
                .collect();
            portals(&ours, "/nqn", &options.nvme_cidrs())
        }
    };
    if found.is_empty() {
        return Err(failure_on(
            on.name(),
            FailureCode::FailedPrecondition,
            nothing(protocol),
        ));
    }
    let preferred = options.preferred_array().is_none_or(|p| p == on.name());
    let paths = found.into_iter().map(|(port, portal)| Path {
        target: on.name().to_owned(),
        portal,
        port,
        lun,
        preferred,
    });
    Ok(paths.collect())
}

fn nothing(protocol: Protocol) -> String {
    match protocol {
        Protocol::Iscsi => "the array has no iSCSI port within pure_iscsi_cidr".to_owned(),
        Protocol::FibreChannel => "the array has no Fibre Channel port".to_owned(),
        nvme => format!(
            "the array has no {} port within pure_nvme_cidr",
            nvme.capability()
        ),
    }
}

/// IP ports within the configured networks.
fn portals(ports: &[Value], name: &str, cidrs: &[&str]) -> Vec<(String, Option<String>)> {
    ports
        .iter()
        .filter_map(|port| Some((text(port, name)?, text(port, "/portal")?)))
        .filter(|(_, portal)| {
            address(portal).is_some_and(|ip| cidrs.iter().any(|cidr| within(ip, cidr)))
        })
        .map(|(name, portal)| (name.to_owned(), Some(portal.to_owned())))
        .collect()
}

/// Fibre Channel ports; one that speaks NVMe over Fibre Channel has an NQN beside its WWN and is no way to a LUN.
fn fibre_channel(ports: &[Value]) -> Vec<(String, Option<String>)> {
    ports
        .iter()
        .filter(|port| text(port, "/nqn").is_none())
        .filter_map(|port| Some((plain(text(port, "/wwn")?), None)))
        .collect()
}

/// Lower-case names of the interfaces that offer a protocol: an NVMe port does not say itself whether it is RoCE or TCP.
fn interfaces(on: &Array<'_>, protocol: Protocol) -> Result<Vec<String>, Failure> {
    let found = on
        .list("/network-interfaces", &Query::new())
        .map_err(pgroup::unexpected)?;
    let offers = |interface: &&Value| {
        let services = interface.pointer("/services").and_then(Value::as_array);
        services
            .into_iter()
            .flatten()
            .any(|s| s.as_str() == protocol.service())
    };
    Ok(found
        .iter()
        .filter(offers)
        .filter_map(|i| text(i, "/name").map(str::to_ascii_lowercase))
        .collect())
}

fn address(portal: &str) -> Option<IpAddr> {
    let (host, _) = portal.rsplit_once(':')?;
    host.trim_matches(|c| c == '[' || c == ']').parse().ok()
}

fn within(ip: IpAddr, cidr: &str) -> bool {
    let (net, bits) = cidr.split_once('/').unwrap_or((cidr, ""));
    let bits = |width: u32| bits.parse::<u32>().unwrap_or(width).min(width);
    match (ip, net.parse()) {
        (IpAddr::V4(ip), Ok(IpAddr::V4(net))) => {
            let mask = u32::MAX.checked_shl(32 - bits(32)).unwrap_or(0);
            u32::from(ip) & mask == u32::from(net) & mask
        }
        (IpAddr::V6(ip), Ok(IpAddr::V6(net))) => {
            let mask = u128::MAX.checked_shl(128 - bits(128)).unwrap_or(0);
            u128::from(ip) & mask == u128::from(net) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_portals_within_the_configured_networks_are_used() {
        let ip = |text: &str| address(text).unwrap();
        assert!(within(ip("10.1.0.2:3260"), "0.0.0.0/0"));
        assert!(within(ip("10.1.0.2:3260"), "10.1.0.0/24"));
        assert!(!within(ip("10.1.1.2:3260"), "10.1.0.0/24"));
        assert!(within(ip("[fd00::1]:3260"), "fd00::/8"));
        assert!(!within(ip("[fd00::1]:3260"), "0.0.0.0/0"));
        assert!(within(ip("10.1.0.2:3260"), "10.1.0.2"));
    }
}

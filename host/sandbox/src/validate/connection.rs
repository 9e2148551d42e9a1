//! The way to a volume that a driver answers. It goes to the compute node unchanged, and os-brick there opens, as root, what it
//! is told to: a `local` volume with `device_path: /etc/shadow` would be handed to a server as its disk.

use springform_model::contract::{Connection, Fault};

use super::answer::Asked;
use super::rules::Rules;

/// Paths of one connection.
const MOST_PATHS: usize = 256;

/// For each protocol the keys that a driver may add to Cinder's `data`. All others are the host's, which makes them from the
/// paths (os-brick 6.x reads no further ones for these protocols).
const PROTOCOLS: [(&str, &[&str]); 3] = [
    ("iscsi", &["target_discovered", "addressing_mode"]),
    (
        "fibre_channel",
        &[
            "target_discovered",
            "addressing_mode",
            "initiator_target_map",
        ],
    ),
    (
        "nvmeof",
        &["target_discovered", "ns_id", "host_nqn", "vol_uuid"],
    ),
];

/// Looks at one connection.
pub fn check(rules: Rules, asked: &Asked, connection: &Connection) -> Result<(), Fault> {
    let protocol = connection.driver_volume_type.as_str();
    let Some((_, keys)) = PROTOCOLS.iter().find(|(name, _)| *name == protocol) else {
        return Err(rules.refuse(
            "driver-volume-type",
            "is none of iscsi, fibre_channel and nvmeof",
        ));
    };
    rules.count("paths", connection.paths.len(), MOST_PATHS)?;
    for path in &connection.paths {
        asked.target(rules, "the target of a path", &path.target)?;
        if !is_port_name(&path.port) {
            return Err(rules.refuse("port of a path", "is no IQN, WWPN or NQN"));
        }
        if let Some(portal) = &path.portal
            && !is_portal(portal)
        {
            return Err(rules.refuse("portal of a path", "is not written address:port"));
        }
    }
    rules.pairs("data", &connection.data)?;
    if let Some((key, _)) = connection
        .data
        .iter()
        .find(|(key, _)| !keys.contains(&key.as_str()))
    {
        return Err(rules.refuse(
            "data",
            &format!("has the key {key:?}, which a driver does not set for {protocol}"),
        ));
    }
    rules.maybe("wwn", connection.wwn.as_ref())?;
    rules.maybe("nguid", connection.nguid.as_ref())?;
    rules.extensions(&connection.extensions)?;
    let transports = ["tcp", "rdma", "fc", "rocev2"];
    if let Some(transport) = &connection.transport
        && !transports.contains(&transport.to_ascii_lowercase().as_str())
    {
        return Err(rules.refuse("transport", "is none of tcp, rdma, fc and rocev2"));
    }
    // The host made the pair and keeps the password; another one would be stored as if it were the machine's.
    if let Some(chap) = &connection.chap
        && asked.chap.as_ref() != Some(&chap.user)
    {
        return Err(rules.refuse("chap", "names a user that the host did not give"));
    }
    Ok(())
}

/// RFC 3721 names, 16 hexadecimal digits with or without colons, NVMe qualified names.
fn is_port_name(text: &str) -> bool {
    (1..=223).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.:_".contains(&b))
}

fn is_portal(text: &str) -> bool {
    let Some((address, port)) = text.rsplit_once(':') else {
        return false;
    };
    let address = address
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(address);
    let named = (1..=253).contains(&address.len())
        && address
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b));
    named && port.parse::<u16>().is_ok_and(|port| port != 0)
}

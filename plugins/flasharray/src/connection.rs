//! Hosts and their connections over iSCSI.
//!
//! A stretched volume is one volume on two arrays, but hosts and LUNs are each array's own: the machine is connected to
//! each of them, and an array that is gone costs paths, not the connection.

use std::net::IpAddr;

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::connections::{Connection, Connector, Disconnected, Path};
use springform_sdk::types::{Failure, FailureCode, Volume};

use crate::array::{Array, Trouble, number, text};
use crate::query::Query;
use crate::volume::{self, Volumes, array_name};
use crate::{names, pgroup, pod, setup};

impl Volumes<'_> {
    /// Connects a machine, with uniform access on both arrays of a stretched volume.
    ///
    /// # Errors
    /// See the contract's `connections.connect`.
    pub fn connect(&self, volume: &Volume, connector: &Connector) -> Result<Connection, Failure> {
        let on = self.serving(volume)?;
        let initiator = connector.initiator.as_deref().ok_or_else(|| {
            failure_on(on.name(), FailureCode::InvalidArgument, "the connector has no iSCSI initiator name; install and start an iSCSI initiator on the machine")
        })?;
        let name = array_name(volume);
        let far = self.beyond(&on, &name).filter(|_| self.arrays.uniform());
        let mut paths = Vec::new();
        let mut without = None;
        for array in std::iter::once(on).chain(far) {
            match self.reach(&array, &name, connector, initiator) {
                Ok(more) => paths.extend(more),
                // The other array has every byte: fewer paths are no reason to have none.
                Err(failure) if far.is_some() && is_elsewhere(&failure) => {
                    without.get_or_insert(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        if let Some(failure) = without {
            // Without the serving array the other one's paths lead somewhere only while the pod is online there.
            let alone = !paths.iter().any(|p| p.target == on.name());
            let serves = match (&far, names::pod_of(&name)) {
                (Some(far), Some(pod)) if alone => pod::online(far, pod).is_ok(),
                _ => !alone,
            };
            if !serves || paths.is_empty() {
                return Err(failure);
            }
        }
        let serial = match volume.placement.as_ref().and_then(|p| p.serial.clone()) {
            Some(serial) => Some(serial),
            None => volume::read(&on, &name)?
                .as_ref()
                .and_then(|v| text(v, "/serial"))
                .map(str::to_owned),
        };
        Ok(Connection {
            driver_volume_type: "iscsi".to_owned(),
            paths,
            wwn: serial.as_deref().map(names::wwn),
            nguid: None,
            discard: true,
            chap: connector.chap.clone(),
            transport: None,
            data: vec![("addressing_mode".to_owned(), "SAM2".to_owned())],
            extensions: Vec::new(),
        })
    }

    /// Connects a machine on one array.
    fn reach(
        &self,
        on: &Array<'_>,
        name: &str,
        connector: &Connector,
        initiator: &str,
    ) -> Result<Vec<Path>, Failure> {
        let host = self.host(on, connector, initiator)?;
        let lun = lun(on, &host, name)?;
        self.paths(on, lun)
    }

    /// Disconnects one machine, or all of them. Not connected is success.
    ///
    /// # Errors
    /// See the contract's `connections.disconnect`.
    pub fn disconnect(
        &self,
        volume: &Volume,
        connector: Option<&Connector>,
        keep: bool,
    ) -> Result<Disconnected, Failure> {
        let on = self.serving(volume)?;
        let name = array_name(volume);
        let gone = |last_of_host| Disconnected {
            last_of_host,
            connection: None,
        };
        if keep {
            return Ok(gone(false));
        }
        // Also where access is not uniform: before a failover the machine was connected to the other array.
        if let Some(far) = self.beyond(&on, &name)
            && let Err(failure) = cut(&far, &name, connector)
            && !is_gone(&far, &failure)
        {
            return Err(failure);
        }
        Ok(gone(cut(&on, &name, connector)?))
    }

    /// The machine's host object, made where there is none.
    fn host(
        &self,
        on: &Array<'_>,
        connector: &Connector,
        initiator: &str,
    ) -> Result<String, Failure> {
        let found = match find_host(on, initiator)? {
            Some(host) => host,
            None => self.make_host(on, connector, initiator)?,
        };
        if let Some(chap) = &connector.chap {
            let body =
                json!({ "chap": { "host_user": chap.user, "host_password": chap.password } });
            pgroup::must(
                on.send(
                    Method::Patch,
                    "/hosts",
                    &Query::new().name(&found),
                    Some(&body),
                ),
                "the host object does not take the CHAP credential",
            )?;
        }
        Ok(found)
    }

    fn make_host(
        &self,
        on: &Array<'_>,
        connector: &Connector,
        initiator: &str,
    ) -> Result<String, Failure> {
        let name = names::host(&connector.host, connector.system_uuid.as_deref(), initiator);
        let query = Query::new().name(&name);
        if let Err(trouble) = on.send(
            Method::Post,
            "/hosts",
            &query,
            Some(&json!({ "iqns": [initiator] })),
        ) {
            match trouble {
                Trouble::Failed(failure) => return Err(failure),
                // Another call made it a moment ago, or the machine has a new initiator.
                refused @ Trouble::Refused { .. } => {
                    if let Some(host) = find_host(on, initiator)? {
                        return Ok(host);
                    }
                    on.send(
                        Method::Patch,
                        "/hosts",
                        &query,
                        Some(&json!({ "add_iqns": [initiator] })),
                    )
                    .map_err(|_| {
                        refused.into_failure(
                            FailureCode::FailedPrecondition,
                            "the array does not create a host object for the machine",
                        )
                    })?;
                }
            }
        }
        if let Some(personality) = self.options.personality() {
            pgroup::must(
                on.send(
                    Method::Patch,
                    "/hosts",
                    &query,
                    Some(&json!({ "personality": personality })),
                ),
                "the array does not know the configured pure_host_personality",
            )?;
        }
        if let Some(preferred) = self.preferred()? {
            let body = json!({ "preferred_arrays": [{ "name": preferred }] });
            pgroup::must(
                on.send(Method::Patch, "/hosts", &query, Some(&body)),
                "the host object does not take the configured pure_preferred_array",
            )?;
        }
        Ok(name)
    }

    /// The preferred array by the name it has for itself. One that never answered cannot be preferred yet.
    fn preferred(&self) -> Result<Option<String>, Failure> {
        let Some(target) = self.options.preferred_array() else {
            return Ok(None);
        };
        Ok(self.arrays.named(target)?.known_name())
    }

    fn paths(&self, on: &Array<'_>, lun: u32) -> Result<Vec<Path>, Failure> {
        let ports = on
            .list("/ports", &Query::new())
            .map_err(pgroup::unexpected)?;
        let cidrs = self.options.iscsi_cidrs();
        let paths: Vec<_> = ports
            .iter()
            .filter_map(|port| Some((text(port, "/iqn")?, text(port, "/portal")?)))
            .filter(|(_, portal)| {
                address(portal).is_some_and(|ip| cidrs.iter().any(|cidr| within(ip, cidr)))
            })
            .map(|(iqn, portal)| Path {
                target: on.name().to_owned(),
                portal: Some(portal.to_owned()),
                port: iqn.to_owned(),
                lun,
                preferred: self
                    .options
                    .preferred_array()
                    .is_none_or(|preferred| preferred == on.name()),
            })
            .collect();
        if paths.is_empty() {
            return Err(failure_on(
                on.name(),
                FailureCode::FailedPrecondition,
                "the array has no iSCSI port within pure_iscsi_cidr",
            ));
        }
        Ok(paths)
    }
}

/// Whether a failure of one array leaves the other array's paths as good as they were.
fn is_elsewhere(failure: &Failure) -> bool {
    matches!(
        failure.code,
        FailureCode::Unavailable | FailureCode::FailedPrecondition
    )
}

/// Whether the other array of a stretched volume cannot be asked at all. One that answers after all missed a request:
/// trying again is worth while, where otherwise its connections end when its copy does.
pub(crate) fn is_gone(far: &Array<'_>, failure: &Failure) -> bool {
    failure.code == FailureCode::Unavailable
        && (!far.target().reachable || setup::identify(far).is_err())
}

/// Disconnects one machine, or all, on one array. Says whether the machine has no other volume there.
fn cut(on: &Array<'_>, name: &str, connector: Option<&Connector>) -> Result<bool, Failure> {
    let Some(connector) = connector else {
        return release_all(on, name).map(|()| true);
    };
    let Some(initiator) = connector.initiator.as_deref() else {
        return Ok(false);
    };
    match find_host(on, initiator)? {
        Some(host) => release(on, &host, name),
        None => Ok(true),
    }
}

fn find_host(on: &Array<'_>, initiator: &str) -> Result<Option<String>, Failure> {
    let filter = format!("iqns='{}' and is_local", initiator.replace('\'', ""));
    let found = on
        .list("/hosts", &Query::new().filter(&filter))
        .map_err(pgroup::unexpected)?;
    Ok(found
        .first()
        .and_then(|h| text(h, "/name"))
        .map(str::to_owned))
}

fn lun(on: &Array<'_>, host: &str, volume: &str) -> Result<u32, Failure> {
    let query = Query::new()
        .one("host_names", host)
        .one("volume_names", volume);
    let items = match on.send(Method::Post, "/connections", &query, None) {
        Ok(items) => items,
        Err(Trouble::Failed(failure)) => return Err(failure),
        Err(refused @ Trouble::Refused { .. }) => {
            let found = on
                .find("/connections", &query)
                .map_err(pgroup::unexpected)?;
            if found.is_empty() {
                return Err(refused.into_failure(
                    FailureCode::FailedPrecondition,
                    "the array does not connect the machine to the volume",
                ));
            }
            found
        }
    };
    items
        .first()
        .and_then(|c| number(c, "/lun"))
        .and_then(|lun| u32::try_from(lun).ok())
        .filter(|lun| *lun > 0)
        .ok_or_else(|| {
            failure_on(
                on.name(),
                FailureCode::Protocol,
                "the array gave the connection no LUN",
            )
        })
}

/// Takes one connection away, and the host object if it is ours and has no other. Says whether it had no other.
pub(crate) fn release(on: &Array<'_>, host: &str, volume: &str) -> Result<bool, Failure> {
    let query = Query::new()
        .one("host_names", host)
        .one("volume_names", volume);
    if let Err(trouble) = on.send(Method::Delete, "/connections", &query, None) {
        match trouble {
            Trouble::Failed(failure) => return Err(failure),
            refused @ Trouble::Refused { .. } => {
                if !on
                    .find("/connections", &query)
                    .map_err(pgroup::unexpected)?
                    .is_empty()
                {
                    return Err(refused.into_failure(
                        FailureCode::FailedPrecondition,
                        "the array does not disconnect the machine",
                    ));
                }
            }
        }
    }
    let last = on
        .find("/connections", &Query::new().one("host_names", host))
        .map_err(pgroup::unexpected)?
        .is_empty();
    if last && names::is_our_host(host) {
        // Somebody may have connected it again in between: then the array keeps it, and rightly so.
        match on.send(Method::Delete, "/hosts", &Query::new().name(host), None) {
            Ok(_) | Err(Trouble::Refused { .. }) => {}
            Err(Trouble::Failed(failure)) => return Err(failure),
        }
    }
    Ok(last)
}

/// Takes every connection of a volume away.
///
/// # Errors
/// When one of them stays.
pub fn release_all(on: &Array<'_>, volume: &str) -> Result<(), Failure> {
    let found = on
        .find("/connections", &Query::new().one("volume_names", volume))
        .map_err(pgroup::unexpected)?;
    for host in found.iter().filter_map(host_of) {
        release(on, host, volume)?;
    }
    Ok(())
}

fn host_of(connection: &Value) -> Option<&str> {
    text(connection, "/host/name")
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

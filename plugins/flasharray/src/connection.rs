//! Connecting machines, over any protocol.
//!
//! A stretched volume is one volume on two arrays, but hosts and LUNs are each array's own: the machine is connected to
//! each of them, and an array that is gone costs paths, not the connection.

use serde_json::json;
use springform_sdk::interfaces::connections::{Connection, Connector, Disconnected, Path};
use springform_sdk::types::{Failure, FailureCode, Volume};

use crate::array::{Array, is_away, text};
use crate::host::{find_hosts, release, release_all};
use crate::machine::Machine;
use crate::protocol::Protocol;
use crate::volume::{self, Volumes, array_name};
use crate::{names, paths, pod, setup, tags};

/// Key under which the host is told which array could not be asked to disconnect the machine: it tells it later.
const UNREACHED: &str = "springform/unreached";

impl<'a> Volumes<'a> {
    /// Connects a machine, with uniform access on both arrays of a stretched volume.
    ///
    /// # Errors
    /// See the contract's `connections.connect`.
    pub fn connect(&self, volume: &Volume, connector: &Connector) -> Result<Connection, Failure> {
        let on = self.serving(volume)?;
        self.wherever(&on, volume, |now| self.connect_named(on, now, connector))
    }

    fn connect_named(
        &self,
        on: Array<'_>,
        volume: &Volume,
        connector: &Connector,
    ) -> Result<Connection, Failure> {
        let protocol = self.options.protocol();
        let initiators = protocol.need(on.name(), connector)?;
        let machine = Machine {
            connector,
            protocol,
            initiators: &initiators,
        };
        let name = array_name(volume);
        let far = self.beyond(&on, &name).filter(|_| self.arrays.uniform());
        tags::write(&on, &name, volume);
        let mut paths = Vec::new();
        let mut without = None;
        for array in std::iter::once(on).chain(far) {
            let joined = self.join(&array, machine, &name);
            match joined.and_then(|lun| paths::of(&self.options, &array, lun)) {
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
        Ok(describe(protocol, connector, paths, serial.as_deref()))
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
        if keep {
            return Ok(Disconnected {
                last_of_host: false,
                connection: None,
            });
        }
        let (there, done) = self.disconnect_named(on, volume, connector)?;
        if there {
            return Ok(done);
        }
        // Not connected under that name is not disconnected: something that was cut off may have renamed it.
        match self.renamed(&on, volume)? {
            Some(now) => self
                .disconnect_named(on, &now, connector)
                .map(|(_, done)| done),
            None => Ok(done),
        }
    }

    /// With it, whether the volume had a connection under this name.
    fn disconnect_named(
        &self,
        on: Array<'a>,
        volume: &Volume,
        connector: Option<&Connector>,
    ) -> Result<(bool, Disconnected), Failure> {
        let name = array_name(volume);
        let protocol = self.options.protocol();
        // Also where access is not uniform: before a failover the machine was connected to the other array.
        let far = self.beyond(&on, &name);
        let mut unreached = None;
        if let Some(far) = far
            && let Err(failure) = cut(protocol, &far, &name, connector)
        {
            if !is_gone(&far, &failure) {
                return Err(failure);
            }
            unreached = Some(far.name().to_owned());
        }
        let (there, last_of_host) = cut(protocol, &on, &name, connector)?;
        // Whoever zones the fabric has to hear which ports the machine has left.
        let mut connection = match connector {
            Some(connector) if last_of_host && protocol == Protocol::FibreChannel => {
                let left = std::iter::once(on).chain(far);
                let ports = left.filter_map(|a| paths::of(&self.options, &a, 0).ok());
                Some(describe(
                    protocol,
                    connector,
                    ports.flatten().collect(),
                    None,
                ))
            }
            _ => None,
        };
        if let (Some(target), Some(connector)) = (unreached, connector) {
            let told =
                connection.get_or_insert_with(|| describe(protocol, connector, Vec::new(), None));
            // What was taken away names no password.
            told.chap = None;
            told.extensions.push((UNREACHED.to_owned(), target));
        }
        let done = Disconnected {
            last_of_host,
            connection,
        };
        Ok((there, done))
    }
}

/// Whether a failure of one array leaves the other array's paths as good as they were.
fn is_elsewhere(failure: &Failure) -> bool {
    is_away(failure) || failure.code == FailureCode::FailedPrecondition
}

/// Whether the other array of a stretched volume cannot be asked at all. One that answers after all missed a request:
/// trying again at once is worth while.
pub(crate) fn is_gone(far: &Array<'_>, failure: &Failure) -> bool {
    is_away(failure) && (!far.target().reachable || setup::identify(far).is_err())
}

/// Disconnects one machine, or all, on one array. Says whether there was a connection, and whether the machine has no other
/// volume there.
fn cut(
    protocol: Protocol,
    on: &Array<'_>,
    name: &str,
    connector: Option<&Connector>,
) -> Result<(bool, bool), Failure> {
    let Some(connector) = connector else {
        return release_all(on, name).map(|there| (there, true));
    };
    let initiators = protocol.initiators(connector);
    if initiators.is_empty() {
        return Ok((true, false));
    }
    let (mut there, mut last) = (false, true);
    let hosts = find_hosts(protocol, on, &initiators)?;
    let none = hosts.is_empty();
    for host in hosts {
        if let Some(host) = text(&host, "/name") {
            let (was, alone) = release(on, host, name)?;
            there |= was;
            last &= alone;
        }
    }
    // A machine that the array does not know has nothing there under any name.
    Ok((there || none, last))
}

/// The answer, with what is the same on every path and what only one protocol has.
fn describe(
    protocol: Protocol,
    connector: &Connector,
    paths: Vec<Path>,
    serial: Option<&str>,
) -> Connection {
    let mut data = Vec::new();
    if !protocol.is_nvme() {
        data.push(("addressing_mode".to_owned(), "SAM2".to_owned()));
    }
    if protocol == Protocol::FibreChannel {
        let ports: Vec<_> = paths.iter().map(|p| p.port.as_str()).collect();
        let mut map = serde_json::Map::new();
        map.extend(
            connector
                .wwpns
                .iter()
                .map(|wwpn| (wwpn.clone(), json!(ports))),
        );
        data.push((
            "initiator_target_map".to_owned(),
            crate::json::text(&map.into()),
        ));
        data.push(("target_discovered".to_owned(), "true".to_owned()));
    }
    Connection {
        driver_volume_type: protocol.volume_type().to_owned(),
        paths,
        wwn: serial.filter(|_| !protocol.is_nvme()).map(names::wwn),
        nguid: serial.filter(|_| protocol.is_nvme()).map(names::nguid),
        discard: true,
        chap: connector
            .chap
            .clone()
            .filter(|_| protocol == Protocol::Iscsi),
        transport: protocol.transport().map(str::to_owned),
        data,
        extensions: Vec::new(),
    }
}

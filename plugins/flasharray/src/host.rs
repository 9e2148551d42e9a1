//! Host objects: found by what a machine logs in with, made where there is none, left alone where somebody else made them.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode};

use crate::array::{Array, ArrayError, number, text};
use crate::machine::Machine;
use crate::protocol::Protocol;
use crate::query::Query;
use crate::volume::Volumes;
use crate::{names, pgroup};

/// How often a machine's host object may go away under an attachment.
const TRIES: u32 = 8;

impl Volumes<'_> {
    /// Connects a machine to a volume over its own host object, made where there is none; the LUN, or the namespace id over
    /// NVMe. Its last detachment from another volume may take the object away at any moment: then it is made anew.
    pub(crate) fn join(
        &self,
        on: &Array<'_>,
        machine: Machine<'_>,
        volume: &str,
    ) -> Result<u32, Failure> {
        let mut left = TRIES;
        loop {
            let found = find_hosts(machine.protocol, on, machine.initiators)?;
            let (host, is_new) = match machine.own(on, &found)? {
                Some(host) => (host.to_owned(), false),
                None => self.make_host(on, machine)?,
            };
            let joined = self
                .prepare(on, machine, &host, is_new)
                .and_then(|()| connected(on, &host, volume));
            let failure = match joined {
                Err(failure) if failure.code == FailureCode::FailedPrecondition => failure,
                other => return other,
            };
            left -= 1;
            let there = on
                .find("/hosts", &Query::new().name(&host))
                .map_err(pgroup::unexpected)?;
            if !there.is_empty() || left == 0 {
                if names::is_our_host(&host) {
                    // Made for nothing it is not left behind. The array keeps one that has a connection.
                    drop(on.send(Method::Delete, "/hosts", &Query::new().name(&host), None));
                }
                return Err(failure);
            }
        }
    }

    /// What a host object has to be before it is connected.
    fn prepare(
        &self,
        on: &Array<'_>,
        machine: Machine<'_>,
        host: &str,
        is_new: bool,
    ) -> Result<(), Failure> {
        let change = |body: Value, sentence: &str| {
            let query = Query::new().name(host);
            pgroup::must(
                on.send(Method::Patch, "/hosts", &query, Some(&body)),
                sentence,
            )
        };
        if is_new && let Some(personality) = self.options.personality() {
            change(
                json!({ "personality": personality }),
                "the array does not know the configured pure_host_personality",
            )?;
        }
        if is_new && let Some(preferred) = self.preferred()? {
            change(
                json!({ "preferred_arrays": [{ "name": preferred }] }),
                "the host object does not take the configured pure_preferred_array",
            )?;
        }
        let chap = machine.connector.chap.as_ref();
        let Some(chap) = chap.filter(|_| machine.protocol == Protocol::Iscsi) else {
            return Ok(());
        };
        if !names::is_our_host(host) {
            return Err(theirs(on, machine, host));
        }
        change(
            json!({ "chap": { "host_user": chap.user, "host_password": chap.password } }),
            "the host object does not take the CHAP credential",
        )?;
        Ok(())
    }

    /// A new host object, and whether it is new indeed.
    fn make_host(&self, on: &Array<'_>, machine: Machine<'_>) -> Result<(String, bool), Failure> {
        let (connector, initiators) = (machine.connector, machine.initiators);
        let first = initiators.iter().min().map_or("", String::as_str);
        let name = names::host(&connector.host, connector.system_uuid.as_deref(), first);
        let query = Query::new().name(&name);
        let body = machine.protocol.held(initiators);
        if let Err(trouble) = on.send(Method::Post, "/hosts", &query, Some(&body)) {
            let refused = match trouble {
                ArrayError::Failed(failure) => return Err(failure),
                refused @ ArrayError::Refused { .. } => refused,
            };
            // Another call for the same machine made it a moment ago.
            let found = find_hosts(machine.protocol, on, initiators)?;
            if let Some(host) = machine.own(on, &found)? {
                return Ok((host.to_owned(), false));
            }
            return Err(refused.into_failure(
                FailureCode::FailedPrecondition,
                &format!(
                    "the array does not create host object {name} with {} for machine {}; if there is one of that name, \
                     it holds another machine's initiators or none: delete it",
                    initiators.join(", "),
                    connector.host
                ),
            ));
        }
        Ok((name, true))
    }

    /// The preferred array by the name it has for itself. One that never answered cannot be preferred yet.
    fn preferred(&self) -> Result<Option<String>, Failure> {
        let Some(target) = self.options.preferred_array() else {
            return Ok(None);
        };
        Ok(self.arrays.named(target)?.known_name())
    }
}

/// The host objects of this array which hold one of the initiators, whoever made them.
pub(crate) fn find_hosts(
    protocol: Protocol,
    on: &Array<'_>,
    initiators: &[String],
) -> Result<Vec<Value>, Failure> {
    let filter = protocol.filter(initiators);
    on.list("/hosts", &Query::new().filter(&filter))
        .map_err(pgroup::unexpected)
}

/// Refuses to overwrite the secret of an object that somebody else made: the machine would lose what it uses beside the cloud.
fn theirs(on: &Array<'_>, machine: Machine<'_>, host: &str) -> Failure {
    failure_on(
        on.name(),
        FailureCode::FailedPrecondition,
        format!(
            "host object {host}, which holds {} of machine {}, was made by somebody else, so its CHAP secret is not changed. \
             Take the initiator out of it, or turn use_chap_auth off",
            machine.initiators.join(", "),
            machine.connector.host
        ),
    )
}

/// Connects a host to a volume; the LUN, or the namespace id over NVMe. Connected already: the same one.
pub(crate) fn connected(on: &Array<'_>, host: &str, volume: &str) -> Result<u32, Failure> {
    let query = Query::new()
        .one("host_names", host)
        .one("volume_names", volume);
    let items = match on.send(Method::Post, "/connections", &query, None) {
        Ok(items) => items,
        Err(ArrayError::Failed(failure)) => return Err(failure),
        Err(refused @ ArrayError::Refused { .. }) => {
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
        .and_then(|c| number(c, "/lun").or_else(|| number(c, "/nsid")))
        .and_then(|lun| u32::try_from(lun).ok())
        .filter(|lun| *lun > 0)
        .ok_or_else(|| {
            failure_on(
                on.name(),
                FailureCode::Protocol,
                "the array gave the connection no LUN and no namespace",
            )
        })
}

/// Takes one connection away, and the host object if it is ours and has no other. Says whether there was that connection,
/// and whether the host had no other.
pub(crate) fn release(on: &Array<'_>, host: &str, volume: &str) -> Result<(bool, bool), Failure> {
    let mut there = true;
    let query = Query::new()
        .one("host_names", host)
        .one("volume_names", volume);
    if let Err(trouble) = on.send(Method::Delete, "/connections", &query, None) {
        match trouble {
            ArrayError::Failed(failure) => return Err(failure),
            refused @ ArrayError::Refused { .. } => {
                there = false;
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
            Ok(_) | Err(ArrayError::Refused { .. }) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok((there, last))
}

/// Takes every connection of a volume away. Says whether there was one.
///
/// # Errors
/// When one of them stays.
pub fn release_all(on: &Array<'_>, volume: &str) -> Result<bool, Failure> {
    let found = on
        .find("/connections", &Query::new().one("volume_names", volume))
        .map_err(pgroup::unexpected)?;
    for host in found.iter().filter_map(host_of) {
        release(on, host, volume)?;
    }
    Ok(!found.is_empty())
}

fn host_of(connection: &Value) -> Option<&str> {
    text(connection, "/host/name")
}

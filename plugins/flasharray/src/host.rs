//! Host objects: found by what a machine logs in with, made where there is none, left alone where somebody else made them.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::interfaces::connections::Connector;
use springform_sdk::types::{Failure, FailureCode};

use crate::array::{Array, Trouble, number, text};
use crate::protocol::Protocol;
use crate::query::Query;
use crate::volume::Volumes;
use crate::{names, pgroup};

impl Volumes<'_> {
    /// The machine's host object, made where there is none.
    pub(crate) fn host(
        &self,
        on: &Array<'_>,
        connector: &Connector,
        initiators: &[String],
    ) -> Result<String, Failure> {
        let protocol = self.options.protocol();
        let found = match find_host(protocol, on, initiators)? {
            Some(host) => host,
            None => self.make_host(on, connector, initiators)?,
        };
        if let Some(chap) = connector
            .chap
            .as_ref()
            .filter(|_| protocol == Protocol::Iscsi)
        {
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
        initiators: &[String],
    ) -> Result<String, Failure> {
        let protocol = self.options.protocol();
        let first = initiators.first().map_or("", String::as_str);
        let name = names::host(&connector.host, connector.system_uuid.as_deref(), first);
        let query = Query::new().name(&name);
        if let Err(trouble) = on.send(
            Method::Post,
            "/hosts",
            &query,
            Some(&protocol.held(initiators)),
        ) {
            match trouble {
                Trouble::Failed(failure) => return Err(failure),
                // Another call made it a moment ago, or the machine has a new initiator.
                refused @ Trouble::Refused { .. } => {
                    if let Some(host) = find_host(protocol, on, initiators)? {
                        return Ok(host);
                    }
                    on.send(
                        Method::Patch,
                        "/hosts",
                        &query,
                        Some(&protocol.added(initiators)),
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
}

/// The host object of this array which holds one of the initiators, whoever made it.
pub(crate) fn find_host(
    protocol: Protocol,
    on: &Array<'_>,
    initiators: &[String],
) -> Result<Option<String>, Failure> {
    let filter = protocol.filter(initiators);
    let found = on
        .list("/hosts", &Query::new().filter(&filter))
        .map_err(pgroup::unexpected)?;
    Ok(found
        .first()
        .and_then(|h| text(h, "/name"))
        .map(str::to_owned))
}

/// Connects a host to a volume; the LUN, or the namespace id over NVMe. Connected already: the same one.
pub(crate) fn connected(on: &Array<'_>, host: &str, volume: &str) -> Result<u32, Failure> {
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

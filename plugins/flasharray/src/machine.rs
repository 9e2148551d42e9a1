//! Which host object of an array is a machine's own. Its initiators say who a machine is: whatever else an object holds reads and
//! writes the machine's volumes too, so an object with a stranger in it is not used, whoever made it.

use serde_json::Value;
use springform_sdk::fail::failure_on;
use springform_sdk::interfaces::connections::Connector;
use springform_sdk::types::{Failure, FailureCode};

use crate::array::{Array, text};
use crate::names;
use crate::protocol::{Protocol, plain};

/// A machine, as its connector tells.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'a> {
    /// Everything it told.
    pub connector: &'a Connector,
    /// How it reaches this backend.
    pub protocol: Protocol,
    /// Its initiators of this protocol, in the array's notation.
    pub initiators: &'a [String],
}

impl Machine<'_> {
    /// The one of these host objects that leads nobody else to the machine's volumes; none where there is no object at all.
    ///
    /// # Errors
    /// `failed-precondition` where every one of them does, naming the machine, the object and what to do.
    pub(crate) fn own<'h>(
        &self,
        on: &Array<'_>,
        hosts: &'h [Value],
    ) -> Result<Option<&'h str>, Failure> {
        let mut stranger = None;
        for host in hosts {
            let Some(name) = text(host, "/name") else {
                continue;
            };
            let strangers = self.strangers(host);
            if strangers.is_empty() || self.is_asleep(name, host) {
                return Ok(Some(name));
            }
            stranger.get_or_insert((name, strangers));
        }
        match stranger {
            None => Ok(None),
            Some((name, strangers)) => Err(self.refuse(on, name, &strangers)),
        }
    }

    /// What the object holds that is not this machine's, over any protocol.
    fn strangers(&self, host: &Value) -> Vec<String> {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let connector = self.connector;
        let mut strangers = held(host, "/iqns");
        strangers.retain(|iqn| !connector.initiator.iter().any(|own| same(own, iqn)));
        let mut ports = held(host, "/wwns");
        ports.retain(|wwn| !connector.wwpns.iter().any(|own| plain(own) == plain(wwn)));
        let mut nqns = held(host, "/nqns");
        nqns.retain(|nqn| !connector.nqn.iter().any(|own| same(own, nqn)));
        strangers.extend(ports);
        strangers.extend(nqns);
        strangers
    }

    /// Whether the object was made for this very machine, some of whose Fibre Channel ports are offline now: it does
    /// not tell of those. An object is found by an initiator that it holds, so one that holds ports only is Fibre
    /// Channel's. A name that ends in the machine's DMI UUID proves nothing: once two machines were given such objects.
    fn is_asleep(&self, name: &str, host: &Value) -> bool {
        let ports_only = held(host, "/iqns").is_empty() && held(host, "/nqns").is_empty();
        let uuid = self.connector.system_uuid.as_deref();
        ports_only
            && names::is_host_of(name, &self.connector.host)
            && !uuid.is_some_and(|uuid| names::ends_in_uuid(name, uuid))
    }

    fn refuse(&self, on: &Array<'_>, object: &str, strangers: &[String]) -> Failure {
        let own = self.initiators.join(", ");
        failure_on(
            on.name(),
            FailureCode::FailedPrecondition,
            format!(
                "host object {object} holds {} beside {own} of machine {}: whatever logs in with those would reach the \
                 machine's volumes. If they are another machine's, give each machine a host object of its own; if they are \
                 its own ports, bring them online; then attach again",
                strangers.join(", "),
                self.connector.host
            ),
        )
    }
}

fn held(host: &Value, list: &str) -> Vec<String> {
    let found = host.pointer(list).and_then(Value::as_array);
    let texts = found.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

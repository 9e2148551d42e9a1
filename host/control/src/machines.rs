//! A machine's way to an array is made by its first attachment there and taken away by its last. Both look at what others of the
//! machine have and then act, so while one takes away no other makes; those that make do not wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use springform_model::contract::{Call, Connector};
use tokio::sync::RwLock;

/// Locks kept at most before those are dropped that nobody holds.
const SWEPT_AT: usize = 1024;

type Key = (Option<String>, String);

/// The locks of one backend's machines, one for each array.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    locks: Mutex<HashMap<Key, Weak<RwLock<()>>>>,
}

/// A guard, held while a call is made; none for what is about no machine.
pub(crate) type Held = Option<Box<dyn Send + Sync>>;

impl Machines {
    /// Waits until the call may touch what its machine has on the array.
    pub(crate) async fn hold(&self, call: &Call) -> Held {
        match call {
            Call::Connect { volume, connector } => {
                let target = volume.placement.as_ref().map(|at| at.target.clone());
                Some(Box::new(self.lock(target, connector).read_owned().await))
            }
            Call::Disconnect {
                volume,
                connector: Some(connector),
                keep: false,
            } => {
                let target = volume.placement.as_ref().map(|at| at.target.clone());
                Some(Box::new(self.lock(target, connector).write_owned().await))
            }
            _ => None,
        }
    }

    fn lock(&self, target: Option<String>, connector: &Connector) -> Arc<RwLock<()>> {
        let key = (target, machine(connector));
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = locks.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if locks.len() >= SWEPT_AT {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }
}

/// What tells a machine from others: an initiator of its own.
fn machine(connector: &Connector) -> String {
    let named = connector.initiator.as_ref().or(connector.nqn.as_ref());
    let named = named.or(connector.wwpns.iter().min());
    named.unwrap_or(&connector.host).to_ascii_lowercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn connector(initiator: &str) -> Connector {
        Connector {
            host: "same".to_owned(),
            initiator: Some(initiator.to_owned()),
            ..Connector::default()
        }
    }

    #[test]
    fn what_takes_away_is_alone_and_what_makes_is_not() {
        let machines = Machines::default();
        let at = |initiator: &str| machines.lock(Some("a".to_owned()), &connector(initiator));
        let making = at("iqn.one").read_owned().now_or_never().unwrap();
        assert!(at("iqn.one").read_owned().now_or_never().is_some());
        assert!(at("IQN.one").write_owned().now_or_never().is_none());
        assert!(at("iqn.two").write_owned().now_or_never().is_some());
        let elsewhere = machines.lock(Some("b".to_owned()), &connector("iqn.one"));
        assert!(elsewhere.write_owned().now_or_never().is_some());
        drop(making);
        let taking = at("iqn.one").write_owned().now_or_never().unwrap();
        assert!(at("iqn.one").read_owned().now_or_never().is_none());
        drop(taking);
        assert!(at("iqn.one").read_owned().now_or_never().is_some());
    }

    #[test]
    fn the_locks_of_machines_that_are_gone_are_forgotten() {
        let machines = Machines::default();
        for at in 0..3 * SWEPT_AT {
            drop(machines.lock(None, &connector(&format!("iqn.{at}"))));
        }
        let left = machines.locks.lock().unwrap().len();
        assert!(left <= SWEPT_AT, "{left}");
    }
}

//! What the audit log is told of requests that were turned away at the door.

use std::net::IpAddr;

use http::Method;
use springform_control::Caller;
use springform_model::audit::{Action, Entry, Kind, Occurrence, Outcome, Sink as _, Who};

use super::Route;
use super::dispatch::Face;
use crate::state::State;

/// A token that nobody has.
pub(super) fn guessed(state: &State, address: IpAddr) {
    stranger(state, address, Action::AuthenticationFailed);
}

/// A token that is not even looked at.
pub(super) fn braked(state: &State, address: IpAddr) {
    stranger(state, address, Action::AuthenticationBraked);
}

fn stranger(state: &State, address: IpAddr, action: Action) {
    let who = Who {
        address: Some(address.to_string()),
        ..Who::of(Kind::Unknown)
    };
    note(state, address.to_string(), who, action, |entry| entry);
}

/// Somebody without the right to do what they asked for. Programs ask what they may see by trying: a list of Cinder's that is
/// not shown is nothing to be told.
pub(super) fn denied(state: &State, face: Face, route: &Route, caller: &Caller) {
    if face == Face::Cinder && route.method == Method::GET {
        return;
    }
    let key = format!("{} {}", caller.user_id, route.rule);
    note(state, key, caller.into(), Action::AccessDenied, |entry| {
        entry.with("rule", route.rule)
    });
}

fn note(state: &State, key: String, who: Who, action: Action, more: impl FnOnce(Entry) -> Entry) {
    let now = state.control.now();
    let entry = more(Entry::new(now, who, action, Outcome::Denied));
    let occurrence = Occurrence { key, entry };
    state.control.audit().recorder().note(occurrence);
}

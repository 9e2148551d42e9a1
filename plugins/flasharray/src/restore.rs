//! A whole recovery point in one request: the array makes every volume of a protection group's snapshot at once, as members
//! of a new group that is named after the operation. Nothing that exists is overwritten by that: where one of the volumes
//! is there already the array refuses all of it, and each volume is copied alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::interfaces::replication::{FailoverMode, PlanRequest};
use springform_sdk::types::Volume;

use crate::array::{Array, ArrayError, flag, text};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::plan::Contents;
use crate::query::{self, Query};
use crate::{async_leg, collections, names};

/// Fewer volumes than this are copied one by one: that is not more requests, and leaves no group to clear away.
const MANY: usize = 32;

/// Volumes that were restored, by name, as the array shows them.
pub type Restored = BTreeMap<String, Value>;

/// The group into which a recovery point may be restored as one: where it holds just what is to be moved, no volume more.
#[must_use]
pub fn group_for(
    operation: &str,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
    request: &PlanRequest,
    target: &Array<'_>,
    there: &Contents,
) -> Option<String> {
    let bare = |volume: &Volume| {
        let name = async_leg::name_there(arrays, options, volume, target);
        there.contains_key(&name) && names::pod_of(&name).is_none() && !name.contains('/')
    };
    let volumes = &request.volumes;
    let exactly = volumes.len() >= MANY && volumes.len() == there.len() && volumes.iter().all(bare);
    // The last transfer of a planned failover takes a snapshot of its own; what that will hold is not known yet.
    (exactly && request.mode != FailoverMode::Planned).then(|| names::restored(operation))
}

/// Restores a recovery point, unless another batch of the same operation has done that, and says which of these volumes came
/// into being by it. What is left out is to be copied alone.
#[must_use]
pub fn point(target: &Array<'_>, group: &str, point: &str, volumes: &[String]) -> Restored {
    let query = Query::new().name(group).one("source_names", point);
    let made = target.send(Method::Post, "/protection-groups", &query, None);
    let mut restored = Restored::new();
    for chunk in query::chunks(volumes) {
        let volumes = Query::new().list("names", chunk);
        let mut requests = vec![target.request(Method::Get, "/volumes", &volumes, None)];
        if made.is_err() {
            // Refused, or the answer was lost: whoever is a member of the group was made with it.
            let members = Query::new()
                .one("group_names", group)
                .list("member_names", chunk);
            let path = "/protection-groups/volumes";
            requests.push(target.request(Method::Get, path, &members, None));
        }
        let mut answers = target.send_all(requests).into_iter();
        let found = answers.next().and_then(Result::ok).unwrap_or_default();
        let ours = answers.next().map(|members| {
            let members = members.unwrap_or_default();
            let names = members.iter().filter_map(|m| text(m, "/member/name"));
            collections::set(names.map(str::to_owned))
        });
        for volume in found {
            let name = text(&volume, "/name").filter(|_| !flag(&volume, "/destroyed"));
            if let Some(name) = name
                && ours.as_ref().is_none_or(|ours| ours.contains(name))
            {
                restored.insert(name.to_owned(), volume.clone());
            }
        }
    }
    restored
}

/// Takes the group away again; the volumes stay. What is left of it does no harm, so nothing is said of a refusal.
pub fn clear_away(target: &Array<'_>, group: &str, eradicate: bool) {
    let query = Query::new().name(group);
    let body = json!({ "destroyed": true });
    let gone = target.send(Method::Patch, "/protection-groups", &query, Some(&body));
    if eradicate && !matches!(gone, Err(ArrayError::Failed(_))) {
        let _ = target.send(Method::Delete, "/protection-groups", &query, None);
    }
}

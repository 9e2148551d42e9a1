//! What Cinder's driver writes beside a volume for whoever looks at the array (Pure1): whose it is, and which machine's.
//!
//! Nothing depends on it, so a tag that cannot be written stops nothing: it is said on standard error, which the host logs as a
//! warning with the backend and the operation.

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::types::Volume;

use crate::array::{Answer, Array, ArrayError};
use crate::query::Query;

const NAMESPACE: &str = "openstack-integration.purestorage.com";

/// Writes the tags of a volume.
pub fn write(on: &Array<'_>, name: &str, volume: &Volume) {
    let tag = |key: &str, value: &str| json!({ "namespace": NAMESPACE, "key": key, "value": value, "copyable": false });
    let mut tags = vec![
        tag("DataStoreType", "Direct Access"),
        tag("ProjectId", &volume.project),
        tag("VolType", if volume.boot { "Boot" } else { "Data" }),
    ];
    if let Some(machine) = volume.instances.first() {
        tags.push(tag("VmId", machine));
    }
    let query = Query::new().one("resource_names", name);
    let path = "/volumes/tags/batch";
    let done = on.send(Method::Put, path, &query, Some(&tags.into()));
    report(on, name, "written to", done);
}

/// Takes them away, from a volume that is no longer the cloud's.
pub fn erase(on: &Array<'_>, name: &str) {
    let query = Query::new()
        .list("namespaces", &[NAMESPACE, crate::evidence::NAMESPACE])
        .one("resource_names", name);
    let done = on.send(Method::Delete, "/volumes/tags", &query, None);
    report(on, name, "taken from", done);
}

fn report(on: &Array<'_>, name: &str, what: &str, done: Answer<Vec<Value>>) {
    let why = match done {
        Ok(_) => return,
        Err(ArrayError::Refused { words, .. }) => words,
        Err(ArrayError::Failed(failure)) => failure.message,
    };
    let array = on.name();
    eprintln!(
        "tags could not be {what} volume {name} on array {array}, on which nothing else depends: {why}"
    );
}

//! `/offloads`

use serde_json::{Value, json};

use super::page::list_values;
use super::request::Reply;
use super::{Cx, show_space};
use crate::core::error::{ApiError, Res};

fn show(cx: &Cx<'_>, name: &str) -> Res<Value> {
    let offload = cx
        .array()?
        .offloads
        .get(name)
        .ok_or_else(|| ApiError::absent("Offload target", name))?;
    Ok(json!({
        "id": offload.id,
        "name": name,
        "protocol": offload.protocol,
        offload.protocol.replace('-', "_"): offload.details,
        "space": show_space(0, 0, 0),
        "status": "connected",
    }))
}

/// `GET /offloads`
pub fn list(cx: &mut Cx<'_>) -> Res<Reply> {
    let names = match cx.query.list("names") {
        Some(names) => names,
        None => cx.array()?.offloads.keys().cloned().collect(),
    };
    let items: Res<Vec<Value>> = names.iter().map(|name| show(cx, name)).collect();
    list_values(cx.query, cx.page(), items?)
}

/// `POST /offloads`
pub fn create(cx: &mut Cx<'_>) -> Res<Reply> {
    let found = [
        ("nfs", "nfs"),
        ("s3", "s3"),
        ("azure", "azure"),
        ("google_cloud", "google-cloud"),
    ]
    .into_iter()
    .find_map(|(field, protocol)| Some((protocol, cx.body.get(field)?)));
    let (protocol, details) = found
        .ok_or_else(|| ApiError::bad("Missing required field: nfs, s3, azure or google_cloud."))?;
    let mut details = details.clone();
    if let Some(map) = details.as_object_mut() {
        for (field, value) in map.iter_mut() {
            if field.contains("secret") {
                *value = json!("****");
            }
        }
    }
    for name in cx.names()? {
        cx.world
            .add_offload(cx.ix, &name, protocol, details.clone())?;
    }
    list(cx)
}

/// `DELETE /offloads`
pub fn delete(cx: &mut Cx<'_>) -> Res<Reply> {
    for name in cx.names()? {
        cx.world.remove_offload(cx.ix, &name)?;
    }
    Ok(Reply::empty())
}

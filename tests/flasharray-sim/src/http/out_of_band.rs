//! Somebody else's hands on an array: changes that no client of ours made.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::control::{find, reply};
use crate::core::connection::Owner;
use crate::core::error::Res;
use crate::core::key::ArrayIx;
use crate::core::schedule::ScheduleChange;
use crate::core::tag::Tag;
use crate::core::volume::NewVolume;
use crate::core::world::World;
use crate::shared::Shared;

/// What somebody else does by hand. No session, no host asked.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Hand {
    Rename {
        volume: String,
        to: String,
    },
    #[serde(alias = "destroy")]
    Delete {
        volume: String,
        #[serde(default)]
        eradicate: bool,
    },
    Eradicate {
        volume: String,
    },
    Disconnect {
        volume: String,
        host: Option<String>,
    },
    Connect {
        volume: String,
        host: String,
    },
    Resize {
        volume: String,
        bytes: u64,
    },
    Create {
        volume: String,
        bytes: u64,
    },
    LeaveGroup {
        volume: String,
        group: String,
    },
    DeleteSnapshot {
        snapshot: String,
    },
    DisableReplication {
        group: String,
    },
    DisallowGroup {
        group: String,
    },
    ForceOnline {
        pod: String,
    },
    Tag {
        volume: String,
        namespace: String,
        key: String,
        /// None: it goes.
        value: Option<String>,
    },
}

/// `POST /arrays/{a}/behind-our-back`
pub async fn out_of_band(
    State(shared): State<Arc<Shared>>,
    Path(array): Path<String>,
    Json(body): Json<Hand>,
) -> Response {
    let done = find(&shared, &array).and_then(|ix| {
        let mut world = shared.world();
        act(&mut world, ix, body)?;
        Ok(json!({"done": true}))
    });
    reply(done)
}

fn act(world: &mut World, ix: ArrayIx, hand: Hand) -> Res<()> {
    match hand {
        Hand::Rename { volume, to } => world.rename_volume(ix, &volume, &to).map(drop),
        Hand::Delete { volume, eradicate } => {
            disconnect_all(world, ix, &volume, None)?;
            world.destroy_volume(ix, &volume)?;
            if eradicate {
                world.eradicate_volume(ix, &volume)?;
            }
            Ok(())
        }
        Hand::Eradicate { volume } => world.eradicate_volume(ix, &volume),
        Hand::Disconnect { volume, host } => disconnect_all(world, ix, &volume, host.as_deref()),
        Hand::Connect { volume, host } => world
            .connect(ix, &Owner::Host(host), &volume, None)
            .map(drop),
        Hand::Resize { volume, bytes } => world.resize_volume(ix, &volume, bytes, true).map(drop),
        Hand::Create { volume, bytes } => {
            let new = NewVolume {
                size: Some(bytes),
                ..Default::default()
            };
            world.create_volume(ix, &volume, &new).map(drop)
        }
        Hand::LeaveGroup { volume, group } => world.remove_member(ix, &group, &volume),
        Hand::DeleteSnapshot { snapshot } => {
            if world.find_pgsnap(ix, &snapshot).is_ok() {
                world.destroy_pgsnap(ix, &snapshot)?;
                return world.eradicate_pgsnap(ix, &snapshot);
            }
            world.destroy_snap(ix, &snapshot)?;
            world.eradicate_snap(ix, &snapshot)
        }
        Hand::DisableReplication { group } => {
            let change = ScheduleChange {
                enabled: Some(false),
                ..Default::default()
            };
            world.set_replication(ix, &group, change).map(drop)
        }
        Hand::DisallowGroup { group } => world.allow_target(ix, &group, false),
        Hand::ForceOnline { pod } => world.force_online(ix, &pod),
        Hand::Tag {
            volume,
            namespace,
            key,
            value: Some(value),
        } => {
            let tag = Tag {
                namespace,
                key,
                value,
                copyable: false,
            };
            world.set_tags(ix, &volume, &[tag]).map(drop)
        }
        Hand::Tag {
            volume,
            namespace,
            key,
            value: None,
        } => {
            let gone = |tag: &Tag| (&tag.namespace, &tag.key) == (&namespace, &key);
            world.remove_tags(ix, &volume, gone).map(drop)
        }
    }
}

/// Disconnects a volume on this array and, for a pod, on the other one.
fn disconnect_all(world: &mut World, ix: ArrayIx, volume: &str, host: Option<&str>) -> Res<()> {
    let key = world.find_volume(ix, volume)?;
    let arrays = match host {
        Some(_) => vec![ix],
        None => world.holders(world.volume(key)?.home),
    };
    for ix in arrays {
        let owners: Vec<Owner> = world
            .array(ix)?
            .connections
            .owners(key)
            .filter(|owner| host.is_none_or(|host| **owner == Owner::Host(host.to_owned())))
            .cloned()
            .collect();
        for owner in owners {
            world.disconnect(ix, &owner, volume)?;
        }
    }
    Ok(())
}

//! From a path to its handler, and who may ask.

use serde_json::{Value, json};

use super::request::{Reply, Request, Verb};
use super::{
    Cx, arrays, connections, host_groups, hosts, inventory, offloads, pgroup_members,
    pgroup_targets, pgroups, pgsnaps, pods, snapshots, tags, vgroups, volumes,
};
use crate::core::error::{ApiError, Res};
use crate::core::key::ArrayIx;
use crate::core::world::World;

/// Whether a path needs no session.
pub fn login_path(path: &str) -> bool {
    path == "/api/api_version" || path.ends_with("/login") || path.ends_with("/logout")
}

/// Answers a request to an array.
pub fn handle(world: &mut World, ix: ArrayIx, request: &Request) -> Reply {
    answer(world, ix, request).unwrap_or_else(|error| Reply::refusal(&error))
}

fn answer(world: &mut World, ix: ArrayIx, request: &Request) -> Res<Reply> {
    let path = request.path.trim_end_matches('/');
    if path == "/api/api_version" {
        let versions = &world.array(ix)?.rest_versions;
        return Ok(Reply::body(json!({ "version": versions })));
    }
    let (version, rest) = path
        .strip_prefix("/api/")
        .and_then(|path| path.split_once('/'))
        .ok_or_else(|| unknown(path))?;
    let array = world.array(ix)?;
    if !array.rest_versions.iter().any(|known| known == version) {
        return Err(ApiError::status(
            404,
            format!("REST version {version} is not supported."),
        ));
    }
    if rest == "login" && request.verb == Verb::Post {
        return login(world, ix, request);
    }
    let now = world.now();
    let idle = world.settings.session_ms;
    let token = request.session.as_deref().unwrap_or_default();
    if !world.array_mut(ix)?.sessions.touch(token, now, idle) {
        return Err(ApiError::status(
            401,
            "Authorization is invalid: the session is unknown or has expired.",
        ));
    }
    if rest == "logout" && request.verb == Verb::Post {
        world.array_mut(ix)?.sessions.close(token);
        return Ok(Reply::empty());
    }
    let mut cx = Cx {
        world,
        ix,
        query: &request.query,
        body: &request.body,
    };
    dispatch(&mut cx, request.verb, rest)
}

fn login(world: &mut World, ix: ArrayIx, request: &Request) -> Res<Reply> {
    let array = world.array(ix)?;
    let given = request.api_token.as_deref();
    let good = given == Some(array.api_token.as_str())
        || (given.is_some() && given == array.old_token.as_deref());
    if !good {
        return Err(ApiError::status(
            401,
            "Authentication failed: the API token is invalid.",
        ));
    }
    let now = world.now();
    let token = uuid::Uuid::new_v4().to_string();
    world.array_mut(ix)?.sessions.open(token.clone(), now);
    Ok(Reply {
        session: Some(token),
        ..Reply::items(vec![json!({"username": "pureuser"})])
    })
}

fn unknown(path: &str) -> ApiError {
    ApiError {
        status: 404,
        items: vec![(Some(path.to_owned()), "Not found.".to_owned())],
    }
}

/// What DELETE eradicates, rather than takes out of something.
const ERADICABLE: [&str; 6] = [
    "volumes",
    "volume-groups",
    "volume-snapshots",
    "pods",
    "protection-groups",
    "protection-group-snapshots",
];

fn dispatch(cx: &mut Cx<'_>, verb: Verb, path: &str) -> Res<Reply> {
    use Verb::{Delete, Get, Patch, Post, Put};
    let erasing = verb == Delete && ERADICABLE.contains(&path);
    if erasing && cx.array()?.eradication_disabled {
        return Err(ApiError::bad("Eradication is disabled."));
    }
    match (verb, path) {
        (Get, "arrays") => arrays::list(cx),
        (Patch, "arrays") => arrays::rename(cx),
        (Get, "arrays/space") => arrays::space(cx),
        (Get, "arrays/performance") => arrays::performance(cx),
        (Get, "array-connections") => arrays::connections(cx),
        (Post, "array-connections") => arrays::connect(cx),
        (Delete, "array-connections") => arrays::disconnect(cx),
        (Get, "array-connections/path") => arrays::paths(cx),
        (Get, "array-connections/connection-key") => arrays::connection_key(cx),
        (Get, "remote-arrays") => arrays::remote(cx),
        (Get, "controllers") => inventory::controllers(cx),
        (Get, "ports") => inventory::ports(cx),
        (Get, "network-interfaces") => inventory::interfaces(cx),
        (
            Get,
            "hardware" | "alerts" | "audits" | "realms" | "policies" | "subnets" | "workloads",
        ) => super::page::list_values(cx.query, cx.page(), Vec::new()),

        (Get, "volumes") => volumes::list(cx),
        (Post, "volumes") => volumes::create(cx),
        (Patch, "volumes") => volumes::change(cx),
        (Delete, "volumes") => volumes::eradicate(cx),
        (Get, "volumes/space") => volumes::space(cx),
        (Get, "volumes/performance") => volumes::performance(cx),
        (Get, "volumes/tags") => tags::list(cx),
        (Put, "volumes/tags/batch") => tags::set(cx),
        (Delete, "volumes/tags") => tags::remove(cx),
        (Get, "volumes/volume-groups") => vgroups::members(cx),
        (Get, "volumes/protection-groups") => pgroup_members::of_volumes(cx),
        (Get, "volumes/diff") => volumes::diff(cx),

        (Get, "volume-groups") => vgroups::list(cx),
        (Post, "volume-groups") => vgroups::create(cx),
        (Patch, "volume-groups") => vgroups::change(cx),
        (Delete, "volume-groups") => vgroups::eradicate(cx),
        (Get, "volume-groups/volumes") => vgroups::volumes(cx),
        (Get, "volume-groups/space") => vgroups::space(cx),

        (Get, "volume-snapshots") => snapshots::list(cx),
        (Post, "volume-snapshots") => snapshots::create(cx),
        (Patch, "volume-snapshots") => snapshots::change(cx),
        (Delete, "volume-snapshots") => snapshots::eradicate(cx),
        (Get, "volume-snapshots/transfer") => snapshots::transfers(cx),
        (Get, "remote-volume-snapshots") => snapshots::remote(cx),
        (Get, "remote-volume-snapshots/transfer") => snapshots::remote_transfers(cx),

        (Get, "hosts") => hosts::list(cx),
        (Post, "hosts") => hosts::create(cx),
        (Patch, "hosts") => hosts::change(cx),
        (Delete, "hosts") => hosts::delete(cx),
        (Get, "hosts/space") => hosts::space(cx),
        (Get, "hosts/performance") => hosts::performance(cx),
        (Get, "hosts/host-groups") => host_groups::of_hosts(cx),
        (Post, "hosts/host-groups") => host_groups::join(cx, "member_names", "group_names"),
        (Delete, "hosts/host-groups") => host_groups::leave(cx),
        (Get, "hosts/protection-groups") => pgroup_members::of_hosts(cx),
        (Get, "host-groups") => host_groups::list(cx),
        (Post, "host-groups") => host_groups::create(cx),
        (Patch, "host-groups") => host_groups::change(cx),
        (Delete, "host-groups") => host_groups::delete(cx),
        (Get, "host-groups/hosts") => host_groups::of_hosts(cx),
        (Post, "host-groups/hosts") => host_groups::join(cx, "member_names", "group_names"),
        (Delete, "host-groups/hosts") => host_groups::leave(cx),

        (Get, "connections") => connections::list(cx),
        (Post, "connections") => connections::create(cx),
        (Delete, "connections") => connections::delete(cx),

        (Get, "pods") => pods::list(cx),
        (Post, "pods") => pods::create(cx),
        (Patch, "pods") => pods::change(cx),
        (Delete, "pods") => pods::eradicate(cx),
        (Get, "pods/arrays" | "pods/members") => pods::arrays(cx),
        (Post, "pods/arrays" | "pods/members") => pods::stretch(cx),
        (Delete, "pods/arrays" | "pods/members") => pods::unstretch(cx),
        (Get, "pods/space") => pods::space(cx),
        (Get, "pods/performance") => pods::performance(cx),
        (Get, "remote-pods") => pods::remote(cx),
        (Get, "pod-replica-links") => super::page::list_values(cx.query, cx.page(), Vec::new()),
        (Get, "container-default-protections") => pods::default_protections(cx),
        (Patch, "container-default-protections") => pods::set_default_protections(cx),

        (Get, "protection-groups") => pgroups::list(cx),
        (Post, "protection-groups") => pgroups::create(cx),
        (Patch, "protection-groups") => pgroups::change(cx),
        (Delete, "protection-groups") => pgroups::eradicate(cx),
        (Get, "protection-groups/space") => pgroups::space(cx),
        (Get, "protection-groups/volumes") => pgroup_members::volumes(cx),
        (Post, "protection-groups/volumes") => pgroup_members::add_volumes(cx),
        (Delete, "protection-groups/volumes") => pgroup_members::remove_volumes(cx),
        (Post, "volumes/protection-groups") => pgroup_members::add_volumes_reversed(cx),
        (Delete, "volumes/protection-groups") => pgroup_members::remove_volumes_reversed(cx),
        (Get, "protection-groups/hosts") => pgroup_members::hosts(cx),
        (Post, "protection-groups/hosts") => pgroup_members::add_hosts(cx),
        (Delete, "protection-groups/hosts") => pgroup_members::remove_hosts(cx),
        (Get, "protection-groups/host-groups") => pgroup_members::host_groups(cx),
        (Post, "protection-groups/host-groups") => pgroup_members::add_host_groups(cx),
        (Delete, "protection-groups/host-groups") => pgroup_members::remove_host_groups(cx),
        (Get, "protection-groups/targets") => pgroup_targets::list(cx),
        (Post, "protection-groups/targets") => pgroup_targets::add(cx),
        (Patch, "protection-groups/targets") => pgroup_targets::allow(cx),
        (Delete, "protection-groups/targets") => pgroup_targets::remove(cx),
        (Get, "remote-protection-groups") => pgroups::remote(cx),

        (Get, "protection-group-snapshots") => pgsnaps::list(cx),
        (Post, "protection-group-snapshots") => pgsnaps::create(cx),
        (Patch, "protection-group-snapshots") => pgsnaps::change(cx),
        (Delete, "protection-group-snapshots") => pgsnaps::eradicate(cx),
        (Get, "protection-group-snapshots/transfer") => pgsnaps::transfers(cx),
        (Get, "remote-protection-group-snapshots") => pgsnaps::remote(cx),
        (Get, "remote-protection-group-snapshots/transfer") => pgsnaps::remote_transfers(cx),

        (Get, "offloads") => offloads::list(cx),
        (Post, "offloads") => offloads::create(cx),
        (Delete, "offloads") => offloads::delete(cx),
        _ => Err(unknown(path)),
    }
}

/// A part of an item: only these fields.
pub(super) fn only(item: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), item.get(*field)?.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

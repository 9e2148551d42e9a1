//! Cinder v3: one module for each collection, each adding its routes to the table.

mod attachments;
mod backups;
mod collection;
mod default_types;
mod encryption;
mod extensions;
mod failover;
mod filters;
mod group_actions;
mod group_snapshots;
mod group_types;
mod groups;
mod hosts;
mod listing;
mod manageable;
mod messages;
mod metadata;
mod qos;
mod quotas;
mod scheduler;
mod services;
mod snapshots;
mod transfers;
mod types;
mod volume_actions;
mod volumes;

use crate::http::Routes;

/// The table.
#[must_use]
pub fn routes() -> Routes {
    let mut routes = Routes::default();
    volumes::routes(&mut routes);
    volume_actions::routes(&mut routes);
    metadata::routes(&mut routes);
    types::routes(&mut routes);
    default_types::routes(&mut routes);
    encryption::routes(&mut routes);
    snapshots::routes(&mut routes);
    manageable::routes(&mut routes);
    attachments::routes(&mut routes);
    services::routes(&mut routes);
    failover::routes(&mut routes);
    scheduler::routes(&mut routes);
    quotas::routes(&mut routes);
    messages::routes(&mut routes);
    qos::routes(&mut routes);
    group_types::routes(&mut routes);
    groups::routes(&mut routes);
    group_actions::routes(&mut routes);
    group_snapshots::routes(&mut routes);
    transfers::routes(&mut routes);
    hosts::routes(&mut routes);
    extensions::routes(&mut routes);
    backups::routes(&mut routes);
    routes
}

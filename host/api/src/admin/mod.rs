//! Our own API: drivers and their generations, operations and their progress, how replication stands and its
//! verbs, events on their way, images, attachments after a failover, reloads of the configuration, the audit log. For
//! administrators.

mod asks;
mod attachments;
mod audit;
mod backends;
mod configuration;
mod drills;
mod drivers;
mod images;
mod operations;
mod outbox;
mod pages;
mod replication;
mod standing;

use crate::http::Routes;

/// The table.
#[must_use]
pub fn routes() -> Routes {
    let mut routes = Routes::default();
    drivers::routes(&mut routes);
    operations::routes(&mut routes);
    replication::routes(&mut routes);
    drills::routes(&mut routes);
    standing::routes(&mut routes);
    backends::routes(&mut routes);
    configuration::routes(&mut routes);
    attachments::routes(&mut routes);
    outbox::routes(&mut routes);
    images::routes(&mut routes);
    audit::routes(&mut routes);
    routes
}

//! Our own API: drivers and their generations, operations and their progress, the verbs of replication. For
//! administrators.

mod asks;
mod backends;
mod drills;
mod drivers;
mod operations;
mod replication;

use crate::http::Routes;

/// The table.
#[must_use]
pub fn routes() -> Routes {
    let mut routes = Routes::default();
    drivers::routes(&mut routes);
    operations::routes(&mut routes);
    replication::routes(&mut routes);
    drills::routes(&mut routes);
    backends::routes(&mut routes);
    routes
}

//! Our own API: drivers and their generations, operations and their progress. For administrators.

mod drivers;
mod operations;

use crate::http::Routes;

/// The table.
#[must_use]
pub fn routes() -> Routes {
    let mut routes = Routes::default();
    drivers::routes(&mut routes);
    operations::routes(&mut routes);
    routes
}

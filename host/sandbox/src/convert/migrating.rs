//! Interface `migrating`.

use springform_model::contract as model;

use super::record;
use crate::bindings::exports::springform::driver::migrating as wit;

record!(lower wit::Side, model::Side { backend, target, array_id, array_name, extensions });
record!(lower wit::Migration, model::Migration { id, source, destination, extensions });

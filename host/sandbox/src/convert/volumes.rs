//! Interface `volumes`.

use springform_model::contract as model;

use super::record;
use crate::bindings::exports::springform::driver::volumes as wit;

record!(both wit::Reference, model::Reference { keys });
record!(lift wit::Adopted, model::Adopted { placement, size });
record!(lift wit::AdoptedSnapshot, model::AdoptedSnapshot { placement, size });
record!(lift wit::Manageable, model::Manageable { reference, size, safe_to_manage, reason_not_safe, source, extensions });
record!(lift wit::ManageablePage, model::ManageablePage { items, next });

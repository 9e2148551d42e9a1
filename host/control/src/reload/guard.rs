//! What is in the way of a reload: an operation of replication made its plans from the configuration it began with, and a
//! backend that is to go must not leave anything behind.

use springform_model::cloud::{Group, Service, Volume};
use springform_model::operation::Operation;
use springform_model::replication::drill::{Drill, DrillState};
use springform_store::{Query, Record};

use super::Change;
use super::difference::{Difference, Differs};
use crate::ControlError;
use crate::engine::Operations;
use crate::error::ErrorKind;
use crate::replication::open_on;

/// Whether nothing is in the way.
///
/// # Errors
/// What is, with the operation's id.
pub(super) async fn free(
    operations: &Operations,
    difference: &Difference,
) -> Result<(), ControlError> {
    for backend in &difference.backends {
        match backend.change {
            Change::Added => {}
            Change::Changed => {
                no_operation(operations, backend).await?;
                no_drill(operations, backend).await?;
            }
            Change::Removed => {
                no_operation(operations, backend).await?;
                nothing_left(operations, backend).await?;
            }
        }
    }
    Ok(())
}

async fn no_operation(operations: &Operations, backend: &Differs) -> Result<(), ControlError> {
    let name = &backend.name;
    let service = operations.store().get::<Service>(name).await?;
    let holder = service.and_then(|service| service.record.operation);
    let query = match backend.change {
        // A volume's own operations call the driver once for each step, of whichever generation serves then.
        Change::Changed => open_on(name),
        Change::Added | Change::Removed => {
            Query::new().eq("open", true).eq("backend", name.as_str())
        }
    };
    let holder = match holder {
        Some(holder) => Some(holder),
        None => first::<Operation>(operations, query).await?.map(|o| o.id),
    };
    // A volume that is on its way to this backend.
    let coming = Query::new().eq("open", true).entry("input", "to", name);
    let holder = match holder {
        None if matches!(backend.change, Change::Removed) => {
            first::<Operation>(operations, coming).await?.map(|o| o.id)
        }
        known => known,
    };
    let Some(holder) = holder else {
        return Ok(());
    };
    let mut error = ControlError::conflict(format!(
        "operation {holder} holds backend {name}, whose configuration would change; wait for it or cancel it, and reload \
         again"
    ));
    error.operation = Some(holder);
    Err(error)
}

/// Copies of a drill on an array that is not configured any more could not be thrown away.
async fn no_drill(operations: &Operations, backend: &Differs) -> Result<(), ControlError> {
    let gone = backend.targets_gone();
    let open = DrillState::ALL.into_iter().filter(|s| !s.is_over());
    let query = Query::new()
        .eq("backend", backend.name.as_str())
        .is_in("state", open.map(DrillState::as_str))
        .limit(1000);
    let drills = operations.store().list::<Drill>(&query).await?;
    match drills.iter().find(|d| gone.contains(&d.target.as_str())) {
        Some(drill) => Err(ControlError::conflict(format!(
            "drill {} has copies on array {} of backend {}, which the configuration does not name any more; stop it first: \
             springform drill stop {}",
            drill.id, drill.target, backend.name, drill.id
        ))),
        None => Ok(()),
    }
}

async fn nothing_left(operations: &Operations, backend: &Differs) -> Result<(), ControlError> {
    let name = &backend.name;
    let service = operations.store().get::<Service>(name).await?;
    if service.is_some_and(|service| !service.record.disabled) {
        return Err(refused(format!(
            "backend {name} is not in the configuration any more and is still given volumes; disable it first: cinder \
             service-disable {} cinder-volume",
            backend.serving.as_ref().map_or("", |config| &config.host)
        )));
    }
    let on = || Query::new().eq("backend", name.as_str());
    let volume = first::<Volume>(operations, on()).await?;
    let left = match volume {
        Some(volume) => Some(format!("volume {}", volume.id)),
        None => {
            let group = first::<Group>(operations, on()).await?;
            group.map(|group| format!("group {}", group.id))
        }
    };
    match left {
        Some(left) => Err(refused(format!(
            "backend {name} is not in the configuration any more and still has volumes or groups ({left} is one): migrate, \
             unmanage or delete them first"
        ))),
        None => Ok(()),
    }
}

fn refused(message: String) -> ControlError {
    ControlError::new(ErrorKind::Refused, message)
}

async fn first<T: Record>(
    operations: &Operations,
    query: Query,
) -> Result<Option<T>, ControlError> {
    let found = operations.store().list::<T>(&query.limit(1)).await?;
    Ok(found.into_iter().next().map(|stored| stored.record))
}

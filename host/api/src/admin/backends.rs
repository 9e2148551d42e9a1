//! Backends: freeze, thaw, and the repair of a record that does not tell the truth any more.

use springform_model::cloud::Service;

use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::BackendRecord;

pub(super) fn routes(r: &mut Routes) {
    r.post(
        "/backends/{backend_name}/freeze",
        "springform:backends:freeze",
        freeze,
    )
    .admin()
    .says("Refuses changes on a backend while reads and attachments go on.")
    .returns::<BackendRecord<'_>>(200);
    r.post(
        "/backends/{backend_name}/thaw",
        "springform:backends:thaw",
        thaw,
    )
    .admin()
    .says("Ends a freeze.")
    .returns::<BackendRecord<'_>>(200);
    r.post(
        "/backends/{backend_name}/reset-active-backend",
        "springform:backends:reset",
        reset,
    )
    .admin()
    .says("Repairs the record of which array serves a backend; no array is asked, and it must be disabled and frozen.")
    .takes("{to?:text?}")
    .returns::<BackendRecord<'_>>(200);
}

fn shown(service: &Service) -> Answer {
    json(200, &BackendRecord::new(service))
}

/// The backend's name, if there is such a one.
async fn named(call: &Call) -> Result<String, ApiError> {
    let name = call.part("backend_name");
    match call.control().services().get(name).await {
        Ok(view) if view.service.backend == name => Ok(view.service.backend),
        _ => Err(ApiError::not_found(format!("there is no backend {name}"))),
    }
}

fn nothing_else(call: &Call) -> Result<(), ApiError> {
    if call.body.is_empty() {
        return Ok(());
    }
    call.fields()?.finish()
}

async fn freeze(call: Call) -> Answer {
    nothing_else(&call)?;
    let name = named(&call).await?;
    shown(
        &call
            .control()
            .services()
            .freeze(&call.caller, &name)
            .await?,
    )
}

async fn thaw(call: Call) -> Answer {
    nothing_else(&call)?;
    let name = named(&call).await?;
    shown(&call.control().services().thaw(&call.caller, &name).await?)
}

async fn reset(call: Call) -> Answer {
    let to = if call.body.is_empty() {
        None
    } else {
        let mut fields = call.fields()?;
        let to = fields.text("to", 1..=255)?;
        fields.finish()?;
        to
    };
    let name = named(&call).await?;
    let service = call
        .control()
        .replication()
        .reset_active_backend(&call.caller, &name, to.as_deref())
        .await?;
    shown(&service)
}

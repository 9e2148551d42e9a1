//! The configuration: the host reads its own file again. The request carries none: who may ask is not who may write it.

use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::ReloadReport;

pub(super) fn routes(r: &mut Routes) {
    r.post(
        "/configuration/reload",
        "springform:configuration:reload",
        reload,
    )
    .admin()
    .says("Reads the host's configuration file again and lets it serve, all of it or nothing; with dry_run only says what would change.")
    .takes("{dry_run?:bool?}")
    .returns::<ReloadReport<'_>>(200);
}

/// An empty body counts as an empty object.
fn dry_run(call: &Call) -> Result<bool, ApiError> {
    if call.body.is_empty() {
        return Ok(false);
    }
    let mut fields = call.fields()?;
    let dry_run = fields.boolean_or_null("dry_run")?;
    fields.finish()?;
    Ok(dry_run.unwrap_or(false))
}

async fn reload(call: Call) -> Answer {
    let dry_run = dry_run(&call)?;
    let reload = call.control().reload();
    let reloaded = reload.run(&call.caller, dry_run).await?;
    json(200, &ReloadReport::new(&reloaded))
}

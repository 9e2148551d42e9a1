//! Attachments after a failover: servers are attached anew through Nova.

use springform_control::attachments::repair::Wanted;
use springform_control::compute::Compute;

use crate::http::{Answer, ApiError, Call, Fields, Routes, json};
use crate::nova::Nova;
use crate::views::admin::RepairReport;

pub(super) fn routes(r: &mut Routes) {
    r.post(
        "/attachments/repair",
        "springform:attachments:repair",
        repair,
    )
    .admin()
    .takes("{nova?:text?, token?:text?, backend?:text?, dry_run?:bool}")
    .says("Detaches and attaches through Nova the servers whose volumes moved; says what to type where it may not.")
    .returns::<RepairReport<'_>>(200);
}

async fn repair(call: Call) -> Answer {
    let mut fields = if call.body.is_empty() {
        Fields::over(serde_json::Map::new())
    } else {
        call.fields()?
    };
    let url = fields.text("nova", 1..=2048)?;
    let token = fields.text("token", 1..=16_384)?;
    let wanted = Wanted {
        backend: fields.text("backend", 1..=255)?,
        dry_run: fields.boolean_or_null("dry_run")?.unwrap_or(false),
    };
    fields.finish()?;
    let nova = match (url, token) {
        (Some(url), Some(token)) => Some(Nova::new(&url, &token).map_err(ApiError::invalid)?),
        (Some(_), None) => {
            return Err(ApiError::invalid(
                "nova needs a token: one of an administrator of the compute service.",
            ));
        }
        (None, _) if wanted.dry_run => None,
        (None, _) => {
            return Err(ApiError::invalid(
                "nova and token are needed to repair; without them there is dry_run only.",
            ));
        }
    };
    let compute = nova.as_ref().map(|nova| nova as &dyn Compute);
    let report = call
        .control()
        .attachments()
        .repair(&call.caller, compute, &wanted)
        .await?;
    json(200, &RepairReport::new(&report))
}

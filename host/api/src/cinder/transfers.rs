//! Transfers of volumes, under both of Cinder's paths: `os-volume-transfer`, and `volume-transfers` (3.55).

use serde_json::Value;

use super::listing::{Kind, listed, query};
use crate::http::{Answer, ApiError, Call, Routes, empty, json};
use crate::views::{AnswerTo, Many, One, Reader, TransferView};

pub(super) fn routes(r: &mut Routes) {
    old(r);
    new(r);
}

fn old(r: &mut Routes) {
    add(
        r,
        "/os-volume-transfer",
        "/os-volume-transfer/detail",
        "/os-volume-transfer/{transfer_id}",
        "/os-volume-transfer/{transfer_id}/accept",
    );
}

fn new(r: &mut Routes) {
    add(
        r,
        "/volume-transfers",
        "/volume-transfers/detail",
        "/volume-transfers/{transfer_id}",
        "/volume-transfers/{transfer_id}/accept",
    );
}

fn add(
    r: &mut Routes,
    all: &'static str,
    detail: &'static str,
    single: &'static str,
    accepted: &'static str,
) {
    const ASKS: &[&str] = &["all_tenants", "limit", "marker", "sort", "name"];
    r.get(all, "volume:get_all_transfers", list)
        .asks(ASKS)
        .says("Lists the transfers that wait to be accepted.")
        .returns::<Many<TransferView<'_>>>(200);
    r.get(detail, "volume:get_all_transfers", list_detail)
        .asks(ASKS)
        .says("Lists the transfers that wait to be accepted, in detail.")
        .returns::<Many<TransferView<'_>>>(200);
    r.post(all, "volume:create_transfer", create)
        .says("Offers a volume to another project; the key is shown once.")
        .takes("{transfer:{volume_id:id, name?:short?, no_snapshots?:bool?}}")
        .returns::<One<TransferView<'_>>>(202);
    r.get(single, "volume:get_transfer", show)
        .says("Shows a transfer.")
        .returns::<One<TransferView<'_>>>(200);
    r.delete(single, "volume:delete_transfer", delete)
        .says("Withdraws a transfer.")
        .ends(202);
    r.post(accepted, "volume:accept_transfer", accept)
        .says("Takes an offered volume.")
        .takes("{accept:{auth_key:name}}")
        .returns::<One<TransferView<'_>>>(202);
}

async fn page(call: Call, to: AnswerTo) -> Answer {
    let all = call.all_tenants()?;
    let (query, page) = query(
        &call,
        &[
            ("id", "id", Kind::Text),
            ("name", "name", Kind::Text),
            ("display_name", "name", Kind::Text),
            ("volume_id", "volume_id", Kind::Text),
        ],
        &["id", "name", "created_at"],
    )?;
    let found = call
        .control()
        .transfers()
        .list(&call.caller, all, query)
        .await?;
    let last = found.last().map(|found| found.id.clone());
    let reader = Reader::of(&call);
    let view = |transfer| TransferView::new(transfer, &reader, to);
    listed(&call, &page, &found, view, last.as_deref(), None)
}

async fn list(call: Call) -> Answer {
    page(call, AnswerTo::List).await
}

async fn list_detail(call: Call) -> Answer {
    page(call, AnswerTo::Show).await
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("transfer")?;
    let volume_id = fields.required_uuid("volume_id")?;
    let name = fields.trimmed("name")?;
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(ApiError::invalid("The 'name' can not be empty."));
    }
    let new = call.version.has(55) && !call.path().contains("/os-volume-transfer");
    let no_snapshots = match new {
        true => fields.boolean("no_snapshots")?.unwrap_or(false),
        false => false,
    };
    fields.finish()?;
    let (transfer, key) = call
        .control()
        .transfers()
        .create(&call.caller, &volume_id, name, no_snapshots)
        .await?;
    let view = TransferView::new(&transfer, &Reader::of(&call), AnswerTo::Create);
    json(202, &One(view.with_key(&key)))
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .transfers()
        .get(&call.caller, call.part("transfer_id"))
        .await?;
    let view = TransferView::new(&found, &Reader::of(&call), AnswerTo::Show);
    json(200, &One(view))
}

async fn delete(call: Call) -> Answer {
    call.control()
        .transfers()
        .delete(&call.caller, call.part("transfer_id"))
        .await?;
    empty(202)
}

async fn accept(call: Call) -> Answer {
    let mut fields = call.object("accept")?;
    let key = match fields.take("auth_key") {
        Some(Value::String(key)) => key,
        Some(Value::Number(key)) if key.is_i64() || key.is_u64() => key.to_string(),
        Some(_) => {
            return Err(ApiError::invalid(
                "Invalid input for field/attribute auth_key. It is not of type 'string', 'integer'",
            ));
        }
        None => return Err(ApiError::invalid("'auth_key' is a required property")),
    };
    fields.finish()?;
    let transfer = call.part("transfer_id");
    let brake = &call.state.transfer_keys;
    brake.may_try(&call.caller.project_id, transfer)?;
    let taken = call
        .control()
        .transfers()
        .accept(&call.caller, transfer, &key)
        .await?;
    let view = TransferView::new(&taken, &Reader::of(&call), AnswerTo::List);
    json(202, &One(view))
}

//! Transfers of volumes, under both of Cinder's paths: `os-volume-transfer`, and `volume-transfers` (3.55).

use serde_json::{Value, json as value};
use springform_model::cloud::Transfer;

use super::listing::{Kind, listed, query};
use crate::http::{Answer, Call, Routes, empty, json};
use crate::views::{Links, Time};

const TRANSFER: &str = "{transfer:@transfer}";

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
        .gives(200, "{transfers:[@transfer], transfers_links?:[@link]}");
    r.get(detail, "volume:get_all_transfers", list_detail)
        .asks(ASKS)
        .says("Lists the transfers that wait to be accepted, in detail.")
        .gives(200, "{transfers:[@transfer], transfers_links?:[@link]}");
    r.post(all, "volume:create_transfer", create)
        .says("Offers a volume to another project; the key is shown once.")
        .takes("{transfer:{volume_id:id, name?:short?, no_snapshots?:bool?}}")
        .gives(202, TRANSFER);
    r.get(single, "volume:get_transfer", show)
        .says("Shows a transfer.")
        .gives(200, TRANSFER);
    r.delete(single, "volume:delete_transfer", delete)
        .says("Withdraws a transfer.")
        .ends(202);
    r.post(accepted, "volume:accept_transfer", accept)
        .says("Takes an offered volume.")
        .takes("{accept:{auth_key:name}}")
        .gives(202, TRANSFER);
}

fn view(call: &Call, transfer: &Transfer, detail: bool) -> Value {
    let mut view = value!({
        "id": transfer.id,
        "name": transfer.name,
        "volume_id": transfer.volume_id,
        "links": Links { base: &call.base, project: call.project.as_deref(), collection: "os-volume-transfer", id: &transfer.id },
    });
    if let Some(fields) = view.as_object_mut() {
        if detail {
            fields.insert("created_at".into(), value!(Time(transfer.created_at)));
        }
        if detail && call.version.has(57) {
            fields.insert(
                "source_project_id".into(),
                value!(transfer.source_project_id),
            );
            fields.insert(
                "destination_project_id".into(),
                value!(transfer.destination_project_id),
            );
            fields.insert("accepted".into(), value!(transfer.accepted));
        }
        if detail && call.version.has(55) {
            fields.insert("no_snapshots".into(), value!(transfer.no_snapshots));
        }
    }
    view
}

async fn page(call: Call, detail: bool) -> Answer {
    let all = call.all_tenants()?;
    let (query, page) = query(
        &call,
        &[("name", "name", Kind::Text)],
        &["id", "name", "created_at"],
    )?;
    let found = call
        .control()
        .transfers()
        .list(&call.caller, all, query)
        .await?;
    let last = found.last().map(|found| found.id.clone());
    if detail {
        let views = found
            .iter()
            .map(|transfer| view(&call, transfer, true))
            .collect();
        return listed(&call, "transfers", &page, views, last.as_deref(), None);
    }
    let views = found
        .iter()
        .map(|transfer| view(&call, transfer, false))
        .collect();
    listed(&call, "transfers", &page, views, last.as_deref(), None)
}

async fn list(call: Call) -> Answer {
    page(call, false).await
}

async fn list_detail(call: Call) -> Answer {
    page(call, true).await
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("transfer")?;
    let volume_id = fields.required_uuid("volume_id")?;
    let name = fields.name()?;
    let no_snapshots = fields.boolean("no_snapshots")?.unwrap_or(false);
    fields.finish()?;
    let (transfer, key) = call
        .control()
        .transfers()
        .create(&call.caller, &volume_id, name, no_snapshots)
        .await?;
    let mut view = view(&call, &transfer, true);
    if let Some(fields) = view.as_object_mut() {
        fields.insert("auth_key".into(), value!(key));
    }
    json(202, &value!({"transfer": view}))
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .transfers()
        .get(&call.caller, call.part("transfer_id"))
        .await?;
    json(200, &value!({"transfer": view(&call, &found, true)}))
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
    let key = fields.required("auth_key")?;
    fields.finish()?;
    let transfer = call.part("transfer_id");
    let brake = &call.state.transfer_keys;
    brake.may_try(&call.caller.project_id, transfer)?;
    let taken = call
        .control()
        .transfers()
        .accept(&call.caller, transfer, &key)
        .await?;
    json(202, &value!({"transfer": view(&call, &taken, false)}))
}

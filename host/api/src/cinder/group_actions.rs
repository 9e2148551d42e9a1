//! What is done to one group: the actions of `POST /groups/<id>/action`.

use serde_json::Value;
use springform_control::groups::FailoverGroup;

use crate::http::{Answer, ApiError, Call, Fields, Routes, Shape, empty, json};
use crate::views::{Many, ReplicationTarget};

/// What the body may be.
const ACTIONS: Shape = "{delete:{delete-volumes?:bool}}|{reset_status:{status:name}}|{enable_replication:object?}|\
    {disable_replication:object?}|{failover_replication:{allow_attached_volume?:bool, secondary_backend_id?:short?}}|\
    {list_replication_targets:object?}";

/// What openstacksdk, and with it `openstack volume group failover`, sends for `failover_replication`: a placeholder that
/// nobody replaced. It can mean nothing else.
const PLACEHOLDER: &str = "modify_body_for_action";

pub(super) fn routes(r: &mut Routes) {
    r.post(
        "/groups/{group_id}/action",
        "group:group_actions",
        action,
    )
    .says(
        "Does something to a group; the one member of the body names it: `delete` (from 3.13), `reset_status` (from 3.20, for \
        administrators), `enable_replication`, `disable_replication`, `failover_replication`, `list_replication_targets` \
        (from 3.38).",
    )
    .takes(ACTIONS)
    .ends(202)
    .returns::<Many<ReplicationTarget>>(200);
}

/// Actions without parameters.
const BARE: [&str; 3] = [
    "enable_replication",
    "disable_replication",
    "list_replication_targets",
];

fn members(name: &str, parameters: Value) -> Result<Fields, ApiError> {
    match parameters {
        Value::Object(members) => Ok(Fields::over(members)),
        // openstacksdk sends null where there is nothing to say.
        Value::Null if BARE.contains(&name) => Ok(Fields::over(serde_json::Map::new())),
        _ => Err(ApiError::invalid(format!(
            "Invalid input for field/attribute {name}. It is not of type 'object'"
        ))),
    }
}

async fn action(call: Call) -> Answer {
    call.since(13)?;
    let (name, parameters) = call.action()?;
    let mut fields = members(&name, parameters)?;
    let (caller, id) = (&call.caller, call.part("group_id"));
    let groups = call.control().groups();
    match name.as_str() {
        "delete" => {
            let volumes = fields.boolean("delete-volumes")?.unwrap_or(false);
            fields.finish()?;
            groups.delete(caller, id, volumes).await?;
        }
        "reset_status" => {
            call.since(20)?;
            let status = fields.required("status")?.to_ascii_lowercase();
            fields.finish()?;
            groups.reset_status(caller, id, &status).await.map(drop)?;
        }
        "enable_replication" => {
            call.since(38)?;
            groups.enable_replication(caller, id).await.map(drop)?;
        }
        "disable_replication" => {
            call.since(38)?;
            groups.disable_replication(caller, id).await.map(drop)?;
        }
        "failover_replication" | PLACEHOLDER => {
            call.since(38)?;
            let wanted = FailoverGroup {
                allow_attached: fields.boolean("allow_attached_volume")?.unwrap_or(false),
                to: fields.text("secondary_backend_id", 0..=255)?,
            };
            fields.finish()?;
            groups
                .failover_replication(caller, id, wanted)
                .await
                .map(drop)?;
        }
        "list_replication_targets" => {
            call.since(38)?;
            let targets = groups.replication_targets(caller, id).await?.into_iter();
            let targets = targets.map(|backend_id| ReplicationTarget { backend_id });
            return json(200, &Many(targets.collect()));
        }
        _ => return Err(Call::no_such_action(&name)),
    }
    empty(202)
}

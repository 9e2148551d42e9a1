//! Pools and capabilities of backends.

use serde_json::{Value, json as value};

use crate::http::{Answer, Call, Refusal, Routes, json};
use crate::views;

pub(super) fn routes(r: &mut Routes) {
    r.get(
        "/scheduler-stats/get_pools",
        "scheduler_extension:scheduler_stats:get_pools",
        pools,
    )
    .admin()
    .asks(&["detail", "name", "volume_type"])
    .says("Lists pools.")
    .gives(200, "{pools:[@pool]}");
    r.get(
        "/capabilities/{host}",
        "volume_extension:capabilities",
        capabilities,
    )
    .admin()
    .says("Shows what a backend can do.")
    .gives(
        200,
        "{namespace:text, replication_targets:[text], properties:object}",
    );
}

async fn pools(call: Call) -> Answer {
    let detail = call.query.flag("detail")?;
    let name = call.query.get("name").filter(|_| call.version.has(28));
    let mut pools: Vec<Value> = Vec::new();
    for view in call.control().services().list().await? {
        let Some(statistics) = view.status.statistics.as_deref() else {
            continue;
        };
        for pool in &statistics.pools {
            let mut shown = views::pool(&view.service, &view.status, statistics, pool);
            if name.is_some_and(|name| shown.get("name").and_then(Value::as_str) != Some(name)) {
                continue;
            }
            if let Some(fields) = shown.as_object_mut().filter(|_| !detail) {
                fields.remove("capabilities");
            }
            pools.push(shown);
        }
    }
    json(200, &value!({"pools": pools}))
}

async fn capabilities(call: Call) -> Answer {
    let host = call.part("host");
    match call.control().services().get(host).await {
        Ok(view) => json(200, &views::capabilities(&view.service, &view.status)),
        Err(_) => Err(Refusal::not_found(format!("Can't find service: {host}"))),
    }
}

//! Pools and capabilities of backends.

use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::{Capabilities, Many, PoolView};

/// What pools may be asked for by; from 3.31 nothing else.
const FILTERS: [&str; 3] = ["detail", "name", "volume_type"];

pub(super) fn routes(r: &mut Routes) {
    r.get(
        "/scheduler-stats/get_pools",
        "scheduler_extension:scheduler_stats:get_pools",
        pools,
    )
    .admin()
    .asks(&["detail", "name", "volume_type"])
    .says("Lists pools.")
    .returns::<Many<PoolView>>(200);
    r.get(
        "/capabilities/{host}",
        "volume_extension:capabilities",
        capabilities,
    )
    .admin()
    .says("Shows what a backend can do.")
    .returns::<Capabilities<'_>>(200);
}

async fn pools(call: Call) -> Answer {
    let detail = call.query.flag("detail")?;
    let names = call.query.iter().map(|(name, _)| name);
    let unknown: Vec<&str> = names.filter(|name| !FILTERS.contains(name)).collect();
    if call.version.has(31) && !unknown.is_empty() {
        return Err(ApiError::invalid(format!(
            "Invalid filters {} are found in query options.",
            unknown.join(",")
        )));
    }
    let asked = |name: &str| call.query.get(name).filter(|text| !text.is_empty());
    let name = asked("name").filter(|_| call.version.has(28));
    let suiting = match asked("volume_type").filter(|_| call.version.has(35)) {
        Some(kind) => Some(suiting(&call, kind).await?),
        None => None,
    };
    let mut pools: Vec<PoolView> = Vec::new();
    for view in call.control().services().list().await? {
        let Some(statistics) = view.status.statistics.as_deref() else {
            continue;
        };
        for pool in &statistics.pools {
            let shown = PoolView::new(&view.service, &view.status, statistics, pool, detail);
            let suits = suiting.as_ref().is_none_or(|all| all.contains(&shown.name));
            if name.is_none_or(|name| shown.name == name) && suits {
                pools.push(shown);
            }
        }
    }
    json(200, &Many(pools))
}

/// Names of the pools in which volumes of a type can be made.
async fn suiting(call: &Call, kind: &str) -> Result<Vec<String>, ApiError> {
    let kind = call.control().types().find(&call.caller, kind).await?;
    let (candidates, _) = call.control().candidates().await?;
    let suiting = candidates
        .iter()
        .filter(|candidate| candidate.suits(&kind.extra_specs));
    Ok(suiting.map(|candidate| candidate.host()).collect())
}

async fn capabilities(call: Call) -> Answer {
    let host = call.part("host");
    match call.control().services().get(host).await {
        Ok(view) => json(200, &Capabilities::new(&view.service, &view.status)),
        Err(_) => Err(ApiError::not_found(format!("Can't find service: {host}"))),
    }
}

//! What replication needs done without anybody asking: drills end by their timer, whoever was left behind is fenced when it
//! answers again.

use std::time::Duration;

use springform_model::replication::drill::{Drill, DrillState};
use springform_model::replication::relation::Relation;
use springform_store::{Order, Query};

use super::{Ask, Request, Scope};
use crate::{Caller, Control};

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(30);
/// Volumes fenced with one operation.
const MANY: u32 = 500;

/// Looks for ever.
pub(crate) async fn tend(control: Control) {
    loop {
        tokio::time::sleep(PAUSE).await;
        end_drills(&control).await;
        pay_debts(&control).await;
    }
}

async fn end_drills(control: &Control) {
    let query = Query::new()
        .is_in(
            "state",
            [DrillState::Starting, DrillState::Open, DrillState::Stopping].map(DrillState::as_str),
        )
        .compare("due_at", Order::LessOrEqual, control.now())
        .limit(100);
    let due = control
        .store()
        .list::<Drill>(&query)
        .await
        .unwrap_or_default();
    for drill in due.into_iter().filter(|d| d.record.operation.is_none()) {
        let request = Request::StopDrill(drill.record.id.clone());
        if let Err(error) = control
            .replication()
            .submit(&Caller::internal(), request)
            .await
        {
            tracing::warn!(drill = %drill.record.id, error = %error.message, "a drill whose time is over cannot be ended yet");
        }
    }
}

async fn pay_debts(control: &Control) {
    let query = Query::new()
        .eq("kind", "owed")
        .eq("state", "settled")
        .limit(MANY);
    let owed = control
        .store()
        .list::<Relation>(&query)
        .await
        .unwrap_or_default();
    for backend in control.backends() {
        let service = control
            .store()
            .get::<springform_model::cloud::Service>(backend.name())
            .await;
        let Ok(Some(service)) = service else { continue };
        let answers = |target: &str| {
            service
                .record
                .targets
                .iter()
                .any(|t| t.target == target && t.reachable)
        };
        let ids: Vec<String> = owed
            .iter()
            .filter(|r| {
                r.record.backend == backend.name() && r.record.owed().any(|d| answers(&d.target))
            })
            .map(|r| r.record.volume_id.clone())
            .collect();
        if ids.is_empty() {
            continue;
        }
        let request = Request::Fence(Ask::about(Scope::Volumes(ids)));
        if let Err(error) = control
            .replication()
            .submit(&Caller::internal(), request)
            .await
        {
            tracing::warn!(backend = backend.name(), error = %error.message, "an array that was left behind cannot be fenced yet");
        }
    }
}

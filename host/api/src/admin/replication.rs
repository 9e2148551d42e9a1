//! The verbs of replication: a plan first, then an operation of the journal whose id is the answer.

use springform_control::replication::{Ask, Order, Request};
use springform_model::contract::FailoverMode;
use springform_model::operation::Verb;

use super::asks::{self, Takes};
use crate::http::{Answer, ApiError, Call, Routes, json};
use crate::views::admin::{Begun, PlanView};

const SCOPE: &str = "{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}}";

pub(super) fn routes(r: &mut Routes) {
    r.post("/plans", "springform:replication:plan", plan)
        .admin()
        .says("Says what a failover, failback or reprotection would do and lose, and keeps it as a plan that can be carried out while what it was made from holds.")
        .takes("{verb?:text?, scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, to?:text?, mode?:text?, point?:text?}")
        .returns::<PlanView<'_>>(200);
    r.get("/plans/{plan_id}", "springform:replication:plan", show)
        .admin()
        .says("Shows a plan.")
        .returns::<PlanView<'_>>(200);
    r.post("/failover", "springform:replication:failover", failover)
        .admin()
        .says("Moves volumes to another array: planned (nothing is lost, or nothing is switched) or unplanned (what the target has is taken).")
        .takes("{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, to?:text?, mode?:text?, point?:text?, plan?:text?, acknowledge?:[object]?, allow_attached?:bool?}")
        .returns::<Begun<'_>>(202);
    r.post("/failback", "springform:replication:failback", failback)
        .admin()
        .says("Copies what was written since to the primary, moves the volumes back to it, and replicates them from there again unless reprotect is false; nothing of that is lost.")
        .takes("{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, to?:text?, plan?:text?, acknowledge?:[object]?, allow_attached?:bool?, reprotect?:bool?}")
        .returns::<Begun<'_>>(202);
    r.post("/reprotect", "springform:replication:reprotect", reprotect)
        .admin()
        .says("Replicates again from the array that serves, to one target or to all.")
        .takes("{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, to?:text?, plan?:text?, acknowledge?:[object]?}")
        .returns::<Begun<'_>>(202);
    r.post("/resync", "springform:replication:resync", resync)
        .admin()
        .says("Copies to a target once more, now.")
        .takes("{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, to?:text?, acknowledge?:[object]?}")
        .returns::<Begun<'_>>(202);
    r.post("/enable", "springform:replication:enable", enable)
        .admin()
        .says("Switches replication of volumes on.")
        .takes(SCOPE)
        .returns::<Begun<'_>>(202);
    r.post("/disable", "springform:replication:disable", disable)
        .admin()
        .says("Switches replication of volumes off; their data stays where it is.")
        .takes(SCOPE)
        .returns::<Begun<'_>>(202);
    r.post("/promote", "springform:replication:promote", promote)
        .admin()
        .says("Makes the arrays of a changed configuration the backend's own, online.")
        .takes("{scope:{backend:text}, dry_run?:bool?}")
        .returns::<Begun<'_>>(202);
    r.post("/reconcile", "springform:replication:reconcile", reconcile)
        .admin()
        .says("Makes the arrays match the records and says what was changed; with adopt brings the records of a backend up to what its arrays say instead.")
        .takes("{scope:{backend?:text?, volumes?:[text]?, group?:text?, project?:text?}, dry_run?:bool?, adopt?:bool?}")
        .returns::<Begun<'_>>(202);
    r.post("/fence", "springform:replication:fence", fence)
        .admin()
        .says("Takes the writable role from arrays that were left behind and answer again.")
        .takes(SCOPE)
        .returns::<Begun<'_>>(202);
}

async fn plan(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let verb = match fields.text("verb", 1..=40)?.as_deref() {
        None | Some("failover") => Verb::Failover,
        Some("failback") => Verb::Failback,
        Some("reprotect") => Verb::Reprotect,
        Some(_) => {
            return Err(ApiError::invalid(
                "'verb' is failover, failback or reprotect: only these have plans",
            ));
        }
    };
    let ask = asks::read(&mut fields, &[Takes::Target, Takes::Mode])?;
    fields.finish()?;
    let mode = match (verb, ask.mode) {
        (Verb::Failover, mode) => mode.unwrap_or(FailoverMode::Unplanned),
        (_, Some(FailoverMode::Unplanned)) => {
            return Err(ApiError::invalid(
                "a failback or reprotection copies first and loses nothing: it has no unplanned mode",
            ));
        }
        _ => FailoverMode::Planned,
    };
    let order = Order {
        scope: ask.scope,
        to: ask.to,
        mode,
        point: ask.point,
    };
    let made = call
        .control()
        .replication()
        .plan(&call.caller, verb, order)
        .await?;
    json(200, &PlanView::new(&made))
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .replication()
        .get_plan(&call.caller, call.part("plan_id"))
        .await?;
    json(200, &PlanView::new(&found))
}

/// Journals a verb; the answer has the operation's id.
async fn begin(call: &Call, request: Request) -> Answer {
    let operation = call
        .control()
        .replication()
        .submit(&call.caller, request)
        .await?;
    let operation = &operation.id;
    json(202, &Begun { operation })
}

async fn verb(call: Call, takes: &[Takes], request: impl FnOnce(Ask) -> Request) -> Answer {
    let ask = asks::ask(&call, takes)?;
    begin(&call, request(ask)).await
}

async fn failover(call: Call) -> Answer {
    const TAKES: &[Takes] = &[
        Takes::Target,
        Takes::Mode,
        Takes::Plan,
        Takes::Acknowledge,
        Takes::Attached,
    ];
    verb(call, TAKES, Request::Failover).await
}

async fn failback(call: Call) -> Answer {
    const TAKES: &[Takes] = &[
        Takes::Target,
        Takes::Plan,
        Takes::Acknowledge,
        Takes::Attached,
        Takes::Reprotect,
    ];
    verb(call, TAKES, Request::Failback).await
}

async fn reprotect(call: Call) -> Answer {
    const TAKES: &[Takes] = &[Takes::Target, Takes::Plan, Takes::Acknowledge];
    verb(call, TAKES, Request::Reprotect).await
}

async fn resync(call: Call) -> Answer {
    verb(call, &[Takes::Target, Takes::Acknowledge], Request::Resync).await
}

async fn enable(call: Call) -> Answer {
    verb(call, &[], Request::Enable).await
}

async fn disable(call: Call) -> Answer {
    verb(call, &[], Request::Disable).await
}

async fn promote(call: Call) -> Answer {
    verb(call, &[Takes::DryRun], Request::Promote).await
}

async fn reconcile(call: Call) -> Answer {
    verb(call, &[Takes::DryRun, Takes::Adopt], Request::Reconcile).await
}

async fn fence(call: Call) -> Answer {
    verb(call, &[], Request::Fence).await
}

//! What a failback or a reprotection would do. No driver can plan it yet: the array it goes to is overwritten first, and
//! only then has something that could be planned from. So it is said from what the records and the arrays' health tell.

use springform_model::contract::{Target, VolumePlan};
use springform_model::operation::Verb;
use springform_model::replication::relation::{DebtState, Phase};
use springform_model::replication::service::PRIMARY;

use super::consent::{needed, owed};
use super::env::{BackendView, Member, ReplicationEnv, ReplicationError};
use super::plan::{Fingerprint, Order, PAGE, Plan, blank, resolve, unprotected};

/// Makes a plan for a failback (to the primary unless told otherwise) or a reprotection. Reads only.
///
/// # Errors
/// Unknown target, nothing to move, a target that does not answer.
pub async fn make(
    env: &dyn ReplicationEnv,
    backend: &str,
    verb: Verb,
    order: Order,
) -> Result<Plan, ReplicationError> {
    let view = env.backend(backend).await?;
    let goal = match (resolve(&view, order.to.as_deref())?, verb) {
        (Some(name), _) => Some(name),
        (None, Verb::Failback) => resolve(&view, Some(PRIMARY))?,
        (None, _) => None,
    };
    if let Some(target) = goal.as_deref().and_then(|name| view.target(name)) {
        answers(&view, target)?;
    }
    let mut plan = blank(env, backend, verb, order);
    let mut print = Fingerprint::new(&view);
    let mut after: Option<String> = None;
    loop {
        let members = env
            .members(&plan.order.scope, backend, after.as_deref(), PAGE)
            .await?;
        let Some(last) = members.last() else { break };
        after = Some(last.volume.id.clone());
        print.add(&members);
        plan.total += members.len() as u64;
        for member in &members {
            let volume = if member.movable() {
                one(&view, member, goal.as_deref(), verb)
            } else {
                unprotected(member, &view)
            };
            plan.possible += u64::from(volume.possible);
            if plan.volumes.len() < PAGE {
                plan.volumes.push(volume);
            }
        }
    }
    if plan.total == 0 {
        return Err(ReplicationError::NotFound(format!(
            "{} has no volume on backend {backend}",
            plan.order.scope.describe()
        )));
    }
    plan.acknowledge = owed(env, &view, &plan.order.scope, goal.as_deref()).await?;
    if verb == Verb::Failback && plan.possible > 0 {
        plan.worst_loss_seconds = Some(0);
        plan.interrupts.push(
            "writes stop from the last transfer until the hosts have connected to the other array"
                .to_owned(),
        );
    }
    plan.target = match goal {
        Some(goal) => goal,
        None => others(&view, &plan),
    };
    plan.fingerprint = print.finish();
    Ok(plan)
}

/// Refuses a target that does not answer.
///
/// # Errors
/// [`ReplicationError::Refused`].
pub fn answers(view: &BackendView, target: &Target) -> Result<(), ReplicationError> {
    if target.reachable {
        return Ok(());
    }
    Err(ReplicationError::Refused(
        if view.distrusted.contains(&target.name) {
            format!(
                "target {} of backend {} answers and is not believed to be that array; `springform status` has the reason",
                target.name, view.name
            )
        } else {
            format!(
                "target {} of backend {} does not answer; choose another target, or try again when it does",
                target.name, view.name
            )
        },
    ))
}

/// Every array that does not serve, as the plan names them.
fn others(view: &BackendView, plan: &Plan) -> String {
    let serving: Vec<&str> = plan
        .volumes
        .iter()
        .filter_map(|v| v.source.as_deref())
        .collect();
    let names: Vec<&str> = view
        .targets
        .iter()
        .map(|t| t.name.as_str())
        .filter(|name| serving.iter().any(|s| s != name))
        .collect();
    names.join(", ")
}

fn one(view: &BackendView, member: &Member, goal: Option<&str>, verb: Verb) -> VolumePlan {
    let relation = &member.relation;
    let silent = |name: &str| view.target(name).is_none_or(|t| !t.reachable);
    let mut warnings = Vec::new();
    let reason = match (&relation.phase, &relation.serving) {
        (Phase::Moving(m), _) => Some(format!("operation {} moves it", m.operation)),
        // A failback goes on with what stopped half-way: the last writes follow from the array that gave its role up.
        (Phase::Stranded(m), _) if verb == Verb::Failback => {
            let from = m.silenced.as_ref().or(m.from.as_ref()).unwrap_or(&m.to);
            if silent(from) {
                Some(format!(
                    "its last move stopped half-way, and {from}, which has its last writes, does not answer"
                ))
            } else {
                let rest = match goal {
                    Some(goal) if goal == from => format!("{goal} is given its role back"),
                    _ => format!("its last writes follow from {from}"),
                };
                warnings.push(format!("its last move stopped half-way; {rest}"));
                None
            }
        }
        (Phase::Stranded(_), _) | (_, None) => Some(
            "no array serves it since its last failover stopped half-way; retry that first"
                .to_owned(),
        ),
        (_, Some(on)) if Some(on.as_str()) == goal => Some(format!("it is already served by {on}")),
        (_, Some(on)) if silent(on) => Some(format!(
            "{on} serves it and does not answer, so nothing can be copied from it"
        )),
        _ => None,
    };
    let goals = view
        .targets
        .iter()
        .filter(|t| goal.is_none_or(|goal| t.name == goal));
    for target in goals {
        let Some(debt) = relation.debt(&target.name) else {
            continue;
        };
        let held = needed(relation, &target.name).map_or(0, |_| debt.generation);
        let writable = match debt.state {
            DebtState::Owed | DebtState::WrittenOff => ", and can still be written",
            DebtState::Fenced => "",
        };
        warnings.push(format!(
            "what {} alone holds (generation {held}{writable}) is overwritten",
            target.name
        ));
    }
    let attached = member.volume.attachments.len();
    if verb == Verb::Failback && attached > 0 {
        warnings.push(format!(
            "attached {attached} time(s): its host must reconnect afterwards"
        ));
    }
    let possible = reason.is_none();
    VolumePlan {
        volume_id: member.volume.id.clone(),
        source: relation.serving.clone(),
        point: None,
        possible,
        reason,
        loss_seconds: possible.then_some(0),
        loss_bytes: possible.then_some(0),
        warnings,
    }
}

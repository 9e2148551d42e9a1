//! Paying debts: whoever was left behind is demoted as soon as it answers, and is not trusted before.

use std::collections::BTreeMap;

use springform_model::contract::Call;
use springform_model::replication::relation::{DebtState, Event};

use super::ground::{BackendView, Member, Problem};
use super::ledger::Ledger;
use super::members::{self, Change};

/// Demotes left-behind copies on every array that answers. An array that does not answer stays a debt.
pub async fn pay(
    ledger: &Ledger<'_>,
    view: &BackendView,
    members: Vec<Member>,
) -> Result<u64, Problem> {
    let mut by_target: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    for member in members {
        for debt in member.relation.owed() {
            by_target
                .entry(debt.target.clone())
                .or_default()
                .push(member.clone());
        }
    }
    let mut paid = 0;
    for (target, members) in by_target {
        if view.target(&target).is_none_or(|t| !t.reachable) {
            continue;
        }
        for chunk in members::chunks(members, view.batch) {
            let call = Call::Demote {
                target: target.clone(),
                volumes: chunk.iter().map(|m| m.spec.clone()).collect(),
            };
            // One attempt: this array may be the very reason of the failover. The observer tries again.
            let answer = ledger
                .ground()
                .call(&view.name, ledger.id(), Vec::new(), call)
                .await;
            let Ok(outcomes) = answer.and_then(springform_model::contract::Reply::into_outcomes)
            else {
                break;
            };
            if outcomes.len() != chunk.len() {
                break;
            }
            let fenced: Vec<Member> = chunk
                .into_iter()
                .zip(outcomes)
                .filter(|(m, o)| o.id == m.volume.id && o.result.is_ok())
                .map(|(m, _)| m)
                .collect();
            paid += fenced.len() as u64;
            let now = ledger.ground().now();
            members::change(ledger.ground(), fenced, |m| {
                if m.relation
                    .debt(&target)
                    .is_none_or(|d| d.state == DebtState::Fenced)
                {
                    return Ok(Change::Leave);
                }
                m.relation = m
                    .relation
                    .step(
                        Event::Fenced {
                            target: target.clone(),
                        },
                        now,
                    )?
                    .0;
                Ok(Change::Write)
            })
            .await?;
        }
    }
    Ok(paid)
}

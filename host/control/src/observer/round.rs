//! One look at a backend: page by page of its volumes, what the driver saw is stepped into each relation and kept.

use std::collections::{BTreeMap, HashMap};

use springform_model::contract::{
    Call, ClockSkew, Fault, FaultKind, Link, LinkState, Observation, Protection, Reply,
};
use springform_model::replication::clock;
use springform_model::replication::relation::{Effect, Event, Relation};
use uuid::Uuid;

use super::port::ObserverEnv;
use super::tally::Tally;
use crate::replication::{Member, ReplicationError, Scope, chunks};

/// Volumes asked about with one call.
const PAGE: usize = 512;
/// Volumes written down with one commit: a running failover changes rows of its own meanwhile.
const KEPT: usize = 64;
/// How often what was seen is written again, with rows that were read again.
const RACES: u32 = 4;
/// Calls that fail, one after the other, before the rest is left for the next time.
const PATIENCE: u32 = 2;

/// Looks at every replicated volume of a backend. What was seen until something failed is kept all the same.
///
/// # Errors
/// In words: the driver did not answer for some volumes, or the store refused.
pub async fn look(env: &dyn ObserverEnv, backend: &str) -> Result<Tally, String> {
    let scope = Scope::Backend(backend.to_owned());
    let view = env.backend(backend).await.map_err(words)?;
    // One of them may be back; a driver does not ask an array of which it is said that it does not answer.
    let mut refreshed = view.targets.iter().any(|target| !target.reachable);
    if refreshed {
        env.refresh(backend).await;
    }
    let id = Uuid::now_v7().to_string();
    let (drills, drills_end) = env.drills(backend).await.map_err(words)?;
    let mut tally = Tally {
        drills,
        drills_end,
        ..Tally::default()
    };
    // Every target has its place, so that what was true of it and is not any more is noticed.
    for target in &view.targets {
        tally.targets.entry(target.name.clone()).or_default();
    }
    let mut after: Option<String> = None;
    let (mut failed, mut in_a_row): (Option<String>, u32) = (None, 0);
    loop {
        let page = env
            .members(&scope, backend, after.as_deref(), PAGE)
            .await
            .map_err(words)?;
        let Some(last) = page.last() else { break };
        after = Some(last.volume.id.clone());
        // What has not been placed yet cannot be seen.
        let (members, others): (Vec<Member>, Vec<Member>) = page
            .into_iter()
            .partition(|m| m.replicated() && m.volume.placement.is_some());
        for other in &others {
            tally.add_debts(&other.relation);
        }
        forget(env, others).await.map_err(words)?;
        if members.is_empty() {
            continue;
        }
        let owed = |m: &Member| m.relation.owed().next().is_some();
        if !refreshed && members.iter().any(owed) {
            // Nor one that was away so briefly that only the driver's own requests noticed it.
            refreshed = true;
            env.refresh(backend).await;
        }
        match ask(env, backend, &id, &members).await {
            Ok(seen) => {
                in_a_row = 0;
                if !refreshed && seen.iter().any(in_the_dark) {
                    refreshed = true;
                    env.refresh(backend).await;
                }
                let mut seen = seen.into_iter();
                for chunk in chunks(members, KEPT) {
                    let seen = seen.by_ref().take(chunk.len()).collect();
                    keep(env, backend, &view.clocks, chunk, seen, &mut tally)
                        .await
                        .map_err(words)?;
                }
            }
            Err(why) => {
                if !refreshed {
                    refreshed = true;
                    env.refresh(backend).await;
                }
                in_a_row += 1;
                failed.get_or_insert(why);
                if in_a_row >= PATIENCE {
                    break;
                }
            }
        }
    }
    match failed {
        None => Ok(tally),
        Some(why) => Err(why),
    }
}

/// A volume that shall have no copy any more is not said to have one for ever after.
async fn forget(env: &dyn ObserverEnv, others: Vec<Member>) -> Result<(), ReplicationError> {
    let mut stale: Vec<Member> = others
        .into_iter()
        .filter(|m| !m.replicated() && m.relation.observed.is_some())
        .collect();
    for member in &mut stale {
        member.relation.observed = None;
    }
    for chunk in chunks(stale, KEPT) {
        match env.keep(&chunk).await {
            // An operation is at them; next time.
            Ok(()) | Err(ReplicationError::Moved(_)) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

/// Whether an array may be away since: an operator is to be told which one within seconds.
fn in_the_dark(seen: &Observation) -> bool {
    let dark = |link: &Link| matches!(link.state, LinkState::Down | LinkState::Unknown);
    seen.protection == Protection::Unknown || seen.links.iter().any(dark)
}

fn words(problem: ReplicationError) -> String {
    problem.to_string()
}

async fn ask(
    env: &dyn ObserverEnv,
    backend: &str,
    id: &str,
    members: &[Member],
) -> Result<Vec<Observation>, String> {
    let call = Call::Observe {
        volumes: members.iter().map(|m| (*m.spec).clone()).collect(),
    };
    let answer = env.call(backend, id, Vec::new(), call).await;
    let seen = answer
        .and_then(Reply::into_observations)
        .and_then(|seen| {
            let fits = seen.len() == members.len()
                && seen
                    .iter()
                    .zip(members)
                    .all(|(seen, member)| seen.volume_id == member.volume.id);
            if fits {
                Ok(seen)
            } else {
                let text = format!(
                    "the driver answered {} observations for {} volumes, or in another order; none of it is believed",
                    seen.len(),
                    members.len()
                );
                Err(springform_model::contract::CallError::Fault(Fault::new(FaultKind::Partial, text)))
            }
        });
    seen.map_err(|error| format!("backend {backend} could not be observed: {error}"))
}

/// Whether what was asked about this relation is still the question: a volume that was moved meanwhile was not seen where
/// it is now.
fn still(asked: &Relation, now: &Relation) -> bool {
    asked.generation == now.generation && asked.serving == now.serving && asked.phase == now.phase
}

async fn keep(
    env: &dyn ObserverEnv,
    backend: &str,
    clocks: &BTreeMap<String, ClockSkew>,
    members: Vec<Member>,
    seen: Vec<Observation>,
    tally: &mut Tally,
) -> Result<(), ReplicationError> {
    let now = env.now();
    let asked: HashMap<String, (Box<Relation>, Observation, Option<String>)> = members
        .iter()
        .zip(seen)
        .map(|(m, mut seen)| {
            let points = seen.links.iter();
            let points = points.map(|l| (l.target.as_str(), l.last_point.as_ref()));
            let clock = clock::disagreement(clocks, m.relation.serving.as_deref(), points, now);
            let judged = matches!(
                seen.protection,
                Protection::Protected | Protection::RpoExceeded
            );
            if clock.is_some() && judged {
                seen.protection = Protection::Unknown;
            }
            (m.volume.id.clone(), (m.relation.clone(), seen, clock))
        })
        .collect();
    let mut members = members;
    let mut races = 0;
    let stepped = loop {
        let mut stepped = Vec::with_capacity(members.len());
        let mut writes = Vec::with_capacity(members.len());
        for mut member in members {
            let Some((before, seen, clock)) = asked.get(&member.volume.id) else {
                continue;
            };
            if !still(before, &member.relation) {
                continue;
            }
            // An observation is never refused; a refusal would mean that there is nothing to keep.
            let event = match clock {
                None => Event::Seen(seen.clone()),
                Some(_) => Event::SeenUndated(seen.clone()),
            };
            let Ok((relation, effects)) = member.relation.step(event, now) else {
                continue;
            };
            *member.relation = relation;
            if let Some(observed) = &mut member.relation.observed {
                observed.clock.clone_from(clock);
            }
            writes.push(member);
            stepped.push(effects);
        }
        let kept = if writes.is_empty() {
            Ok(())
        } else {
            env.keep(&writes).await
        };
        match kept {
            Ok(()) => break writes.into_iter().zip(stepped).collect::<Vec<_>>(),
            Err(ReplicationError::Moved(_)) => {
                races += 1;
                if races > RACES {
                    // An operation is at them; they are looked at again when it is over.
                    return Ok(());
                }
                let ids = asked.keys().cloned().collect();
                members = env
                    .members(&Scope::Volumes(ids), backend, None, asked.len())
                    .await?;
            }
            Err(problem) => return Err(problem),
        }
    };
    for (member, effects) in stepped {
        let Some(seen) = &member.relation.observed else {
            continue;
        };
        let back: Vec<String> = effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Fence { target, .. } => Some(target),
                _ => None,
            })
            .collect();
        tally.add(&member.relation, &seen.what, &back, now);
    }
    Ok(())
}

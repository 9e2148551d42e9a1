//! The end of a seed: everything answers, everything ends, and there is a way out of whatever state it led to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use springform_control::replication::{self, Ask, Lead, Request, Scope, Who};
use springform_model::contract::{FailoverMode, Role};
use springform_model::replication::relation::{Acknowledge, DebtState, Phase, Relation};

use crate::laws;
use crate::memory::Faults;
use crate::nouns::BACKEND;
use crate::seeds::{Sim, carry_out};
use crate::world::ARRAYS;

impl Sim {
    /// The weather clears up: everything answers, and whatever is open comes to its end.
    pub(crate) async fn come_to_rest(&mut self) -> Result<(), String> {
        *self.env.faults.lock().unwrap() = Faults::default();
        for array in self.env.world().arrays.values_mut() {
            array.up = true;
        }
        self.adopt_at_last().await?;
        self.restart().await;
        while !self.running.is_empty() {
            for (_, task) in std::mem::take(&mut self.running) {
                let _ = tokio::time::timeout(Duration::from_secs(24 * 3600), task).await;
            }
            self.follow()?;
        }
        self.check()?;
        let (operations, held) = {
            let rows = self.env.rows();
            let mut held: Vec<String> = rows
                .volumes
                .values()
                .filter_map(|(v, _)| {
                    v.operation
                        .as_ref()
                        .map(|o| format!("volume {} by {o}", v.id))
                })
                .collect();
            held.extend(
                rows.service
                    .as_ref()
                    .and_then(|(s, _)| s.operation.as_ref().map(|o| format!("service by {o}"))),
            );
            held.extend(rows.drills.values().filter_map(|(d, _)| {
                d.operation
                    .as_ref()
                    .map(|o| format!("drill {} by {o}", d.id))
            }));
            (rows.operations.values().cloned().collect::<Vec<_>>(), held)
        };
        laws::at_rest(&operations, &held)?;
        self.everything_can_be_brought_to_one_primary().await?;
        self.check()
    }

    /// There is a way out of whatever state the seed led to: stranded volumes move on, debts are paid, one side serves.
    async fn everything_can_be_brought_to_one_primary(&mut self) -> Result<(), String> {
        for (id, relation) in self.relations() {
            let Phase::Stranded(m) = &relation.phase else {
                continue;
            };
            self.moves(&id, &relation, &m.to, FailoverMode::Unplanned)
                .await?;
        }
        self.forgotten_moves_are_made().await?;
        let ask = Ask::about(Scope::Project("p".into()));
        let fence = replication::begin(
            self.env.as_ref(),
            BACKEND,
            Request::Fence(ask),
            Who::default(),
        )
        .await
        .map_err(|p| format!("nobody can be fenced: {p}"))?;
        carry_out(Arc::clone(&self.env), fence).await;
        self.machines_are_led_where_their_volumes_are().await?;
        let world = self.env.world();
        let rows = self.env.rows();
        for (id, (volume, _)) in &rows.volumes {
            let writable: Vec<&String> = world
                .arrays
                .iter()
                .filter(|(_, a)| a.copies.get(id).is_some_and(|c| c.writable))
                .map(|(n, _)| n)
                .collect();
            let shown = volume.placement.as_ref().map(|p| &p.target);
            if writable.len() != 1 || writable.first().copied() != shown {
                let relation = rows.relations.get(id);
                return Err(format!(
                    "{id}: the API says {shown:?}, but {writable:?} can be written: {relation:?}"
                ));
            }
        }
        for (name, array) in &world.arrays {
            let open = |drill: &String| {
                let known = rows.drills.get(drill);
                known.is_some_and(|(drill, _)| !drill.state.is_over())
            };
            let mut copies = array.tests.iter();
            let left =
                copies.find(|(drill, _)| !open(drill) && !self.older.forgotten.contains(drill));
            if let Some((drill, id)) = left {
                let known = rows.drills.get(drill);
                return Err(format!(
                    "{name} has a copy of {id} of drill {drill}, which is over: {known:?}"
                ));
            }
        }
        Ok(())
    }

    async fn moves(
        &mut self,
        id: &str,
        relation: &Relation,
        to: &str,
        mode: FailoverMode,
    ) -> Result<(), String> {
        let mut ask = Ask::about(Scope::Volumes(vec![id.to_owned()]));
        ask.to = Some(to.to_owned());
        ask.mode = Some(mode);
        ask.acknowledge = relation
            .debt(to)
            .map(|d| Acknowledge {
                target: d.target.clone(),
                role: if d.state == DebtState::Owed {
                    Role::Primary
                } else {
                    Role::Secondary
                },
                generation: relation.generation,
            })
            .into();
        let operation = replication::begin(
            self.env.as_ref(),
            BACKEND,
            Request::Failover(ask),
            Who::default(),
        )
        .await
        .map_err(|p| format!("{id} cannot be moved to {to}: {p}: {relation:?}"))?;
        carry_out(Arc::clone(&self.env), operation).await;
        self.check()
    }

    /// An array may have given its role up for a move of which an older database knows nothing: the volume is moved again.
    async fn forgotten_moves_are_made(&mut self) -> Result<(), String> {
        for (id, relation) in self.relations() {
            let Some(serving) = relation.serving.clone() else {
                continue;
            };
            let writable = self.env.world().arrays[&serving].copies[&id].writable;
            if writable || !self.older.was_restored() {
                continue;
            }
            let others = ARRAYS.iter().filter(|name| **name != serving);
            let to = others.min_by_key(|name| relation.debt(name).is_some());
            let to = to.copied().unwrap_or(ARRAYS[0]);
            self.moves(&id, &relation, to, FailoverMode::Planned)
                .await?;
        }
        Ok(())
    }

    /// Each machine reaches its volume on the array that serves it and nowhere else, or is known not to and can be led there.
    async fn machines_are_led_where_their_volumes_are(&mut self) -> Result<(), String> {
        let attached = self.env.rows().attached.clone();
        for (id, machine) in &attached {
            let at = self.env.rows().volumes[id].0.placement.clone();
            let at = at.map(|at| at.target).unwrap_or_default();
            if !machine.outdated && machine.leads_to != at {
                return Err(format!(
                    "{id} is on {at}, and nobody says that {machine:?} is not"
                ));
            }
            if machine.outdated {
                self.env.lead_again("repair", id, Lead::All).await;
            }
            let world = self.env.world();
            let reached = world.reached(id, &machine.host);
            if reached != BTreeSet::from([at.clone()]) || world.machines[&machine.host] != at {
                return Err(format!(
                    "{id} is on {at}; {machine:?} reaches it on {reached:?} and goes to {}",
                    world.machines[&machine.host]
                ));
            }
        }
        Ok(())
    }
}

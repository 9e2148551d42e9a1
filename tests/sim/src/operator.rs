//! What an operator of a simulated world asks for.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use springform_control::replication::{self, Ask, Order, Request, Scope, Who};
use springform_model::contract::{FailoverMode, Role};
use springform_model::replication::relation::{Acknowledge, DebtState};

use crate::laws;
use crate::nouns::BACKEND;
use crate::seeds::{REPLICATED, Sim};
use crate::world::ARRAYS;

impl Sim {
    pub(crate) fn scope(&mut self) -> Scope {
        match self.rng.random_range(0..3) {
            0 => Scope::Backend(BACKEND.into()),
            1 => Scope::Project("p".into()),
            _ => {
                let many = self.rng.random_range(1..=REPLICATED);
                Scope::Volumes(
                    (0..many)
                        .map(|_| format!("v{}", self.rng.random_range(0..=REPLICATED)))
                        .collect(),
                )
            }
        }
    }

    pub(crate) fn ask(&mut self) -> Ask {
        let mut ask = Ask::about(self.scope());
        ask.to = self
            .rng
            .random_bool(0.6)
            .then(|| (*ARRAYS.choose(&mut self.rng).unwrap()).to_owned());
        ask.mode = Some(if self.rng.random_bool(0.5) {
            FailoverMode::Planned
        } else {
            FailoverMode::Unplanned
        });
        if self.rng.random_bool(0.4) {
            let debt = self
                .relations()
                .into_values()
                .find_map(|r| r.debts.first().map(|d| (d.clone(), r.generation)));
            ask.acknowledge = debt
                .map(|(debt, generation)| Acknowledge {
                    target: debt.target,
                    role: if debt.state == DebtState::Owed {
                        Role::Primary
                    } else {
                        Role::Secondary
                    },
                    generation,
                })
                .into();
        }
        ask
    }

    pub(crate) async fn operator(&mut self) -> Result<(), String> {
        let mut ask = self.ask();
        if self.adopts() {
            self.begin_adoption().await;
            return Ok(());
        }
        let drill = self.env.rows().drills.keys().next_back().cloned();
        let request = match self.rng.random_range(0..14) {
            0..4 => {
                if self.rng.random_bool(0.3) {
                    let order = Order {
                        scope: ask.scope.clone(),
                        to: ask.to.clone(),
                        mode: ask.mode.clone().unwrap(),
                        point: None,
                    };
                    if let Ok(plan) =
                        replication::make_plan(self.env.as_ref(), BACKEND, order).await
                    {
                        let skews = self.env.skews.lock().unwrap().clone();
                        self.env
                            .world()
                            .violations
                            .extend(laws::of_plan(&plan, &skews));
                        ask.plan = Some(plan.id.clone());
                        self.env.rows().plans.insert(plan.id.clone(), plan);
                    }
                }
                Request::Failover(ask)
            }
            4 | 5 => Request::Failback(ask),
            6 => Request::Reprotect(ask),
            7 => Request::StartDrill(ask),
            8 if drill.is_some() => Request::StopDrill(drill.unwrap()),
            9 if drill.is_some() => Request::CommitDrill(drill.unwrap()),
            10 => {
                let open = self
                    .env
                    .rows()
                    .operations
                    .values()
                    .find(|o| !o.state.is_terminal())
                    .map(|o| o.id.clone());
                self.env.tell(format!("cancel {open:?}"));
                self.env.rows().cancelled.extend(open);
                return Ok(());
            }
            11 => Request::Reconcile(ask),
            12 => Request::Resync(ask),
            _ => Request::Fence(Ask::about(Scope::Project("p".into()))),
        };
        let text = format!("{request:?}");
        match replication::begin(self.env.as_ref(), BACKEND, request, Who::default()).await {
            Ok(operation) => {
                if self.env.rows().look_only() {
                    return Err(format!("begun although it is only to be looked: {text}"));
                }
                self.env.tell(format!("{} {text}", operation.id));
                self.spawn(operation);
            }
            Err(problem) => self.env.tell(format!("refused: {problem}: {text}")),
        }
        Ok(())
    }
}

//! The verbs that move nothing: reprotect, resync, enable, disable, drills, fence, reconcile, promote.

mod adopt;
mod overwrite;
mod reconcile;
mod rehearsal;
mod settle;
mod switch;

pub use overwrite::overwrite;
pub use reconcile::promotable;
pub(super) use switch::lead_to_both;

use serde::{Deserialize, Serialize};
use springform_model::cloud::Service;
use springform_model::operation::{Operation, OperationError, Verb};

use super::env::{BackendView, Member, ReplicationEnv, ReplicationError, Writes};
use super::operation_run::{OperationRun, problem};
use super::plan::{PAGE, resolve};
use super::request::Ask;
use super::{Scope, fence, group, members};

/// Everything such a verb needs to be carried out again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What was asked.
    pub ask: Ask,
    /// The drill it is about.
    pub drill: Option<String>,
}

/// Carries out one of these verbs. The operation it returns is terminal.
pub async fn run(
    env: &dyn ReplicationEnv,
    operation: Operation,
) -> Result<Operation, ReplicationError> {
    let backend = operation.backend.clone().unwrap_or_default();
    let verb = operation.verb;
    let parsed: Result<Input, _> = serde_json::from_value(operation.input.clone());
    let drill = parsed.as_ref().ok().and_then(|i| i.drill.clone());
    let run = OperationRun::new(env, operation);
    let outcome = match parsed {
        Err(error) => Err(problem(
            "invalid-argument",
            format!("the journalled request cannot be read: {error}"),
            &backend,
        )),
        Ok(input) => match env.backend(&backend).await {
            Err(error) => Err(problem("not-found", error.to_string(), &backend)),
            Ok(view) => {
                Work {
                    run: &run,
                    view,
                    input,
                    verb,
                }
                .to_the_end()
                .await?
            }
        },
    };
    let mut writes = Writes::default();
    if let Some(id) = &drill
        && let Some(mut held) = env.drill(id).await?
        && held.operation.as_deref() == Some(run.id())
    {
        // Whatever went wrong, somebody else must be able to stop it: an operator, or the timer.
        held.operation = None;
        held.problem = outcome.as_ref().err().map(|why| why.message.clone());
        writes.drills.push(held);
    }
    let (service, revision) = env.service(&backend).await?;
    if service.operation.as_deref() == Some(run.id()) {
        writes.services.push((
            Service {
                operation: None,
                ..service
            },
            revision,
        ));
    }
    run.finish(outcome.err(), writes).await
}

struct Work<'a, 'b> {
    run: &'a OperationRun<'b>,
    view: BackendView,
    input: Input,
    verb: Verb,
}

type Outcome = Result<(), OperationError>;

impl Work<'_, '_> {
    /// Carries it out; where it stops early, gives back what it, or its run before a restart, still holds.
    async fn to_the_end(&self) -> Result<Outcome, ReplicationError> {
        let outcome = self.carry_out().await?;
        if self.verb == Verb::Settle {
            return Ok(outcome);
        }
        let drill = matches!(self.verb, Verb::StartDrill | Verb::StopDrill);
        if outcome.is_err() && !drill {
            let mut after: Option<String> = None;
            while let Some(last) = self.release_page(after.as_deref()).await? {
                after = Some(last);
            }
        }
        Ok(outcome)
    }

    async fn release_page(&self, after: Option<&str>) -> Result<Option<String>, ReplicationError> {
        let page = self.page(after).await?;
        let last = page.last().map(|m| m.volume.id.clone());
        members::release(self.run, page).await?;
        Ok(last)
    }

    async fn page(&self, after: Option<&str>) -> Result<Vec<Member>, ReplicationError> {
        let scope = &self.input.ask.scope;
        let env = self.run.env();
        env.members(scope, &self.view.name, after, PAGE).await
    }

    async fn carry_out(&self) -> Result<Outcome, ReplicationError> {
        match self.verb {
            Verb::StartDrill => return self.start_drill().await,
            Verb::StopDrill => return self.stop_drill().await,
            Verb::Reconcile if self.input.ask.adopt => return self.adopt().await,
            Verb::Promote | Verb::Reconcile => return self.reconcile().await,
            Verb::Settle => return self.settle().await,
            _ => {}
        }
        let env = self.run.env();
        self.run.enter(self.name(), None).await?;
        let to = match resolve(&self.view, self.input.ask.to.as_deref()) {
            Ok(to) => to,
            Err(error) => {
                return Ok(Err(problem(
                    "invalid-argument",
                    error.to_string(),
                    &self.view.name,
                )));
            }
        };
        self.run
            .note(|o| o.progress = springform_model::operation::Progress::default())
            .await;
        if let (Verb::Enable | Verb::Disable, Scope::Group(id)) = (self.verb, &self.input.ask.scope)
            && let Some(known) = env.group(id).await?
            && known.group.array_name.is_some()
        {
            return group::switch(self.run, &self.view, &known, self.verb == Verb::Enable).await;
        }
        let mut after: Option<String> = None;
        loop {
            let page = self.page(after.as_deref()).await?;
            let Some(last) = page.last() else {
                return Ok(Ok(()));
            };
            after = Some(last.volume.id.clone());
            let page: Vec<Member> = page
                .into_iter()
                .filter(|m| {
                    // An array that was left behind is fenced whatever became of the volume's type since.
                    let any = matches!(self.verb, Verb::Enable | Verb::Fence);
                    m.volume.placement.is_some() && (any || m.replicated())
                })
                .collect();
            let size = page.len() as u64;
            self.run.note(|o| o.progress.total += size).await;
            if self.verb == Verb::Fence {
                if let Some(stopped) = self.run.stopped(&self.view.name).await {
                    return Ok(Err(stopped));
                }
                fence::pay(self.run, &self.view, page.clone(), false).await?;
                // What is counted is what holds now, so that a restart in between changes nothing of the answer.
                let now = members::again(env, &self.view.name, page).await?;
                self.count_fenced(&now).await;
                continue;
            }
            let batch = async |chunk| {
                self.batch(to.as_deref(), chunk).await?;
                self.run.commit(Writes::default()).await
            };
            let (_, stopped) = members::each(self.run, &self.view, page, batch).await?;
            // Batches under way give up, too, when somebody asks to stop. What was done in full was not cancelled.
            let failed = self.run.note(|o| o.progress.failed).await;
            let stopped = match stopped {
                None if failed > 0 => self.run.stopped(&self.view.name).await,
                stopped => stopped,
            };
            if let Some(stopped) = stopped {
                return Ok(Err(stopped));
            }
        }
    }

    /// A volume of which an array is still owed a fence has failed, and says which.
    async fn count_fenced(&self, members: &[Member]) {
        let mut progress = (0, 0);
        for member in members {
            let Some(debt) = member.relation.owed().next() else {
                progress.0 += 1;
                continue;
            };
            progress.1 += 1;
            let answers = self.view.target(&debt.target).is_some_and(|t| t.reachable);
            let why = format!(
                "array {} {} and may still be written there; the host fences it by itself as soon as it can",
                debt.target,
                if answers {
                    "did not let itself be fenced"
                } else {
                    "does not answer"
                },
            );
            let mut why = problem("unavailable", why, &self.view.name);
            why.target = Some(debt.target.clone());
            why.retryable = true;
            self.run.keep_failure(&member.volume.id, why).await;
        }
        self.run
            .note(|o| {
                o.progress.done += progress.0;
                o.progress.failed += progress.1;
            })
            .await;
    }

    fn name(&self) -> &'static str {
        match self.verb {
            Verb::Reprotect => "reprotect",
            Verb::Resync => "resync",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
            Verb::Fence => "fence",
            Verb::StartDrill => "start the drill",
            Verb::StopDrill => "stop the drill",
            _ => "reconcile",
        }
    }

    async fn batch(&self, to: Option<&str>, chunk: Vec<Member>) -> Result<(), ReplicationError> {
        match self.verb {
            Verb::Enable | Verb::Disable => self.switch(chunk, self.verb == Verb::Enable).await,
            _ => {
                let ack = &self.input.ask.acknowledge;
                let (good, failed) = overwrite(
                    self.run,
                    &self.view,
                    to,
                    ack,
                    chunk,
                    self.verb == Verb::Resync,
                    false,
                )
                .await?;
                for (member, why) in &failed {
                    let id = &member.volume.id;
                    self.run.keep_failure(id, why.clone()).await;
                }
                let failed: Vec<Member> = failed.into_iter().map(|(member, _)| member).collect();
                members::release(self.run, failed).await?;
                lead_to_both(self.run, &self.view.name, good).await
            }
        }
    }
}

//! What arrays are owed is paid: each is told what it was not told while it was away.

use std::collections::BTreeSet;

use springform_model::contract::CallError;
use springform_model::operation::{OperationError, Progress};
use springform_model::replication::obligation::{Obligation, ObligationKind, ObligationState};

use super::{Outcome, Work};
use crate::outbox::CloudEvent;
use crate::replication::env::{ReplicationError, Writes};
use crate::replication::operation_run::{journalled, problem};
use crate::replication::{Scope, members};

/// Obligations that are read at once.
const MANY: u32 = 500;

/// What came of one obligation.
enum Paid {
    Done,
    /// Somebody took the object over since: it is theirs now.
    TakenOver,
    Failed(OperationError),
}

impl Work<'_, '_> {
    /// Pays what the obligations in the scope say, to arrays that answer. Asking twice does no harm, so whatever a crash
    /// leaves between an array and the record is done again.
    pub(super) async fn settle(&self) -> Result<Outcome, ReplicationError> {
        self.run.enter("settle", None).await?;
        let (due, before) = self.due().await?;
        let progress = Progress {
            total: before + due.len() as u64,
            done: before,
            ..Progress::default()
        };
        self.run.note(|o| o.progress = progress).await;
        for obligation in due {
            if let Some(stopped) = self.run.stopped(&self.view.name).await {
                return Ok(Err(stopped));
            }
            let paid = self.pay(&obligation).await?;
            let now = self.run.env().now();
            let what = match paid {
                Paid::Done => "settled",
                Paid::TakenOver => "abandoned",
                Paid::Failed(why) => {
                    self.run.keep_failure(&obligation.id, why.clone()).await;
                    self.run.note(|o| o.progress.failed += 1).await;
                    let error = Some(why.message);
                    let writes = Writes {
                        obligations: vec![Obligation {
                            error,
                            ..obligation
                        }],
                        ..Writes::default()
                    };
                    self.run.commit(writes).await?;
                    continue;
                }
            };
            tracing::info!(
                backend = %self.view.name, array = %obligation.target, kind = obligation.kind.as_str(),
                object = %obligation.object, what, "an array was owed this"
            );
            self.run.note(|o| o.progress.done += 1).await;
            let writes = Writes {
                settled: vec![obligation.id.clone()],
                events: vec![CloudEvent::obligation(what, &obligation, now)],
                ..Writes::default()
            };
            self.run.commit(writes).await?;
        }
        Ok(Ok(()))
    }

    /// Pending obligations in the scope whose array answers, and how many of the scope were settled before, by this operation
    /// before a restart.
    async fn due(&self) -> Result<(Vec<Obligation>, u64), ReplicationError> {
        let Scope::Obligations(ids) = &self.input.ask.scope else {
            return Ok((Vec::new(), 0));
        };
        let mut gone: BTreeSet<&String> = ids.iter().collect();
        let answers = |o: &Obligation| self.view.target(&o.target).is_some_and(|t| t.reachable);
        let mut due = Vec::new();
        self.each_obligation(|obligation| {
            if gone.remove(&obligation.id)
                && obligation.state == ObligationState::Pending
                && answers(&obligation)
            {
                due.push(obligation);
            }
        })
        .await?;
        Ok((due, gone.len() as u64))
    }

    async fn each_obligation(
        &self,
        mut each: impl FnMut(Obligation),
    ) -> Result<(), ReplicationError> {
        let env = self.run.env();
        let mut after: Option<String> = None;
        loop {
            let page = env.obligations(&self.view.name, after.as_deref(), MANY);
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id.clone());
            page.into_iter().for_each(&mut each);
        }
    }

    async fn pay(&self, obligation: &Obligation) -> Result<Paid, ReplicationError> {
        let env = self.run.env();
        // A snapshot's volume may live on: nobody renames or overwrites it meanwhile.
        let scope = Scope::Volumes(obligation.volume_id.iter().cloned().collect());
        let members = env.members(&scope, &self.view.name, None, 1).await?;
        let (held, busy) = members::hold_soon(self.run, &self.view.name, members).await?;
        if let Some((_, refusal)) = busy.into_iter().next() {
            let mut why = problem("busy", refusal.to_string(), &self.view.name);
            why.retryable = true;
            return Ok(Paid::Failed(why));
        }
        // Under the lock, so that nobody takes it over between the look and the call.
        if env.taken_over(obligation).await? {
            members::release(self.run, held).await?;
            return Ok(Paid::TakenOver);
        }
        // One attempt: the reconciler comes back, later and later.
        let answer = env.call(
            &self.view.name,
            &obligation.id,
            Vec::new(),
            obligation.call.clone(),
        );
        let answer = answer.await;
        members::release(self.run, held).await?;
        let paid = answer.and_then(|reply| match obligation.kind {
            ObligationKind::Fence => {
                let outcomes = reply.into_outcomes()?.into_iter();
                let failed = outcomes.filter_map(|outcome| outcome.result.err()).next();
                failed.map_or(Ok(()), |why| Err(CallError::Failed(why)))
            }
            _ => Ok(()),
        });
        Ok(match paid {
            Ok(()) => Paid::Done,
            Err(error) => Paid::Failed(journalled(&self.view.name, &error)),
        })
    }

    /// What is owed to arrays that the configuration does not name any more is written off, and owed again by those that
    /// came back.
    pub(super) async fn write_off(&self) -> Result<(), ReplicationError> {
        let targets: Vec<String> = self.view.targets.iter().map(|t| t.name.clone()).collect();
        let mut changed = Vec::new();
        self.each_obligation(|obligation| {
            if let Some(state) = obligation.known(&targets) {
                changed.push(Obligation {
                    state,
                    ..obligation
                });
            }
        })
        .await?;
        for some in changed.chunks(MANY as usize) {
            let now = self.run.env().now();
            let what = |o: &Obligation| match o.state {
                ObligationState::Pending => "made",
                ObligationState::Abandoned => "abandoned",
            };
            let events = some.iter();
            let events = events.map(|o| CloudEvent::obligation(what(o), o, now));
            let writes = Writes {
                events: events.collect(),
                obligations: some.to_vec(),
                ..Writes::default()
            };
            self.run.commit(writes).await?;
        }
        Ok(())
    }
}

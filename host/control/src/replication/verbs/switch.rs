//! Replication of a volume is switched on or off.

use std::collections::BTreeMap;

use springform_model::cloud::ReplicationStatus;
use springform_model::contract::Call;
use springform_model::replication::relation::Event;

use super::Work;
use crate::replication::ground::{Member, Problem};
use crate::replication::members;
use crate::replication::members::Change;

impl Work<'_, '_> {
    pub(super) async fn switch(&self, chunk: Vec<Member>, on: bool) -> Result<(), Problem> {
        let ground = self.ledger.ground();
        let now = ground.now();
        let (held, busy) = members::hold(self.ledger, chunk).await?;
        let (able, refused): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|m| m.relation.step(Event::Want(on), now).is_ok());
        let volumes = able.iter().map(|m| m.spec.clone()).collect();
        let call = if on {
            Call::Enable { volumes }
        } else {
            Call::Disable { volumes }
        };
        let outcomes = self.ledger.batch(&self.view.name, &call, &able).await;
        let mut placements = BTreeMap::new();
        let mut good = Vec::new();
        let mut idle = refused;
        for (member, outcome) in able.into_iter().zip(outcomes) {
            match outcome.map(|o| o.result) {
                Ok(Ok(placement)) => {
                    placements.insert(member.volume.id.clone(), placement);
                    good.push(member);
                }
                _ => idle.push(member),
            }
        }
        let done = good.len() as u64;
        let failed = (idle.len() + busy.len()) as u64;
        members::release(self.ledger, idle).await?;
        self.ledger
            .note(|o| {
                o.progress.done += done;
                o.progress.failed += failed;
            })
            .await;
        members::change(ground, good, |m| {
            m.relation = m.relation.step(Event::Want(on), now)?.0;
            if let Some(placement) = placements.get(&m.volume.id) {
                m.volume.placement = Some(placement.clone());
            }
            m.volume.replication_status = Some(if on {
                ReplicationStatus::Enabled
            } else {
                ReplicationStatus::Disabled
            });
            members::let_go(self.ledger, m);
            Ok(Change::Write)
        })
        .await?;
        Ok(())
    }
}

//! Looks at everything a driver answered before anybody believes it.

mod answer;
mod connection;
mod rules;
#[cfg(test)]
mod tests;

use springform_model::contract::{Call, CallError, Context, Fault, FaultKind, Reply, VolumeSpec};

use self::answer::Asked;
use self::rules::Rules;
use crate::limits::Limits;

/// What must be known of a call to judge its answer; taken before the call is given away.
pub struct Expectation {
    verb: &'static str,
    members: Option<Vec<String>>,
    asked: Asked,
}

impl Expectation {
    /// What the answer of this call must look like.
    #[must_use]
    pub fn of(context: &Context, call: &Call) -> Self {
        let ids = |volumes: &[VolumeSpec]| Some(volumes.iter().map(|v| v.id.clone()).collect());
        let members = match call {
            Call::Observe { volumes }
            | Call::Demote { volumes, .. }
            | Call::FailOver { volumes, .. }
            | Call::Reprotect { volumes, .. }
            | Call::Resync { volumes, .. }
            | Call::Enable { volumes }
            | Call::Disable { volumes }
            | Call::StartTest { volumes, .. }
            | Call::CommitTest { volumes, .. }
            | Call::FinalSync { volumes, .. }
            | Call::CreateGroupFrom { volumes, .. } => ids(volumes),
            Call::PlanFailover { request } => ids(&request.volumes),
            Call::CreateGroupSnapshot { snapshots, .. } => {
                Some(snapshots.iter().map(|s| s.id.clone()).collect())
            }
            _ => None,
        };
        Self {
            verb: call.name(),
            members,
            asked: Asked::of(context, call),
        }
    }

    /// Passes an answer on, or says what is wrong with it.
    ///
    /// # Errors
    /// [`FaultKind::Partial`] for a batch that does not match, [`FaultKind::Limit`] for what is too large,
    /// [`FaultKind::WrongReply`] for what the call did not ask for or no array has.
    pub fn check(
        &self,
        answer: Result<Reply, CallError>,
        limits: &Limits,
    ) -> Result<Reply, CallError> {
        let too_large = |what: &str, size: usize, limit: usize, key: &str| {
            CallError::Fault(Fault::new(
                FaultKind::Limit,
                format!(
                    "{}: the driver's {what} has {size} bytes and {limit} are allowed ({key} in [driver.<name>.limits])",
                    self.verb
                ),
            ))
        };
        let opaque = match &answer {
            Ok(Reply::Setup(report)) => ("state", report.state.len()),
            Ok(Reply::State(state)) => ("state", state.len()),
            Ok(Reply::Plan(plan)) => ("plan token", plan.token.len()),
            Ok(Reply::Parcel(parcel)) => ("parcel", parcel.len()),
            Err(CallError::Pending(pending)) => ("cursor", pending.cursor.len()),
            _ => ("", 0),
        };
        if opaque.1 > limits.state_bytes {
            return Err(too_large(
                opaque.0,
                opaque.1,
                limits.state_bytes,
                "state_kib",
            ));
        }
        let rules = Rules(self.verb);
        match answer {
            Ok(mut reply) => {
                self.check_members(&reply)?;
                answer::reply(rules, &self.asked, &mut reply).map_err(CallError::Fault)?;
                Ok(reply)
            }
            Err(mut error) => {
                answer::error(rules, &self.asked, &mut error).map_err(CallError::Fault)?;
                Err(error)
            }
        }
    }

    fn check_members(&self, reply: &Reply) -> Result<(), CallError> {
        let Some(asked) = &self.members else {
            return Ok(());
        };
        let answered: Vec<&str> = match reply {
            Reply::Observations(all) => all.iter().map(|o| o.volume_id.as_str()).collect(),
            Reply::Outcomes(all) => all.iter().map(|o| o.id.as_str()).collect(),
            Reply::Tests(all) => all.iter().map(|t| t.volume_id.as_str()).collect(),
            Reply::GroupSnapshot(all) => all.iter().map(|s| s.id.as_str()).collect(),
            Reply::Plan(plan) if self.verb == "replication.plan-failover" => {
                plan.volumes.iter().map(|v| v.volume_id.as_str()).collect()
            }
            _ => return Ok(()),
        };
        if answered.len() == asked.len() && answered.iter().zip(asked).all(|(a, b)| a == b) {
            return Ok(());
        }
        Err(CallError::Fault(Fault::new(
            FaultKind::Partial,
            format!(
                "{}: the driver answered for {} of {} members, or not in the order asked; nothing of the answer is used",
                self.verb,
                answered.len(),
                asked.len()
            ),
        )))
    }
}

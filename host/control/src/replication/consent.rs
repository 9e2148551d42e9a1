//! What an operator agreed to throw away: for each left-behind array, the role and the generation they saw.
//!
//! Volumes of one scope may stand at different generations, so a request may carry several acknowledgements; each volume
//! is held against the one that names its own state, and a volume nobody spoke of is refused.

use serde::{Deserialize, Deserializer, Serialize};
use springform_model::contract::Role;
use springform_model::replication::relation::{Acknowledge, DebtState, Relation};

use super::Scope;
use super::env::{BackendView, ReplicationEnv, ReplicationError};
use super::plan::PAGE;

/// Acknowledgements that a refusal spells out; the rest is counted.
const SHOWN: usize = 8;

/// Acknowledgements of one request; written as one object, as a list, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Consent(pub Vec<Acknowledge>);

impl Consent {
    /// The acknowledgement that is about this volume's copy on `target`. Where none fits, one that comes near: its refusal
    /// names what was said and what is.
    #[must_use]
    pub fn about(&self, relation: &Relation, target: &str) -> Option<&Acknowledge> {
        let there = || self.0.iter().filter(|a| a.target == target);
        there()
            .find(|a| a.generation == relation.generation)
            .or_else(|| there().next())
            .or(self.0.first())
    }

    /// Whether nothing was acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What must be acknowledged before what `target` holds of this volume may be overwritten; none where it owes nothing.
#[must_use]
pub fn needed(relation: &Relation, target: &str) -> Option<Acknowledge> {
    relation.debt(target).map(|debt| Acknowledge {
        target: debt.target.clone(),
        role: match debt.state {
            DebtState::Owed | DebtState::WrittenOff => Role::Primary,
            DebtState::Fenced => Role::Secondary,
        },
        generation: relation.generation,
    })
}

/// Everything that must be acknowledged before the arrays of `to` (none: every array that does not serve) are overwritten.
///
/// # Errors
/// What the store says.
pub async fn owed(
    env: &dyn ReplicationEnv,
    view: &BackendView,
    scope: &Scope,
    to: Option<&str>,
) -> Result<Vec<Acknowledge>, ReplicationError> {
    let mut found: Vec<Acknowledge> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = env
            .members(scope, &view.name, after.as_deref(), PAGE)
            .await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = Some(last.volume.id.clone());
        for member in page.iter().filter(|m| m.replicated()) {
            let goals = view
                .targets
                .iter()
                .filter(|t| to.is_none_or(|to| t.name == to));
            for one in goals.filter_map(|t| needed(&member.relation, &t.name)) {
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
    }
}

/// Refuses where something would be thrown away that nobody acknowledged, and says exactly what to send.
///
/// # Errors
/// [`ReplicationError::Refused`], or what the store says.
pub async fn demand(
    env: &dyn ReplicationEnv,
    view: &BackendView,
    scope: &Scope,
    to: Option<&str>,
    given: &Consent,
) -> Result<(), ReplicationError> {
    let wanted = owed(env, view, scope, to).await?;
    // What may still be written says so when it is acknowledged; that covers what has been fenced since.
    let covers = |want: &Acknowledge| {
        given.0.iter().any(|a| {
            a.target == want.target
                && a.generation == want.generation
                && (a.role == Role::Primary || a.role == want.role)
        })
    };
    if wanted.iter().all(covers) {
        return Ok(());
    }
    let mut arrays: Vec<&str> = wanted.iter().map(|a| a.target.as_str()).collect();
    arrays.dedup();
    let spelled = wanted.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let spelled = serde_json::to_string(&spelled).map_err(|e| {
        ReplicationError::Internal(format!("an acknowledgement cannot be written down: {e}"))
    })?;
    let rest = match wanted.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more, which a plan lists"),
    };
    Err(ReplicationError::Refused(format!(
        "{arrays} was left behind in an unplanned failover of {scope} and may hold writes that no other array has; they \
         would be overwritten. To agree, send \"acknowledge\": {spelled}{rest} (springform: --discard)",
        arrays = arrays.join(", "),
        scope = scope.describe(),
    )))
}

impl From<Option<Acknowledge>> for Consent {
    fn from(one: Option<Acknowledge>) -> Self {
        Self(one.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for Consent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(Acknowledge),
            Many(Vec<Acknowledge>),
        }
        Ok(match Option::<Form>::deserialize(deserializer)? {
            None => Self::default(),
            Some(Form::One(one)) => Self(vec![one]),
            Some(Form::Many(many)) => Self(many),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(target: &str, generation: u64) -> Acknowledge {
        Acknowledge {
            target: target.into(),
            role: Role::Primary,
            generation,
        }
    }

    #[test]
    fn one_object_a_list_and_null_are_all_read() {
        let one = r#"{"target":"a","role":"primary","generation":2}"#;
        let read = |text: &str| serde_json::from_str::<Consent>(text).unwrap();
        assert_eq!(read(one), Consent(vec![said("a", 2)]));
        assert_eq!(read(&format!("[{one}]")), Consent(vec![said("a", 2)]));
        assert_eq!(read("null"), Consent::default());
    }

    #[test]
    fn each_volume_is_held_against_the_acknowledgement_of_its_own_generation() {
        let consent = Consent(vec![said("a", 2), said("a", 3), said("b", 3)]);
        let at = |generation| Relation::new("v", "pure1", "c", generation, true);
        assert_eq!(consent.about(&at(3), "a"), Some(&said("a", 3)));
        assert_eq!(consent.about(&at(3), "b"), Some(&said("b", 3)));
        assert_eq!(consent.about(&at(9), "a"), Some(&said("a", 2)));
        assert_eq!(Consent::default().about(&at(2), "a"), None);
    }
}

//! Makes the arrays match the configuration: the pod where there is one (`stretched::setup`), then the protection group,
//! its schedule and retention, and the permission on each target.

use serde_json::{Value, json};
use springform_sdk::fail::pending;
use springform_sdk::http::Method;
use springform_sdk::interfaces::backend::{Change, SetupReport};
use springform_sdk::types::{Context, Error, Failure, FailureCode, Volume};

use crate::array::{Array, ArrayError, flag, is_away, number, text};
use crate::arrays::Arrays;
use crate::layout::Kind;
use crate::options::Options;
use crate::query::Query;
use crate::{pgroup, state};

/// How long to wait before asking again for a group that has not appeared on its target, in milliseconds.
const APPEARS: u32 = 500;

/// What `setup` works with.
pub struct Setup<'a> {
    pub(crate) context: &'a Context,
    pub(crate) arrays: Arrays<'a>,
    pub(crate) options: Options<'a>,
    pub(crate) changes: Vec<Change>,
    pub(crate) warnings: Vec<String>,
    pub(crate) names: Vec<(String, String)>,
    /// Only says what it would change.
    pub(crate) dry: bool,
}

impl<'a> Setup<'a> {
    /// A set-up that has done nothing yet.
    #[must_use]
    pub fn new(context: &'a Context, arrays: Arrays<'a>, options: Options<'a>) -> Self {
        Self {
            context,
            arrays,
            options,
            changes: Vec::new(),
            warnings: Vec::new(),
            names: Vec::new(),
            dry: false,
        }
    }

    /// The same, which reads only.
    #[must_use]
    pub fn dry(self) -> Self {
        Self { dry: true, ..self }
    }

    /// Sets the primary up for asynchronous replication to every other target.
    ///
    /// # Errors
    /// See the contract's `backend.setup`.
    pub fn run(self) -> Result<SetupReport, Error> {
        self.run_for(None)
    }

    /// The same, and these volumes are held against the arrays.
    ///
    /// # Errors
    /// The same.
    pub fn run_for(mut self, volumes: Option<&[Volume]>) -> Result<SetupReport, Error> {
        let primary = self.arrays.primary()?;
        match identify(&primary) {
            Ok(own_name) => {
                self.names
                    .push((primary.name().to_owned(), own_name.clone()));
                if self.options.layout().kind.has_pod() {
                    self.pod(&primary, &own_name)?;
                }
                let others: Vec<_> = self.arrays.others(primary.name()).collect();
                if !others.is_empty() {
                    self.protect(&primary, &own_name, &others, self.options.pgroup())?;
                }
                if self.options.layout().kind == Kind::TriSync {
                    self.third_site(&primary, &own_name)?;
                    self.leftovers(&primary)?;
                }
            }
            Err(failure) if is_away(&failure) && self.another_serves(primary.name()) => {
                self.warnings.push(format!(
                    "{}: {}; volumes on other arrays are served",
                    primary.name(),
                    failure.message
                ));
            }
            Err(failure) => return Err(failure.into()),
        }
        if let Some(volumes) = volumes {
            self.volumes(volumes)?;
        }
        let learned = state::learned(self.arrays.state(), self.names);
        let groups = [self.options.pgroup().to_owned(), self.options.third_group()];
        Ok(SetupReport {
            state: state::with_groups(&learned, groups),
            changes: self.changes,
            warnings: self.warnings,
        })
    }

    /// After a failover the primary may be gone for good while another array serves.
    fn another_serves(&self, primary: &str) -> bool {
        self.arrays
            .others(primary)
            .any(|array| identify(&array).is_ok())
    }

    /// Makes a group on `from` and lets it replicate to each of `to`. Called by reprotection with the roles turned round.
    ///
    /// # Errors
    /// `pending` while a group has not appeared on its target.
    pub fn protect(
        &mut self,
        from: &Array<'a>,
        own_name: &str,
        to: &[Array<'a>],
        group: &str,
    ) -> Result<(), Error> {
        let (existing, present) = match pgroup::read(from, group)? {
            Some(found) if !flag(&found, "/destroyed") => (found, pgroup::targets(from, group)?),
            Some(_) => (self.recover(from, group)?, pgroup::targets(from, group)?),
            None => match self.create(from, group) {
                Ok(made) => (made, Vec::new()),
                // Another batch of the same reprotection may have been faster.
                Err(failure) => match pgroup::read(from, group)? {
                    Some(found) if !flag(&found, "/destroyed") => {
                        (found, pgroup::targets(from, group)?)
                    }
                    _ => return Err(failure.into()),
                },
            },
        };
        self.schedule(from, group, &existing)?;
        let mut allowed_somewhere = false;
        for target in to {
            match self.allow(from, own_name, target, group, &present) {
                Ok(()) => allowed_somewhere = true,
                Err(Error::Failed(failure)) if is_away(&failure) => {
                    self.warnings.push(format!(
                        "{}: {}; nothing replicates to it until it is back",
                        target.name(),
                        failure.message
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        if allowed_somewhere && !flag(&existing, "/replication_schedule/enabled") {
            self.patch(
                from,
                group,
                json!({ "replication_schedule": { "enabled": true } }),
                "the protection group's schedule cannot be enabled",
                format!("enabled the schedule of protection group {group}"),
            )?;
        }
        Ok(())
    }

    /// What was done and what is wrong.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Change>, Vec<String>) {
        (self.changes, self.warnings)
    }

    /// Somebody destroyed the group; its name is taken until it is eradicated or recovered. Recovering loses nothing.
    fn recover(&mut self, from: &Array<'_>, group: &str) -> Result<Value, Failure> {
        self.patch(
            from,
            group,
            json!({ "destroyed": false }),
            "the destroyed protection group cannot be recovered",
            format!("recovered protection group {group}"),
        )?;
        Ok(pgroup::read(from, group)?.unwrap_or_default())
    }

    fn create(&mut self, from: &Array<'_>, group: &str) -> Result<Value, Failure> {
        let name = Query::new().name(group);
        let change = (Method::Post, "/protection-groups", &name, None);
        let sentence = "the protection group cannot be created";
        let text = format!("created protection group {group}");
        let made = self.change(from, change, sentence, text)?;
        Ok(made.into_iter().next().unwrap_or_default())
    }

    pub(crate) fn patch(
        &mut self,
        on: &Array<'_>,
        group: &str,
        body: Value,
        sentence: &str,
        text: String,
    ) -> Result<(), Failure> {
        let name = Query::new().name(group);
        let change = (Method::Patch, "/protection-groups", &name, Some(&body));
        self.change(on, change, sentence, text).map(drop)
    }

    fn schedule(&mut self, from: &Array<'_>, group: &str, existing: &Value) -> Result<(), Failure> {
        let frequency = self.options.interval() * 1000;
        let (all, per_day, days) = (
            self.options.retention_all(),
            self.options.retention_per_day(),
            self.options.retention_days(),
        );
        let same = number(existing, "/replication_schedule/frequency") == Some(frequency)
            && number(existing, "/target_retention/all_for_sec") == Some(all)
            && number(existing, "/target_retention/per_day") == Some(per_day)
            && number(existing, "/target_retention/days") == Some(days);
        if same {
            return Ok(());
        }
        let body = json!({
            "replication_schedule": { "frequency": frequency },
            "target_retention": { "all_for_sec": all, "per_day": per_day, "days": days },
        });
        self.patch(
            from,
            group,
            body,
            "the protection group does not take this schedule and retention",
            format!("set schedule and retention of protection group {group}"),
        )
    }

    fn allow(
        &mut self,
        from: &Array<'_>,
        own_name: &str,
        target: &Array<'_>,
        group: &str,
        present: &[(String, bool)],
    ) -> Result<(), Error> {
        let target_name = self.name_of(target)?;
        let known = present.iter().find(|(name, _)| *name == target_name);
        if known.is_some_and(|(_, allowed)| *allowed) {
            return Ok(());
        }
        if known.is_none() {
            let query = Query::new()
                .one("group_names", group)
                .one("member_names", &target_name);
            if !self.dry
                && let Err(trouble) =
                    from.send(Method::Post, "/protection-groups/targets", &query, None)
            {
                let there = pgroup::targets(from, group)?
                    .iter()
                    .any(|(name, _)| *name == target_name);
                if !there || matches!(trouble, ArrayError::Failed(_)) {
                    let sentence = "the target array cannot be added to the protection group; connect the two arrays for asynchronous replication";
                    return Err(trouble
                        .into_failure(FailureCode::FailedPrecondition, sentence)
                        .into());
                }
            }
            self.did(
                from,
                format!("added {target_name} as a target of protection group {group}"),
            );
        }
        let there = pgroup::name_on_target(own_name, group);
        if !self.dry && pgroup::read(target, &there)?.is_none() {
            return Err(pending(
                format!("protection group {there} to appear on {}", target.name()),
                None,
                APPEARS,
            ));
        }
        let body = json!({ "allowed": true });
        let query = Query::new().one("group_names", &there);
        let allowed = self.change(
            target,
            (
                Method::Patch,
                "/protection-groups/targets",
                &query,
                Some(&body),
            ),
            "the target does not allow the protection group",
            format!("allowed protection group {there}"),
        );
        match allowed {
            Err(failure) if !self.allowed_meanwhile(from, group, &target_name)? => {
                Err(failure.into())
            }
            _ => Ok(()),
        }
    }

    fn allowed_meanwhile(
        &self,
        from: &Array<'_>,
        group: &str,
        target: &str,
    ) -> Result<bool, Failure> {
        let now = pgroup::targets(from, group)?;
        Ok(now.iter().any(|(name, allowed)| name == target && *allowed))
    }

    /// The name an array has for itself, asked once.
    pub(crate) fn name_of(&mut self, array: &Array<'_>) -> Result<String, Failure> {
        let asked = self.names.iter().find(|(target, _)| target == array.name());
        if let Some((_, name)) = asked {
            return Ok(name.clone());
        }
        let name = identify(array)?;
        self.names.push((array.name().to_owned(), name.clone()));
        Ok(name)
    }

    /// Makes one change and tells of it; a dry run only tells.
    pub(crate) fn change(
        &mut self,
        on: &Array<'_>,
        (method, path, query, body): (Method, &str, &Query, Option<&Value>),
        sentence: &str,
        text: String,
    ) -> Result<Vec<Value>, Failure> {
        let answer = if self.dry {
            Vec::new()
        } else {
            pgroup::must(on.send(method, path, query, body), sentence)?
        };
        self.did(on, text);
        Ok(answer)
    }

    pub(crate) fn did(&mut self, on: &Array<'_>, text: String) {
        let text = if self.dry {
            format!("would have {text}")
        } else {
            text
        };
        self.changes.push(Change {
            target: on.name().to_owned(),
            text,
        });
    }
}

/// The array's own name.
///
/// # Errors
/// When it cannot be asked.
pub fn identify(array: &Array<'_>) -> Result<String, Failure> {
    let items = array
        .send(Method::Get, "/arrays", &Query::new(), None)
        .map_err(pgroup::unexpected)?;
    items
        .first()
        .and_then(|a| text(a, "/name"))
        .map(str::to_owned)
        .ok_or_else(|| {
            springform_sdk::fail::failure_on(
                array.name(),
                FailureCode::Protocol,
                "the array does not tell its name",
            )
        })
}

//! The pod of all stretched volumes: made, stretched, and online on both arrays as far as that can be had now.

use serde_json::{Value, json};
use springform_sdk::fail::failure_on;
use springform_sdk::http::Method;
use springform_sdk::types::{Context, Error, Failure, FailureCode, Pending};

use crate::array::{Array, ArrayError, is_away, number};
use crate::arrays::Arrays;
use crate::pgroup;
use crate::pod::{self, Pod, Status};
use crate::query::Query;
use crate::setup::Setup;

/// How long set-up waits for a pod that it has just stretched, in seconds. A pod with much in it takes longer; its volumes
/// are served meanwhile, so that is a warning.
const PATIENCE: u64 = 60;

/// How long to wait before looking at a resync again, in milliseconds.
const LOOK: u32 = 1000;

impl<'a> Setup<'a> {
    /// Makes the pod on the primary and stretches it.
    ///
    /// # Errors
    /// `pending` while a pod that was stretched just now has not come online.
    pub(crate) fn pod(&mut self, on: &Array<'a>, own_name: &str) -> Result<(), Error> {
        let pod = self.options.layout().pod;
        let found = match pod::read(on, pod)? {
            Some(found) if !found.destroyed => found,
            found => self.make_pod(on, pod, found.is_some())?,
        };
        let Some(second) = self.arrays.partner(on.name()) else {
            self.warnings.push(format!(
                "no replication_device of type sync is configured: volumes in pod {pod} are on one array only"
            ));
            return Ok(());
        };
        // By name where that can be had: a pod may be stretched to an array that is not the configured one.
        let there = match self.name_of(&second).ok().or_else(|| second.known_name()) {
            Some(name) => found.side(&name).is_some(),
            None => found.beyond(own_name).is_some(),
        };
        let stretched_now = if there {
            false
        } else {
            match self.stretch(on, pod, &second) {
                Ok(done) => done,
                Err(failure) if is_away(&failure) => {
                    self.warnings.push(format!(
                        "{}: {}; pod {pod} is on one array only until it is back",
                        second.name(),
                        failure.message
                    ));
                    return Ok(());
                }
                Err(failure) => return Err(failure.into()),
            }
        };
        if self.dry {
            self.warn(pod, &found, own_name, &second);
            return Ok(());
        }
        let now = pod::need(on, pod)?;
        if stretched_now || !self.context.cursor.is_empty() {
            match settle(self.context, pod, &now, own_name, &second, PATIENCE) {
                Err(Error::Failed(_)) | Ok(()) => {}
                wait => return wait,
            }
        }
        self.warn(pod, &now, own_name, &second);
        Ok(())
    }

    fn make_pod(&mut self, on: &Array<'_>, pod: &str, destroyed: bool) -> Result<Pod, Failure> {
        let name = Query::new().name(pod);
        if destroyed {
            // Its name is taken until it is eradicated. Recovering loses nothing.
            let body = json!({ "destroyed": false });
            let change = (Method::Patch, "/pods", &name, Some(&body));
            let sentence = "the destroyed pod cannot be recovered";
            self.change(on, change, sentence, format!("recovered pod {pod}"))?;
        } else if self.dry {
            self.did(on, format!("created pod {pod}"));
            return Ok(Pod::default());
        } else {
            create(on, pod)?;
            self.did(on, format!("created pod {pod}"));
            self.unprotect_by_default(on, pod)?;
        }
        if self.dry {
            return Ok(pod::read(on, pod)?.unwrap_or_default());
        }
        pod::need(on, pod)
    }

    /// Volumes of a new pod would join the array's own default groups; those follow the cloud's types here, unless the
    /// operator asked for SafeMode.
    fn unprotect_by_default(&mut self, on: &Array<'_>, pod: &str) -> Result<(), Failure> {
        if self.options.safemode() {
            return Ok(());
        }
        let name = Query::new().name(pod);
        let found = on
            .find("/container-default-protections", &name)
            .map_err(pgroup::unexpected)?;
        let protects = |item: &Value| {
            let list = item.pointer("/default_protections");
            list.and_then(Value::as_array)
                .is_some_and(|l| !l.is_empty())
        };
        if found.iter().any(protects) {
            let body = json!({ "default_protections": [] });
            let path = "/container-default-protections";
            self.change(
                on,
                (Method::Patch, path, &name, Some(&body)),
                "the pod's default protection cannot be taken away",
                format!("removed the default protection of pod {pod}"),
            )?;
        }
        Ok(())
    }

    fn stretch(&mut self, on: &Array<'a>, pod: &str, to: &Array<'a>) -> Result<bool, Failure> {
        let name = self.name_of(to)?;
        let done = self.dry || stretch(on, pod, to, &name)?;
        if done {
            self.did(on, format!("stretched pod {pod} to {name}"));
        }
        Ok(done)
    }

    fn warn(&mut self, pod: &str, now: &Pod, own_name: &str, second: &Array<'_>) {
        if let Some(far) = now.beyond(own_name)
            && far.status != Status::Online
        {
            let percent = far.percent.map(|p| format!(", {p} %")).unwrap_or_default();
            self.warnings.push(format!(
                "pod {pod} is {}{percent} on {}; its volumes are served, but not protected until it is online there",
                far.status.word(),
                second.name()
            ));
        }
        for side in now.sides.iter().filter(|s| s.without_mediator) {
            self.warnings.push(format!(
                "{} cannot reach the mediator of pod {pod}; if the arrays lose each other now, only the pre-elected one goes on",
                side.array
            ));
        }
    }
}

/// When a wait began; carried from call to call.
fn since(context: &Context) -> u64 {
    let cursor = crate::json::value(&context.cursor);
    cursor
        .and_then(|c| number(&c, "/since"))
        .unwrap_or(context.now)
}

/// Whether a pod is online on its second array.
///
/// # Errors
/// `pending` while it resyncs; `failed-precondition` when it does not get there, or not in time (in seconds).
pub(crate) fn settle(
    context: &Context,
    pod: &str,
    seen: &Pod,
    own_name: &str,
    second: &Array<'_>,
    patience: u64,
) -> Result<(), Error> {
    let Some(far) = seen.beyond(own_name) else {
        return Err(not_there(pod, second, "it is on one array only").into());
    };
    if far.status == Status::Online {
        return Ok(());
    }
    if far.status != Status::Resyncing {
        let why = format!("it is {} there", far.status.word());
        return Err(not_there(pod, second, &why).into());
    }
    let since = since(context);
    if context.now.saturating_sub(since) > patience.saturating_mul(1000) {
        let why = format!("it is still resyncing after {patience} s");
        return Err(not_there(pod, second, &why).into());
    }
    Err(Error::Pending(Pending {
        waiting_for: format!("pod {pod} to come online on {}", second.name()),
        percent: far.percent,
        poll_after_ms: LOOK,
        cursor: crate::json::bytes(&json!({ "since": since })),
    }))
}

fn not_there(pod: &str, on: &Array<'_>, why: &str) -> Failure {
    failure_on(
        on.name(),
        FailureCode::FailedPrecondition,
        format!("pod {pod} did not come online on {}: {why}", on.name()),
    )
}

/// Makes an empty pod. There already: success.
pub(crate) fn create(on: &Array<'_>, pod: &str) -> Result<(), Failure> {
    match on.send(
        Method::Post,
        "/pods",
        &Query::new().name(pod),
        Some(&json!({})),
    ) {
        Ok(_) => Ok(()),
        Err(ArrayError::Failed(failure)) => Err(failure),
        Err(refused @ ArrayError::Refused { .. }) => match pod::read(on, pod)? {
            Some(found) if !found.destroyed => Ok(()),
            Some(_) => Err(refused.into_failure(
                FailureCode::AlreadyExists,
                &format!("pod {pod} was destroyed and waits for its eradication"),
            )),
            None => Err(refused.into_failure(
                FailureCode::Exhausted,
                &format!("the array does not create pod {pod}"),
            )),
        },
    }
}

/// Stretches a pod to another array. Says whether that had to be done.
///
/// # Errors
/// `failed-precondition`, with what is in the way: found by looking, whatever the array said.
pub(crate) fn stretch(
    on: &Array<'_>,
    pod: &str,
    to: &Array<'_>,
    name: &str,
) -> Result<bool, Failure> {
    let query = Query::new()
        .one("group_names", pod)
        .one("member_names", name);
    let refused = match on.send(Method::Post, "/pods/arrays", &query, None) {
        Ok(_) => return Ok(true),
        Err(ArrayError::Failed(failure)) => return Err(failure),
        Err(refused @ ArrayError::Refused { .. }) => refused,
    };
    let now = pod::need(on, pod)?;
    if now.side(name).is_some() {
        return Ok(false);
    }
    let others: Vec<_> = now.sides.iter().map(|s| s.array.as_str()).collect();
    let sentence = if others.len() > 1 {
        format!(
            "pod {pod} is stretched over {} already; take one of them out before {name} can be added",
            others.join(" and ")
        )
    } else if pod::read(to, pod)?.is_some() {
        format!(
            "{name} has a pod {pod} of its own; rename or eradicate it there, so that this one can be stretched to it"
        )
    } else {
        format!(
            "pod {pod} cannot be stretched to {name}; connect the two arrays for synchronous replication"
        )
    };
    Err(refused.into_failure(FailureCode::FailedPrecondition, &sentence))
}

/// The other array of the pod, by target.
///
/// # Errors
/// When none is configured.
pub(crate) fn partner<'a>(arrays: &Arrays<'a>, of: &Array<'a>) -> Result<Array<'a>, Failure> {
    arrays.partner(of.name()).ok_or_else(|| {
        failure_on(
            of.name(),
            FailureCode::FailedPrecondition,
            "no second array is configured for stretched volumes (a replication_device of type sync)",
        )
    })
}

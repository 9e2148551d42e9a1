//! What replication needs done without anybody asking: drills end by their timer, whoever was left behind is fenced when it
//! answers again.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use springform_model::operation::Operation;
use springform_model::replication::drill::Drill;
use springform_model::replication::obligation::Obligation;
use springform_model::replication::relation::Relation;
use springform_model::time::Timestamp;
use tokio::time::Instant;

use super::env::ReplicationError;
use super::{Ask, Request, Scope};

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause between two attempts at an array that answers and does not do what it is owed.
const LONGEST: Duration = Duration::from_secs(600);
/// Volumes fenced, or obligations paid, with one operation.
const MANY: u32 = 2000;

/// What is to be tended.
#[async_trait]
pub trait ReconcilerEnv: Send + Sync {
    /// Backends.
    fn backends(&self) -> Vec<String>;

    /// When this host began: what was seen before may have been seen by another one.
    fn since(&self) -> Timestamp;

    /// Drills that are not over although their time is.
    async fn due_drills(&self) -> Result<Vec<Drill>, ReplicationError>;

    /// One page of settled relations of a backend with an array that must be fenced, by id, after `after`. None of them
    /// of a backend that is only looked at.
    async fn owed(
        &self,
        backend: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Relation>, ReplicationError>;

    /// What is pending on a backend, at most `limit` after `after`, by id; nothing where a backend is only looked at.
    async fn obligations(
        &self,
        _backend: &str,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Vec<Obligation>, ReplicationError> {
        Ok(Vec::new())
    }

    /// Arrays of the backend that answer.
    async fn answering(&self, backend: &str) -> Result<Vec<String>, ReplicationError>;

    /// Journals a verb and carries it out in the background.
    async fn submit(&self, backend: &str, request: Request) -> Result<Operation, ReplicationError>;

    /// Whether an operation has not ended yet.
    async fn is_open(&self, operation: &str) -> bool;

    /// Resolves when it should be looked sooner.
    async fn woken(&self);
}

/// The last attempt at what a backend owes.
struct Attempt {
    operation: Option<String>,
    /// One of those it was about: as long as that is owed, the attempt did not get anywhere.
    about: Option<String>,
    pause: Duration,
    next: Instant,
}

/// Looks for ever.
pub async fn reconcile_loop(env: &dyn ReconcilerEnv) {
    let (mut attempts, mut settling) = (BTreeMap::new(), BTreeMap::new());
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = env.woken() => {}
        }
        if let Err(error) = end_drills(env).await {
            tracing::warn!(%error, "drills whose time is over cannot be looked for");
        }
        for backend in env.backends() {
            if let Err(error) = settle_fences(env, &backend, &mut attempts).await {
                tracing::warn!(backend, %error, "an array that was left behind cannot be fenced yet");
            }
            if let Err(error) = settle_obligations(env, &backend, &mut settling).await {
                tracing::warn!(backend, %error, "an array cannot be told yet what it is owed");
            }
        }
    }
}

async fn end_drills(env: &dyn ReconcilerEnv) -> Result<(), ReplicationError> {
    for drill in env.due_drills().await? {
        if drill.operation.is_some() {
            continue;
        }
        let request = Request::StopDrill(drill.id.clone());
        if let Err(error) = env.submit(&drill.backend, request).await {
            tracing::warn!(drill = %drill.id, %error, "a drill whose time is over cannot be ended yet");
        }
    }
    Ok(())
}

/// Volumes of a backend that can be fenced now: the array that was left behind answers. At most [`MANY`].
async fn settleable(
    env: &dyn ReconcilerEnv,
    backend: &str,
) -> Result<Vec<String>, ReplicationError> {
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    let mut answering = None;
    loop {
        let page = env.owed(backend, after.as_deref(), MANY).await?;
        let Some(last) = page.last() else {
            return Ok(ids);
        };
        after = Some(last.volume_id.clone());
        if answering.is_none() {
            answering = Some(env.answering(backend).await?);
        }
        let answers = |target: &String| answering.iter().flatten().any(|a| a == target);
        // Nobody is fenced for a record that was not held against the arrays since this host began.
        let sure = |r: &Relation| {
            // What shall have no copy any more is not observed; the driver asks the array for newer evidence itself.
            let observed = r.observed.as_ref();
            let looked = !r.wanted || observed.is_some_and(|o| o.at >= env.since());
            looked && r.overtaken().is_none()
        };
        let found = page
            .iter()
            .filter(|r| sure(r) && r.owed().any(|d| answers(&d.target)));
        ids.extend(found.map(|r| r.volume_id.clone()));
        if ids.len() >= MANY as usize {
            ids.truncate(MANY as usize);
            return Ok(ids);
        }
    }
}

async fn settle_fences(
    env: &dyn ReconcilerEnv,
    backend: &str,
    attempts: &mut BTreeMap<String, Attempt>,
) -> Result<(), ReplicationError> {
    let ids = settleable(env, backend).await?;
    let fence = |ids| Request::Fence(Ask::about(Scope::Volumes(ids)));
    attempt(env, backend, attempts, ids, fence).await
}

/// Obligations of a backend whose array answers. At most [`MANY`].
async fn due(env: &dyn ReconcilerEnv, backend: &str) -> Result<Vec<String>, ReplicationError> {
    let (mut ids, mut after) = (Vec::new(), None::<String>);
    let mut answering = None;
    loop {
        let page = env.obligations(backend, after.as_deref(), MANY).await?;
        let Some(last) = page.last() else {
            return Ok(ids);
        };
        after = Some(last.id.clone());
        if answering.is_none() {
            answering = Some(env.answering(backend).await?);
        }
        let answers = |target: &String| answering.iter().flatten().any(|a| a == target);
        let found = page.into_iter().filter(|o| answers(&o.target));
        ids.extend(found.map(|o| o.id));
        if ids.len() >= MANY as usize {
            ids.truncate(MANY as usize);
            return Ok(ids);
        }
    }
}

async fn settle_obligations(
    env: &dyn ReconcilerEnv,
    backend: &str,
    attempts: &mut BTreeMap<String, Attempt>,
) -> Result<(), ReplicationError> {
    let ids = due(env, backend).await?;
    attempt(env, backend, attempts, ids, Request::Settle).await
}

/// Submits a request about these, unless the last one about the first of them is open or was tried a moment ago.
async fn attempt(
    env: &dyn ReconcilerEnv,
    backend: &str,
    attempts: &mut BTreeMap<String, Attempt>,
    ids: Vec<String>,
    request: impl FnOnce(Vec<String>) -> Request + Send,
) -> Result<(), ReplicationError> {
    if ids.is_empty() {
        attempts.remove(backend);
        return Ok(());
    }
    let pause = match attempts.get(backend) {
        Some(last) => {
            if let Some(operation) = &last.operation
                && env.is_open(operation).await
            {
                return Ok(());
            }
            let stuck = last.about.as_ref().is_some_and(|id| ids.contains(id));
            if stuck && Instant::now() < last.next {
                return Ok(());
            }
            if stuck {
                last.pause.saturating_mul(2).min(LONGEST)
            } else {
                PAUSE
            }
        }
        None => PAUSE,
    };
    let about = ids.first().cloned();
    let submitted = env.submit(backend, request(ids)).await;
    let attempt = Attempt {
        operation: submitted.as_ref().ok().map(|o| o.id.clone()),
        about,
        // What is refused because another operation holds the backend costs nothing and is tried again soon.
        pause: if submitted.is_ok() { pause } else { PAUSE },
        next: Instant::now()
            + if submitted.is_ok() {
                pause
            } else {
                Duration::ZERO
            },
    };
    attempts.insert(backend.to_owned(), attempt);
    submitted.map(drop)
}

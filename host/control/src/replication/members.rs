//! Changing volumes and their relations together: computed purely, committed at once, read again where somebody else was
//! faster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use springform_model::cloud::UserMessage;
use springform_model::operation::OperationError;
use springform_model::replication::Refusal;

use super::Scope;
use super::env::{BackendView, Member, ReplicationEnv, ReplicationError, Writes};
use super::operation_run::OperationRun;
use crate::outbox::CloudEvent;

/// How often a commit is tried again with rows that were read again.
pub const RACES: u32 = 8;

/// How often a volume that another operation holds is looked at again, once a second.
pub const BUSY_WAITS: u32 = 10;

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Write it.
    Write,
    /// It is as it should be.
    Leave,
}

/// What was written, and what refused.
pub type Changed = (Vec<Member>, Vec<(Member, Refusal)>);

/// Cuts into pieces of at most `size`.
pub fn chunks(members: Vec<Member>, size: usize) -> Vec<Vec<Member>> {
    let size = size.max(1);
    let mut pieces = Vec::with_capacity(members.len().div_ceil(size));
    let mut rest = members.into_iter();
    loop {
        let piece: Vec<Member> = rest.by_ref().take(size).collect();
        if piece.is_empty() {
            return pieces;
        }
        pieces.push(piece);
    }
}

/// Sorted apart by the array that each is on, where most are first: one call of a driver is about volumes of one array, and
/// where most of them go is for the driver to choose.
pub fn by_array(members: Vec<Member>) -> Vec<Vec<Member>> {
    let mut apart: BTreeMap<Option<String>, Vec<Member>> = BTreeMap::new();
    for member in members {
        let on = member.volume.placement.as_ref().map(|p| p.target.clone());
        apart.entry(on).or_default().push(member);
    }
    let mut apart: Vec<_> = apart.into_values().collect();
    apart.sort_by_key(|some| std::cmp::Reverse(some.len()));
    apart
}

/// What one call after another is about: volumes of one array, at most `size` of them.
pub fn batches(members: Vec<Member>, size: usize) -> Vec<Vec<Member>> {
    let apart = by_array(members).into_iter();
    apart.flat_map(|some| chunks(some, size)).collect()
}

/// Works on batches, as many of them at once as the backend allows; none is begun once somebody asked the operation to stop.
/// Gives what came of those that were begun, and what kept the others.
pub async fn each<T, F>(
    run: &OperationRun<'_>,
    view: &BackendView,
    members: Vec<Member>,
    work: impl Fn(Vec<Member>) -> F,
) -> Result<(Vec<T>, Option<OperationError>), ReplicationError>
where
    F: Future<Output = Result<T, ReplicationError>>,
{
    let one = async |chunk| match run.stopped(&view.name).await {
        Some(stopped) => Ok(Err(stopped)),
        None => work(chunk).await.map(Ok),
    };
    let batches = batches(members, view.batch).into_iter().map(one);
    let mut running = stream::iter(batches).buffer_unordered(view.parallel.max(1));
    let (mut done, mut stopped) = (Vec::new(), None);
    while let Some(batch) = running.next().await {
        match batch? {
            Ok(one) => done.push(one),
            Err(why) => stopped = Some(why),
        }
    }
    Ok((done, stopped))
}

/// The same volumes as they are now; those that are gone are left out.
pub async fn again(
    env: &dyn ReplicationEnv,
    backend: &str,
    members: Vec<Member>,
) -> Result<Vec<Member>, ReplicationError> {
    let ids: Vec<String> = members.iter().map(|m| m.volume.id.clone()).collect();
    env.members(&Scope::Volumes(ids), backend, None, members.len())
        .await
}

/// Takes the volumes' turn, so that nobody moves them while an array works on them. Gives those it has, and those that
/// another operation has.
pub async fn hold(
    run: &OperationRun<'_>,
    members: Vec<Member>,
) -> Result<Changed, ReplicationError> {
    change(run.env(), members, |m| {
        free(run, m)?;
        if m.volume.operation.is_some() {
            return Ok(Change::Leave);
        }
        m.volume.operation = Some(run.id().to_owned());
        Ok(Change::Write)
    })
    .await
}

/// The same, and waits a little for those that another operation has: a fence that the host began by itself when an array
/// came back is over in a moment, and no reason to refuse what was asked meanwhile.
///
/// No other volume is taken while one is waited for: two operations that each have what the other waits for would both give
/// up, and whoever asks again at once would meet the next one in the same way.
pub async fn hold_soon(
    run: &OperationRun<'_>,
    backend: &str,
    members: Vec<Member>,
) -> Result<Changed, ReplicationError> {
    let mut members = members;
    for _ in 0..BUSY_WAITS {
        if members.iter().all(|m| free(run, m).is_ok()) {
            let (held, busy) = hold(run, members.clone()).await?;
            if busy.is_empty() {
                return Ok((held, busy));
            }
            // Somebody was faster. What a run before a restart had stays with the operation.
            let mine = |m: &Member| m.volume.operation.as_deref() == Some(run.id());
            let before = members.into_iter().filter(mine);
            let before: BTreeSet<String> = before.map(|m| m.volume.id).collect();
            let fresh = |m: &Member| !before.contains(&m.volume.id);
            let (fresh, mut all): (Vec<_>, Vec<_>) = held.into_iter().partition(fresh);
            all.extend(release(run, fresh).await?);
            all.extend(busy.into_iter().map(|(member, _)| member));
            members = all;
        }
        if run.env().cancelled(run.id()).await {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        members = again(run.env(), backend, members).await?;
    }
    let (mut held, busy) = hold(run, members).await?;
    held.sort_by(|a, b| a.volume.id.cmp(&b.volume.id));
    Ok((held, busy))
}

/// The same for verbs that copy: what has left replication since it was listed is let go. Its array would otherwise be told to
/// send a volume that nobody wants copied.
pub async fn hold_replicated(
    run: &OperationRun<'_>,
    backend: &str,
    members: Vec<Member>,
) -> Result<Changed, ReplicationError> {
    let (held, busy) = hold_soon(run, backend, members).await?;
    let (held, left): (Vec<_>, Vec<_>) = held.into_iter().partition(Member::movable);
    release(run, left).await?;
    Ok((held, busy))
}

/// Volumes that are not what the operation is about any more are not counted.
pub async fn fewer(run: &OperationRun<'_>, by: usize) {
    let by = by as u64;
    run.note(|o| o.progress.total = o.progress.total.saturating_sub(by))
        .await;
}

/// Refuses what another operation holds. To be asked inside a change: somebody may take it between reading and writing.
pub fn free(run: &OperationRun<'_>, member: &Member) -> Result<(), Refusal> {
    match &member.volume.operation {
        Some(holder) if holder != run.id() => Err(Refusal::Busy {
            operation: holder.clone(),
        }),
        _ => Ok(()),
    }
}

/// Gives the turn back where it is still held.
pub async fn release(
    run: &OperationRun<'_>,
    members: Vec<Member>,
) -> Result<Vec<Member>, ReplicationError> {
    let (released, _) = change(run.env(), members, |m| Ok(unlock(run, m))).await?;
    Ok(released)
}

/// Gives the turn of one volume back, as a part of a change.
pub fn unlock(run: &OperationRun<'_>, member: &mut Member) -> Change {
    if member.volume.operation.as_deref() != Some(run.id()) {
        return Change::Leave;
    }
    member.volume.operation = None;
    Change::Write
}

/// Changes members in one commit. What refuses must not have changed anything yet.
pub async fn change(
    env: &dyn ReplicationEnv,
    members: Vec<Member>,
    mut apply: impl FnMut(&mut Member) -> Result<Change, Refusal> + Send,
) -> Result<Changed, ReplicationError> {
    let mut members = members;
    for _ in 0..RACES {
        let ids = ids(&members);
        let (writes, outcome) = compute(members, &mut apply);
        if writes.is_empty() {
            return Ok(outcome);
        }
        match env
            .commit(Writes {
                members: writes,
                ..Writes::default()
            })
            .await
        {
            Ok(()) => return Ok(outcome),
            Err(ReplicationError::Moved(_)) => members = reread(env, ids).await?,
            Err(other) => return Err(other),
        }
    }
    Err(ReplicationError::Moved("a batch of volumes".to_owned()))
}

/// What a change gives rise to.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// For receivers of webhooks.
    pub events: Vec<CloudEvent>,
    /// For the volumes' projects.
    pub messages: Vec<UserMessage>,
}

/// Changes members as [`change`] does, in one commit with what the change gives rise to, and with the operation's progress
/// where no other batch is writing that.
pub async fn change_with(
    run: &OperationRun<'_>,
    members: Vec<Member>,
    told: &std::sync::Mutex<Told>,
    mut apply: impl FnMut(&mut Member) -> Result<Change, Refusal> + Send,
) -> Result<Changed, ReplicationError> {
    let mut members = members;
    for _ in 0..RACES {
        if let Ok(mut told) = told.lock() {
            *told = Told::default();
        }
        let ids = ids(&members);
        let (writes, outcome) = compute(members, &mut apply);
        let Told { events, messages } = told.lock().map(|t| t.clone()).unwrap_or_default();
        match run
            .commit_batch(Writes {
                members: writes,
                events,
                messages,
                ..Writes::default()
            })
            .await
        {
            Ok(()) => return Ok(outcome),
            Err(ReplicationError::Moved(_)) => members = reread(run.env(), ids).await?,
            Err(other) => return Err(other),
        }
    }
    Err(ReplicationError::Moved("a batch of volumes".to_owned()))
}

fn compute(
    members: Vec<Member>,
    apply: &mut (impl FnMut(&mut Member) -> Result<Change, Refusal> + Send),
) -> (Vec<Member>, Changed) {
    let mut done = Vec::with_capacity(members.len());
    let (mut writes, mut refused) = (Vec::new(), Vec::new());
    for mut member in members {
        match apply(&mut member) {
            Ok(Change::Write) => {
                writes.push(member.clone());
                // Once committed it is at its next revision, and a relation that was made up is stored.
                member.revision += 1;
                member.relation_revision = Some(member.relation_revision.map_or(1, |r| r + 1));
                done.push(member);
            }
            Ok(Change::Leave) => done.push(member),
            Err(refusal) => refused.push((member, refusal)),
        }
    }
    (writes, (done, refused))
}

/// A backend and ids of its volumes.
fn ids(members: &[Member]) -> (String, Vec<String>) {
    let backend = members.first().map(|m| m.relation.backend.clone());
    let ids = members.iter().map(|m| m.volume.id.clone()).collect();
    (backend.unwrap_or_default(), ids)
}

async fn reread(
    env: &dyn ReplicationEnv,
    (backend, ids): (String, Vec<String>),
) -> Result<Vec<Member>, ReplicationError> {
    let many = ids.len();
    env.members(&Scope::Volumes(ids), &backend, None, many)
        .await
}

/// Keeps what the driver wants to be handed back.
pub async fn keep_state(
    env: &dyn ReplicationEnv,
    backend: &str,
    state: Vec<u8>,
) -> Result<(), ReplicationError> {
    for _ in 0..RACES {
        let (mut service, revision) = env.service(backend).await?;
        if service.driver_state == state {
            return Ok(());
        }
        service.driver_state.clone_from(&state);
        let writes = Writes {
            services: vec![(service, revision)],
            ..Writes::default()
        };
        match env.commit(writes).await {
            Err(ReplicationError::Moved(_)) => {}
            other => return other,
        }
    }
    Err(ReplicationError::Moved(format!("service {backend}")))
}

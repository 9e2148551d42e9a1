//! Delivers what is in the outbox: a task for each receiver, so that one which is dead holds up nobody else; for each
//! subject the oldest event first, so that a receiver never hears that a volume moved on before it heard that it moved.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use rand::Rng;
use springform_model::time::Timestamp;
use springform_store::{Changes, Direction, Order, Query, Stored};

use super::delivery::{Delivery, DeliveryError, DeliveryState};
use super::event::CloudEvent;
use super::service::Outbox;
use crate::ControlError;
use crate::context::Context;

/// Deliveries under way at once for one receiver.
const AT_ONCE: usize = 8;
/// StoreEnv read at once.
const PAGE: u32 = 500;
/// StoreEnv looked through for what is due, at the most: subjects that wait must not hide those that do not.
const DEEP: usize = 20_000;
/// The longest wait for something to become due.
const LOOK: Duration = Duration::from_secs(60);
/// The wait after the database refused.
const HURT: Duration = Duration::from_secs(5);
/// How often what is done with is thrown away.
const SWEEP: Duration = Duration::from_secs(3600);
/// What was given up is kept so many times as long as what was delivered.
const KEEP_DEAD: i64 = 4;

/// Carries one event to one receiver.
#[async_trait]
pub trait EventSender: Send + Sync + 'static {
    /// Delivers it. Bounded in time by the implementation; dropping the future gives up.
    ///
    /// # Errors
    /// Why the receiver did not take it.
    async fn send(&self, receiver: &str, event: &CloudEvent) -> Result<(), DeliveryError>;
}

/// Delivers what is for one receiver for ever.
pub(crate) async fn send_to(outbox: Outbox, sender: Arc<dyn EventSender>, receiver: String) {
    let mut notify = outbox.subscribe();
    let context = outbox.context();
    loop {
        notify.mark_unchanged();
        let pause = match round(context, sender.as_ref(), &receiver).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(receiver, error = %error.message, "the outbox cannot be read or written");
                HURT
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // The notify outlives the tasks: both belong to the control plane.
            _ = notify.changed() => {}
        }
    }
}

/// What is due, and when it should be looked again.
struct Due {
    now: Vec<Stored<Delivery>>,
    next: Option<Timestamp>,
}

/// The oldest delivery of each subject, as far as it is due.
async fn due(context: &Context, receiver: &str) -> Result<Due, ControlError> {
    let now = context.now();
    let mut due = Due {
        now: Vec::new(),
        next: None,
    };
    let mut subjects = HashSet::new();
    let mut seen = 0;
    let mut query = Query::new()
        .eq("receiver", receiver)
        .eq("state", DeliveryState::Pending.as_str())
        .sort("created_at", Direction::Asc)
        .limit(PAGE);
    while seen < DEEP && due.now.len() < PAGE as usize {
        let page = context.store().list::<Delivery>(&query).await?;
        let Some(last) = page.last() else { break };
        query = query.marker(last.record.id.clone());
        seen += page.len();
        for delivery in page {
            if !subjects.insert(delivery.record.event.subject.clone()) {
                continue;
            }
            if delivery.record.is_due(now) {
                due.now.push(delivery);
            } else {
                let at = delivery.record.due_at;
                due.next = Some(due.next.map_or(at, |next| next.min(at)));
            }
        }
    }
    Ok(due)
}

async fn round(
    context: &Context,
    sender: &dyn EventSender,
    receiver: &str,
) -> Result<Duration, ControlError> {
    let due = due(context, receiver).await?;
    if due.now.is_empty() {
        let wait = due.next.map(|next| next.0.saturating_sub(context.now().0));
        let wait = wait.map_or(LOOK, |micros| {
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        });
        return Ok(wait.min(LOOK));
    }
    let mut carried = futures_util::stream::iter(
        due.now
            .into_iter()
            .map(|delivery| carry(context, sender, delivery)),
    )
    .buffer_unordered(AT_ONCE);
    while let Some(outcome) = carried.next().await {
        outcome?;
    }
    // There may be more of the same subjects.
    Ok(Duration::ZERO)
}

async fn carry(
    context: &Context,
    sender: &dyn EventSender,
    delivery: Stored<Delivery>,
) -> Result<(), ControlError> {
    let Delivery {
        receiver, event, ..
    } = &delivery.record;
    let outcome = sender.send(receiver, event).await;
    let jitter = rand::rng().random_range(750..=1250);
    if let Err(refused) = &outcome {
        tracing::debug!(%receiver, event = %event.id, why = %refused.why, "an event was not taken");
    }
    let after = Stored {
        record: delivery
            .record
            .clone()
            .after(outcome, context.now(), jitter),
        revision: delivery.revision,
    };
    if after.record.state == DeliveryState::Dead {
        let why = after.record.last_error.as_deref();
        tracing::warn!(receiver = %after.record.receiver, event = %after.record.event.id, why, "an event is given up; it stays in the outbox");
    }
    match context.store().commit(Changes::new().update(&after)).await {
        // Somebody asked for it to be sent again meanwhile: what they wrote holds.
        Err(error) if error.is_conflict() => Ok(()),
        other => Ok(other?),
    }
}

/// Throws away what was delivered or given up long ago, and gives up what is for nobody.
pub(crate) async fn sweep(context: Context) {
    loop {
        if let Err(error) = sweep_once(&context).await {
            tracing::warn!(error = %error.message, "the outbox could not be swept");
        }
        tokio::time::sleep(SWEEP).await;
    }
}

async fn sweep_once(context: &Context) -> Result<(), ControlError> {
    let keep = i64::try_from(context.config().keep_operations.as_micros()).unwrap_or(i64::MAX);
    let ages = [
        (DeliveryState::Delivered, keep),
        (DeliveryState::Dead, keep.saturating_mul(KEEP_DEAD)),
    ];
    for (state, age) in ages {
        let before = context.now().plus_micros(age.saturating_neg());
        let query = Query::new()
            .eq("state", state.as_str())
            .compare("created_at", Order::Less, before)
            .limit(PAGE);
        while let old @ [_, ..] = context.store().list::<Delivery>(&query).await?.as_slice() {
            let changes = old.iter().fold(Changes::new(), |changes, old| {
                changes.delete::<Delivery>(&old.record.id, old.revision)
            });
            context.store().commit(changes).await?;
        }
    }
    let mut orphans = Query::new()
        .eq("state", DeliveryState::Pending.as_str())
        .limit(PAGE);
    for receiver in &context.config().receivers {
        orphans = orphans.ne("receiver", receiver);
    }
    while let found @ [_, ..] = context.store().list::<Delivery>(&orphans).await?.as_slice() {
        let changes = found.iter().fold(Changes::new(), |changes, orphan| {
            let mut orphan = orphan.clone();
            orphan.record.state = DeliveryState::Dead;
            orphan.record.last_error = Some("the receiver is not configured any more".to_owned());
            changes.update(&orphan)
        });
        context.store().commit(changes).await?;
    }
    Ok(())
}

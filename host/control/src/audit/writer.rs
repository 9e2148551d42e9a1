//! Writes down what the [`Recorder`] takes.

use std::time::Duration;

use springform_model::audit::Entry;
use springform_store::Changes;
use tokio::time::{Instant, sleep_until};

use super::Recorder;
use crate::outbox::{CloudEvent, Outbox, deliver};

/// How long what is the same is counted together.
const WINDOW: Duration = Duration::from_secs(300);

/// Writes what is taken until the host stops.
pub(crate) async fn write_recorded(recorder: Recorder, outbox: Outbox) {
    let outbox = outbox.patient();
    let mut until = Instant::now() + WINDOW;
    loop {
        let entries = tokio::select! {
            entries = recorder.fresh() => entries,
            () = sleep_until(until) => {
                until = Instant::now() + WINDOW;
                recorder.end_window(outbox.context().now())
            }
        };
        write(&outbox, entries).await;
    }
}

/// Writes what was counted and not yet written.
pub(super) async fn write_rest(recorder: &Recorder, outbox: &Outbox) {
    let entries = recorder.end_window(outbox.context().now());
    write(outbox, entries).await;
}

/// Writes entries, and tells the receivers of events of those that concern an operator at once.
async fn write(outbox: &Outbox, entries: Vec<Entry>) {
    let context = outbox.context();
    let (config, now) = (context.config(), context.now());
    let entries = entries.into_iter().map(|entry| entry.by_host(&config.host));
    let entries: Vec<Entry> = entries.collect();
    let changes = entries.iter().cloned();
    let changes = changes.fold(Changes::new(), Changes::audit);
    let events: Vec<CloudEvent> = entries
        .iter()
        .filter_map(|entry| CloudEvent::driver(entry, now))
        .collect();
    let told = !events.is_empty();
    let changes = deliver(changes, events, &config.receivers, now);
    if let Err(error) = context.store().commit(changes).await {
        // They are bounded, so the log takes each: who tries something while the disk is full is seen all the same.
        for entry in &entries {
            let text = entry.text().unwrap_or_default();
            tracing::error!(target: "audit", event = "audit-unwritten", %error, "{text}");
        }
    } else if told {
        outbox.notify();
    }
}

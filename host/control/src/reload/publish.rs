//! A prepared configuration is let in: one commit, then one exchange of what every call reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use springform_model::audit::{Action, Entry, Outcome, Who};
use springform_model::cloud::Service;
use springform_store::Changes;
use uuid::Uuid;

use super::difference::Difference;
use super::prepare::Prepared;
use super::{Candidate, Change, guard};
use crate::ControlError;
use crate::audit::Audit;
use crate::backend::BackendHandle;
use crate::backends::LiveConfig;
use crate::edit::{TxError, retry_on_conflict};
use crate::engine::Operations;
use crate::outbox::{CloudEvent, Delivery};
use crate::registry::{Drivers, GenerationState};
use crate::services::{configured, new_service};
use crate::supervise::supervise;

/// Writes down and publishes; gives back the backends that are to be set up.
///
/// # Errors
/// What got in the way since it was looked, or what the store says; nothing has changed then.
pub(super) async fn all(
    operations: &Operations,
    candidate: &mut Candidate,
    difference: &Difference,
    prepared: Prepared,
    host: &[String],
    who: &Who,
) -> Result<Vec<Arc<BackendHandle>>, ControlError> {
    // No operation of replication is journalled between the last look and the exchange.
    let _gate = operations.reload_lock().write().await;
    retry_on_conflict(|| commit(operations, difference, &prepared, host, who)).await?;
    let before = operations.live_config();
    let mut backends = BTreeMap::new();
    let mut fresh = Vec::new();
    for config in std::mem::take(&mut candidate.backends) {
        let known = before.backends.get(&config.name).cloned();
        let handle = known.unwrap_or_else(|| Arc::new(BackendHandle::new(config.clone())));
        backends.insert(config.name, handle);
    }
    operations.table().publish(&prepared.ready);
    operations.set(LiveConfig {
        loader: candidate.loader.clone(),
        drivers: std::mem::take(&mut candidate.drivers),
        backends: backends.clone(),
    });
    for differs in &difference.backends {
        let handle = backends.get(&differs.name);
        match (&differs.wanted, handle) {
            (Some(config), Some(handle)) => {
                if differs.change == Change::Changed {
                    handle.reconfigure(config.as_ref().clone());
                }
                handle.set_up_again();
                handle.look.notify_one();
                if differs.change == Change::Added {
                    supervise(operations, handle.clone());
                }
                fresh.push(handle.clone());
            }
            _ => {
                if let Some(gone) = before.backends.get(&differs.name) {
                    gone.gone.cancel();
                }
                operations.table().withdraw(&differs.name);
                operations.metrics().forget(&differs.name);
            }
        }
    }
    operations.outbox().notify();
    Ok(fresh)
}

/// One round: looks once more whether nothing is in the way, and writes rows, generations and events.
async fn commit(
    operations: &Operations,
    difference: &Difference,
    prepared: &Prepared,
    host: &[String],
    who: &Who,
) -> Result<(), TxError> {
    // StoreEnv first: whoever takes a backend's turn after it was looked changes its row.
    let mut changes = Changes::new();
    for differs in &difference.backends {
        let Some(config) = &differs.wanted else {
            continue;
        };
        changes = match operations.store().get::<Service>(&differs.name).await? {
            None => changes.insert(&new_service(config, operations.now())),
            Some(mut known) => {
                configured(&mut known.record, config);
                known.record.updated_at = Some(operations.now());
                changes.update(&known)
            }
        };
    }
    guard::free(operations, difference).await?;
    for record in &prepared.records {
        let mut before = None;
        for mut other in Drivers::new(operations).records(&record.driver).await? {
            if other.state == GenerationState::Running {
                before = Some(other.clone());
            }
            if other.state == GenerationState::Running && other.id != record.id {
                other.state = GenerationState::Retired;
                changes = changes.put(&other);
            }
        }
        let mut record = record.clone();
        record.state = GenerationState::Running;
        record.reason = None;
        record.activated_at = Some(operations.now());
        changes = changes.put(&record);
        let grants = Audit::new(operations).grants(who, before.as_ref(), &record);
        changes = grants.into_iter().fold(changes, Changes::audit);
    }
    changes = changes.audit(entry(operations, difference, host, who));
    for event in told(operations, difference, prepared) {
        for receiver in &operations.config().receivers {
            changes = changes.put(&Delivery::new(event.clone(), receiver, operations.now()));
        }
    }
    Ok(operations.store().commit(changes).await?)
}

/// What the audit log is told: what differs, in words that hold no secret.
fn entry(operations: &Operations, difference: &Difference, host: &[String], who: &Who) -> Entry {
    let done = Action::ConfigurationReloaded;
    let audit = Audit::new(operations);
    let mut entry = audit.entry(who.clone(), done, Outcome::Succeeded);
    if !host.is_empty() {
        entry = entry.with("host", host.join("; "));
    }
    for differs in &difference.backends {
        let change = format!("{:?}", differs.change).to_lowercase();
        let what = format!("{change}: {}", differs.what.join("; "));
        entry = entry.with(format!("backend:{}", differs.name), what);
    }
    for driver in &difference.drivers {
        let what = format!("{:?}", driver.change);
        entry = entry.with(format!("driver:{}", driver.name), what.to_lowercase());
    }
    entry
}

fn told(operations: &Operations, difference: &Difference, prepared: &Prepared) -> Vec<CloudEvent> {
    let told = difference.backends.iter().map(|differs| {
        let data = json!({
            "backend": differs.name,
            "change": differs.change,
            "what": differs.what,
            "driver": differs.driver(),
            "generation": prepared.generation_of(&differs.name),
        });
        CloudEvent::new(
            "configuration.reloaded",
            &differs.name,
            &differs.name,
            Uuid::now_v7().to_string(),
            data,
            operations.now(),
        )
    });
    told.collect()
}

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
use crate::backend::BackendHandle;
use crate::control::{LiveConfig, configured, new_service};
use crate::edit::{TxError, retry_on_conflict};
use crate::outbox::{CloudEvent, Delivery};
use crate::registry::GenerationState;
use crate::{Control, ControlError};

/// Writes down and publishes; gives back the backends that are to be set up.
///
/// # Errors
/// What got in the way since it was looked, or what the store says; nothing has changed then.
pub(super) async fn all(
    control: &Control,
    candidate: &mut Candidate,
    difference: &Difference,
    prepared: Prepared,
    host: &[String],
    who: &Who,
) -> Result<Vec<Arc<BackendHandle>>, ControlError> {
    // No operation of replication is journalled between the last look and the exchange.
    let _gate = control.reload_lock().write().await;
    retry_on_conflict(|| commit(control, difference, &prepared, host, who)).await?;
    let before = control.live_config();
    let mut backends = BTreeMap::new();
    let mut fresh = Vec::new();
    for config in std::mem::take(&mut candidate.backends) {
        let known = before.backends.get(&config.name).cloned();
        let handle = known.unwrap_or_else(|| Arc::new(BackendHandle::new(config.clone())));
        backends.insert(config.name, handle);
    }
    control.table().publish(&prepared.ready);
    control.set(LiveConfig {
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
                    control.watch_backend(handle.clone());
                }
                fresh.push(handle.clone());
            }
            _ => {
                if let Some(gone) = before.backends.get(&differs.name) {
                    gone.gone.cancel();
                }
                control.table().withdraw(&differs.name);
                control.metrics().forget(&differs.name);
            }
        }
    }
    control.outbox().notify();
    Ok(fresh)
}

/// One round: looks once more whether nothing is in the way, and writes rows, generations and events.
async fn commit(
    control: &Control,
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
        changes = match control.store().get::<Service>(&differs.name).await? {
            None => changes.insert(&new_service(config, control.now())),
            Some(mut known) => {
                configured(&mut known.record, config);
                known.record.updated_at = Some(control.now());
                changes.update(&known)
            }
        };
    }
    guard::free(control, difference).await?;
    for record in &prepared.records {
        let mut before = None;
        for mut other in control.drivers().records(&record.driver).await? {
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
        record.activated_at = Some(control.now());
        changes = changes.put(&record);
        let grants = control.audit().grants(who, before.as_ref(), &record);
        changes = grants.into_iter().fold(changes, Changes::audit);
    }
    changes = changes.audit(entry(control, difference, host, who));
    for event in told(control, difference, prepared) {
        for receiver in &control.config().receivers {
            changes = changes.put(&Delivery::new(event.clone(), receiver, control.now()));
        }
    }
    Ok(control.store().commit(changes).await?)
}

/// What the audit log is told: what differs, in words that hold no secret.
fn entry(control: &Control, difference: &Difference, host: &[String], who: &Who) -> Entry {
    let done = Action::ConfigurationReloaded;
    let audit = control.audit();
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

fn told(control: &Control, difference: &Difference, prepared: &Prepared) -> Vec<CloudEvent> {
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
            control.now(),
        )
    });
    told.collect()
}

//! What the receivers of events are told.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use springform_model::audit::{Action, Entry};
use springform_model::cloud::Volume;
use springform_model::operation::{Operation, OperationState, Verb};
use springform_model::replication::obligation::Obligation;
use springform_model::time::Timestamp;
use uuid::Uuid;

/// An event in the CloudEvents 1.0 JSON format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// Unique: a receiver drops what it has seen.
    pub id: String,
    /// `springform/backends/<backend>`.
    pub source: String,
    /// `org.springform.volume.moved`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Volume or backend it is about.
    pub subject: String,
    /// RFC 3339.
    pub time: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// What happened.
    pub data: Value,
}

impl CloudEvent {
    /// An event.
    #[must_use]
    pub fn new(
        kind: &str,
        backend: &str,
        subject: &str,
        id: String,
        data: Value,
        now: Timestamp,
    ) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id,
            source: format!("springform/backends/{backend}"),
            kind: format!("org.springform.{kind}"),
            subject: subject.to_owned(),
            time: format!("{}Z", now.to_cinder()),
            datacontenttype: "application/json".to_owned(),
            data,
        }
    }

    /// A volume is served by another array. Its id follows from volume, operation and generation, so an operation that is
    /// resumed does not tell it twice.
    #[must_use]
    pub fn moved(
        volume: &Volume,
        operation: &str,
        from: Option<&str>,
        to: &str,
        generation: u64,
        now: Timestamp,
    ) -> Self {
        let id = Uuid::new_v5(
            &Uuid::NAMESPACE_OID,
            format!("moved/{}/{operation}/{generation}", volume.id).as_bytes(),
        );
        let data = json!({
            "volume_id": volume.id,
            "project_id": volume.project_id,
            "operation": operation,
            "from": from,
            "to": to,
            "generation": generation,
            "attachments": volume.attachments.iter().map(|a| &a.attachment_id).collect::<Vec<_>>(),
            "reconnect": !volume.attachments.is_empty(),
        });
        let backend = volume.backend.as_deref().unwrap_or("none");
        Self::new(
            "volume.moved",
            backend,
            &volume.id,
            id.to_string(),
            data,
            now,
        )
    }

    /// A volume has another size on the array it moved to: it was grown after the recovery point. Its id follows from volume,
    /// operation and generation, as that of the move.
    #[must_use]
    pub fn resized(volume: &Volume, operation: &str, was: u64, on: &str, now: Timestamp) -> Self {
        let id = Uuid::new_v5(
            &Uuid::NAMESPACE_OID,
            format!("resized/{}/{operation}/{}", volume.id, volume.generation).as_bytes(),
        );
        let data = json!({
            "volume_id": volume.id,
            "project_id": volume.project_id,
            "operation": operation,
            "target": on,
            "size": volume.size,
            "previous_size": was,
            "generation": volume.generation,
        });
        let backend = volume.backend.as_deref().unwrap_or("none");
        let id = id.to_string();
        Self::new("volume.resized", backend, &volume.id, id, data, now)
    }

    /// A backend cannot be given work any more, and why; or it can again.
    #[must_use]
    pub fn backend(backend: &str, reason: Option<&str>, now: Timestamp) -> Self {
        let kind = match reason {
            Some(_) => "backend.down",
            None => "backend.up",
        };
        let data = json!({ "backend": backend, "reason": reason });
        let id = Uuid::now_v7().to_string();
        Self::new(kind, backend, backend, id, data, now)
    }

    /// No call is let through to a driver on a backend any more, or it answers again there; nothing for other entries.
    #[must_use]
    pub fn driver(entry: &Entry, now: Timestamp) -> Option<Self> {
        let kind = match entry.action {
            Action::DriverQuarantined => "driver.quarantined",
            Action::DriverReleased => "driver.released",
            _ => return None,
        };
        let (driver, backend) = (entry.on.driver.as_ref()?, entry.on.backend.as_ref()?);
        // More than one where it happened again within minutes.
        let times = entry.details.get("times");
        let times = times.and_then(|times| times.parse::<u64>().ok());
        let data = json!({ "driver": driver, "backend": backend, "times": times.unwrap_or(1) });
        let id = Uuid::now_v7().to_string();
        Some(Self::new(kind, backend, backend, id, data, now))
    }

    /// An operation of replication was journalled, or has ended: `begun`, `ended` where all of it was done, `failed`
    /// otherwise. Its id follows from the operation, so one that is resumed does not tell it twice.
    #[must_use]
    pub fn operation(operation: &Operation, now: Timestamp) -> Self {
        let kind = match operation.state {
            OperationState::Succeeded => "operation.ended",
            state if state.is_terminal() => "operation.failed",
            _ => "operation.begun",
        };
        Self::of_operation(kind, operation, json!({}), now)
    }

    /// A drill began, or is over, by this operation.
    #[must_use]
    pub fn drill(operation: &Operation, now: Timestamp) -> Option<Self> {
        let done = matches!(
            operation.state,
            OperationState::Succeeded | OperationState::PartlyFailed
        );
        let (kind, how) = match operation.verb {
            Verb::StartDrill => ("drill.begun", None),
            Verb::StopDrill => ("drill.ended", Some("stopped")),
            Verb::CommitDrill => ("drill.ended", Some("committed")),
            _ => return None,
        };
        let data = json!({ "how": how, "drill": operation.input.get("drill") });
        done.then(|| Self::of_operation(kind, operation, data, now))
    }

    fn of_operation(kind: &str, operation: &Operation, more: Value, now: Timestamp) -> Self {
        let backend = operation.backend.as_deref().unwrap_or("none");
        let id = format!("{kind}/{}", operation.id);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).to_string();
        let mut data = json!({
            "operation": operation.id,
            "verb": operation.verb,
            "state": operation.state,
            "backend": operation.backend,
            "subject_kind": operation.subject_kind,
            "subject": operation.subject,
            "user_id": operation.user,
            "project_id": operation.project,
            "progress": operation.progress,
            "error": operation.error.as_ref().map(|error| &error.message),
        });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        Self::new(kind, backend, &operation.subject, id, data, now)
    }

    /// What an array is owed was written down (`made`), done (`settled`), or given up (`abandoned`): the array is not
    /// configured any more, or somebody took the object over. Its id follows from the obligation and the operation that owes
    /// it, so that what is repeated after a crash is not told twice.
    #[must_use]
    pub fn obligation(what: &str, obligation: &Obligation, now: Timestamp) -> Self {
        let kind = format!("obligation.{what}");
        let id = format!("{kind}/{}/{}", obligation.id, obligation.operation);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).to_string();
        let data = json!({
            "backend": obligation.backend,
            "target": obligation.target,
            "obligation": obligation.kind,
            "object": obligation.object,
            "volume_id": obligation.volume_id,
            "project_id": obligation.project,
            "operation": obligation.operation,
            "reason": obligation.reason,
            "since": format!("{}Z", obligation.since.to_cinder()),
        });
        let subject = format!("{}/{}", obligation.backend, obligation.target);
        Self::new(&kind, &obligation.backend, &subject, id, data, now)
    }

    /// An array that was left behind is not configured any more: nobody here will fence what it holds of these volumes. The
    /// id follows from operation, array and first volume, so an operation that is resumed does not tell it twice.
    #[must_use]
    pub fn written_off(
        backend: &str,
        target: &str,
        volumes: &[&str],
        operation: &str,
        now: Timestamp,
    ) -> Self {
        let first = volumes.first().copied().unwrap_or_default();
        let id = Uuid::new_v5(
            &Uuid::NAMESPACE_OID,
            format!("written-off/{backend}/{target}/{operation}/{first}").as_bytes(),
        );
        let data = json!({
            "backend": backend,
            "target": target,
            "operation": operation,
            "volumes": volumes,
        });
        Self::new(
            "replication.array-written-off",
            backend,
            &format!("{backend}/{target}"),
            id.to_string(),
            data,
            now,
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn event() -> CloudEvent {
        CloudEvent::new(
            "volume.moved",
            "pure1",
            "v",
            "e".into(),
            json!({}),
            Timestamp(0),
        )
    }

    #[test]
    fn an_event_has_every_attribute_that_cloudevents_requires() {
        let value = serde_json::to_value(event()).expect("serialises");
        for key in ["specversion", "id", "source", "type"] {
            assert!(value.get(key).is_some_and(Value::is_string), "{key}");
        }
        assert_eq!(value["time"], "1970-01-01T00:00:00.000000Z");
    }
}

//! What is shown is what the record writes: for records with everything in them, and with nothing.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use springform_model::contract::{
    CredentialScheme, FailoverMode, FailureCode, LinkState, OptionType, Protection,
    ReplicationKind, Role,
};

use super::words::{ContractWord, OptionKind};
use super::*;

/// Reads a record, and compares how it is shown with how it is written.
macro_rules! shown_as_written {
    ($record:ty, $view:expr, $json:expr) => {{
        let record: $record = serde_json::from_value($json).unwrap();
        let view: fn(&$record) -> Value = |record| json!($view(record));
        assert_eq!(view(&record), json!(record));
        json!(record)
    }};
}

fn failed() -> Value {
    json!({
        "code": "unavailable", "message": "m", "backend": "b", "target": "t", "driver": "d", "generation": 2,
        "retryable": true,
    })
}

fn operation(full: bool) -> Value {
    let some = |value: Value| if full { value } else { Value::Null };
    json!({
        "id": "i", "verb": "create-volume", "state": "partly-failed", "backend": some(json!("b")),
        "subject_kind": "volume", "subject": "s", "project": "p", "user": "u", "request_id": some(json!("r")),
        "generation": some(json!(7)), "input": {"a": [1]}, "result": some(json!({"b": 2})),
        "steps": [{
            "name": "n", "state": "waiting", "started_at": some(json!(1)), "finished_at": some(json!(2)),
            "deadline": some(json!(3)), "waiting_for": some(json!("w")), "percent": some(json!(50)), "attempts": 2,
            "error": some(failed()), "data": some(json!([1, 2])),
        }],
        "progress": {"done": 1, "failed": 2, "total": 3}, "error": some(failed()), "cancel_requested": full,
        "created_at": 10, "updated_at": 11, "finished_at": some(json!(12)), "deadline": 13,
    })
}

#[test]
fn an_operation_is_shown_as_it_is_written() {
    use springform_model::operation::Operation;
    for full in [true, false] {
        shown_as_written!(Operation, OperationView::new, operation(full));
    }
}

fn placement(full: bool) -> Value {
    let some = |value: Value| if full { value } else { Value::Null };
    json!({
        "array_name": "a", "target": "t", "serial": some(json!("s")), "metadata": [["k", "v"]],
        "replication": some(json!({"other": "new"})), "extensions": [["k", "v"]],
    })
}

#[test]
fn a_drill_is_shown_as_it_is_written() {
    use springform_model::replication::drill::Drill;
    let failure = json!({
        "code": {"other": "new"}, "message": "m", "target": "t", "detail": "d", "extensions": [["k", "v"]],
    });
    for (full, copy) in [
        (true, json!({"Ok": placement(true)})),
        (true, json!({"Err": failure})),
        (false, Value::Null),
    ] {
        let some = |value: Value| if full { value } else { Value::Null };
        let drill = json!({
            "id": "i", "backend": "b", "project": "p", "target": "t", "whole_backend": full, "state": "committing",
            "members": [{
                "origin": some(placement(false)), "volume_id": "v", "copy": copy,
                "point": some(json!({"id": "p", "taken_at": 5})),
            }],
            "operation": some(json!("o")), "created_at": 1, "ends_at": 2,
            "problem": some(json!("why")),
        });
        shown_as_written!(Drill, DrillView::new, drill);
    }
}

#[test]
fn an_event_and_an_image_are_shown_as_they_are_written() {
    use springform_control::outbox::Delivery;
    use springform_model::cloud::GoldenImage;
    let event = json!({
        "specversion": "1.0", "id": "e", "source": "s", "type": "t", "subject": "v", "time": "now",
        "datacontenttype": "application/json", "data": {"a": 1},
    });
    for error in [json!("refused"), Value::Null] {
        let delivery = json!({
            "id": "e/r", "event": event, "receiver": "r", "state": "dead", "attempts": 3, "last_error": error,
            "due_at": 1, "created_at": 2,
        });
        shown_as_written!(Delivery, DeliveryView::new, delivery);
    }
    let image = json!({"id": "i", "volume_id": "v", "metadata": {"k": "v"}, "created_at": 3});
    shown_as_written!(GoldenImage, ImageView::new, image);
}

#[test]
fn a_generation_is_shown_as_it_is_written_with_its_drivers_name() {
    use springform_control::registry::GenerationRecord;
    for some in [json!(9), Value::Null] {
        let record = json!({
            "id": "d/1", "driver": "d", "number": 1, "digest": "x", "path": "/p", "version": "0.1.0",
            "config_digest": "y", "grants": ["g"], "state": "retired", "reason": some.as_i64().map(|_| "why"),
            "created_at": 1, "activated_at": some,
        });
        let record: GenerationRecord = serde_json::from_value(record).unwrap();
        let mut written = json!(record);
        written["name"] = json!("d");
        assert_eq!(json!(InstalledDriver::new("d", &record)), written);
    }
}

#[test]
fn what_a_driver_says_of_itself_is_shown_as_it_is_written() {
    use springform_model::contract::Description;
    let option = |kind: Value| json!({"name": "n", "kind": kind, "default": null, "required": true, "secret": false, "doc": "d"});
    let session = json!({
        "login_path": "/l", "login_method": "POST", "secret_header": "h", "token_response_header": "t",
        "token_pointer": null, "token_header": "x", "logout_path": null, "version_path": "/v",
        "version_pointer": null, "versions": ["2.4"], "expired_statuses": [401],
    });
    for credentials in [
        json!("none"),
        json!("basic"),
        json!("bearer"),
        json!({"header": "h"}),
        json!({"session": session}),
        json!({"other": "new"}),
    ] {
        let description = json!({
            "name": "n", "vendor": "v", "version": "1", "summary": "s", "replication": ["tri-sync"],
            "protocols": ["iscsi"], "options": [option(json!("seconds")), option(json!({"choice": ["a"]}))],
            "target_options": [option(json!({"other": "new"}))], "credentials": credentials, "secret_option": "s",
            "target_secret_option": null, "features": ["f"], "extensions": [["k", "v"]],
        });
        shown_as_written!(Description, DescriptionView::new, description);
    }
}

fn same<'a, T, V>(words: &'a [T])
where
    T: Serialize,
    V: Serialize + From<&'a T>,
{
    for word in words {
        assert_eq!(json!(V::from(word)), json!(word));
    }
}

fn all<T: DeserializeOwned>(words: &[&str]) -> Vec<T> {
    let known = words.iter().map(|word| json!(word));
    let all = known.chain([json!({"other": "new"})]);
    all.map(|word| serde_json::from_value(word).unwrap())
        .collect()
}

#[test]
fn words_of_the_contract_are_shown_as_they_are_written() {
    same::<Role, ContractWord<'_>>(&all(&[
        "primary",
        "secondary",
        "both",
        "split-brain",
        "unknown",
    ]));
    same::<LinkState, ContractWord<'_>>(&all(&[
        "healthy",
        "degraded",
        "paused",
        "down",
        "resyncing",
    ]));
    same::<Protection, ContractWord<'_>>(&all(&["unprotected", "rpo-exceeded", "test-active"]));
    same::<FailoverMode, ContractWord<'_>>(&all(&["planned", "unplanned"]));
    same::<ReplicationKind, ContractWord<'_>>(&all(&["async", "sync", "tri-sync"]));
    same::<FailureCode, ContractWord<'_>>(&all(&[
        "not-found",
        "failed-precondition",
        "deadline",
        "protocol",
    ]));
    same::<OptionType, OptionKind<'_>>(&all(&[
        "text",
        "boolean",
        "integer",
        "seconds",
        "text-list",
    ]));
    assert_eq!(json!(CredentialScheme::None), "none");
}

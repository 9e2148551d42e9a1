//! What the input of an operation on a volume says, and how its end shows.

use springform_model::cloud::{Volume, VolumeStatus};
use springform_model::operation::{Operation, Verb};

/// Number of the action in Cinder's user messages.
pub(super) fn action(verb: Verb) -> &'static str {
    match verb {
        Verb::DeleteVolume => "010",
        Verb::ExtendVolume => "007",
        _ => "011",
    }
}

/// A text of the operation's input.
pub(super) fn text(operation: &Operation, key: &str) -> String {
    operation
        .input
        .get(key)
        .and_then(|value| value.as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The state of the volume before the operation.
pub(super) fn status_before(operation: &Operation) -> VolumeStatus {
    text(operation, "status")
        .parse()
        .unwrap_or(VolumeStatus::Available)
}

/// The state that a volume had before, unless hosts began or ceased to use it meanwhile.
pub(super) fn at_rest(volume: &Volume, before: VolumeStatus) -> VolumeStatus {
    match before {
        VolumeStatus::Available | VolumeStatus::InUse if volume.attachments.is_empty() => {
            VolumeStatus::Available
        }
        VolumeStatus::Available => VolumeStatus::InUse,
        _ => before,
    }
}

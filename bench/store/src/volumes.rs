//! The records that are written and read.

use serde_json::json;
use springform_model::cloud::Volume;

/// Volumes in the database.
pub const COUNT: usize = 3000;

/// Volume number `n`, as one that was made and is attached.
///
/// # Errors
/// The model has another volume than this.
pub fn volume(n: usize) -> anyhow::Result<Volume> {
    let volume = json!({
        "id": id(n), "project_id": "0123456789abcdef0123456789abcdef", "user_id": "fedcba9876543210fedcba9876543210",
        "name": format!("volume-{n}"), "description": "of the benchmark", "size": 10, "status": "available",
        "availability_zone": "nova", "type_id": "6b1c1d4e-2b0c-4d8e-9f52-5d9d1f0a7c11", "type_name": "gold",
        "metadata": {"purpose": "benchmark", "array_name": format!("pod::volume-{n}")}, "admin_metadata": {},
        "image_metadata": {}, "bootable": false, "multiattach": false, "consumes_quota": true, "backend": "pure1",
        "host": "host@pure1#pool", "generation": 1, "attachments": [], "created_at": 1_700_000_000_000_000_i64 + n as i64,
    });
    Ok(serde_json::from_value(volume)?)
}

/// Its id.
pub fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// The `round`th change of a volume: what changes with most operations.
pub fn change(volume: &mut Volume, round: usize) {
    let round = i64::try_from(round).unwrap_or(i64::MAX / 2);
    volume.updated_at = Some(springform_model::time::Timestamp(
        1_800_000_000_000_000 + round,
    ));
    volume.operation = (round % 2 == 0).then(|| id(7));
}

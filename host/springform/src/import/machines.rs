//! What machines log in to the arrays with.

use springform_control::attachments::Secret;

use super::records::{Reader, Records};

const COLUMNS: &[&str] = &["initiator", "namespace", "key", "value"];

/// The word of Cinder's driver for a password (`cinder/volume/drivers/pure.py`, `CHAP_SECRET_KEY`).
const PASSWORD: &str = "PURE_TARGET_CHAP_SECRET";

/// Reads them: a machine that had another password from now on could not log in again.
///
/// # Errors
/// What the database says.
pub async fn read(reader: &mut Reader<'_>, records: &mut Records) -> anyhow::Result<()> {
    let rows = reader.source.all("driver_initiator_data", COLUMNS).await?;
    for row in rows.iter().filter(|row| row.opt("key") == Some(PASSWORD)) {
        let namespace = row.text("namespace");
        let backends = reader.backends.iter();
        for backend in backends.filter(|backend| backend.machines == namespace) {
            let (initiator, password) = (row.text("initiator"), row.text("value"));
            let secret = Secret::taken_over(&backend.name, &initiator, &password);
            records.secrets.push(secret);
        }
    }
    Ok(())
}

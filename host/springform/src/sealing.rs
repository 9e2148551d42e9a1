//! The key that secrets in the database are sealed with: where it is found, made at the first start, and exchanged.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use springform_api::{SecretFileError, read_secret_file};
use springform_model::audit::{Action, Entry};
use springform_store::{Changes, Keyring, SealingKey, Store, StoreOptions, sealed_with};
use zeroize::Zeroizing;

use crate::audit;
use crate::config::{SealingKeySource, ServiceConfig};

/// Ids of the keys of a rotation.
#[derive(Debug)]
pub struct Rotated {
    /// The one in use now.
    pub new: String,
    /// The one that was.
    pub old: String,
}

/// Reads the key. None: it is kept in a file that is not there.
///
/// # Errors
/// A key that cannot be read, that others can read, or that is damaged; with what to do.
pub fn find(source: &SealingKeySource) -> anyhow::Result<Option<Keyring>> {
    let (place, text) = match source {
        SealingKeySource::File(path) => {
            let place = format!("`sealing_key_file` {}", path.display());
            match read_secret_file(path) {
                Err(SecretFileError::Unreadable(error))
                    if error.kind() == io::ErrorKind::NotFound =>
                {
                    return Ok(None);
                }
                read => (place, read),
            }
        }
        SealingKeySource::Credential(name) => {
            let place = format!("`sealing_key_credential` {name}");
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").with_context(|| {
                format!(
                    "[service] takes its sealing key from {place}, and systemd hands over no credentials: \
                     add `LoadCredentialEncrypted={name}` to the unit"
                )
            })?;
            let path = PathBuf::from(folder).join(name);
            (place, read_secret_file(&path))
        }
        SealingKeySource::Env(variable) => {
            let place = format!("`sealing_key_env` {variable}");
            let value = std::env::var(variable).with_context(|| {
                format!("[service] takes its sealing key from {place}, which is not set")
            })?;
            (place, Ok(Zeroizing::new(value.into_bytes())))
        }
    };
    let text = text.map_err(|error| {
        anyhow::anyhow!("[service] takes its sealing key from {place}, which {error}")
    })?;
    let read = Keyring::parse(std::str::from_utf8(&text).unwrap_or("?"));
    let read = read.map_err(|error| {
        anyhow::anyhow!(
            "[service] takes its sealing key from {place}, which cannot be used: {error}"
        )
    });
    read.map(Some)
}

/// Reads the key, or makes one where there is none and nothing was sealed yet.
///
/// # Errors
/// As [`find`]; a database that is sealed and whose key is not there; a file that cannot be written.
pub async fn find_or_make(service: &ServiceConfig) -> anyhow::Result<Keyring> {
    if let Some(keys) = find(&service.sealing_key)? {
        return Ok(keys);
    }
    let SealingKeySource::File(path) = &service.sealing_key else {
        bail!("there is no sealing key");
    };
    must_not_be_sealed(service, path).await?;
    let made = Keyring::new(SealingKey::generate()?);
    match write(path, &made, false) {
        // Another process made one meanwhile: the first one counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            find(&service.sealing_key)?.context("the sealing key was there and is gone")
        }
        written => {
            written.with_context(|| cannot_write(path))?;
            tracing::info!(
                file = %path.display(), key = made.first().id(),
                "a key was made that secrets in the database are sealed with; keep a copy of it, apart from the database's backups"
            );
            Ok(made)
        }
    }
}

async fn must_not_be_sealed(service: &ServiceConfig, path: &Path) -> anyhow::Result<()> {
    let Some(id) = sealed_with(&service.database).await? else {
        return Ok(());
    };
    bail!(
        "the secrets in the database {} are sealed with the key {id}, and `sealing_key_file` {} is not there; put it back from its copy",
        service.database.display(),
        path.display()
    )
}

/// Seals the secrets with a new key and forgets the old one. The host must not run. Both keys are in the file until nothing needs
/// the old one, so a rotation that is killed leaves a database that opens; the next one ends it.
///
/// # Errors
/// A host that runs; a key that is not kept in a file, does not fit the database or cannot be written.
pub async fn rotate(service: &ServiceConfig) -> anyhow::Result<Rotated> {
    let path = match &service.sealing_key {
        SealingKeySource::File(path) => path,
        SealingKeySource::Env(name) | SealingKeySource::Credential(name) => bail!(
            "the sealing key is kept in {name}, which this command cannot change; write a new one (`openssl rand -hex 32`) \
             as a line before the present one and start the host, which seals everything with the first key; then take the old line away"
        ),
    };
    let Some(keys) = find(&service.sealing_key)? else {
        must_not_be_sealed(service, path).await?;
        bail!(
            "there is no `sealing_key_file` {} and nothing is sealed yet; the first start of the host makes a key",
            path.display()
        );
    };
    if !service.database.exists() {
        bail!("there is no database {}", service.database.display());
    }
    // The file is touched only when it is known that no host runs and that the key fits.
    seal_with(service, &keys, None).await?;
    let new = keys.led_by(SealingKey::generate()?);
    let only = Keyring::new(new.first().clone());
    write(path, &new, true).with_context(|| cannot_write(path))?;
    let (to, from) = (new.first().id(), keys.first().id());
    let entry = audit::entry(service, Action::KeyRotated);
    let entry = entry.with("key", to).with("before", from);
    seal_with(service, &new, Some(entry)).await?;
    write(path, &only, true).with_context(|| cannot_write(path))?;
    Ok(Rotated {
        new: new.first().id(),
        old: keys.first().id(),
    })
}

/// Seals everything with the first key, and tells so.
async fn seal_with(
    service: &ServiceConfig,
    keys: &Keyring,
    entry: Option<Entry>,
) -> anyhow::Result<()> {
    let options = StoreOptions {
        keys: Some(keys.clone()),
        ..StoreOptions::default()
    };
    let store = Store::open_with(&service.database, options).await?;
    if let Some(entry) = entry {
        store.commit(Changes::new().audit(entry)).await?;
    }
    store.close().await;
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("`sealing_key_file` {} cannot be written", path.display())
}

/// Writes a key file beside its place, for its owner alone, and gives it its name when it is on the disk.
fn write(path: &Path, keys: &Keyring, replace: bool) -> io::Result<()> {
    let path = match replace {
        true => path.canonicalize()?,
        false => path.to_owned(),
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(keys.text().as_bytes())?;
    if replace {
        // Rotated by root, read by the host's user.
        let old = fs::metadata(&path)?;
        chown(file.path(), Some(old.uid()), Some(old.gid()))?;
    }
    file.as_file().sync_all()?;
    let named = match replace {
        true => file.persist(&path),
        false => file.persist_noclobber(&path),
    };
    named.map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

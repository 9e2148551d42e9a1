//! `springform driver sign` and `verify`: no host is needed for either.

use std::io::Cursor;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use minisign::{SecretKey, SecretKeyBox, SignatureBox};
use springform_api::read_secret_file;
use springform_sandbox::ComponentFile;
use zeroize::Zeroizing;

use crate::cli::SignArgs;
use crate::config::Config;
use crate::out;
use crate::verification::{self, Rules, signatures_of};

/// Largest component that is looked at, bytes: what the host takes.
const LARGEST: u64 = 64 << 20;

/// Signs a component. Signatures by other keys stay; an older one by this key is replaced.
///
/// # Errors
/// The component or the key cannot be read, or the signature not be written.
pub fn sign(asked: &SignArgs) -> anyhow::Result<ExitCode> {
    let file = &asked.file;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let key = secret_key(&asked.secret_key, asked.password_file.as_deref())?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let trusted = match &asked.comment {
        Some(comment) => format!("file:{name} {comment}"),
        None => format!("file:{name}"),
    };
    // One line of a file of lines: anything else would be a signature that cannot be read.
    if trusted.chars().any(char::is_control) {
        bail!("the comment or the file's name has control characters");
    }
    let signature = minisign::sign(None, &key, Cursor::new(&bytes), Some(&trusted), None)
        .context("the component could not be signed")?;
    let path = signatures_of(file);
    let mut all = String::new();
    for known in verification::each(&beside(file)?) {
        let other = SignatureBox::from_string(&known)
            .map_or(true, |known| known.keynum() != signature.keynum());
        if other {
            all.push_str(&known);
            all.push('\n');
        }
    }
    all.push_str(&signature.into_string());
    std::fs::write(&path, all).with_context(|| format!("cannot write {}", path.display()))?;
    out::line(format_args!(
        "signed {}: {}",
        file.display(),
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn secret_key(path: &Path, password: Option<&Path>) -> anyhow::Result<SecretKey> {
    let text = |path: &Path| -> anyhow::Result<Zeroizing<String>> {
        let bytes = read_secret_file(path)?;
        let text = std::str::from_utf8(&bytes)
            .with_context(|| format!("{} is no text", path.display()))?;
        Ok(Zeroizing::new(text.to_owned()))
    };
    let key = SecretKeyBox::from_string(&text(path)?)?;
    if let Ok(open) = SecretKeyBox::from_string(&text(path)?)?.into_unencrypted_secret_key() {
        return Ok(open);
    }
    let password = password.map(text).transpose()?;
    let password = password.map(|password| password.trim_end_matches(['\r', '\n']).to_owned());
    key.into_secret_key(password).with_context(|| {
        format!(
            "{} is no secret key of minisign, or has another password",
            path.display()
        )
    })
}

/// Says whether a file may be a driver by the configuration, and who signed it.
///
/// # Errors
/// It may not: the rule; the file or the configuration cannot be read.
pub fn verify(file: &Path, driver: &str, config: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(config)?;
    let Some(known) = config.drivers.get(driver) else {
        bail!("there is no [driver.{driver}] in {}", config.path.display());
    };
    let component = ComponentFile::read(file, LARGEST)?;
    let signers = Rules::of(known)
        .admit(&component)
        .map_err(anyhow::Error::msg)?;
    let by = match signers.is_empty() {
        true => "no known key".to_owned(),
        false => signers.join(", "),
    };
    out::line(format_args!(
        "{} may be loaded as {driver}: digest {}, signed by {by}",
        file.display(),
        component.digest()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The signatures beside a component; empty where there are none.
///
/// # Errors
/// They cannot be read.
pub fn beside(component: &Path) -> anyhow::Result<String> {
    let path = signatures_of(component);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

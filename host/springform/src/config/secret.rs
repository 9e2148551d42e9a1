//! Where secrets come from: an environment variable or a file. They leave this module only as [`Secret`], which never
//! shows itself.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use springform_api::read_secret_file;

/// A password or token. Neither `Debug` nor any message shows it, and it is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Secret {}

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value, for whoever sends it to an array.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads the variable that `<option>_env` names.
///
/// # Errors
/// A sentence for the operator: the variable is not set, is empty or is no text.
pub fn from_env(option: &str, variable: &str) -> Result<Secret, String> {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
        Ok(_) => Err(format!(
            "takes the secret `{option}` from the environment variable {variable}, which is empty"
        )),
        Err(std::env::VarError::NotPresent) => Err(format!(
            "takes the secret `{option}` from the environment variable {variable}, which is not set"
        )),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!(
            "takes the secret `{option}` from the environment variable {variable}, which is not UTF-8 text"
        )),
    }
}

/// Reads the file that `<option>_file` names; a final line break does not belong to the secret.
///
/// # Errors
/// A sentence for the operator: the file cannot be read, is empty, or may be read by everybody.
pub fn from_file(option: &str, path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let place = format!("takes the secret `{option}` from the file {shown}, which");
    let bytes = read_secret_file(path).map_err(|error| format!("{place} {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{place} is not UTF-8 text"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{place} is empty")),
        value => Ok(Secret::new(value)),
    }
}

/// Reads a secret from wherever it is named.
///
/// # Errors
/// As [`from_env`] and [`from_file`]; or it is named nowhere.
pub fn secret_from(
    option: &str,
    variable: Option<&str>,
    path: Option<&Path>,
) -> Result<Secret, String> {
    match (variable, path) {
        (Some(variable), _) => from_env(option, variable),
        (None, Some(path)) => from_file(option, path),
        (None, None) => Err(format!("needs `{option}_env` or `{option}_file`")),
    }
}

//! Where secrets come from: an environment variable or a file. They leave this module only as [`Secret`], which never
//! shows itself.

use std::fmt;
use std::path::Path;

/// A password or token. Neither `Debug` nor any message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for whoever sends it to an array.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
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
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("takes the secret `{option}` from the file {shown}, which cannot be read: {error}")
    })?;
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(format!(
            "takes the secret `{option}` from the file {shown}, which is empty"
        ));
    }
    if readable_by_others(path) {
        return Err(format!(
            "takes the secret `{option}` from the file {shown}, which every user of this machine can read; run `chmod 600 {shown}`"
        ));
    }
    Ok(Secret::new(value))
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

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> bool {
    false
}

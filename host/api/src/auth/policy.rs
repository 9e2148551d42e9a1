//! Who may make which call: each route has a rule and a least role, and a file may say otherwise rule by rule.
//!
//! ```toml
//! "volume:create" = "admin"
//! "volume_extension:types_extra_specs:index" = "reader"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use springform_control::Caller;

use crate::http::{Access, ApiError, Route, Routes};

/// Rules that differ from the built-in ones.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    overrides: BTreeMap<String, Access>,
}

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read.
    #[error("policy file {path} cannot be read: {source}")]
    Unreadable {
        /// File.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// It is no such file.
    #[error("policy file {path} is not valid: {reason}")]
    Malformed {
        /// File.
        path: String,
        /// Cause.
        reason: String,
    },
}

impl Policy {
    /// Reads a file of `"rule" = "admin" | "member" | "reader" | "nobody"`.
    ///
    /// # Errors
    /// For a file that cannot be read, a rule that no route has, and a word that is no role.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| PolicyError::Unreadable {
            path: name.clone(),
            source,
        })?;
        let known: BTreeSet<&str> = crate::all_routes()
            .iter()
            .flat_map(Routes::list)
            .map(|route| route.rule)
            .collect();
        Self::parse(&text, &known).map_err(|reason| PolicyError::Malformed { path: name, reason })
    }

    fn parse(text: &str, known: &BTreeSet<&str>) -> Result<Self, String> {
        let table: BTreeMap<String, String> =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut overrides = BTreeMap::new();
        for (rule, role) in table {
            if !known.contains(rule.as_str()) {
                return Err(format!("no route has the rule \"{rule}\""));
            }
            let access = match role.as_str() {
                "reader" => Access::Reader,
                "member" => Access::Member,
                "admin" => Access::Admin,
                "nobody" => Access::Nobody,
                _ => {
                    return Err(format!(
                        "\"{rule}\" is \"{role}\"; it may be reader, member, admin or nobody"
                    ));
                }
            };
            overrides.insert(rule, access);
        }
        Ok(Self { overrides })
    }

    /// Lets a call pass, or not.
    ///
    /// # Errors
    /// 403 naming the rule.
    pub fn allow(&self, route: &Route, caller: &Caller) -> Result<(), ApiError> {
        let needed = self
            .overrides
            .get(route.rule)
            .copied()
            .unwrap_or(route.access);
        let has = |role: &str| caller.roles.iter().any(|own| own == role);
        let allowed = match needed {
            Access::Admin => caller.is_admin,
            Access::Member => caller.is_admin || has("member"),
            Access::Reader => caller.is_admin || has("member") || has("reader"),
            Access::Nobody => false,
        };
        if allowed {
            Ok(())
        } else {
            Err(ApiError::forbidden(route.rule))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_no_route_has_is_refused_by_name() {
        let known = BTreeSet::from(["volume:create"]);
        assert!(Policy::parse("\"volume:create\" = \"admin\"", &known).is_ok());
        assert_eq!(
            Policy::parse("\"volume:creat\" = \"admin\"", &known).unwrap_err(),
            "no route has the rule \"volume:creat\""
        );
        assert!(
            Policy::parse("\"volume:create\" = \"king\"", &known)
                .unwrap_err()
                .contains("king")
        );
    }
}

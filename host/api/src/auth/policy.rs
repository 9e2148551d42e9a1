//! Who may make which call: each route has a rule and a least role, and a file may say otherwise rule by rule.
//!
//! ```toml
//! "volume:create" = "admin"
//! "volume_extension:types_extra_specs:index" = "reader"
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use springform_control::Caller;

use crate::http::{Access, ApiError, Route, Routes};

/// The least role of every rule. Routes of one rule may differ; then it is the highest of theirs.
static RULES: LazyLock<BTreeMap<&'static str, Access>> = LazyLock::new(|| {
    let mut rules = BTreeMap::new();
    for route in crate::all_routes().iter().flat_map(Routes::list) {
        let least = rules.entry(route.rule).or_insert(route.access);
        *least = (*least).max(route.access);
    }
    rules
});

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
        Self::parse(&text).map_err(|reason| PolicyError::Malformed { path: name, reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: BTreeMap<String, String> =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut overrides = BTreeMap::new();
        for (rule, role) in table {
            if !RULES.contains_key(rule.as_str()) {
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
        match self.suffices(route.rule, route.access, caller) {
            true => Ok(()),
            false => Err(ApiError::forbidden(route.rule)),
        }
    }

    /// Whether a caller may make the calls of a rule, for answers that tell more to those who may. A rule that no route
    /// has permits nothing.
    #[must_use]
    pub fn permits(&self, rule: &str, caller: &Caller) -> bool {
        let least = RULES.get(rule).copied().unwrap_or(Access::Nobody);
        self.suffices(rule, least, caller)
    }

    /// Whether a caller's roles suffice for a rule that needs this one, unless a file says otherwise.
    fn suffices(&self, rule: &str, least: Access, caller: &Caller) -> bool {
        let has = |role: &str| caller.roles.iter().any(|own| own == role);
        match self.overrides.get(rule).copied().unwrap_or(least) {
            Access::Admin => caller.is_admin,
            Access::Member => caller.is_admin || has("member"),
            Access::Reader => caller.is_admin || has("member") || has("reader"),
            Access::Nobody => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_no_route_has_is_refused_by_name() {
        assert!(Policy::parse("\"volume:create\" = \"admin\"").is_ok());
        assert_eq!(
            Policy::parse("\"volume:creat\" = \"admin\"").unwrap_err(),
            "no route has the rule \"volume:creat\""
        );
        assert!(
            Policy::parse("\"volume:create\" = \"king\"")
                .unwrap_err()
                .contains("king")
        );
    }
}

//! On what a verb acts and where to, as arguments and as the API wants it.

use clap::Args;
use serde_json::{Value, json};

/// On what a verb acts: exactly one of these.
#[derive(Debug, Clone, Default, Args)]
#[group(required = true, multiple = false)]
pub struct ScopeArgs {
    /// Everything on a backend.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Volumes by id.
    #[arg(long = "volume", value_name = "ID")]
    pub volumes: Vec<String>,
    /// A group.
    #[arg(long, value_name = "ID")]
    pub group: Option<String>,
    /// All volumes of a project.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
}

impl ScopeArgs {
    /// As the API wants it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match (&self.backend, &self.group, &self.project) {
            (Some(backend), _, _) => json!({ "backend": backend }),
            (_, Some(group), _) => json!({ "group": group }),
            (_, _, Some(project)) => json!({ "project": project }),
            _ => json!({ "volumes": self.volumes }),
        }
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        match (&self.backend, &self.group, &self.project) {
            (Some(backend), _, _) => format!("backend {backend}"),
            (_, Some(group), _) => format!("group {group}"),
            (_, _, Some(project)) => format!("project {project}"),
            _ => format!("{} volume(s)", self.volumes.len()),
        }
    }
}

/// Of what the status is shown, and how much of it.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Of a backend and those of its volumes that should be looked at.
    #[arg(long, value_name = "NAME", group = "of")]
    pub backend: Option<String>,
    /// Of volumes by id.
    #[arg(long = "volume", value_name = "ID", group = "of")]
    pub volumes: Vec<String>,
    /// Of the volumes of a group.
    #[arg(long, value_name = "ID", group = "of")]
    pub group: Option<String>,
    /// Of all volumes of a project.
    #[arg(long, value_name = "ID", group = "of")]
    pub project: Option<String>,
    /// All volumes of the backend, not only those that should be looked at.
    #[arg(long, requires = "backend")]
    pub all: bool,
    /// List at most so many volumes.
    #[arg(long, default_value_t = 50)]
    pub limit: usize,
}

/// Where to, how, and from which point.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// The array to move to; without: the driver chooses.
    #[arg(long, value_name = "TARGET")]
    pub to: Option<String>,
    /// Final transfer and demotion first: nothing is lost, or nothing is switched.
    #[arg(long, conflicts_with = "unplanned")]
    pub planned: bool,
    /// Take what the target has: for a primary that is gone. This is the default.
    #[arg(long)]
    pub unplanned: bool,
    /// An older recovery point than the newest.
    #[arg(long, value_name = "POINT")]
    pub point: Option<String>,
}

impl TargetArgs {
    /// The API's word for the mode; none where nothing was said, because some verbs have one mode only.
    #[must_use]
    pub fn mode(&self) -> Option<&'static str> {
        match (self.planned, self.unplanned) {
            (true, _) => Some("planned"),
            (_, true) => Some("unplanned"),
            _ => None,
        }
    }

    /// Adds what was given to a request.
    pub fn add_to(&self, request: &mut Value) {
        if let Value::Object(fields) = request {
            if let Some(mode) = self.mode() {
                fields.insert("mode".to_owned(), json!(mode));
            }
            for (key, value) in [("to", &self.to), ("point", &self.point)] {
                if let Some(value) = value {
                    fields.insert(key.to_owned(), json!(value));
                }
            }
        }
    }
}

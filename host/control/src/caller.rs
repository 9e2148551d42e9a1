//! Who asks, and what of other projects they may see.

use std::sync::Arc;

use springform_store::Query;

use crate::compute::ServerVolumes;

/// User and project of the host itself.
const HOST: &str = "springform";

/// Who asks, as the API authenticated them.
#[derive(Debug, Clone)]
pub struct Caller {
    /// User.
    pub user_id: String,
    /// Project the token is scoped to.
    pub project_id: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Whether policy makes them an administrator.
    pub is_admin: bool,
    /// Whether a service (Nova) asks on the user's behalf.
    pub is_service: bool,
    /// Nova with this caller's credentials; none where there is none to ask, or it would not know them.
    pub nova: Option<Arc<dyn ServerVolumes>>,
    /// Request it came with.
    pub request_id: Option<String>,
    /// Address of the client.
    pub address: Option<String>,
}

impl Caller {
    /// A caller; an administrator if that is one of the roles.
    #[must_use]
    pub fn new(
        user_id: impl Into<String>,
        project_id: impl Into<String>,
        roles: Vec<String>,
    ) -> Self {
        let is_admin = roles.iter().any(|role| role == "admin");
        Self {
            user_id: user_id.into(),
            project_id: project_id.into(),
            roles,
            is_admin,
            is_service: false,
            nova: None,
            request_id: None,
            address: None,
        }
    }

    /// The host itself.
    #[must_use]
    pub fn internal() -> Self {
        let mut host = Self::new(HOST, HOST, vec!["admin".to_owned()]);
        host.is_service = true;
        host
    }

    /// Whether it is the host itself.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.is_service && self.request_id.is_none() && self.user_id == HOST
    }

    /// Whether something of this project may be seen and changed.
    #[must_use]
    pub fn may_see(&self, project: &str) -> bool {
        self.is_admin || self.project_id == project
    }

    /// The query within the caller's view; `all_tenants` counts only for administrators.
    #[must_use]
    pub fn scope(&self, query: Query, all_tenants: bool) -> Query {
        if self.is_admin && all_tenants {
            query
        } else {
            query.eq("project_id", &self.project_id)
        }
    }
}

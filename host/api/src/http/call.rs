//! One request as a handler sees it: authenticated, of a known version, its body read, its parts decoded.

use std::sync::Arc;

use axum::extract::RawPathParams;
use bytes::Bytes;
use serde_json::Value;
use springform_control::{Caller, Control};

use super::{ApiError, Fields, Inbound, Params, Version};
use crate::state::State;

/// One request.
#[derive(Debug)]
pub struct Call {
    pub(crate) state: Arc<State>,
    /// Who asks.
    pub caller: Caller,
    /// Which shape of the API is asked for.
    pub version: Version,
    /// Query parameters.
    pub query: Params,
    /// Body as it came.
    pub body: Bytes,
    /// `If-Match`, without its quotes.
    pub if_match: Option<String>,
    /// `http://host:port`, as the client reached us.
    pub base: String,
    pub(crate) inbound: Arc<Inbound>,
    pub(crate) parts: RawPathParams,
}

impl Call {
    /// The control plane.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.state.control
    }

    /// Whether the policy lets the caller make the calls of this rule.
    #[must_use]
    pub fn permits(&self, rule: &str) -> bool {
        self.state.policy.permits(rule, &self.caller)
    }

    /// Path as the client wrote it, project included.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.inbound.path
    }

    /// Project in the path, where the client wrote one.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.inbound.project.as_deref()
    }

    /// A part of the path; empty where the route has no such part.
    #[must_use]
    pub fn part(&self, name: &str) -> &str {
        self.parts
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }

    /// The body as an object.
    ///
    /// # Errors
    /// 400 where it is none.
    pub fn fields(&self) -> Result<Fields, ApiError> {
        Fields::parse(&self.body)
    }

    /// The object under the one key of the body.
    ///
    /// # Errors
    /// 400 where it is missing, or where something else is beside it.
    pub fn object(&self, key: &str) -> Result<Fields, ApiError> {
        let mut body = self.fields()?;
        let object = body.object(key)?;
        body.finish()?;
        Ok(object)
    }

    /// The name of an action and its parameters: the one member of the body.
    ///
    /// # Errors
    /// 400 where there is not exactly one.
    pub fn action(&self) -> Result<(String, Value), ApiError> {
        let mut members = self.fields()?.into_members().into_iter();
        match (members.next(), members.next()) {
            (Some(action), None) => Ok(action),
            _ => Err(ApiError::invalid("Malformed request body")),
        }
    }

    /// Refuses an action that is none.
    #[must_use]
    pub fn no_such_action(name: &str) -> ApiError {
        let name: String = name.chars().take(100).collect();
        ApiError::invalid(format!(
            "There is no such action: {name}. Verify the request body and Content-Type header and try again."
        ))
    }

    /// Whether an administrator asks for every project's records. Of others nobody reads the word.
    ///
    /// # Errors
    /// 400 for a word that is neither true nor false, of lists in which Cinder refuses it.
    pub fn all_tenants(&self) -> Result<bool, ApiError> {
        if !self.caller.is_admin {
            return Ok(false);
        }
        let strict = self.path().contains("/volumes") || self.path().contains("/backups");
        match self.query.flag("all_tenants") {
            Err(_) if !strict => Ok(false),
            flag => flag,
        }
    }

    /// `http://host:port/v3/<collection>/<id>`.
    #[must_use]
    pub fn link(&self, collection: &str, id: &str) -> String {
        format!("{}/v3/{collection}/{id}", self.base)
    }

    /// The link to the page after the one that ends with `last`.
    #[must_use]
    pub fn next_link(&self, last: &str) -> String {
        format!("{}{}?{}", self.base, self.path(), self.query.after(last))
    }

    /// Refuses a call below the microversion that brought it.
    ///
    /// # Errors
    /// 404, as Cinder has it.
    pub fn since(&self, minor: u16) -> Result<(), ApiError> {
        if self.version.has(minor) {
            return Ok(());
        }
        Err(ApiError::not_found(format!(
            "API version 3.{} is not supported on this method.",
            self.version.0
        )))
    }
}

//! The arrays that one call is about: by their names, by their roles, and the two of a pod.

use springform_sdk::fail::failure_on;
use springform_sdk::http::Http;
use springform_sdk::types::{Context, Failure, FailureCode, ReplicationKind, Target};

use crate::array::Array;

/// Key under which the host says where new volumes land while a backend is failed over.
pub const ACTIVE_TARGET: &str = "springform/active-target";

/// The arrays of one call.
#[derive(Clone, Copy)]
pub struct Arrays<'a> {
    http: &'a dyn Http,
    context: &'a Context,
}

impl<'a> Arrays<'a> {
    /// The arrays a context names.
    #[must_use]
    pub fn new(http: &'a dyn Http, context: &'a Context) -> Self {
        Self { http, context }
    }

    /// The array named by `san_ip`.
    ///
    /// # Errors
    /// When the host named none.
    pub fn primary(&self) -> Result<Array<'a>, Failure> {
        self.pick(|t| t.primary).ok_or_else(|| Failure {
            code: FailureCode::InvalidArgument,
            message: "the backend has no primary array (san_ip)".to_owned(),
            target: None,
            detail: None,
            extensions: Vec::new(),
        })
    }

    /// The array on which new volumes land: the primary, or the one the backend was failed over to.
    ///
    /// # Errors
    /// When it is not configured.
    pub fn landing(&self) -> Result<Array<'a>, Failure> {
        match self
            .context
            .extensions
            .iter()
            .find(|(key, _)| key == ACTIVE_TARGET)
        {
            Some((_, target)) => self.named(target),
            None => self.primary(),
        }
    }

    /// What set-up has learned so far.
    #[must_use]
    pub fn state(&self) -> &'a [u8] {
        &self.context.state
    }

    /// The array of a target.
    ///
    /// # Errors
    /// When it is not configured.
    pub fn named(&self, name: &str) -> Result<Array<'a>, Failure> {
        self.pick(|t| t.name == name).ok_or_else(|| {
            failure_on(
                name,
                FailureCode::InvalidArgument,
                "no such target is configured; add a replication_device with this backend_id",
            )
        })
    }

    /// Every configured array.
    pub fn all(&self) -> impl Iterator<Item = Array<'a>> + use<'a> {
        let http = self.http;
        let state = self.context.state.as_slice();
        self.context.targets.iter().map(move |target| Array {
            http,
            target,
            state,
        })
    }

    /// Every array but one.
    pub fn others(&self, name: &str) -> impl Iterator<Item = Array<'a>> + use<'a> {
        let name = name.to_owned();
        self.all().filter(move |a| a.name() != name)
    }

    /// The two arrays that a stretched pod is on: the primary, and the first target that replicates synchronously.
    #[must_use]
    pub fn stretched(&self) -> Vec<Array<'a>> {
        let second = second_of_pod(self.context).map(|t| t.name.as_str());
        let second = second.and_then(|name| self.pick(|t| t.name == name));
        self.pick(|t| t.primary).into_iter().chain(second).collect()
    }

    /// Whether an array is one of these two.
    #[must_use]
    pub fn hold_pod(&self, name: &str) -> bool {
        self.stretched().iter().any(|a| a.name() == name)
    }

    /// All others: those that are sent copies of what is in the pod.
    pub fn beyond_the_pod(&self) -> impl Iterator<Item = Array<'a>> + use<'a> {
        let pod: Vec<_> = self.stretched().iter().map(Array::name).collect();
        self.all().filter(move |a| !pod.contains(&a.name()))
    }

    /// The other of these two.
    #[must_use]
    pub fn partner(&self, of: &str) -> Option<Array<'a>> {
        let (here, beyond): (Vec<_>, Vec<_>) =
            self.stretched().into_iter().partition(|a| a.name() == of);
        if here.is_empty() {
            return None;
        }
        beyond.into_iter().next()
    }

    /// Whether machines are to reach stretched volumes through both arrays.
    #[must_use]
    pub fn uniform(&self) -> bool {
        let mut options = self.context.targets.iter().flat_map(|t| &t.options);
        options.any(|(key, value)| key == "uniform" && crate::options::is_true(value))
    }

    fn pick(&self, which: impl Fn(&Target) -> bool) -> Option<Array<'a>> {
        self.context
            .targets
            .iter()
            .find(|t| which(t))
            .map(|target| Array {
                http: self.http,
                target,
                state: &self.context.state,
            })
    }
}

/// The array that a stretched pod is on beside the primary: the first target that replicates synchronously.
#[must_use]
pub fn second_of_pod(context: &Context) -> Option<&Target> {
    let sync = |t: &&Target| {
        matches!(
            t.kind,
            Some(ReplicationKind::Sync | ReplicationKind::TriSync)
        )
    };
    context.targets.iter().find(sync)
}

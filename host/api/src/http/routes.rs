//! The table of routes: where a call goes, who may make it, and what it looks like, in one place.
//!
//! The router and the OpenAPI document are both made from this table, so a route without a policy rule or without a
//! description cannot exist.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use utoipa::ToSchema;

use super::returned::{BodyType, Content, Returned};
use super::{Answer, Call};

type Handler = Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// The least role that may make a call, unless a policy file says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// `reader`, `member` or `admin`.
    Reader,
    /// `member` or `admin`.
    Member,
    /// `admin`.
    Admin,
    /// Nobody; only a policy file says this.
    Nobody,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Nobody => "nobody",
        })
    }
}

/// The form of a request's body, in a small notation: `{volume:{size:int, name?:text?}}`; see [`crate::openapi`].
pub type Shape = &'static str;

/// One route.
#[derive(Clone)]
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path below the prefix, with `{parts}`.
    pub path: &'static str,
    /// Name of the policy rule.
    pub rule: &'static str,
    /// Who may by default.
    pub access: Access,
    /// One sentence for the document.
    pub summary: &'static str,
    /// Form of the request's body; none: no body.
    pub request: Option<Shape>,
    /// How it succeeds; the first one is the usual one. Empty where it never does.
    pub returned: Vec<Returned>,
    /// Whether it never succeeds: it is there because clients ask.
    pub refuses: bool,
    /// Query parameters it knows.
    pub query: &'static [&'static str],
    /// Bytes a body may have; none: the server's general limit.
    pub body_limit: Option<usize>,
    pub(crate) handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.rule)
    }
}

impl Route {
    /// Only administrators.
    pub fn admin(&mut self) -> &mut Self {
        self.access = Access::Admin;
        self
    }

    /// Readers too, although it is no GET.
    pub fn reader(&mut self) -> &mut Self {
        self.access = Access::Reader;
        self
    }

    /// What it does.
    pub fn says(&mut self, summary: &'static str) -> &mut Self {
        self.summary = summary;
        self
    }

    /// What it takes.
    pub fn takes(&mut self, shape: Shape) -> &mut Self {
        self.request = Some(shape);
        self
    }

    /// Which query parameters it knows.
    pub fn asks(&mut self, names: &'static [&'static str]) -> &mut Self {
        self.query = names;
        self
    }

    /// How it succeeds with a JSON body of this type. A path that serves several calls returns several.
    pub fn returns<T: ToSchema>(&mut self, status: u16) -> &mut Self {
        self.succeeds(status, Some(BodyType::of::<T>(Content::Json)))
    }

    /// How it succeeds with a stream of events, each of this type.
    pub fn streams<T: ToSchema>(&mut self, status: u16) -> &mut Self {
        self.succeeds(status, Some(BodyType::of::<T>(Content::Events)))
    }

    /// How it succeeds without a body.
    pub fn ends(&mut self, status: u16) -> &mut Self {
        self.succeeds(status, None)
    }

    /// It never succeeds.
    pub fn refuses(&mut self) -> &mut Self {
        self.refuses = true;
        self
    }

    fn succeeds(&mut self, status: u16, body: Option<BodyType>) -> &mut Self {
        self.returned.push(Returned { status, body });
        self
    }

    /// Another limit of the body.
    pub fn up_to(&mut self, bytes: usize) -> &mut Self {
        self.body_limit = Some(bytes);
        self
    }
}

/// The table.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    list: Vec<Route>,
}

impl Routes {
    /// Every route, in the order they were added.
    #[must_use]
    pub fn list(&self) -> &[Route] {
        &self.list
    }

    /// A GET.
    pub fn get<H, F>(&mut self, path: &'static str, rule: &'static str, handler: H) -> &mut Route
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.add(Method::GET, path, rule, Access::Reader, handler)
    }

    /// A POST.
    pub fn post<H, F>(&mut self, path: &'static str, rule: &'static str, handler: H) -> &mut Route
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.add(Method::POST, path, rule, Access::Member, handler)
    }

    /// A PUT.
    pub fn put<H, F>(&mut self, path: &'static str, rule: &'static str, handler: H) -> &mut Route
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.add(Method::PUT, path, rule, Access::Member, handler)
    }

    /// A DELETE.
    pub fn delete<H, F>(&mut self, path: &'static str, rule: &'static str, handler: H) -> &mut Route
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.add(Method::DELETE, path, rule, Access::Member, handler)
    }

    fn add<H, F>(
        &mut self,
        method: Method,
        path: &'static str,
        rule: &'static str,
        access: Access,
        handler: H,
    ) -> &mut Route
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        self.list.push(Route {
            method,
            path,
            rule,
            access,
            summary: "",
            request: None,
            returned: Vec::new(),
            refuses: false,
            query: &[],
            body_limit: None,
            handler: Arc::new(move |call| Box::pin(handler(call))),
        });
        let last = self.list.len() - 1;
        #[allow(clippy::indexing_slicing)] // pushed one line above
        &mut self.list[last]
    }
}

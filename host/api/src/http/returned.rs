//! What a route returns: a status and the type of the body. The document's schema is that type's, and a build with debug
//! assertions refuses a handler that answers with another type than its route names.

use std::any::type_name;
use std::fmt;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

/// Named schemas that a body refers to.
pub type Components = Vec<(String, RefOr<Schema>)>;

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One JSON value.
    Json,
    /// Server-sent events, each with a JSON value.
    Events,
}

/// The type of a body.
#[derive(Clone, Copy)]
pub struct BodyType {
    /// How it is sent.
    pub content: Content,
    name: &'static str,
    schema: fn() -> RefOr<Schema>,
    components: fn(&mut Components),
}

impl fmt::Debug for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl BodyType {
    /// The type `T`.
    pub fn of<T: ToSchema>(content: Content) -> Self {
        Self {
            content,
            name: type_name::<T>(),
            schema: T::schema,
            components: T::schemas,
        }
    }

    /// Its JSON Schema.
    #[must_use]
    pub fn schema(&self) -> Value {
        as_json(&(self.schema)())
    }

    /// The named schemas that it refers to, with their JSON Schema.
    pub fn components(self) -> impl Iterator<Item = (String, Value)> {
        let mut components = Components::new();
        (self.components)(&mut components);
        components
            .into_iter()
            .map(|(name, schema)| (name, as_json(&schema)))
    }
}

fn as_json(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

/// One way in which a route succeeds.
#[derive(Debug, Clone, Copy)]
pub struct Returned {
    /// Status.
    pub status: u16,
    /// Type of the body; `None`: no body.
    pub body: Option<BodyType>,
}

/// Marks a response with the type that was written into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrote(&'static str);

impl Wrote {
    pub(crate) fn a<T>() -> Self {
        Self(type_name::<T>())
    }

    /// Whether one of these returns is of this status and type.
    pub(crate) fn is_among(self, returned: &[Returned], status: u16) -> bool {
        returned
            .iter()
            .any(|one| one.status == status && one.body.is_some_and(|body| body.name == self.0))
    }
}

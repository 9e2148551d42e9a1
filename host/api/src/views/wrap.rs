//! What stands around records in an answer: the key of their noun, the link to the next page, the count.

use std::marker::PhantomData;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Link;
use crate::http::Components;

/// What stands under one key when there is one of it.
pub trait Single {
    /// `volume`.
    const KEY: &'static str;
}

/// What stands under one key when there are many of it.
pub trait Plural {
    /// `volumes`.
    const KEY: &'static str;
    /// Key of the link to the next page; `None`: there are no pages.
    const LINKS: Option<&'static str> = None;
    /// Whether a client may ask how many there are.
    const COUNTED: bool = false;
}

/// `{"volume": …}`.
#[derive(Debug)]
pub struct One<T>(pub T);

impl<T: Single + Serialize> Serialize for One<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(T::KEY, &self.0)?;
        map.end()
    }
}

impl<T: Single + ToSchema> PartialSchema for One<T> {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().property(T::KEY, Ref::from_schema_name(T::name()));
        object.required(T::KEY).into()
    }
}

impl<T: Single + ToSchema> ToSchema for One<T> {
    fn schemas(schemas: &mut Components) {
        named::<T>(schemas);
    }
}

/// `{"volumes": […], "volumes_links": […], "count": …}`.
#[derive(Debug)]
pub struct Many<T>(pub Vec<T>);

impl<T: Plural + Serialize> Serialize for Many<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(T::KEY, &self.0)?;
        map.end()
    }
}

impl<T: Plural + ToSchema> PartialSchema for Many<T> {
    fn schema() -> RefOr<Schema> {
        let list = |name| ArrayBuilder::new().items(Ref::from_schema_name(name));
        let mut object = ObjectBuilder::new()
            .property(T::KEY, list(T::name()))
            .required(T::KEY);
        if let Some(links) = T::LINKS {
            object = object.property(links, list(Link::name()));
        }
        if T::COUNTED {
            let whole = ObjectBuilder::new().schema_type(Type::Integer);
            object = object.property("count", whole.minimum(Some(0)));
        }
        object.into()
    }
}

impl<T: Plural + ToSchema> ToSchema for Many<T> {
    fn schemas(schemas: &mut Components) {
        named::<T>(schemas);
        if T::LINKS.is_some() {
            named::<Link<'_>>(schemas);
        }
    }
}

fn named<T: ToSchema>(schemas: &mut Components) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// A page of [`Many`], written record by record: no list of views is made first.
pub struct Page<'a, 'n, R, T, F> {
    records: &'a [R],
    view: F,
    next: Option<&'n str>,
    count: Option<u64>,
    noun: PhantomData<T>,
}

impl<'a, 'n, R, T: Plural, F: Fn(&'a R) -> T> Page<'a, 'n, R, T, F> {
    /// Records and how each is shown, the link to the next page, and how many there are without regard to pages.
    pub fn new(records: &'a [R], view: F, next: Option<&'n str>, count: Option<u64>) -> Self {
        Self {
            records,
            view,
            next,
            count,
            noun: PhantomData,
        }
    }
}

impl<'a, R, T, F> Serialize for Page<'a, '_, R, T, F>
where
    T: Plural + Serialize,
    F: Fn(&'a R) -> T,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(T::KEY, &Each(self.records, &self.view))?;
        if let (Some(href), Some(links)) = (self.next, T::LINKS) {
            map.serialize_entry(links, &[Link::next(href)])?;
        }
        if let Some(count) = self.count {
            map.serialize_entry("count", &count)?;
        }
        map.end()
    }
}

struct Each<'a, 'f, R, F>(&'a [R], &'f F);

impl<'a, R, T: Serialize, F: Fn(&'a R) -> T> Serialize for Each<'a, '_, R, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(self.1))
    }
}

/// A list in which there never is anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoItems;

impl Serialize for NoItems {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([(); 0])
    }
}

impl PartialSchema for NoItems {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        ArrayBuilder::new().items(text).max_items(Some(0)).into()
    }
}

impl ToSchema for NoItems {}

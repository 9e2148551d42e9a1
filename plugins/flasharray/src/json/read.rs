//! Reading JSON.

use miniserde::json::{self, Number as Figure, Value as Read};
use serde_json::{Map, Number, Value};

/// How deep a document may nest. What arrays say nests four deep; the stack of a component is short.
const DEEPEST: usize = 64;

/// A document; none where it is not JSON.
#[must_use]
pub fn value(bytes: &[u8]) -> Option<Value> {
    let read = json::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    converted(read, DEEPEST)
}

fn converted(read: Read, depth: usize) -> Option<Value> {
    Some(match read {
        Read::Null => Value::Null,
        Read::Bool(truth) => Value::Bool(truth),
        Read::Number(Figure::U64(number)) => Value::from(number),
        Read::Number(Figure::I64(number)) => Value::from(number),
        Read::Number(Figure::F64(number)) => {
            Number::from_f64(number).map_or(Value::Null, Value::Number)
        }
        Read::String(text) => Value::String(text),
        Read::Array(items) => {
            let depth = depth.checked_sub(1)?;
            let items = items.into_iter().map(|item| converted(item, depth));
            Value::Array(items.collect::<Option<_>>()?)
        }
        Read::Object(fields) => {
            let depth = depth.checked_sub(1)?;
            // One by one: collected they would be sorted, and a sort weighs seven kilobytes.
            let mut object = Map::new();
            for (name, field) in fields {
                object.insert(name, converted(field, depth)?);
            }
            Value::Object(object)
        }
    })
}

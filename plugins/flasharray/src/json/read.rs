//! Reading JSON, straight into the values that are kept: what an array says of a thousand volumes is half a megabyte.

use miniserde::de::{Deserialize, Map as Fields, Seq, Visitor};
use miniserde::{Error, Result, json};
use serde_json::{Map, Number, Value};

/// How deep a document may nest. What arrays say nests four deep; the stack of a component is short.
const DEEPEST: usize = 64;

/// A document; none where it is not JSON.
#[must_use]
pub fn value(bytes: &[u8]) -> Option<Value> {
    read::<false>(bytes)
}

/// An answer with nothing of its items but their names and sizes; none where it is not JSON.
#[must_use]
pub fn names(bytes: &[u8]) -> Option<Value> {
    read::<true>(bytes)
}

fn read<const NAMES: bool>(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    json::from_str::<Document<NAMES>>(text).ok()?.0.value
}

/// A place for a value, and how deep below it others may nest.
struct Slot {
    value: Option<Value>,
    depth: usize,
    names: bool,
}

impl Slot {
    fn put(&mut self, value: Value) -> Result<()> {
        self.value = Some(value);
        Ok(())
    }

    fn inside(&self) -> Result<Self> {
        let depth = self.depth.checked_sub(1).ok_or(Error)?;
        Ok(Self {
            value: None,
            depth,
            names: self.names,
        })
    }
}

struct Document<const NAMES: bool>(Slot);

impl<const NAMES: bool> Deserialize for Document<NAMES> {
    fn begin(out: &mut Option<Self>) -> &mut dyn Visitor {
        let slot = Slot {
            value: None,
            depth: DEEPEST,
            names: NAMES,
        };
        &mut out.insert(Self(slot)).0
    }
}

impl Visitor for Slot {
    fn null(&mut self) -> Result<()> {
        self.put(Value::Null)
    }

    fn boolean(&mut self, truth: bool) -> Result<()> {
        self.put(Value::Bool(truth))
    }

    fn string(&mut self, text: &str) -> Result<()> {
        self.put(Value::String(text.to_owned()))
    }

    fn negative(&mut self, number: i64) -> Result<()> {
        self.put(Value::from(number))
    }

    fn nonnegative(&mut self, number: u64) -> Result<()> {
        self.put(Value::from(number))
    }

    fn float(&mut self, number: f64) -> Result<()> {
        self.put(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn seq(&mut self) -> Result<Box<dyn Seq + '_>> {
        let slot = self.inside()?;
        Ok(Box::new(List {
            out: &mut self.value,
            items: Vec::new(),
            slot,
        }))
    }

    fn map(&mut self) -> Result<Box<dyn Fields + '_>> {
        let slot = self.inside()?;
        Ok(Box::new(Object {
            // The fields of an item: below the answer, its list and the item.
            only_name: slot.names && slot.depth + 3 == DEEPEST,
            out: &mut self.value,
            fields: Map::new(),
            key: String::new(),
            slot,
        }))
    }
}

struct List<'a> {
    out: &'a mut Option<Value>,
    items: Vec<Value>,
    slot: Slot,
}

impl Seq for List<'_> {
    fn element(&mut self) -> Result<&mut dyn Visitor> {
        self.items.extend(self.slot.value.take());
        Ok(&mut self.slot)
    }

    fn finish(&mut self) -> Result<()> {
        self.items.extend(self.slot.value.take());
        *self.out = Some(Value::Array(std::mem::take(&mut self.items)));
        Ok(())
    }
}

struct Object<'a> {
    out: &'a mut Option<Value>,
    fields: Map<String, Value>,
    key: String,
    slot: Slot,
    only_name: bool,
}

impl Object<'_> {
    fn keep(&mut self) {
        if let Some(value) = self.slot.value.take() {
            self.fields.insert(std::mem::take(&mut self.key), value);
        }
    }
}

impl Fields for Object<'_> {
    fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
        self.keep();
        if self.only_name && !matches!(key, "name" | "provisioned") {
            return Ok(<dyn Visitor>::ignore());
        }
        self.key.clear();
        self.key.push_str(key);
        Ok(&mut self.slot)
    }

    fn finish(&mut self) -> Result<()> {
        self.keep();
        *self.out = Some(Value::Object(std::mem::take(&mut self.fields)));
        Ok(())
    }
}

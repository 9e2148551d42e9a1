//! A small notation for the form of the JSON bodies of requests, and its translation to JSON Schema.
//!
//! `text`, `name` (1 to 255 characters), `short` (up to 255), `id` (up to 36, not empty), `size` (whole GiB), `int`, `count`
//! (whole, not negative), `number`, `bool`, `map` (text to text), `tags` and
//! `specs` (the same with fewer characters in the keys), `object`, `any`, `[type]`, `{name:type, name?:type}`,
//! `'word'`, `@named` (a schema of the document's components), `a|b` (one or the other); `type?` may be null. Every object is
//! closed, but those that clients fill with more than is read.

use serde_json::{Map, Value, json};

/// The JSON Schema of a shape. A mistake in the notation gives the schema that allows everything; a test finds those.
pub(super) fn schema(text: &str) -> Value {
    read(text, true)
}

/// The same for an object that may have more members than are named.
pub(super) fn open(text: &str) -> Value {
    read(text, false)
}

fn read(text: &str, closed: bool) -> Value {
    let mut reader = Reader {
        rest: text.trim(),
        closed,
    };
    let schema = reader.kind();
    if reader.rest.is_empty() {
        schema
    } else {
        json!({"$comment": "malformed shape"})
    }
}

/// Pairs of text with keys that match a pattern.
fn pairs(pattern: &str) -> Value {
    json!({
        "type": "object",
        "propertyNames": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": pattern},
        "additionalProperties": {"type": "string", "maxLength": 255},
    })
}

struct Reader<'a> {
    rest: &'a str,
    closed: bool,
}

impl Reader<'_> {
    fn eat(&mut self, mark: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> String {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || "_-:$".contains(c)));
        // A colon ends the word unless letters follow at once and another colon ends those: `os-x:y:text`.
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word.to_owned()
    }

    fn kind(&mut self) -> Value {
        let first = self.single();
        let mut kinds = vec![first];
        while self.eat('|') {
            kinds.push(self.single());
        }
        match kinds.len() {
            1 => kinds.pop().unwrap_or_default(),
            _ => json!({"anyOf": kinds}),
        }
    }

    fn single(&mut self) -> Value {
        let schema = if self.eat('\'') {
            let word = self.word();
            self.eat('\'');
            json!({"type": "string", "enum": [word]})
        } else if self.eat('@') {
            let word = self.word();
            json!({"$ref": format!("#/components/schemas/{word}")})
        } else if self.eat('{') {
            self.object()
        } else if self.eat('[') {
            let items = self.kind();
            self.eat(']');
            json!({"type": "array", "items": items})
        } else {
            let word = self.word();
            self.simple(&word)
        };
        if self.eat('?') {
            nullable(schema)
        } else {
            schema
        }
    }

    fn simple(&self, word: &str) -> Value {
        match word {
            "text" => json!({"type": "string"}),
            "name" => {
                json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^\S(.*\S)?$"})
            }
            "short" => json!({"type": "string", "maxLength": 255}),
            "id" => {
                json!({"type": "string", "minLength": 1, "maxLength": 36, "pattern": "^[0-9a-f-]+$"})
            }
            "size" => json!({"type": "integer", "minimum": 1, "maximum": 0x7fff_ffff}),
            "count" => json!({"type": "integer", "minimum": 0}),
            "int" => json!({"type": "integer"}),
            "number" => json!({"type": "number"}),
            "bool" => json!({"type": "boolean"}),
            "map" if self.closed => pairs("^[-a-zA-Z0-9_:. /]{1,255}$"),
            "tags" if self.closed => pairs("^[-a-zA-Z0-9_:. ]{1,255}$"),
            "specs" if self.closed => pairs("^[-a-zA-Z0-9_:.]{1,255}$"),
            "map" | "tags" | "specs" => {
                json!({"type": "object", "additionalProperties": {"type": "string"}})
            }
            "object" => json!({"type": "object"}),
            "any" => json!({}),
            _ => json!({"$comment": "malformed shape"}),
        }
    }

    fn object(&mut self) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        while !self.eat('}') && !self.rest.is_empty() {
            let mut name = self.word();
            // The last colon of the word parts name and type where nothing but a type's name follows it.
            let optional = self.rest.starts_with("?:") && self.eat('?');
            let value = if optional || name.ends_with(':') {
                if optional {
                    self.eat(':');
                }
                name = name.trim_end_matches(':').to_owned();
                self.kind()
            } else if let Some((key, kind)) = name.clone().rsplit_once(':') {
                name = key.to_owned();
                let mut schema = self.simple(kind);
                if self.eat('?') {
                    schema = nullable(schema);
                }
                match self.eat('|') {
                    true => json!({"anyOf": [schema, self.kind()]}),
                    false => schema,
                }
            } else {
                json!({"$comment": "malformed shape"})
            };
            if !optional {
                required.push(Value::from(name.clone()));
            }
            properties.insert(name, value);
            self.eat(',');
        }
        let mut object = json!({"type": "object", "properties": properties});
        if let Some(fields) = object.as_object_mut() {
            if !required.is_empty() {
                fields.insert("required".into(), Value::from(required));
            }
            if self.closed {
                fields.insert("additionalProperties".into(), Value::from(false));
            }
        }
        object
    }
}

fn nullable(mut schema: Value) -> Value {
    let kind = schema.get("type").and_then(Value::as_str);
    let (Some(kind), false) = (kind.map(str::to_owned), schema.get("enum").is_some()) else {
        return match schema {
            Value::Object(fields) if fields.is_empty() => Value::Object(fields),
            schema => json!({"anyOf": [schema, {"type": "null"}]}),
        };
    };
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("type".into(), json!([kind, "null"]));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_becomes_a_schema() {
        assert_eq!(
            schema("{volume:{size:int?, name?:text?, os-x:tenant_id:text, tags:[text]}}"),
            json!({
                "type": "object", "required": ["volume"], "additionalProperties": false,
                "properties": {"volume": {
                    "type": "object", "required": ["size", "os-x:tenant_id", "tags"], "additionalProperties": false,
                    "properties": {
                        "size": {"type": ["integer", "null"]},
                        "name": {"type": ["string", "null"]},
                        "os-x:tenant_id": {"type": "string"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                }},
            })
        );
    }

    #[test]
    fn words_alternatives_and_named_schemas_can_be_written() {
        assert_eq!(
            open("{mode:'rw'|'ro', volume:@volume?}"),
            json!({
                "type": "object", "required": ["mode", "volume"],
                "properties": {
                    "mode": {"anyOf": [{"type": "string", "enum": ["rw"]}, {"type": "string", "enum": ["ro"]}]},
                    "volume": {"anyOf": [{"$ref": "#/components/schemas/volume"}, {"type": "null"}]},
                },
            })
        );
        assert_eq!(
            open("{size:size?|'any', name:name}")["properties"]["size"],
            json!({"anyOf": [
                {"type": ["integer", "null"], "minimum": 1, "maximum": 0x7fff_ffff},
                {"type": "string", "enum": ["any"]},
            ]})
        );
    }

    #[test]
    fn no_route_has_a_malformed_shape() {
        for route in crate::all_routes()
            .iter()
            .flat_map(crate::http::Routes::list)
        {
            for shape in route.request.into_iter().filter(|shape| *shape != "wasm") {
                let malformed = schema(shape).to_string().contains("malformed");
                assert!(!malformed, "{route:?}: {shape}");
            }
            assert!(!route.summary.is_empty(), "{route:?} says nothing");
        }
    }
}

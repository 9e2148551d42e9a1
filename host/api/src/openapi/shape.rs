//! A small notation for the form of JSON bodies, and its translation to JSON Schema.
//!
//! `text`, `int`, `number`, `bool`, `map` (text to text), `any`, `[type]`, `{name:type, name?:type}`; `type?` may be
//! null. In a request every object is closed, in an answer it is open, as clients should take it.

use serde_json::{Map, Value, json};

/// The JSON Schema of a shape. A mistake in the notation gives the schema that allows everything; a test finds those.
pub(super) fn schema(text: &str, closed: bool) -> Value {
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
        let schema = if self.eat('{') {
            self.object()
        } else if self.eat('[') {
            let items = self.kind();
            self.eat(']');
            json!({"type": "array", "items": items})
        } else {
            let word = self.word();
            Self::simple(&word)
        };
        if self.eat('?') {
            nullable(schema)
        } else {
            schema
        }
    }

    fn simple(word: &str) -> Value {
        match word {
            "text" => json!({"type": "string"}),
            "int" => json!({"type": "integer"}),
            "number" => json!({"type": "number"}),
            "bool" => json!({"type": "boolean"}),
            "map" => json!({"type": "object", "additionalProperties": {"type": "string"}}),
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
                let schema = Self::simple(kind);
                if self.eat('?') {
                    nullable(schema)
                } else {
                    schema
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
    match schema
        .get("type")
        .and_then(Value::as_str)
        .map(str::to_owned)
    {
        Some(kind) => {
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("type".into(), json!([kind, "null"]));
            }
            schema
        }
        None => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_becomes_a_schema() {
        assert_eq!(
            schema(
                "{volume:{size:int?, name?:text?, os-x:tenant_id:text, tags:[text]}}",
                true
            ),
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
    fn no_route_has_a_malformed_shape() {
        for route in crate::all_routes()
            .iter()
            .flat_map(crate::http::Routes::list)
        {
            for shape in [route.request, route.answer].into_iter().flatten() {
                let special = shape == "wasm" || shape == "events";
                assert!(
                    special || !schema(shape, true).to_string().contains("malformed"),
                    "{route:?}: {shape}"
                );
            }
            assert!(!route.summary.is_empty(), "{route:?} says nothing");
        }
    }
}

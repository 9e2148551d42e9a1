//! Holds answers against the schemas of the document, more strictly than a client does: every key must be named.

use std::collections::BTreeMap;

use serde_json::Value;

/// The document, to look schemas up in.
pub struct Document(pub Value);

/// What a schema says of an object, with all that it refers to.
#[derive(Default)]
struct Form<'a> {
    properties: BTreeMap<&'a str, &'a Value>,
    required: Vec<&'a str>,
    more: Option<&'a Value>,
}

impl Document {
    /// Schema of an answer; `None` where the document promises no body.
    pub fn answer(&self, method: &str, path: &str, status: u16) -> Option<&Value> {
        let responses = &self.0["paths"][path][method.to_lowercase()]["responses"];
        let response = &responses[status.to_string()];
        let mut found = ["content", "x-content-of-some"]
            .map(|content| &response[content]["application/json"]["schema"])
            .into_iter();
        found.find(|schema| !schema.is_null())
    }

    /// What is wrong with a value, each with its place; nothing: it is as the schema says.
    pub fn faults(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        if let Some(name) = schema["$ref"].as_str() {
            return self.faults(self.named(name), value, at);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[key].as_array() {
                let tried: Vec<_> = choices
                    .iter()
                    .map(|choice| self.faults(choice, value, at))
                    .collect();
                let least = tried.into_iter().min_by_key(Vec::len);
                return least.unwrap_or_default();
            }
        }
        if !kind_fits(&schema["type"], value) {
            return vec![format!("{at}: {value} is no {}", schema["type"])];
        }
        if let Some(words) = schema["enum"]
            .as_array()
            .filter(|words| !words.contains(value))
        {
            return vec![format!("{at}: {value} is none of {words:?}")];
        }
        match value {
            Value::Object(members) => {
                let mut form = Form::default();
                self.gather(schema, &mut form);
                if form.properties.is_empty() && form.more.is_none() {
                    // Without a type it is any JSON, which the document says of inputs and results of operations.
                    if schema["type"].is_null() {
                        return Vec::new();
                    }
                    return vec![format!("{at}: the schema names no key of {value}")];
                }
                let missing = form
                    .required
                    .iter()
                    .filter(|key| !members.contains_key(**key));
                let mut faults: Vec<_> =
                    missing.map(|key| format!("{at}.{key}: missing")).collect();
                for (key, member) in members {
                    let place = format!("{at}.{key}");
                    match form.properties.get(key.as_str()).copied().or(form.more) {
                        Some(schema) => faults.extend(self.faults(schema, member, &place)),
                        None => faults.push(format!("{place}: not in the document")),
                    }
                }
                faults
            }
            Value::Array(list) => {
                let each = list.iter().enumerate();
                each.flat_map(|(n, item)| {
                    self.faults(&schema["items"], item, &format!("{at}[{n}]"))
                })
                .collect()
            }
            _ => match schema["allOf"].as_array() {
                Some(all) => all
                    .iter()
                    .flat_map(|one| self.faults(one, value, at))
                    .collect(),
                None => Vec::new(),
            },
        }
    }

    fn named(&self, reference: &str) -> &Value {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        let schema = &self.0["components"]["schemas"][name];
        assert!(schema.is_object(), "{reference} is nowhere");
        schema
    }

    fn gather<'a>(&'a self, schema: &'a Value, form: &mut Form<'a>) {
        if let Some(name) = schema["$ref"].as_str() {
            self.gather(self.named(name), form);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(part, form);
        }
        for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
            form.properties.insert(key, schema);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        form.required.extend(required.filter_map(Value::as_str));
        if schema["additionalProperties"].is_object() {
            form.more = Some(&schema["additionalProperties"]);
        }
    }
}

fn kind_fits(kind: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    match kind {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

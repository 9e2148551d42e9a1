//! Answers in the document: the schemas of the types that the routes return.

use serde_json::{Map, Value, json};

use crate::http::{BodyType, Content, Route, Routes};

/// The named schemas of every answer.
pub(super) fn components(tables: [&Routes; 2]) -> Map<String, Value> {
    let bodies = tables
        .into_iter()
        .flat_map(Routes::list)
        .flat_map(|route| route.returned.iter().filter_map(|one| one.body));
    bodies.flat_map(|body| body.components()).collect()
}

/// Where the content of a response stands that only some of the calls on a path have.
const SOMETIMES: &str = "x-content-of-some";

/// The responses of a route that has succeeded, by status.
pub(super) fn responses(route: &Route, components: &Map<String, Value>) -> Map<String, Value> {
    let mut responses = Map::new();
    for (nth, one) in route.returned.iter().enumerate() {
        let same = || {
            let all = route.returned.iter();
            all.filter(|other| other.status == one.status)
        };
        let bodies: Vec<BodyType> = same().filter_map(|other| other.body).collect();
        let always = same().all(|other| other.body.is_some());
        let text = match bodies.is_empty() || always && nth == 0 {
            true => "Done.",
            false => "Done; some of the calls on this path answer with a body.",
        };
        let mut response = json!({"description": text});
        let content = content(&bodies, components);
        if let (Some(fields), Some(content)) = (response.as_object_mut(), content) {
            // OpenAPI cannot say that there is a body or none.
            let key = if always { "content" } else { SOMETIMES };
            fields.insert(key.into(), content);
        }
        responses.entry(one.status.to_string()).or_insert(response);
    }
    responses
}

fn content(bodies: &[BodyType], components: &Map<String, Value>) -> Option<Value> {
    let first = bodies.first()?;
    let schema = match bodies {
        [_] => schema(first, components),
        several => {
            let each = several.iter().map(|body| schema(body, components));
            json!({"anyOf": each.collect::<Vec<_>>()})
        }
    };
    Some(match first.content {
        Content::Json => json!({"application/json": {"schema": schema}}),
        Content::Events => json!({"text/event-stream": {"schema": {
            "description": "One of the server-sent events, which come as long as there is something to tell.",
            "type": "object",
            "required": ["data"],
            "properties": {
                "event": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": schema},
            },
        }}}),
    })
}

/// The schema of a body: a reference where the same schema has a name.
fn schema(body: &BodyType, components: &Map<String, Value>) -> Value {
    let schema = body.schema();
    let named = components.iter().find(|(_, known)| **known == schema);
    match named {
        Some((name, _)) => json!({"$ref": format!("#/components/schemas/{name}")}),
        None => schema,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Places where a schema says only that there is an object, or an array of anything.
    fn vague(schema: &Value, at: &str, found: &mut Vec<String>) {
        match schema {
            Value::Object(fields) => {
                let is = |kind: &str| match fields.get("type") {
                    Some(Value::String(word)) => word == kind,
                    Some(Value::Array(words)) => words.iter().any(|word| word == kind),
                    _ => false,
                };
                let object = is("object")
                    && !fields.contains_key("properties")
                    && !fields
                        .get("additionalProperties")
                        .is_some_and(Value::is_object);
                if object || is("array") && !fields.contains_key("items") {
                    found.push(at.to_owned());
                }
                for (key, value) in fields {
                    vague(value, &format!("{at}/{key}"), found);
                }
            }
            Value::Array(list) => {
                for (n, value) in list.iter().enumerate() {
                    vague(value, &format!("{at}/{n}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_answer_says_what_its_objects_have() {
        let document = crate::openapi_document();
        let mut found = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let at = format!("{method} {path}");
                vague(&operation["responses"], &at, &mut found);
            }
        }
        vague(&document["components"]["schemas"], "components", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there_and_a_name_means_one_thing() {
        let document = crate::openapi_document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is nowhere");
        }
        assert!(!text.contains("malformed"));
        for route in crate::all_routes().iter().flat_map(Routes::list) {
            assert_eq!(
                route.returned.is_empty(),
                route.refuses,
                "{route:?} succeeds?"
            );
            for body in route.returned.iter().filter_map(|one| one.body) {
                for (name, schema) in body.components() {
                    assert_eq!(schemas[&name], schema, "{name} in {route:?}");
                }
            }
        }
    }
}

//! Strict reading of a request's body: every field is asked for by name and type, and what nobody asked for is refused.
//!
//! The sentences are those of Cinder's schema validation, because tools match them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::ApiError;

/// The members of one JSON object that nobody has read yet.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
}

/// A value as Cinder's messages print it: Python's `str`.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(200).collect(),
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string().chars().take(200).collect(),
    }
}

fn wrong(name: &str, value: &Value, why: &str) -> ApiError {
    let value = shown(value);
    ApiError::invalid(format!(
        "Invalid input for field/attribute {name}. Value: {value}. {why}"
    ))
}

impl Fields {
    /// Reads a whole body that must be a JSON object.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self { members }),
            Ok(_) => Err(ApiError::invalid("Malformed request body")),
            Err(_) => Err(ApiError::invalid("Malformed request body")),
        }
    }

    /// Over members that were read already.
    #[must_use]
    pub fn over(members: Map<String, Value>) -> Self {
        Self { members }
    }

    /// The object under a key that must be there.
    ///
    /// # Errors
    /// 400 when it is missing or is no object.
    pub fn object(&mut self, name: &str) -> Result<Fields, ApiError> {
        match self.members.remove(name) {
            Some(Value::Object(members)) => Ok(Self { members }),
            Some(other) => Err(wrong(
                name,
                &other,
                &format!("{} is not of type 'object'", shown(&other)),
            )),
            None => Err(missing(name)),
        }
    }

    /// The object under a key, or an empty one where it is missing or null.
    ///
    /// # Errors
    /// 400 when it is something else.
    pub fn object_or_empty(&mut self, name: &str) -> Result<Fields, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => {
                self.members.remove(name);
                Ok(Self {
                    members: Map::new(),
                })
            }
            Some(_) => self.object(name),
        }
    }

    /// Whether a member is there and not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether a member is there, even as null.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes a member as it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name)
    }

    /// Every member that is left.
    #[must_use]
    pub fn into_members(self) -> Map<String, Value> {
        self.members
    }

    /// A text that may be missing or null.
    ///
    /// # Errors
    /// 400 for another type, a length out of range, or a NUL character.
    pub fn text(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<String>, ApiError> {
        let value = match self.members.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let Value::String(text) = &value else {
            return Err(wrong(
                name,
                &value,
                &format!("{} is not of type 'string'", shown(&value)),
            ));
        };
        let count = text.chars().count();
        if count < *length.start() {
            return Err(wrong(
                name,
                &value,
                &format!("'{}' is too short", shown(&value)),
            ));
        }
        if count > *length.end() {
            return Err(wrong(
                name,
                &value,
                &format!("'{}' is too long", shown(&value)),
            ));
        }
        if text.contains('\0') {
            return Err(wrong(name, &Value::Null, "It contains a NUL character"));
        }
        Ok(Some(text.clone()))
    }

    /// A text of 1 to 255 characters that must be there.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required(&mut self, name: &str) -> Result<String, ApiError> {
        if !self.members.contains_key(name) {
            return Err(missing(name));
        }
        match self.text(name, 1..=255)? {
            Some(text) => Ok(text),
            None => Err(wrong(name, &Value::Null, "None is not of type 'string'")),
        }
    }

    /// A display name of up to 255 characters; blanks around it are dropped.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn name(&mut self) -> Result<Option<String>, ApiError> {
        Ok(self
            .text("name", 0..=255)?
            .map(|name| name.trim().to_owned()))
    }

    /// A text that a change may set or, with null, take away; none where it is not mentioned.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub fn change(&mut self, name: &str) -> Result<Option<Option<String>>, ApiError> {
        if !self.members.contains_key(name) {
            return Ok(None);
        }
        let text = self.text(name, 0..=255)?;
        Ok(Some(text.map(|text| text.trim().to_owned())))
    }

    /// An id that may be missing or null; one that is no UUID is refused before anybody looks for it.
    ///
    /// # Errors
    /// 400 for what is no UUID.
    pub fn uuid(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name, 0..=255)? else {
            return Ok(None);
        };
        if uuid::Uuid::parse_str(&text).is_ok() {
            return Ok(Some(text));
        }
        let value = Value::String(text);
        let why = format!("'{}' is not a 'uuid'", shown(&value));
        Err(wrong(name, &value, &why))
    }

    /// Ids that must be UUIDs: one text, or a list of them; none where it is missing.
    ///
    /// # Errors
    /// 400 for what is no UUID.
    pub fn uuids(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let one = |value: Value| {
            let mut member = Self::over(Map::from_iter([(name.to_owned(), value)]));
            member.required_uuid(name)
        };
        match self.members.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.into_iter().map(one).collect(),
            Some(value) => one(value).map(|id| vec![id]),
        }
    }

    /// An id that must be there and be a UUID.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required_uuid(&mut self, name: &str) -> Result<String, ApiError> {
        if !self.members.contains_key(name) {
            return Err(missing(name));
        }
        let why = "None is not of type 'string'";
        self.uuid(name)?
            .ok_or_else(|| wrong(name, &Value::Null, why))
    }

    /// A name that must have at least one visible character.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required_name(&mut self) -> Result<String, ApiError> {
        let name = self.required("name")?;
        let trimmed = name.trim();
        if trimmed.is_empty() {
            return Err(wrong(
                "name",
                &Value::String(name),
                "It may not consist of blanks only",
            ));
        }
        Ok(trimmed.to_owned())
    }

    /// A description of up to 255 characters.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn description(&mut self) -> Result<Option<String>, ApiError> {
        self.text("description", 0..=255)
    }

    /// A whole number that may be missing or null; digits in a string count, as they do in Cinder.
    ///
    /// # Errors
    /// 400 for another type or a number out of range.
    pub fn integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let value = match self.members.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) if text.len() <= 20 => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return Err(wrong(
                name,
                &value,
                &format!("{} is not of type 'integer'", shown(&value)),
            ));
        };
        if number < *range.start() {
            let why = format!("{number} is less than the minimum of {}", range.start());
            return Err(wrong(name, &value, &why));
        }
        if number > *range.end() {
            let why = format!("{number} is greater than the maximum of {}", range.end());
            return Err(wrong(name, &value, &why));
        }
        Ok(Some(number))
    }

    /// A whole number that must be there.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required_integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<i64, ApiError> {
        self.integer(name, range)?.ok_or_else(|| missing(name))
    }

    /// A truth value in one of the spellings Cinder takes; missing or null is none.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        let value = match self.members.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let word = match &value {
            Value::Bool(value) => return Ok(Some(*value)),
            Value::String(text) => text.to_ascii_lowercase(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        truth(&word).map(Some).ok_or_else(|| {
            wrong(
                name,
                &value,
                &format!("{} is not of type 'boolean'", shown(&value)),
            )
        })
    }

    /// Pairs of text, keys of 1 to 255 characters of which none is blank, values up to 255; missing or null is none.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn pairs(&mut self, name: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Self { members }.into_pairs(name).map(Some),
            Some(other) => Err(wrong(
                name,
                &other,
                &format!("{} is not of type 'object'", shown(&other)),
            )),
        }
    }

    /// All members as pairs of text.
    ///
    /// # Errors
    /// As [`Fields::pairs`].
    pub fn into_pairs(self, name: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let mut pairs = BTreeMap::new();
        for (key, value) in self.members {
            let length = key.chars().count();
            if key.trim().is_empty() || length > 255 || key.contains('\0') {
                let why = format!("'{}' is no usable key", shown(&Value::String(key.clone())));
                return Err(wrong(name, &Value::String(key), &why));
            }
            let text = match &value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => shown(&value),
                _ => {
                    return Err(wrong(
                        &key,
                        &value,
                        &format!("{} is not of type 'string'", shown(&value)),
                    ));
                }
            };
            if text.chars().count() > 255 {
                return Err(wrong(
                    &key,
                    &value,
                    &format!("'{}' is too long", shown(&value)),
                ));
            }
            if text.contains('\0') {
                return Err(wrong(&key, &Value::Null, "It contains a NUL character"));
            }
            pairs.insert(key, text);
        }
        Ok(pairs)
    }

    /// Refuses what nobody asked for.
    ///
    /// # Errors
    /// 400 naming the members.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.members.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.members.keys().map(|key| format!("'{key}'")).collect();
        let verb = if names.len() == 1 { "was" } else { "were" };
        Err(ApiError::invalid(format!(
            "Additional properties are not allowed ({} {verb} unexpected)",
            names.join(", ")
        )))
    }
}

/// The words Cinder takes for true and false.
#[must_use]
pub fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

fn missing(name: &str) -> ApiError {
    ApiError::invalid(format!("'{name}' is a required property"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_missing_is_named_as_cinder_names_it() {
        let refusal = fields("{}").object("volume").unwrap_err();
        assert_eq!(refusal.message, "'volume' is a required property");
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_its_limit() {
        let refusal = fields(r#"{"size":0}"#).integer("size", 1..=10).unwrap_err();
        assert_eq!(
            refusal.message,
            "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1"
        );
        assert!(fields(r#"{"size":1.5}"#).integer("size", 1..=10).is_err());
        assert_eq!(
            fields(r#"{"size":"7"}"#).integer("size", 1..=10).unwrap(),
            Some(7)
        );
    }

    #[test]
    fn a_member_nobody_knows_is_refused_by_name() {
        let refusal = fields(r#"{"colour":"red"}"#).finish().unwrap_err();
        assert_eq!(
            refusal.message,
            "Additional properties are not allowed ('colour' was unexpected)"
        );
    }

    #[test]
    fn nulls_count_as_missing() {
        let mut fields = fields(r#"{"name":null,"metadata":null,"multiattach":null}"#);
        assert_eq!(fields.name().unwrap(), None);
        assert_eq!(fields.pairs("metadata").unwrap(), None);
        assert_eq!(fields.boolean("multiattach").unwrap(), None);
        fields.finish().unwrap();
    }
}

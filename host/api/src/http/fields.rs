//! Strict reading of a request's body: every field is asked for by name and type, and what nobody asked for is refused.
//!
//! The sentences are those of Cinder's schema validation, because tools match them.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::ApiError;

mod ids;
mod pairs;
mod words;

pub use pairs::Keys;
pub use words::truth;
use words::{is_printable, spelt};

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

    /// Puts a member back.
    pub fn put(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
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
        self.required_text(name, 255)
    }

    /// A text of 1 to so many characters that must be there.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required_text(&mut self, name: &str, most: usize) -> Result<String, ApiError> {
        if !self.members.contains_key(name) {
            return Err(missing(name));
        }
        match self.text(name, 1..=most)? {
            Some(text) => Ok(text),
            None => Err(wrong(name, &Value::Null, "None is not of type 'string'")),
        }
    }

    /// A text that may be missing, but not null.
    ///
    /// # Errors
    /// As [`Fields::text`], and 400 for null.
    pub fn string(
        &mut self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<String>, ApiError> {
        if self.contains(name) && !self.has(name) {
            return Err(wrong(name, &Value::Null, "None is not of type 'string'"));
        }
        self.text(name, length)
    }

    /// One of some words; missing is none.
    ///
    /// # Errors
    /// 400 for another word and for what is no text.
    pub fn word(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
        let found = self.string(name, 0..=255)?;
        match found {
            Some(word) if !words.contains(&word.as_str()) => {
                let why = format!("'{word}' is not one of {words:?}");
                Err(wrong(name, &Value::String(word), &why))
            }
            found => Ok(found),
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

    /// A text of up to 255 characters beside the blanks around it, which are dropped.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn trimmed(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        if let Some(Value::String(text)) = self.members.get_mut(name) {
            *text = text.trim().to_owned();
        }
        self.text(name, 0..=255)
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

    /// As [`Fields::change`], for a text that [`Fields::trimmed`] reads.
    ///
    /// # Errors
    /// As [`Fields::trimmed`].
    pub fn change_trimmed(&mut self, name: &str) -> Result<Option<Option<String>>, ApiError> {
        match self.members.contains_key(name) {
            true => self.trimmed(name).map(Some),
            false => Ok(None),
        }
    }

    /// As [`Fields::change`], for a description.
    ///
    /// # Errors
    /// As [`Fields::printable`].
    pub fn change_printable(&mut self, name: &str) -> Result<Option<Option<String>>, ApiError> {
        if !self.members.contains_key(name) {
            return Ok(None);
        }
        let text = self.printable(name)?;
        Ok(Some(text.map(|text| text.trim().to_owned())))
    }

    /// A name that must have at least one visible character, as it was sent: Cinder keeps the blanks around it.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn required_name(&mut self) -> Result<String, ApiError> {
        let name = self.required("name")?;
        if name.trim().is_empty() {
            return Err(wrong(
                "name",
                &Value::String(name),
                "It may not consist of blanks only",
            ));
        }
        Ok(name)
    }

    /// A description: up to 255 characters that can be printed.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn description(&mut self) -> Result<Option<String>, ApiError> {
        self.printable("description")
    }

    /// A text of up to 255 characters that can be printed.
    ///
    /// # Errors
    /// 400 otherwise.
    pub fn printable(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let text = self.text(name, 0..=255)?;
        match text {
            Some(text) if !text.chars().all(is_printable) => {
                let value = Value::String(text.escape_debug().to_string());
                let why = "It has characters that cannot be printed, or that Cinder does not take";
                Err(wrong(name, &value, why))
            }
            text => Ok(text),
        }
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
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) if digits(text) => Some(text.parse().unwrap_or(i64::MAX)),
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

    /// A truth value in one of the spellings that Cinder's bodies have; missing is none.
    ///
    /// # Errors
    /// 400 for anything else, null and numbers among it.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.members.remove(name) else {
            return Ok(None);
        };
        let known = match &value {
            Value::Bool(value) => Some(*value),
            Value::String(word) => spelt(word),
            _ => None,
        };
        let why = || format!("{} is not of type 'boolean'", shown(&value));
        known.map(Some).ok_or_else(|| wrong(name, &value, &why()))
    }

    /// A truth value that may be null.
    ///
    /// # Errors
    /// As [`Fields::boolean`].
    pub fn boolean_or_null(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.has(name) {
            true => self.boolean(name),
            false => {
                self.members.remove(name);
                Ok(None)
            }
        }
    }

    /// A truth value that must be there.
    ///
    /// # Errors
    /// As [`Fields::boolean`], and 400 where it is missing.
    pub fn required_boolean(&mut self, name: &str) -> Result<bool, ApiError> {
        self.boolean(name)?.ok_or_else(|| missing(name))
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

fn missing(name: &str) -> ApiError {
    ApiError::invalid(format!("'{name}' is a required property"))
}

#[cfg(test)]
mod tests;

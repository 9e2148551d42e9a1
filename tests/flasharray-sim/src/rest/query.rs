//! The query of a request: decoded, and read as lists, flags and numbers.

use std::collections::BTreeMap;

use crate::core::error::{ApiError, Res};

/// A decoded query. Lists arrive joined with commas, which no name contains.
#[derive(Debug, Clone, Default)]
pub struct Query {
    values: BTreeMap<String, String>,
}

impl Query {
    /// Decodes `a=1&b=x%2Cy`.
    pub fn parse(raw: &str) -> Self {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value);
            values
                .entry(decode(key))
                .and_modify(|old| {
                    // A repeated parameter is one more way to write a list.
                    old.push(',');
                    old.push_str(&value);
                })
                .or_insert(value);
        }
        Self { values }
    }

    /// The text of a parameter.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The list of a parameter. An empty value is an empty list.
    pub fn list(&self, key: &str) -> Option<Vec<String>> {
        self.values.get(key).map(|value| {
            value
                .split(',')
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()
        })
    }

    /// The list of a parameter that must be there.
    pub fn need(&self, key: &str) -> Res<Vec<String>> {
        match self.list(key) {
            Some(list) if !list.is_empty() => Ok(list),
            _ => Err(ApiError::bad(format!(
                "Missing required query parameter: {key}."
            ))),
        }
    }

    /// A truth value; absent is none.
    pub fn flag(&self, key: &str) -> Res<Option<bool>> {
        match self.text(key) {
            None | Some("") => Ok(None),
            Some("true" | "True") => Ok(Some(true)),
            Some("false" | "False") => Ok(Some(false)),
            Some(_) => Err(ApiError::refuse(
                key,
                "Invalid value: expected true or false.",
            )),
        }
    }

    /// Whether a flag is there and true.
    pub fn is_set(&self, key: &str) -> Res<bool> {
        Ok(self.flag(key)?.unwrap_or(false))
    }

    /// A number; absent is none.
    pub fn number(&self, key: &str) -> Res<Option<usize>> {
        match self.text(key) {
            None | Some("") => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::refuse(key, "Invalid value: expected a number.")),
        }
    }
}

/// Undoes percent-encoding; `+` is a space.
pub fn decode(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next(), bytes.next()];
                let value = digits.iter().try_fold(0u8, |value, digit| {
                    let digit = char::from((*digit)?).to_digit(16)?;
                    Some(
                        value
                            .wrapping_mul(16)
                            .wrapping_add(u8::try_from(digit).ok()?),
                    )
                });
                match value {
                    Some(value) => out.push(value),
                    None => {
                        out.push(b'%');
                        out.extend(digits.into_iter().flatten());
                    }
                }
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_be_joined_by_plain_or_encoded_commas() {
        let q = Query::parse("names=pod%3A%3Aa,b%2Cc&flag=true&empty=");
        assert_eq!(q.list("names").unwrap(), ["pod::a", "b", "c"]);
        assert_eq!(q.flag("flag").unwrap(), Some(true));
        assert!(q.list("empty").unwrap().is_empty());
        assert!(q.need("empty").is_err());
    }

    #[test]
    fn what_is_no_encoding_stays() {
        assert_eq!(decode("100%25+x%zz"), "100% x%zz");
    }
}

//! The query string: decoded once, asked by name; and the four words of pagination.

use std::num::IntErrorKind;

use super::ApiError;
use super::fields::truth;

/// Longest page.
pub const MAX_LIMIT: u64 = 1000;

/// Decoded parameters in the order they came.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// How many; none: as many as a page may have.
    pub limit: Option<u64>,
    /// Last id of the page before.
    pub marker: Option<String>,
    /// Rows to skip.
    pub offset: u64,
    /// Sort keys; true: ascending. Empty: the default order.
    pub sort: Vec<(String, bool)>,
}

impl Page {
    /// Rows that are read at most.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.limit.unwrap_or(MAX_LIMIT).min(MAX_LIMIT)
    }
}

impl Params {
    /// Decodes `a=1&b=2`.
    ///
    /// # Errors
    /// 400 for escapes that are no UTF-8, for NUL characters, and for more parameters than anybody needs.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            if pairs.len() == 100 {
                return Err(ApiError::invalid("Too many query parameters"));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self { pairs })
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every pair.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A truth value; missing is false.
    ///
    /// # Errors
    /// 400 for a word that is neither.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(word) => truth(&word.to_ascii_lowercase()).ok_or_else(|| {
                ApiError::invalid(format!(
                    "Invalid input received: {name}={word} is not a boolean."
                ))
            }),
        }
    }

    /// `limit`, `marker`, `offset`, `sort` (and the older `sort_key`, `sort_dir`).
    ///
    /// # Errors
    /// 400 with Cinder's words for numbers that are none and for sort keys outside `keys`.
    pub fn page(&self, keys: &[&str]) -> Result<Page, ApiError> {
        let number = |name: &str| match self.get(name).map(str::trim) {
            None => Ok(None),
            Some(text) => match text.parse::<i64>() {
                Ok(number) if number >= 0 => Ok(Some(u64::try_from(number).unwrap_or(0))),
                Ok(_) => Err(ApiError::invalid(format!("{name} param must be positive"))),
                // More than the type holds is more than a page has.
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(Some(u64::MAX)),
                _ => Err(ApiError::invalid(format!(
                    "{name} param must be an integer"
                ))),
            },
        };
        let mut sort = Vec::new();
        if let Some(text) = self.get("sort") {
            if self.get("sort_key").is_some() || self.get("sort_dir").is_some() {
                return Err(ApiError::invalid(
                    "The \"sort_key\" and \"sort_dir\" parameters are deprecated and cannot be used with the \"sort\" parameter.",
                ));
            }
            for part in text.split(',') {
                let (key, direction) = part.split_once(':').unwrap_or((part, ""));
                let direction = Some(direction.trim()).filter(|word| !word.is_empty());
                let (key, direction) = (key.trim(), direction.unwrap_or("desc"));
                // Said again, a key says nothing.
                if !sort.iter().any(|(known, _)| known == key) {
                    sort.push((key.to_owned(), direction.to_owned()));
                }
            }
        } else if self.get("sort_key").is_some() || self.get("sort_dir").is_some() {
            let key = self.get("sort_key").unwrap_or("created_at");
            sort.push((
                key.to_owned(),
                self.get("sort_dir").unwrap_or("desc").to_owned(),
            ));
        }
        let sort = sort
            .into_iter()
            .map(|(key, direction)| {
                // The name that the column has in Cinder; `cinder list --sort name` sends it.
                let key = match key.as_str() {
                    "display_name" => "name".to_owned(),
                    "volume_size" if keys.contains(&"volume_size") => "size".to_owned(),
                    _ => key,
                };
                if !keys.contains(&key.as_str()) {
                    return Err(ApiError::invalid(
                        "Invalid input received: Invalid sort key",
                    ));
                }
                match direction.as_str() {
                    "asc" => Ok((key, true)),
                    "desc" => Ok((key, false)),
                    _ => Err(ApiError::invalid(
                        "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'.",
                    )),
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let offset = number("offset")?.unwrap_or(0);
        if offset > 0x7fff_ffff {
            return Err(ApiError::invalid(
                "offset param must be an integer no greater than 2147483647",
            ));
        }
        Ok(Page {
            limit: number("limit")?,
            marker: self.get("marker").map(str::to_owned),
            offset,
            sort,
        })
    }

    /// The same parameters with another marker, encoded: the link to the next page.
    #[must_use]
    pub fn after(&self, marker: &str) -> String {
        let mut text = String::new();
        for (name, value) in self
            .iter()
            .filter(|(name, _)| !matches!(*name, "marker" | "offset"))
        {
            text.push_str(&encode(name));
            text.push('=');
            text.push_str(&encode(value));
            text.push('&');
        }
        text.push_str("marker=");
        text.push_str(&encode(marker));
        text
    }
}

fn decode(text: &str) -> Result<String, ApiError> {
    let bad = || ApiError::invalid("Query string is not UTF-8 encoded");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => out.push(u8::try_from(high * 16 + low).unwrap_or(0)),
                    _ => return Err(bad()),
                }
            }
            other => out.push(other),
        }
    }
    if out.contains(&0) {
        return Err(bad());
    }
    String::from_utf8(out).map_err(|_| bad())
}

/// Percent-encoding of one part of a query.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':' | b',') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_broken_ones_refused() {
        let params = Params::parse("name=a%20b+c&x=%C3%A4").unwrap();
        assert_eq!(params.get("name"), Some("a b c"));
        assert_eq!(params.get("x"), Some("ä"));
        assert!(Params::parse("name=%ff").is_err());
        assert!(Params::parse("name=%4").is_err());
        assert!(Params::parse("name=%00").is_err());
    }

    #[test]
    fn pagination_speaks_cinders_words() {
        let page = |query: &str| Params::parse(query).unwrap().page(&["name", "created_at"]);
        assert_eq!(
            page("limit=x").unwrap_err().message,
            "limit param must be an integer"
        );
        assert_eq!(
            page("limit=-1").unwrap_err().message,
            "limit param must be positive"
        );
        assert_eq!(
            page("sort=colour").unwrap_err().message,
            "Invalid input received: Invalid sort key"
        );
        assert_eq!(
            page("sort=name:asc,created_at").unwrap().sort,
            [("name".into(), true), ("created_at".into(), false)]
        );
        assert_eq!(
            page("sort=display_name:asc").unwrap().sort,
            [("name".into(), true)]
        );
        assert_eq!(page("limit=5000").unwrap().rows(), 1000);
        assert_eq!(page("limit=%2099999999999999999999").unwrap().rows(), 1000);
        assert!(page("sort=").is_err(), "no key is none");
        assert_eq!(
            page("sort=name:,name").unwrap().sort,
            [("name".into(), false)]
        );
    }

    #[test]
    fn the_next_link_keeps_the_filters_and_moves_the_marker() {
        let params = Params::parse("limit=2&name=a%26b&marker=old").unwrap();
        assert_eq!(params.after("new"), "limit=2&name=a%26b&marker=new");
    }
}

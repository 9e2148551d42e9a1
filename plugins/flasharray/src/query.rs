//! Query strings as a FlashArray reads them: elements percent-encoded, lists joined by a literal comma.

/// A query under construction.
#[derive(Debug, Clone, Default)]
pub struct Query(String);

impl Query {
    /// An empty query.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `key=a,b,c`.
    #[must_use]
    pub fn list<S: AsRef<str>>(mut self, key: &str, values: &[S]) -> Self {
        self.key(key);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            encode(value.as_ref(), &mut self.0);
        }
        self
    }

    /// `key=value`.
    #[must_use]
    pub fn one(self, key: &str, value: &str) -> Self {
        self.list(key, &[value])
    }

    /// `names=…`.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.one("names", name)
    }

    /// `key=true`.
    #[must_use]
    pub fn on(self, key: &str) -> Self {
        self.one(key, "true")
    }

    /// `filter=…`.
    #[must_use]
    pub fn filter(self, filter: &str) -> Self {
        self.one("filter", filter)
    }

    /// Behind a path.
    #[must_use]
    pub fn behind(&self, path: &str) -> String {
        if self.0.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", self.0)
        }
    }

    fn key(&mut self, key: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(key);
        self.0.push('=');
    }
}

fn encode(text: &str, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            into.push(char::from(byte));
        } else {
            into.push('%');
            for nibble in [byte >> 4, byte & 15] {
                into.push(
                    HEX.get(usize::from(nibble))
                        .copied()
                        .map_or('0', char::from),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_by_a_literal_comma_and_elements_are_encoded() {
        let query = Query::new()
            .list("names", &["cinder-pod::v 1", "vg/v"])
            .on("overwrite");
        assert_eq!(
            query.behind("/volumes"),
            "/volumes?names=cinder-pod%3A%3Av%201,vg/v&overwrite=true"
        );
    }
}

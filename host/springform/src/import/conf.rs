//! `cinder.conf`, as oslo.config reads it: sections, keys that may stand several times, values that go on in indented lines.

use std::collections::BTreeMap;

/// Sections by name.
#[derive(Debug, Clone, Default)]
pub struct Conf {
    sections: BTreeMap<String, Vec<(String, String)>>,
}

/// Section of what belongs to no other.
pub const DEFAULT: &str = "DEFAULT";

impl Conf {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// A sentence with the line that is no section, key or comment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut conf = Self::default();
        let mut section = DEFAULT.to_owned();
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = trimmed.strip_prefix('[') {
                let name = name.strip_suffix(']').ok_or_else(|| wrong(number))?;
                name.clone_into(&mut section);
                conf.sections.entry(section.clone()).or_default();
            } else if line.starts_with([' ', '\t']) {
                let known = conf.sections.get_mut(&section);
                let (_, value) = known
                    .and_then(|keys| keys.last_mut())
                    .ok_or_else(|| wrong(number))?;
                value.push(' ');
                value.push_str(trimmed);
            } else {
                let at = trimmed.find(['=', ':']).ok_or_else(|| wrong(number))?;
                let (key, value) = trimmed.split_at(at);
                let value = unquoted(value.get(1..).unwrap_or_default().trim());
                let keys = conf.sections.entry(section.clone()).or_default();
                keys.push((key.trim().to_owned(), value.to_owned()));
            }
        }
        Ok(conf)
    }

    /// The last value of a key; what is not set in a section is not looked for elsewhere.
    #[must_use]
    pub fn get<'a>(&'a self, section: &str, key: &str) -> Option<&'a str> {
        self.all(section, key).last()
    }

    /// Every value of a key, in the order of the file.
    pub fn all<'a>(&'a self, section: &str, key: &str) -> impl Iterator<Item = &'a str> {
        let keys = self.section(section).iter();
        keys.filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Keys and values of a section.
    #[must_use]
    pub fn section(&self, name: &str) -> &[(String, String)] {
        self.sections.get(name).map_or(&[], Vec::as_slice)
    }

    /// Names of all sections.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }
}

fn wrong(line: usize) -> String {
    format!("line {} is no section, no key and no comment", line + 1)
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    text
}

/// A boolean as oslo.config reads it.
#[must_use]
pub fn is_true(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "1" | "true" | "on" | "yes"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_oslo_config_reads_it() {
        let conf = Conf::parse(
            "# a comment\nhost = ctl\n[pure-1]\nsan_ip: 192.0.2.1\nreplication_device = backend_id:b\n\
             replication_device = backend_id:c,\n    type:sync\npure_api_token = \"a=b\"\n",
        )
        .unwrap();
        assert_eq!(conf.get(DEFAULT, "host"), Some("ctl"));
        assert_eq!(conf.get("pure-1", "san_ip"), Some("192.0.2.1"));
        assert_eq!(conf.get("pure-1", "pure_api_token"), Some("a=b"));
        assert_eq!(conf.get("pure-1", "host"), None);
        let devices: Vec<&str> = conf.all("pure-1", "replication_device").collect();
        assert_eq!(devices, ["backend_id:b", "backend_id:c, type:sync"]);
        assert_eq!(
            Conf::parse("[a]\nnonsense\n").unwrap_err(),
            "line 2 is no section, no key and no comment"
        );
    }
}

//! Reads one table of the file: each key is asked for once, by name and type, and what nobody asked for is refused by
//! name. Lines are kept, so that every problem can say where it is.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::de::{DeTable, DeValue};

use super::problem::{Problems, suggestion};

/// A value with its line.
#[derive(Debug, Clone)]
pub struct Item {
    /// Line, from 1.
    pub line: usize,
    /// Value.
    pub node: Node,
}

/// A value, owned.
#[derive(Debug, Clone)]
pub enum Node {
    /// A string.
    Text(String),
    /// A number, a boolean or a date, as it is written.
    Scalar(String, &'static str),
    /// An array.
    List(Vec<Item>),
    /// A table.
    Table(BTreeMap<String, Item>),
}

impl Node {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Scalar(_, kind) => kind,
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Turns spans into lines once, and everything into owned values.
pub fn read_document(text: &str, table: &DeTable<'_>) -> BTreeMap<String, Item> {
    table
        .iter()
        .map(|(key, value)| {
            let line = line_of(text, key.span().start);
            let node = read_node(text, value.get_ref());
            (key.get_ref().to_string(), Item { line, node })
        })
        .collect()
}

fn read_node(text: &str, value: &DeValue<'_>) -> Node {
    match value {
        DeValue::String(string) => Node::Text(string.to_string()),
        DeValue::Integer(integer) => Node::Scalar(integer.to_string(), "a whole number"),
        DeValue::Float(float) => Node::Scalar(float.to_string(), "a number"),
        DeValue::Boolean(boolean) => Node::Scalar(boolean.to_string(), "a boolean"),
        DeValue::Datetime(date) => Node::Scalar(date.to_string(), "a date"),
        DeValue::Array(items) => Node::List(
            items
                .iter()
                .map(|item| Item {
                    line: line_of(text, item.span().start),
                    node: read_node(text, item.get_ref()),
                })
                .collect(),
        ),
        DeValue::Table(table) => Node::Table(read_document(text, table)),
    }
}

/// Line of a byte offset, from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// One table that is being read.
#[derive(Debug)]
pub struct Section<'p> {
    /// How the table is called in messages: `[service]`, `[[backend]] "pure1"`.
    pub name: String,
    /// Line of its header.
    pub line: usize,
    items: BTreeMap<String, Item>,
    known: Vec<&'static str>,
    problems: &'p Problems,
}

impl<'p> Section<'p> {
    /// A table to be read.
    pub fn new(
        name: impl Into<String>,
        line: usize,
        items: BTreeMap<String, Item>,
        problems: &'p Problems,
    ) -> Self {
        Self {
            name: name.into(),
            line,
            items,
            known: Vec::new(),
            problems,
        }
    }

    /// The collector, for tables inside this one.
    pub fn problems(&self) -> &'p Problems {
        self.problems
    }

    /// Marks a key as understood whether or not it was read.
    pub fn known(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Reports a problem of this table.
    pub fn report(&self, line: usize, text: impl std::fmt::Display) {
        self.problems.report(line, format!("{} {text}", self.name));
    }

    /// Takes a key out, whatever it is.
    pub fn take(&mut self, key: &'static str) -> Option<Item> {
        self.known.push(key);
        self.items.remove(key)
    }

    /// A string, with its line.
    pub fn text_at(&mut self, key: &'static str) -> Option<(String, usize)> {
        let item = self.take(key)?;
        match item.node {
            Node::Text(text) => Some((text, item.line)),
            other => {
                self.wrong_type(key, item.line, "a string", &other);
                None
            }
        }
    }

    /// A string.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.text_at(key).map(|(text, _)| text)
    }

    /// A string that must be there.
    pub fn required(&mut self, key: &'static str) -> Option<String> {
        let missing = !self.items.contains_key(key);
        let text = self.text(key);
        if missing {
            self.report(self.line, format!("needs the key `{key}`"));
        }
        text
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let (text, line) = self.text_at(key)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let hint = suggestion(&text, list.iter().copied());
            let list = list.join("`, `");
            self.report(
                line,
                format!("has `{key} = \"{text}\"`, which is none of `{list}`{hint}"),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A whole number in a range.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let item = self.take(key)?;
        let Node::Scalar(text, _) = &item.node else {
            self.wrong_type(key, item.line, "a whole number", &item.node);
            return None;
        };
        match text.parse::<u64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (low, high) = (range.start(), range.end());
                self.report(
                    item.line,
                    format!("has `{key} = {text}`; it must be a whole number from {low} to {high}"),
                );
                None
            }
        }
    }

    /// A number, with or without a fraction.
    pub fn decimal(&mut self, key: &'static str) -> Option<f64> {
        let item = self.take(key)?;
        let number = match &item.node {
            Node::Scalar(text, _) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(key, item.line, "a number", &item.node);
        }
        number
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let item = self.take(key)?;
        match &item.node {
            Node::Scalar(text, "a boolean") => Some(text == "true"),
            other => {
                self.wrong_type(key, item.line, "`true` or `false`", other);
                None
            }
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let texts = self.texts_at(key)?;
        Some(texts.into_iter().map(|(text, _)| text).collect())
    }

    /// The same, each with its line.
    pub fn texts_at(&mut self, key: &'static str) -> Option<Vec<(String, usize)>> {
        let item = self.take(key)?;
        let Node::List(items) = item.node else {
            self.wrong_type(key, item.line, "a list of strings", &item.node);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for member in items {
            match member.node {
                Node::Text(text) => texts.push((text, member.line)),
                other => self.wrong_type(key, member.line, "a list of strings", &other),
            }
        }
        Some(texts)
    }

    /// A table inside this one; empty where it is not there.
    pub fn table(&mut self, key: &'static str, name: impl Into<String>) -> Section<'p> {
        let (line, items) = match self.take(key) {
            None => (self.line, BTreeMap::new()),
            Some(Item {
                line,
                node: Node::Table(items),
            }) => (line, items),
            Some(item) => {
                self.wrong_type(key, item.line, "a table", &item.node);
                (item.line, BTreeMap::new())
            }
        };
        Section::new(name, line, items, self.problems)
    }

    /// A list of tables; `header` is how they are written: `[[backend]]`.
    pub fn tables(
        &mut self,
        key: &'static str,
        header: &str,
    ) -> Vec<(usize, BTreeMap<String, Item>)> {
        let Some(item) = self.take(key) else {
            return Vec::new();
        };
        let Node::List(items) = item.node else {
            let found = item.node.kind();
            self.report(
                item.line,
                format!("has `{key}` as {found}; write it as a table of its own, `{header}`"),
            );
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for member in items {
            match member.node {
                Node::Table(table) => tables.push((member.line, table)),
                other => self.wrong_type(key, member.line, "a table", &other),
            }
        }
        tables
    }

    /// Everything that was not asked for, for a table whose keys somebody else knows.
    pub fn rest(self) -> BTreeMap<String, Item> {
        self.items
    }

    /// Refuses everything that was not asked for, by name.
    pub fn finish(self) {
        for (key, item) in &self.items {
            let hint = suggestion(key, self.known.iter().copied());
            self.report(item.line, format!("has the unknown key `{key}`{hint}"));
        }
    }

    fn wrong_type(&self, key: &str, line: usize, wanted: &str, found: &Node) {
        self.report(
            line,
            format!("has `{key}` as {}; it must be {wanted}", found.kind()),
        );
    }
}

//! The filter language: `name='vol*' and not destroyed`, `progress>="0.5"`,
//! `pod.name=('a','b')`, `contains(name,'x')`.
//!
//! Fields may be dotted; a field that holds a list matches if one of its
//! elements does. Texts that look like numbers compare as numbers.

use serde_json::Value;

use crate::core::error::{ApiError, Res};
use crate::core::name::normal_initiator;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// One holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A comparison of a field with any of some values.
    Compare(String, Op, Vec<String>),
    /// A text occurs in a field.
    Contains(String, String),
    /// A field is there and not false.
    Bare(String),
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`, with `*` for any text.
    Equal,
    /// `!=`
    Differs,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Op(Op),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' => out.push(Token::Open),
            ')' => out.push(Token::Close),
            ',' => out.push(Token::Comma),
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match chars.next()? {
                        '\\' => value.push(chars.next()?),
                        end if end == c => break,
                        other => value.push(other),
                    }
                }
                out.push(Token::Text(value));
            }
            '=' => {
                chars.next_if_eq(&'=');
                out.push(Token::Op(Op::Equal));
            }
            '!' => {
                chars.next_if_eq(&'=')?;
                out.push(Token::Op(Op::Differs));
            }
            '<' => out.push(Token::Op(match chars.next_if_eq(&'=') {
                Some(_) => Op::AtMost,
                None => Op::Less,
            })),
            '>' => out.push(Token::Op(match chars.next_if_eq(&'=') {
                Some(_) => Op::AtLeast,
                None => Op::More,
            })),
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || "._-:*/".contains(*c))
                {
                    word.push(c);
                }
                out.push(Token::Word(word));
            }
        }
    }
    Some(out)
}

struct Parser {
    rest: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn keyword(&mut self, word: &str) -> bool {
        self.rest
            .next_if(|token| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(word)))
            .is_some()
    }

    fn either(&mut self) -> Option<Filter> {
        let mut left = self.both()?;
        while self.keyword("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both()?));
        }
        Some(left)
    }

    fn both(&mut self) -> Option<Filter> {
        let mut left = self.one()?;
        while self.keyword("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Some(left)
    }

    fn one(&mut self) -> Option<Filter> {
        if self.keyword("not") {
            return Some(Filter::Not(Box::new(self.one()?)));
        }
        match self.rest.next()? {
            Token::Open => {
                let inner = self.either()?;
                self.rest.next_if_eq(&Token::Close)?;
                Some(inner)
            }
            Token::Word(word) => self.after_word(word),
            _ => None,
        }
    }

    fn after_word(&mut self, word: String) -> Option<Filter> {
        match self.rest.peek() {
            Some(Token::Op(op)) => {
                let op = *op;
                self.rest.next();
                Some(Filter::Compare(word, op, self.values()?))
            }
            Some(Token::Open) => {
                self.rest.next();
                let Token::Word(field) = self.rest.next()? else {
                    return None;
                };
                let mut values = Vec::new();
                while self.rest.next_if_eq(&Token::Comma).is_some() {
                    values.extend(self.values()?);
                }
                self.rest.next_if_eq(&Token::Close)?;
                match word.to_ascii_lowercase().as_str() {
                    "contains" => Some(Filter::Contains(field, values.into_iter().next()?)),
                    "in" => Some(Filter::Compare(field, Op::Equal, values)),
                    "not" => None,
                    _ => None,
                }
            }
            Some(Token::Word(next)) if next.eq_ignore_ascii_case("in") => {
                self.rest.next();
                Some(Filter::Compare(word, Op::Equal, self.values()?))
            }
            _ => Some(Filter::Bare(word)),
        }
    }

    fn values(&mut self) -> Option<Vec<String>> {
        match self.rest.next()? {
            Token::Text(text) | Token::Word(text) => Some(vec![text]),
            Token::Open => {
                let mut values = Vec::new();
                loop {
                    values.extend(self.values()?);
                    match self.rest.next()? {
                        Token::Comma => {}
                        Token::Close => return Some(values),
                        _ => return None,
                    }
                }
            }
            _ => None,
        }
    }
}

impl Filter {
    /// Parses a filter.
    pub fn parse(text: &str) -> Res<Self> {
        let parsed = tokens(text).and_then(|tokens| {
            let mut parser = Parser {
                rest: tokens.into_iter().peekable(),
            };
            let filter = parser.either()?;
            parser.rest.next().is_none().then_some(filter)
        });
        parsed.ok_or_else(|| ApiError::refuse(text, "Invalid filter."))
    }

    /// Whether an item matches.
    pub fn matches(&self, item: &Value) -> bool {
        match self {
            Self::And(a, b) => a.matches(item) && b.matches(item),
            Self::Or(a, b) => a.matches(item) || b.matches(item),
            Self::Not(inner) => !inner.matches(item),
            Self::Compare(field, Op::Differs, values) => !values.iter().any(|value| {
                any(item, field, &|found| {
                    compare(field, found, Op::Equal, value)
                })
            }),
            Self::Compare(field, op, values) => values
                .iter()
                .any(|value| any(item, field, &|found| compare(field, found, *op, value))),
            Self::Contains(field, part) => any(item, field, &|found| {
                plain(found).to_lowercase().contains(&part.to_lowercase())
            }),
            Self::Bare(field) => any(item, field, &|found| {
                !matches!(found, Value::Null | Value::Bool(false))
            }),
        }
    }

    /// The initiator that every matching host has, if the filter tells.
    pub fn initiator_hint(&self) -> Option<&str> {
        match self {
            Self::And(a, b) => a.initiator_hint().or_else(|| b.initiator_hint()),
            Self::Compare(field, Op::Equal, values) => match values.as_slice() {
                [value]
                    if ["iqns", "nqns", "wwns"].contains(&field.as_str())
                        && !value.contains('*') =>
                {
                    Some(value)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Texts one of which every matching name starts with (the whole name if
    /// the flag is set), if the filter tells. Saves looking at all objects.
    pub fn name_hints(&self) -> Option<Vec<(String, bool)>> {
        match self {
            Self::And(a, b) => a.name_hints().or_else(|| b.name_hints()),
            Self::Or(a, b) => {
                let mut hints = a.name_hints()?;
                hints.extend(b.name_hints()?);
                Some(hints)
            }
            Self::Compare(field, Op::Equal, values) if field == "name" => Some(
                values
                    .iter()
                    .map(|value| match value.split_once('*') {
                        Some((start, _)) => (start.to_owned(), false),
                        None => (value.clone(), true),
                    })
                    .collect(),
            ),
            Self::Compare(field, Op::Equal, values) if field == "pod.name" => values
                .iter()
                .map(|value| (!value.contains('*')).then(|| (format!("{value}::"), false)))
                .collect(),
            _ => None,
        }
    }
}

/// The values of a dotted field, through lists on the way.
fn any(item: &Value, field: &str, holds: &dyn Fn(&Value) -> bool) -> bool {
    match item {
        Value::Array(items) => items.iter().any(|item| any(item, field, holds)),
        Value::Object(map) => match map.get(field) {
            Some(Value::Array(items)) => items.iter().any(holds),
            Some(value) => holds(value),
            None => field
                .split_once('.')
                .and_then(|(head, tail)| map.get(head).map(|inner| any(inner, tail, holds)))
                .unwrap_or(false),
        },
        _ => false,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn compare(field: &str, found: &Value, op: Op, wanted: &str) -> bool {
    if found.is_null() {
        return op == Op::Equal && wanted.eq_ignore_ascii_case("null");
    }
    let number = match found {
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    if let (Some(have), Ok(want)) = (number, wanted.parse::<f64>()) {
        return match op {
            Op::Equal => (have - want).abs() < 1e-9,
            Op::Differs => (have - want).abs() >= 1e-9,
            Op::Less => have < want,
            Op::AtMost => have <= want,
            Op::More => have > want,
            Op::AtLeast => have >= want,
        };
    }
    let have = plain(found);
    match op {
        Op::Equal => {
            glob(wanted, &have)
                || (field.ends_with("wwns") || field.ends_with("wwn"))
                    && normal_initiator(&have) == normal_initiator(wanted)
                || field.ends_with("qns") && have.eq_ignore_ascii_case(wanted)
        }
        Op::Differs => !glob(wanted, &have),
        Op::Less => have.as_str() < wanted,
        Op::AtMost => have.as_str() <= wanted,
        Op::More => have.as_str() > wanted,
        Op::AtLeast => have.as_str() >= wanted,
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(filter: &str, item: &Value) -> bool {
        Filter::parse(filter).unwrap().matches(item)
    }

    #[test]
    fn the_filters_of_known_clients_work() {
        let item = json!({
            "name": "CT0.ETH4", "is_local": true, "iqns": ["iqn.a", "iqn.b"], "progress": 1.0,
            "eth": {"subtype": "vif"}, "pod": {"name": "cinder-pod"}, "wwns": ["52:4A:93:00:00:00:00:01"],
            "destroyed": false,
        });
        assert!(holds("name='CT0.*'", &item));
        assert!(holds("iqns='iqn.b' and is_local", &item));
        assert!(!holds("iqns='iqn.b' and not is_local", &item));
        assert!(holds("progress=\"1.0\"", &item));
        assert!(holds("eth.subtype='lacp_bond' or eth.subtype='vif'", &item));
        assert!(holds("pod.name='cinder-pod'", &item));
        assert!(holds("wwns='524A930000000001'", &item));
        assert!(holds("destroyed='false'", &item));
        assert!(holds("name=('x','CT0.ETH4') and progress>0.5", &item));
        assert!(holds("contains(name,'eth4')", &item));
        assert!(holds("not(name='x') and (pod.name!='y')", &item));
        assert!(!holds("missing.field='x'", &item));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "name=", "name='x' and", "(name='x'", "name='x", "='x'"] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_narrowed_down() {
        let hints = |text| Filter::parse(text).unwrap().name_hints();
        assert_eq!(
            hints("name='a*' and destroyed"),
            Some(vec![("a".into(), false)])
        );
        assert_eq!(
            hints("name='a' or name='b'"),
            Some(vec![("a".into(), true), ("b".into(), true)])
        );
        assert_eq!(hints("name='a' or destroyed"), None);
        assert_eq!(hints("pod.name='p'"), Some(vec![("p::".into(), false)]));
    }

    #[test]
    fn stars_stand_for_any_text() {
        assert!(glob("a*b*c", "axxbyyc"));
        assert!(!glob("a*b*c", "axxbyy"));
        assert!(glob("*", ""));
        assert!(!glob("ab", "abc"));
    }
}

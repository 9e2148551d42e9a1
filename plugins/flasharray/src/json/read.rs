//! Reading JSON. Strict as the standard is; a document that breaks it is none, without a reason.

use serde_json::{Map, Number, Value};

/// How deep a document may nest. What arrays say nests four deep; the stack of a component is short.
const DEEPEST: usize = 64;

/// A document. A fraction is read to fifteen digits, good for progress and ratios.
#[must_use]
pub fn value(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader {
        rest: std::str::from_utf8(bytes).ok()?,
    };
    let value = reader.value(DEEPEST)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        match self.rest.as_bytes().first()? {
            b'n' => self.word("null", Value::Null),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'"' => self.string().map(Value::String),
            b'[' => self.array(depth.checked_sub(1)?),
            b'{' => self.object(depth.checked_sub(1)?),
            _ => self.number().map(Value::Number),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        self.skip("[");
        if self.token("]") {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.token("]") {
                return Some(Value::Array(items));
            }
            self.need(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        self.skip("{");
        if self.token("}") {
            return Some(Value::Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.need(":")?;
            fields.insert(name, self.value(depth)?);
            if self.token("}") {
                return Some(Value::Object(fields));
            }
            self.need(",")?;
        }
    }

    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        self.skip("\"").then_some(())?;
        loop {
            let plain = self.until(|c| matches!(c, '"' | '\\' | '\0'..='\x1f'));
            text.push_str(plain);
            if self.skip("\"") {
                return Some(text);
            }
            self.skip("\\").then_some(())?;
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = self.rest.strip_prefix(letter)?;
        Some(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.unicode()?,
            _ => return None,
        })
    }

    /// Four hex digits, or twice four that are the halves of one character.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        self.skip("\\u").then_some(())?;
        let low = self.hex()?.checked_sub(0xdc00)?;
        let low = (low < 0x400).then_some(low)?;
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Option<Number> {
        let from = self.rest;
        let minus = self.skip("-");
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let parts = if self.skip(".") { self.digits()? } else { "" };
        let exponent = self.exponent()?;
        let written = from.strip_suffix(self.rest)?;
        let integer = written.len() == whole.len() + usize::from(minus);
        let exact = if minus {
            written.parse::<i64>().map(Number::from)
        } else {
            written.parse::<u64>().map(Number::from)
        };
        match exact {
            Ok(number) if integer => Some(number),
            _ => Number::from_f64(fraction(minus, whole, parts, exponent)),
        }
    }

    /// Behind an `e`; zero where there is none.
    fn exponent(&mut self) -> Option<i32> {
        if !self.skip("e") && !self.skip("E") {
            return Some(0);
        }
        let minus = self.skip("-");
        let _plus = !minus && self.skip("+");
        let size = self.digits()?.parse().unwrap_or(i32::MAX);
        Some(if minus { -size } else { size })
    }

    /// At least one.
    fn digits(&mut self) -> Option<&'t str> {
        let digits = self.until(|c| !c.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        self.skip(word).then_some(value)
    }

    fn need(&mut self, token: &str) -> Option<()> {
        self.token(token).then_some(())
    }

    /// Whether this comes next, behind any space; then it is behind us.
    fn token(&mut self, token: &str) -> bool {
        self.space();
        self.skip(token)
    }

    fn skip(&mut self, token: &str) -> bool {
        let behind = self.rest.strip_prefix(token);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn space(&mut self) {
        self.until(|c| !matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    /// What comes before the first character of a kind.
    fn until(&mut self, kind: fn(char) -> bool) -> &'t str {
        let end = self.rest.find(kind).unwrap_or(self.rest.len());
        let (before, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        before
    }
}

fn fraction(minus: bool, whole: &str, parts: &str, exponent: i32) -> f64 {
    let digits = whole.bytes().chain(parts.bytes());
    let digits = digits.fold(0.0, |sum, digit| sum * 10.0 + f64::from(digit - b'0'));
    let places = i32::try_from(parts.len()).unwrap_or(i32::MAX);
    let scale = exponent.saturating_sub(places);
    // By division where it is small: a tenth is no number of a computer.
    let size = if scale < 0 {
        digits / 10_f64.powi(scale.saturating_neg())
    } else {
        digits * 10_f64.powi(scale)
    };
    if minus { -size } else { size }
}

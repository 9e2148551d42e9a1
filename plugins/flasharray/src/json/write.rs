//! Writing JSON.

use serde_json::Value;

/// A value as bytes. A number that is no integer is written as `null`, as JSON does for what it has no word for.
#[must_use]
pub fn bytes(value: &Value) -> Vec<u8> {
    text(value).into_bytes()
}

/// A value as text.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => out.push_str(&number.to_string()),
            (None, Some(number)) => out.push_str(&number.to_string()),
            (None, None) => out.push_str("null"),
        },
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                comma(index, out);
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                comma(index, out);
                quote(name, out);
                out.push(':');
                write(field, out);
            }
            out.push('}');
        }
    }
}

fn comma(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\0'..='\x1f' => {
                out.push_str("\\u00");
                let code = u32::from(character);
                out.push(if code < 16 { '0' } else { '1' });
                out.push(char::from_digit(code % 16, 16).unwrap_or('0'));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

//! JSON for long lists: a serializer that writes straight to bytes and copies a text in one piece where nothing in it has to be
//! escaped, which is nearly always. What it writes is what `serde_json` would write.

use std::fmt::{Display, Write as _};

use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};
use serde_json::Error;

/// Writes a value.
///
/// # Errors
/// Where a key of a map is no text, or a value refuses to be written.
pub fn write<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    value.serialize(Pen(bytes))
}

struct Pen<'a>(&'a mut Vec<u8>);

/// Members of a list or an object, and what closes it.
struct Inside<'a> {
    bytes: &'a mut Vec<u8>,
    begun: bool,
    end: &'static [u8],
}

impl<'a> Pen<'a> {
    fn plain(self, text: impl Display) -> Result<(), Error> {
        write!(Plain(self.0), "{text}").map_err(Error::custom)
    }

    fn inside(self, begin: &[u8], end: &'static [u8]) -> Inside<'a> {
        self.0.extend_from_slice(begin);
        Inside {
            bytes: self.0,
            begun: false,
            end,
        }
    }

    /// `{"variant":`, to be closed with `}`.
    fn variant(self, variant: &str, begin: &[u8], end: &'static [u8]) -> Inside<'a> {
        self.0.push(b'{');
        text(self.0, variant);
        self.0.push(b':');
        self.inside(begin, end)
    }
}

impl Inside<'_> {
    fn comma(&mut self) {
        if self.begun {
            self.bytes.push(b',');
        }
        self.begun = true;
    }

    fn member<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.comma();
        value.serialize(Pen(self.bytes))
    }

    fn name(&mut self, key: &str) {
        self.comma();
        text(self.bytes, key);
        self.bytes.push(b':');
    }

    fn close(self) {
        self.bytes.extend_from_slice(self.end);
    }
}

/// Numbers and other things that hold nothing to escape.
struct Plain<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Text that is being made, without its quotes.
struct Escaped<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        escaped(self.0, text);
        Ok(())
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.reserve(text.len() + 2);
    bytes.push(b'"');
    escaped(bytes, text);
    bytes.push(b'"');
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escaped(bytes: &mut Vec<u8>, text: &str) {
    let raw = text.as_bytes();
    // Without a branch for each byte, so that many are looked at in one instruction.
    if !raw.iter().fold(false, |any, byte| any | is_special(*byte)) {
        bytes.extend_from_slice(raw);
        return;
    }
    for &byte in raw {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => {
                let digit = |half: u8| {
                    if half < 10 {
                        b'0' + half
                    } else {
                        b'a' + half - 10
                    }
                };
                bytes.extend_from_slice(b"\\u00");
                bytes.extend([digit(byte >> 4), digit(byte & 15)]);
                continue;
            }
            plain => {
                bytes.push(plain);
                continue;
            }
        };
        bytes.extend([b'\\', short]);
    }
}

macro_rules! plainly {
    ($($name:ident: $type:ty),*) => {$(
        fn $name(self, value: $type) -> Result<(), Error> {
            self.plain(value)
        }
    )*};
}

impl<'a> Serializer for Pen<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Inside<'a>;
    type SerializeTuple = Inside<'a>;
    type SerializeTupleStruct = Inside<'a>;
    type SerializeTupleVariant = Inside<'a>;
    type SerializeMap = Inside<'a>;
    type SerializeStruct = Inside<'a>;
    type SerializeStructVariant = Inside<'a>;

    plainly!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.0.extend_from_slice(word);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        serde_json::to_writer(self.0, &value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        serde_json::to_writer(self.0, &value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(self.0, value);
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.0.push(b'"');
        write!(Escaped(self.0), "{value}").map_err(Error::custom)?;
        self.0.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let inside = self.variant(variant, b"", b"}");
        value.serialize(Pen(inside.bytes))?;
        inside.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'a>, Error> {
        Ok(self.inside(b"[", b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'a>, Error> {
        Ok(self.inside(b"[", b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, Error> {
        Ok(self.inside(b"[", b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Error> {
        Ok(self.variant(variant, b"[", b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'a>, Error> {
        Ok(self.inside(b"{", b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, Error> {
        Ok(self.inside(b"{", b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Error> {
        Ok(self.variant(variant, b"{", b"}}"))
    }
}

macro_rules! members {
    ($($trait:ident::$method:ident),*) => {$(
        impl $trait for Inside<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.member(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

members!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl $trait for Inside<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.name(key);
                value.serialize(Pen(self.bytes))
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Inside<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.comma();
        let start = self.bytes.len();
        key.serialize(Pen(self.bytes))?;
        match self.bytes.get(start) {
            Some(b'"') => {}
            // Numbers and truths become text as keys.
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.bytes.insert(start, b'"');
                self.bytes.push(b'"');
            }
            _ => return Err(Error::custom("a key of a map is no text")),
        }
        self.bytes.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Pen(self.bytes))
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(u8),
        Pair(u8, Option<bool>),
        Named { text: String, none: Option<u8> },
    }

    #[derive(Serialize)]
    struct Whole<'a> {
        kinds: Vec<Kind>,
        unit: (),
        pair: (i64, f64),
        letter: char,
        map: BTreeMap<&'a str, Vec<u8>>,
        value: serde_json::Value,
        large: (u64, i128),
    }

    fn same<T: Serialize>(value: &T) {
        let mut bytes = Vec::new();
        write(&mut bytes, value).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            serde_json::to_string(value).unwrap()
        );
    }

    #[test]
    fn every_shape_is_written_as_serde_json_writes_it() {
        same(&Whole {
            kinds: vec![
                Kind::Unit,
                Kind::New(1),
                Kind::Pair(2, None),
                Kind::Named {
                    text: "a".to_owned(),
                    none: Some(3),
                },
            ],
            unit: (),
            pair: (i64::MIN, 0.1),
            letter: 'ß',
            map: [("", vec![]), ("k\"", vec![0, 255])].into(),
            value: serde_json::json!({"a": [1, -2, 3.5e300, true, null, {"b": {}}], "": "é\u{7f}"}),
            large: (u64::MAX, i128::MIN),
        });
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_escapes_it() {
        for code in 0..0x300 {
            if let Some(letter) = char::from_u32(code) {
                same(&letter.to_string());
                same(&format!(
                    "a long text with {letter} in its middle, and more of it"
                ));
            }
        }
        same(&"\u{1f40b}\u{2028}");
    }

    #[test]
    fn a_key_that_can_be_no_text_is_refused() {
        same(&BTreeMap::from([(-1, 2), (10, 3)]));
        same(&BTreeMap::from([(true, 2), (false, 3)]));
        let map = BTreeMap::from([(vec![1], 2)]);
        assert!(write(&mut Vec::new(), &map).is_err());
    }
}

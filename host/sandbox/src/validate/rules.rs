//! What text, lists and numbers of a driver's answer may look like. A rule that is broken refuses the answer as a whole and
//! names the field; words for people are shortened instead, because an operator wants the rest of them.

use springform_model::contract::{Extensions, Fault, FaultKind};

/// Longest name of an object on an array. FlashArray allows 63 with prefixes; others a few hundred.
const NAME_BYTES: usize = 512;
/// Longest single value of metadata or capabilities.
const VALUE_BYTES: usize = 4096;
/// Pairs of one list.
const PAIRS: usize = 128;
/// Longest sentence for people.
const WORDS_BYTES: usize = 4096;
/// Sentences of one list.
const SENTENCES: usize = 1000;
/// The largest volume that is believed: 1 EiB. No array has one, and sums of a few stay within 64 bits.
const SIZE_BYTES: u64 = 1 << 60;

/// Which answer is looked at, for the message.
#[derive(Clone, Copy)]
pub struct Rules(pub &'static str);

impl Rules {
    /// The fault that refuses the answer.
    #[must_use]
    pub fn refuse(self, field: &str, rule: &str) -> Fault {
        Fault::new(
            FaultKind::WrongReply,
            format!(
                "{}: the driver's answer is not used: {field} {rule}; this is a defect of the driver, tell its vendor",
                self.0
            ),
        )
    }

    /// A name on an array: something, not too long, printable.
    pub fn name(self, field: &str, name: &str) -> Result<(), Fault> {
        if name.is_empty() {
            return Err(self.refuse(field, "is empty"));
        }
        self.text(field, name, NAME_BYTES)
    }

    /// Text that machines read.
    pub fn text(self, field: &str, text: &str, limit: usize) -> Result<(), Fault> {
        if text.len() > limit {
            return Err(self.refuse(field, &format!("has more than {limit} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(self.refuse(field, "holds control characters"));
        }
        Ok(())
    }

    /// Optional text that machines read.
    pub fn maybe(self, field: &str, text: Option<&String>) -> Result<(), Fault> {
        text.map_or(Ok(()), |text| self.text(field, text, NAME_BYTES))
    }

    /// Keys with values.
    pub fn pairs(self, field: &str, pairs: &[(String, String)]) -> Result<(), Fault> {
        if pairs.len() > PAIRS {
            return Err(self.refuse(field, &format!("has more than {PAIRS} pairs")));
        }
        for (at, (key, value)) in pairs.iter().enumerate() {
            self.text(&format!("a key of {field}"), key, 255)?;
            self.text(&format!("a value of {field}"), value, VALUE_BYTES)?;
            if key.is_empty() {
                return Err(self.refuse(field, "has an empty key"));
            }
            if pairs.iter().take(at).any(|(known, _)| known == key) {
                return Err(self.refuse(field, &format!("has the key {key:?} twice")));
            }
        }
        Ok(())
    }

    /// Growth of the contract; only its size is known here.
    pub fn extensions(self, extensions: &Extensions) -> Result<(), Fault> {
        let bytes: usize = extensions.iter().map(|(k, v)| k.len() + v.len()).sum();
        if extensions.len() > 1024 || bytes > 256 << 10 {
            return Err(self.refuse("extensions", "has more than 1024 pairs or 256 KiB"));
        }
        Ok(())
    }

    /// Bytes of a volume.
    pub fn size(self, field: &str, bytes: u64) -> Result<(), Fault> {
        if bytes == 0 || bytes > SIZE_BYTES {
            return Err(self.refuse(
                field,
                &format!("is {bytes} bytes, and 1 to 2^60 are believed"),
            ));
        }
        Ok(())
    }

    /// A list that has a natural bound.
    pub fn count(self, field: &str, count: usize, limit: usize) -> Result<(), Fault> {
        if count > limit {
            return Err(self.refuse(field, &format!("has more than {limit} entries")));
        }
        Ok(())
    }
}

/// Shortens words for people.
pub fn shorten(words: &mut String) {
    if words.len() <= WORDS_BYTES {
        return;
    }
    let mut end = WORDS_BYTES;
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words.truncate(end);
    words.push_str(" … (shortened)");
}

/// Shortens a list of sentences, and each of them.
pub fn shorten_all(sentences: &mut Vec<String>) {
    sentences.truncate(SENTENCES);
    sentences.iter_mut().for_each(shorten);
}

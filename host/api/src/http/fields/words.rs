//! Words and characters that Cinder's schemas know.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The spellings of true and false in a body; those of a query are more.
pub(super) fn spelt(word: &str) -> Option<bool> {
    match word {
        "True" | "TRUE" | "true" | "1" | "ON" | "On" | "on" | "YES" | "Yes" | "yes" | "y" | "t" => {
            Some(true)
        }
        "False" | "FALSE" | "false" | "0" | "OFF" | "Off" | "off" | "NO" | "No" | "no" | "n"
        | "f" => Some(false),
        _ => None,
    }
}

/// What Cinder's pattern of a description matches: no controls, no line ends, nothing beyond the basic plane.
pub(super) fn is_printable(c: char) -> bool {
    use GeneralCategory::{LineSeparator, ParagraphSeparator};
    let line_end = matches!(c.general_category(), LineSeparator | ParagraphSeparator);
    let other = c.general_category_group() == GeneralCategoryGroup::Other;
    u32::from(c) < 0xFFFF && !other && !line_end
}

/// The words Cinder takes for true and false in a query.
#[must_use]
pub fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

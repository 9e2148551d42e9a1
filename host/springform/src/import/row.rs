//! One row of Cinder's database: text, read as what it means.

use springform_model::time::Timestamp;

/// Text by column.
#[derive(Debug, Clone)]
pub struct Row {
    columns: &'static [&'static str],
    values: Vec<Option<String>>,
}

impl Row {
    /// These values in the order of these columns.
    pub(super) fn new(columns: &'static [&'static str], values: Vec<Option<String>>) -> Self {
        Self { columns, values }
    }

    /// The value of a column; none where it is null.
    #[must_use]
    pub fn opt(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|known| *known == column)?;
        self.values.get(at)?.as_deref()
    }

    /// The value of a column; empty where it is null.
    #[must_use]
    pub fn text(&self, column: &str) -> String {
        self.opt(column).unwrap_or_default().to_owned()
    }

    /// The value of a column as an owned text.
    #[must_use]
    pub fn owned(&self, column: &str) -> Option<String> {
        self.opt(column).map(str::to_owned)
    }

    /// A truth value; false where it is null.
    #[must_use]
    pub fn flag(&self, column: &str) -> bool {
        matches!(self.opt(column), Some("1" | "true" | "t"))
    }

    /// A number.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self, column: &str) -> Option<T> {
        self.opt(column)?.parse().ok()
    }

    /// A point in time; databases write it without a zone and mean UTC.
    #[must_use]
    pub fn time(&self, column: &str) -> Option<Timestamp> {
        Timestamp::parse(&self.opt(column)?.replace(' ', "T"))
    }

    /// When it was made; the epoch where nobody wrote it down.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.time("created_at").unwrap_or_default()
    }
}

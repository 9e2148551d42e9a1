//! What to read, as data; rendered to SQL in one place so that only known columns and bound values ever reach it.

use crate::changes::Measure;
use crate::error::StoreError;
use crate::table::{Table, Value};

/// A condition on one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Equal; null is equal to null.
    Eq(String, Value),
    /// Not equal; null differs from every value.
    Ne(String, Value),
    /// One of these.
    In(String, Vec<String>),
    /// None of these; null is none of them.
    NotIn(String, Vec<String>),
    /// `LIKE`, with `%`; without regard to ASCII case.
    Like(String, String),
    /// Compared: `<`, `<=`, `>`, `>=`.
    Compare(String, Order, Value),
    /// A key of a map in the document has this value: field, key, value.
    Entry(String, String, String),
    /// At least one of these.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Order {
    fn sql(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// Which way a key is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first, null before everything.
    Asc,
    /// Largest first.
    Desc,
}

/// A query. Sorted by `id` last, so that pages never overlap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    pub(crate) filters: Vec<Filter>,
    pub(crate) sort: Vec<(String, Direction)>,
    pub(crate) limit: Option<u32>,
    pub(crate) offset: u32,
    pub(crate) marker: Option<String>,
}

impl Query {
    /// Everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more condition.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Column equals value; `Value::Null` finds null.
    #[must_use]
    pub fn eq(self, column: &str, value: impl Into<Value>) -> Self {
        self.filter(Filter::Eq(column.to_owned(), value.into()))
    }

    /// Column differs from value.
    #[must_use]
    pub fn ne(self, column: &str, value: impl Into<Value>) -> Self {
        self.filter(Filter::Ne(column.to_owned(), value.into()))
    }

    /// Column is one of these.
    #[must_use]
    pub fn is_in<S: Into<String>>(self, column: &str, values: impl IntoIterator<Item = S>) -> Self {
        self.filter(Filter::In(
            column.to_owned(),
            values.into_iter().map(Into::into).collect(),
        ))
    }

    /// Column matches a `LIKE` pattern.
    #[must_use]
    pub fn like(self, column: &str, pattern: impl Into<String>) -> Self {
        self.filter(Filter::Like(column.to_owned(), pattern.into()))
    }

    /// Column compares so to value.
    #[must_use]
    pub fn compare(self, column: &str, order: Order, value: impl Into<Value>) -> Self {
        self.filter(Filter::Compare(column.to_owned(), order, value.into()))
    }

    /// Column is null.
    #[must_use]
    pub fn null(self, column: &str) -> Self {
        self.eq(column, Value::Null)
    }

    /// Column is not null.
    #[must_use]
    pub fn not_null(self, column: &str) -> Self {
        self.ne(column, Value::Null)
    }

    /// A map of the document (`metadata`) has this entry.
    #[must_use]
    pub fn entry(self, field: &str, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter(Filter::Entry(field.to_owned(), key.into(), value.into()))
    }

    /// Sorted by one more key.
    #[must_use]
    pub fn sort(mut self, column: &str, direction: Direction) -> Self {
        self.sort.push((column.to_owned(), direction));
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many it finds at most; none: all.
    #[must_use]
    pub fn rows(&self) -> Option<u32> {
        self.limit
    }

    /// How many it leaves out first.
    #[must_use]
    pub fn skips(&self) -> u32 {
        self.offset
    }

    /// Without the first so many.
    #[must_use]
    pub fn offset(mut self, offset: u32) -> Self {
        self.offset = offset;
        self
    }

    /// Behind the record with this id.
    #[must_use]
    pub fn marker(mut self, id: impl Into<String>) -> Self {
        self.marker = Some(id.into());
        self
    }

    fn has_list(&self) -> bool {
        let list = |filter: &Filter| matches!(filter, Filter::In(..));
        self.filters.iter().any(list)
    }

    /// The keys in use, `id` last. Its direction is that of the key before it, so that one index serves the whole order.
    pub(crate) fn keys(&self) -> Vec<(String, Direction)> {
        let mut keys = self.sort.clone();
        if !keys.iter().any(|(column, _)| column == "id") {
            let direction = keys
                .last()
                .map_or(Direction::Asc, |(_, direction)| *direction);
            keys.push(("id".to_owned(), direction));
        }
        keys
    }
}

/// How few rows are sorted after they were found.
pub(crate) const FEW_IN_ORDER: &str = " ORDER BY +";

/// SQL text with its bound values.
#[derive(Debug, Default)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) binds: Vec<Value>,
}

/// Bytes that most statements fit into, and values that most have: what grows is copied, and wiped where it was.
const USUAL: (usize, usize) = (768, 32);

impl Sql {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        let mut sql = Self::with_capacity(USUAL);
        sql.push(text.as_ref());
        sql
    }

    pub(crate) fn with_capacity((text, binds): (usize, usize)) -> Self {
        Self {
            text: String::with_capacity(text),
            binds: Vec::with_capacity(binds),
        }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn bind(&mut self, value: Value) -> &mut Self {
        self.text.push('?');
        self.binds.push(value);
        self
    }
}

/// Columns that are never null, so that a plain comparison is enough and an index can serve it.
const NEVER_NULL: &[&str] = &[
    "id",
    "created_at",
    "updated_at",
    "status",
    "size",
    "project_id",
    "volume_id",
    "name",
    "host",
    "availability_zone",
    "bootable",
];

fn column<'a>(table: &Table, name: &'a str) -> Result<&'a str, StoreError> {
    if table.has(name) {
        Ok(name)
    } else {
        Err(StoreError::NoColumn {
            table: table.name,
            column: name.to_owned(),
        })
    }
}

/// The `WHERE` of a query; `after` holds the values of its keys at the marker.
pub(crate) fn conditions(
    sql: &mut Sql,
    table: &Table,
    query: &Query,
    after: Option<&[Value]>,
) -> Result<(), StoreError> {
    let mut word = " WHERE ";
    for filter in &query.filters {
        sql.push(word);
        condition(sql, table, filter)?;
        word = " AND ";
    }
    if let Some(values) = after {
        sql.push(word);
        behind(sql, table, &query.keys(), values)?;
    }
    Ok(())
}

fn condition(sql: &mut Sql, table: &Table, filter: &Filter) -> Result<(), StoreError> {
    match filter {
        Filter::Eq(name, value) => {
            sql.push(column(table, name)?);
            match value {
                Value::Null => sql.push(" IS NULL"),
                value => sql.push(" = ").bind(value.clone()),
            };
        }
        Filter::Ne(name, Value::Null) => {
            sql.push(column(table, name)?).push(" IS NOT NULL");
        }
        Filter::Ne(name, value) => {
            sql.push(column(table, name)?)
                .push(" IS NOT ")
                .bind(value.clone());
        }
        Filter::In(name, values) => {
            sql.push(column(table, name)?)
                .push(" IN (SELECT value FROM json_each(");
            sql.bind(list(values)).push("))");
        }
        Filter::NotIn(name, values) => {
            let name = column(table, name)?;
            sql.push("(").push(name).push(" IS NULL OR ").push(name);
            sql.push(" NOT IN (SELECT value FROM json_each(")
                .bind(list(values))
                .push(")))");
        }
        Filter::Like(name, pattern) => {
            sql.push(column(table, name)?)
                .push(" LIKE ")
                .bind(Value::Text(pattern.clone()));
        }
        Filter::Compare(name, order, value) => {
            sql.push(column(table, name)?)
                .push(" ")
                .push(order.sql())
                .push(" ")
                .bind(value.clone());
        }
        Filter::Entry(field, key, value) => {
            if !field.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                return Err(StoreError::NoColumn {
                    table: table.name,
                    column: field.clone(),
                });
            }
            sql.push("EXISTS (SELECT 1 FROM json_each(doc, '$.")
                .push(field)
                .push("') WHERE key = ");
            sql.bind(Value::Text(key.clone()))
                .push(" AND value = ")
                .bind(Value::Text(value.clone()))
                .push(")");
        }
        Filter::Any(filters) => {
            sql.push("(0");
            for filter in filters {
                sql.push(" OR ");
                condition(sql, table, filter)?;
            }
            sql.push(")");
        }
        Filter::Not(filter) => {
            sql.push("NOT (");
            condition(sql, table, filter)?;
            sql.push(")");
        }
    }
    Ok(())
}

fn list(values: &[String]) -> Value {
    Value::Text(serde_json::Value::from(values.to_vec()).to_string())
}

/// The records that come behind `values` in the order of `keys`.
fn behind(
    sql: &mut Sql,
    table: &Table,
    keys: &[(String, Direction)],
    values: &[Value],
) -> Result<(), StoreError> {
    let one_way = keys.iter().all(|(name, way)| {
        NEVER_NULL.contains(&name.as_str()) && Some(way) == keys.first().map(|(_, way)| way)
    });
    if one_way && values.iter().all(|value| *value != Value::Null) {
        // A row value: an index skips to the marker, however many records share the first key.
        let mut word = "(";
        for (name, _) in keys {
            sql.push(word).push(column(table, name)?);
            word = ", ";
        }
        let order = match keys.first() {
            Some((_, Direction::Desc)) => ") < ",
            _ => ") > ",
        };
        sql.push(order);
        let mut word = "(";
        for value in values {
            sql.push(word).bind(value.clone());
            word = ", ";
        }
        sql.push(")");
        return Ok(());
    }
    if let (Some((name, direction)), Some(value)) = (keys.first(), values.first())
        && NEVER_NULL.contains(&name.as_str())
    {
        // Says nothing new, but lets an index skip to the marker.
        let order = if *direction == Direction::Asc {
            " >= "
        } else {
            " <= "
        };
        sql.push(column(table, name)?)
            .push(order)
            .bind(value.clone())
            .push(" AND ");
    }
    sql.push("(0");
    for (depth, ((name, direction), value)) in keys.iter().zip(values).enumerate() {
        sql.push(" OR (");
        for ((name, _), value) in keys.iter().zip(values).take(depth) {
            sql.push(column(table, name)?)
                .push(" IS ")
                .bind(value.clone())
                .push(" AND ");
        }
        let name = column(table, name)?;
        match (direction, value) {
            (Direction::Asc, Value::Null) => sql.push(name).push(" IS NOT NULL"),
            (Direction::Asc, value) => sql.push(name).push(" > ").bind(value.clone()),
            (Direction::Desc, Value::Null) => sql.push("0"),
            (Direction::Desc, value) => {
                sql.push("(").push(name).push(" < ").bind(value.clone());
                if !NEVER_NULL.contains(&name) {
                    sql.push(" OR ").push(name).push(" IS NULL");
                }
                sql.push(")")
            }
        };
        sql.push(")");
    }
    sql.push(")");
    Ok(())
}

/// The `SELECT` of one number over what a query finds.
pub(crate) fn measured(table: &Table, measure: &Measure, query: &Query) -> Result<Sql, StoreError> {
    let measure = match measure {
        Measure::Count => "COUNT(*)".to_owned(),
        Measure::Sum(name) => format!("COALESCE(SUM({}), 0)", column(table, name)?),
    };
    let mut sql = Sql::new(format!("SELECT {measure} FROM \"{}\"", table.name));
    conditions(&mut sql, table, query, None)?;
    Ok(sql)
}

/// The `ORDER BY`, `LIMIT` and `OFFSET` of a query.
pub(crate) fn order(sql: &mut Sql, table: &Table, query: &Query) -> Result<(), StoreError> {
    // Without the sign SQLite finds the rows of a list of values by an index that has them in order, and reads all of a backend.
    let few = query.sort.is_empty() && query.limit.is_none() && query.has_list();
    let mut word = if few { FEW_IN_ORDER } else { " ORDER BY " };
    for (name, direction) in query.keys() {
        sql.push(word).push(column(table, &name)?);
        sql.push(if direction == Direction::Asc {
            " ASC"
        } else {
            " DESC"
        });
        word = ", ";
    }
    if query.limit.is_some() || query.offset > 0 {
        let limit = query.limit.map_or(-1, i64::from);
        sql.push(" LIMIT ").bind(Value::Int(limit));
        sql.push(" OFFSET ")
            .bind(Value::Int(i64::from(query.offset)));
    }
    Ok(())
}

//! From query parameters to a store query, and from a page of records to a list with its links.

use serde::Serialize;
use springform_control::query::{Direction, Filter, Order, Query, Value};
use springform_model::time::Timestamp;

use super::filters;
use crate::http::{Answer, ApiError, Call, Page, json_as, truth, written};
use crate::views::{self, Many, Plural};

/// How the value of a parameter is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As text.
    Text,
    /// As text; `None` is what has none.
    TextOrNone,
    /// As a whole number; nothing has one that is none.
    Number,
    /// As true or false.
    Truth,
    /// As a host, a backend of it or a pool of that: each also finds what is below it.
    Host,
}

/// A parameter that filters: its name, the column, and how.
pub type Known = (&'static str, &'static str, Kind);

/// Builds the query of a list: filters that are known, `name~` where it may, the page.
///
/// A filter that is not known finds nothing for administrators, as in Cinder: a script that deletes what a list gave
/// must not delete everything because of a misspelt word. What it is for others, [`filters::List`] knows.
///
/// # Errors
/// 400 for a value that cannot be compared, a sort key that is none.
pub fn query(call: &Call, known: &[Known], keys: &[&str]) -> Result<(Query, Page), ApiError> {
    let list = filters::List::of(call.path());
    let page = call.query.page(keys)?;
    let verdict = list.judge(call, known)?;
    let mut query = Query::new();
    if verdict == filters::Verdict::FindsNothing {
        query = nothing(query);
    }
    let may = |name: &str| list.may(call, name);
    for (name, column, kind) in known.iter().filter(|(name, _, _)| may(name)) {
        if let Some(text) = call.query.get(name) {
            query = match filter(name, column, text, *kind)? {
                Some(filter) => query.filter(filter),
                None => nothing(query),
            };
        }
        if call.version.has(34)
            && let Some(text) = call.query.get(&format!("{name}~"))
        {
            query = query.like(column, format!("%{}%", text.replace(['%', '_'], "")));
        }
    }
    if call.version.has(31) {
        for column in ["created_at", "updated_at"] {
            for part in call
                .query
                .get(column)
                .into_iter()
                .flat_map(|text| text.split(','))
            {
                query = query.filter(moment(column, part)?);
            }
        }
    }
    let mut sort = page.sort.clone();
    // Cinder's last keys are these two, in the direction of the first one; the store adds the id.
    if !sort
        .iter()
        .any(|(key, _)| matches!(key.as_str(), "id" | "created_at"))
    {
        let ascending = sort.first().is_some_and(|(_, ascending)| *ascending);
        sort.push(("created_at".to_owned(), ascending));
    }
    for (key, ascending) in &sort {
        query = query.sort(
            key,
            if *ascending {
                Direction::Asc
            } else {
                Direction::Desc
            },
        );
    }
    query = query
        .limit(u32::try_from(page.rows()).unwrap_or(1000))
        .offset(u32::try_from(page.offset).unwrap_or(0));
    if let Some(marker) = &page.marker {
        query = query.marker(marker.clone());
    }
    Ok((query, page))
}

/// A query that finds nothing: a filter that nothing can pass is none that may be left out.
pub fn nothing(query: Query) -> Query {
    query.filter(Filter::Any(Vec::new()))
}

/// The filter of a parameter; none for a value that no record has.
fn filter(name: &str, column: &str, text: &str, kind: Kind) -> Result<Option<Filter>, ApiError> {
    if kind != Kind::Host {
        let value = value(name, text, kind)?;
        return Ok(value.map(|value| Filter::Eq(column.to_owned(), value)));
    }
    let mut found = vec![Filter::Eq(column.to_owned(), Value::Text(text.to_owned()))];
    if !text.contains('#') {
        found.push(begins(column, &format!("{text}#")));
        if !text.contains('@') {
            found.push(begins(column, &format!("{text}@")));
        }
    }
    Ok(Some(Filter::Any(found)))
}

/// A text that begins so, letter by letter: `LIKE` would read `_` in a name as any letter.
fn begins(column: &str, prefix: &str) -> Filter {
    let mut end = prefix.to_owned();
    if let Some(last) = end.pop() {
        end.extend(char::from_u32(u32::from(last) + 1));
    }
    let outside = [
        (Order::Less, prefix.to_owned()),
        (Order::GreaterOrEqual, end),
    ];
    let outside =
        outside.map(|(order, bound)| Filter::Compare(column.to_owned(), order, Value::Text(bound)));
    Filter::Not(Box::new(Filter::Any(outside.to_vec())))
}

/// `gt:2026-11-20T23:31:10`: an operator and a point in time.
fn moment(column: &str, part: &str) -> Result<Filter, ApiError> {
    let (operator, text) = part.split_once(':').unwrap_or((part, ""));
    let order = match operator {
        "gt" => Some(Order::Greater),
        "gte" => Some(Order::GreaterOrEqual),
        "lt" => Some(Order::Less),
        "lte" => Some(Order::LessOrEqual),
        "eq" | "neq" => None,
        other => return Err(ApiError::invalid(format!("Invalid {other} operator"))),
    };
    let point = Timestamp::parse(text)
        .ok_or_else(|| ApiError::invalid(format!("Invalid {text} value")))?
        .into();
    let column = column.to_owned();
    Ok(match (order, operator) {
        (Some(order), _) => Filter::Compare(column, order, point),
        (None, "neq") => Filter::Ne(column, point),
        (None, _) => Filter::Eq(column, point),
    })
}

fn value(name: &str, text: &str, kind: Kind) -> Result<Option<Value>, ApiError> {
    match kind {
        Kind::TextOrNone if text == "None" => Ok(Some(Value::Null)),
        Kind::Text | Kind::TextOrNone | Kind::Host => Ok(Some(Value::Text(text.to_owned()))),
        Kind::Number => Ok(text.parse::<i64>().map(Value::Int).ok()),
        Kind::Truth => match truth(&text.to_ascii_lowercase()) {
            Some(truth) => Ok(Some(Value::from(truth))),
            None => Err(ApiError::invalid(format!(
                "Invalid input received: {name}={text} is not a boolean."
            ))),
        },
    }
}

/// Answers a list with [`Many`] records, each as it is viewed, the link to the next page where this one is full, and the
/// count where it is asked for. `id` says by what the last record is named in the link.
///
/// # Errors
/// As [`crate::http::json`].
pub fn listed<'a, R, T: Plural + Serialize>(
    call: &Call,
    page: &Page,
    records: &'a [R],
    view: impl Fn(&'a R) -> T,
    last: Option<&str>,
    count: Option<u64>,
) -> Answer {
    let full = page.rows() > 0 && records.len() as u64 >= page.rows();
    let next = last.filter(|_| full).map(|last| call.next_link(last));
    // Records of a list are much alike: a buffer that need not grow is not copied.
    let each = records.first().map_or(0, |first| written(&view(first)));
    let about = (each + each / 16).saturating_mul(records.len()) + 512;
    let page = views::Page::new(records, view, next.as_deref(), count);
    json_as::<Many<T>>(200, &page, about)
}

//! From query parameters to a store query, and from a page of records to a list with its links.

use serde::Serialize;
use serde::ser::SerializeMap;
use springform_control::query::{Direction, Filter, Order, Query, Value};
use springform_model::time::Timestamp;

use crate::http::{Answer, Call, Page, Refusal, json_of_about, truth, written};

/// How the value of a parameter is compared.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// As text.
    Text,
    /// As a whole number.
    Number,
    /// As true or false.
    Truth,
}

/// A parameter that filters: its name, the column, and how.
pub type Known = (&'static str, &'static str, Kind);

/// Builds the query of a list: filters that are known, `name~` where it may, the page.
///
/// # Errors
/// 400 for a value that cannot be compared, a sort key that is none.
pub fn query(call: &Call, known: &[Known], keys: &[&str]) -> Result<(Query, Page), Refusal> {
    let page = call.query.page(keys)?;
    let filtered = FILTERED.iter().any(|list| call.path.contains(list));
    if filtered && call.version.has(31) && !call.caller.is_admin {
        refuse_unknown(call, known)?;
    }
    let mut query = Query::new();
    for (name, column, kind) in known {
        if let Some(text) = call.query.get(name) {
            query = query.filter(Filter::Eq((*column).to_owned(), value(name, text, *kind)?));
        }
        if call.version.has(34)
            && let Some(text) = call.query.get(&format!("{name}~"))
        {
            query = query.like(column, format!("%{}%", text.replace(['%', '_'], "")));
        }
    }
    if call.version.has(60) {
        for column in ["created_at", "updated_at"] {
            for part in call
                .query
                .get(column)
                .into_iter()
                .flat_map(|text| text.split(','))
            {
                let (order, text) = comparison(part);
                let point = Timestamp::parse(text).ok_or_else(|| {
                    Refusal::invalid(format!(
                        "Invalid input received: {column}={text} is not a point in time."
                    ))
                })?;
                query = match order {
                    Some(order) => query.compare(column, order, point),
                    None => query.eq(column, point),
                };
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

/// Lists whose filters are an installation's to configure in Cinder, and which therefore refuse others.
const FILTERED: &[&str] = &[
    "/volumes",
    "/snapshots",
    "/attachments",
    "/messages",
    "/groups",
    "/group_snapshots",
];

/// Parameters that every list takes, or that a list reads by itself.
const COMMON: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "all_tenants",
    "project_id",
    "user_id",
    "with_count",
    "created_at",
    "updated_at",
    "metadata",
    "glance_metadata",
    "is_public",
    "extra_specs",
    "list_volume",
];

/// From 3.31 on a filter that the list does not know is refused, except to administrators.
fn refuse_unknown(call: &Call, known: &[Known]) -> Result<(), Refusal> {
    let like = call.version.has(34);
    let unknown: Vec<&str> = call
        .query
        .iter()
        .map(|(name, _)| name)
        .filter(|name| {
            let plain = name.strip_suffix('~').filter(|_| like).unwrap_or(name);
            !COMMON.contains(name) && !known.iter().any(|(known, _, _)| *known == plain)
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "Invalid filters {} are found in query options.",
        unknown.join(", ")
    )))
}

fn value(name: &str, text: &str, kind: Kind) -> Result<Value, Refusal> {
    let wrong = |what: &str| {
        Refusal::invalid(format!(
            "Invalid input received: {name}={text} is not {what}."
        ))
    };
    match kind {
        Kind::Text => Ok(Value::Text(text.to_owned())),
        Kind::Number => text
            .parse::<i64>()
            .map(Value::Int)
            .map_err(|_| wrong("a number")),
        Kind::Truth => truth(&text.to_ascii_lowercase())
            .map(Value::from)
            .ok_or_else(|| wrong("a boolean")),
    }
}

fn comparison(part: &str) -> (Option<Order>, &str) {
    match part.split_once(':') {
        Some(("gt", rest)) => (Some(Order::Greater), rest),
        Some(("gte", rest)) => (Some(Order::GreaterOrEqual), rest),
        Some(("lt", rest)) => (Some(Order::Less), rest),
        Some(("lte", rest)) => (Some(Order::LessOrEqual), rest),
        Some(("eq", rest)) => (None, rest),
        _ => (None, part),
    }
}

/// A list as it is written: the records, the link to the next page where this one is full, the count where asked for.
#[derive(Debug)]
pub struct Listed<'a, V> {
    /// `volumes`.
    pub key: &'a str,
    /// Views of the records.
    pub views: Vec<V>,
    /// Link to the next page.
    pub next: Option<String>,
    /// How many there are without regard to pages.
    pub count: Option<u64>,
}

#[derive(Serialize)]
struct Next<'a> {
    rel: &'a str,
    href: &'a str,
}

impl<V: Serialize> Serialize for Listed<'_, V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.key, &self.views)?;
        if let Some(href) = &self.next {
            let links = [Next { rel: "next", href }];
            match self.key {
                // Here Cinder speaks of one.
                "groups" => map.serialize_entry("group_links", &links)?,
                "group_snapshots" => map.serialize_entry("group_snapshot_links", &links)?,
                key => map.serialize_entry(&format!("{key}_links"), &links)?,
            }
        }
        if let Some(count) = self.count {
            map.serialize_entry("count", &count)?;
        }
        map.end()
    }
}

/// Answers a list. `last` is the id of its last record, for the link to the next page.
///
/// # Errors
/// As [`json`].
pub fn listed<V: Serialize>(
    call: &Call,
    key: &str,
    page: &Page,
    views: Vec<V>,
    last: Option<&str>,
    count: Option<u64>,
) -> Answer {
    let full = page.rows() > 0 && views.len() as u64 >= page.rows();
    let next = last.filter(|_| full).map(|last| call.next_link(last));
    // Records of a list are much alike: a buffer that need not grow is not copied.
    let each = views.first().map_or(0, written);
    let about = (each + each / 16).saturating_mul(views.len()) + 512;
    let list = Listed {
        key,
        views,
        next,
        count,
    };
    json_of_about(200, &list, about)
}

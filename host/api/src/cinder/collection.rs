//! What the lists of a project's records have in common: who sees whose, filters on maps, the count.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use springform_control::query::{Query, Record};

use super::listing::{Known, nothing, query};
use crate::http::{ApiError, Call, Page};

/// A list as it is asked for.
pub(super) struct Asked {
    /// Filters, order, page.
    pub(super) query: Query,
    /// The page.
    pub(super) page: Page,
    /// Whether those of every project are asked for.
    pub(super) all: bool,
}

/// Reads what a list is asked for. `maps`: parameters that filter by entries of a map of the record.
pub(super) fn asked(
    call: &Call,
    known: &[Known],
    keys: &[&str],
    maps: &[(&str, &str)],
) -> Result<Asked, ApiError> {
    let mut all = call.all_tenants()?;
    let (mut query, page) = query(call, known, keys)?;
    for (name, field) in maps {
        let Some(text) = call.query.get(name) else {
            continue;
        };
        query = match pairs_of(text) {
            Some(pairs) => entries(query, field, pairs),
            None => nothing(query),
        };
    }
    if let Some(project) = call
        .query
        .get("project_id")
        .filter(|_| call.caller.is_admin)
    {
        query = query.eq("project_id", project);
        all = true;
    }
    Ok(Asked { query, page, all })
}

impl Asked {
    /// How many there are without regard to pages, where that is asked for (from 3.45).
    pub(super) async fn count<T: Record>(&self, call: &Call) -> Result<Option<u64>, ApiError> {
        if !call.version.has(45) || !call.query.flag("with_count")? {
            return Ok(None);
        }
        let scoped = call.caller.scope(self.query.clone(), self.all);
        let count = call.control().store().count::<T>(&scoped).await;
        Ok(Some(count.map_err(springform_control::ControlError::from)?))
    }
}

/// Only what has all of these pairs in a map.
pub(super) fn entries(query: Query, field: &str, pairs: BTreeMap<String, String>) -> Query {
    let one = |query: Query, (key, text)| query.entry(field, key, text);
    pairs.into_iter().fold(query, one)
}

/// A map written as Python writes it, `{'key': 'value'}`, or as JSON: both are sent by clients.
pub(super) fn map_of(text: &str) -> Option<Map<String, Value>> {
    let json =
        serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
    json.ok()
}

/// Pairs of text of such a map; none for what is no map of texts, which nothing has.
pub(super) fn pairs_of(text: &str) -> Option<BTreeMap<String, String>> {
    let text_of = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    map_of(text)?.into_iter().map(text_of).collect()
}

//! Lists: by name or id, filtered, sorted, and cut into pages.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::filter::Filter;
use super::query::Query;
use super::request::Reply;
use crate::core::error::{ApiError, Refusals, Res};

/// Where the next page begins.
enum Cursor {
    After(String),
    Offset(usize),
}

fn seal(cursor: &Cursor) -> String {
    BASE64.encode(match cursor {
        Cursor::After(name) => format!("n{name}"),
        Cursor::Offset(n) => format!("o{n}"),
    })
}

fn unseal(token: &str) -> Res<Cursor> {
    let text = BASE64
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let cursor = text
        .as_deref()
        .and_then(|text| match text.split_at_checked(1)? {
            ("n", name) => Some(Cursor::After(name.to_owned())),
            ("o", n) => n.parse().ok().map(Cursor::Offset),
            _ => None,
        });
    cursor.ok_or_else(|| ApiError::refuse(token, "Invalid continuation token."))
}

/// What a client asked for about a list, besides which objects.
struct Wishes {
    filter: Option<Filter>,
    sort: Vec<(String, bool)>,
    limit: usize,
    offset: usize,
    cursor: Option<Cursor>,
    count: bool,
    destroyed: Option<bool>,
    only_total: bool,
}

fn wishes(query: &Query, page: usize) -> Res<Wishes> {
    let sort = query.list("sort").unwrap_or_default();
    Ok(Wishes {
        filter: match query.text("filter") {
            None | Some("") => None,
            Some(text) => Some(Filter::parse(text)?),
        },
        sort: sort
            .iter()
            .map(|field| match field.strip_suffix('-') {
                Some(field) => (field.to_owned(), true),
                None => (field.trim_end_matches('+').to_owned(), false),
            })
            .collect(),
        limit: query.number("limit")?.unwrap_or(page).min(page.max(1)),
        offset: query.number("offset")?.unwrap_or(0),
        cursor: match query.text("continuation_token") {
            None | Some("") => None,
            Some(token) => Some(unseal(token)?),
        },
        count: query.is_set("total_item_count")?,
        destroyed: query.flag("destroyed")?,
        only_total: query.is_set("total_only")?,
    })
}

impl Wishes {
    fn keeps(&self, item: &Value) -> bool {
        self.destroyed
            .is_none_or(|wanted| item.get("destroyed").and_then(Value::as_bool) == Some(wanted))
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.matches(item))
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        for (field, down) in &self.sort {
            let order = by_field(a, b, field);
            let order = if *down { order.reverse() } else { order };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

fn field<'a>(item: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(item, |at, part| at.get(part))
        .unwrap_or(&Value::Null)
}

fn by_field(a: &Value, b: &Value, path: &str) -> Ordering {
    match (field(a, path), field(b, path)) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            a.total_cmp(&b)
        }
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

fn envelope(items: Vec<Value>, token: Option<String>, more: bool, total: Option<usize>) -> Value {
    json!({
        "continuation_token": token,
        "more_items_remaining": more,
        "total_item_count": total,
        "items": items,
    })
}

/// Pages a list that was made for this request.
pub fn list_values(query: &Query, page: usize, items: Vec<Value>) -> Res<Reply> {
    let wishes = wishes(query, page)?;
    let mut items: Vec<Value> = items
        .into_iter()
        .filter(|item| wishes.keeps(item))
        .collect();
    items.sort_by(|a, b| wishes.order(a, b));
    Ok(Reply::body(cut(&wishes, items)))
}

fn cut(wishes: &Wishes, items: Vec<Value>) -> Value {
    let total = items.len();
    let start = match wishes.cursor {
        Some(Cursor::Offset(n)) => n,
        _ => wishes.offset,
    };
    let count = wishes.count.then_some(total);
    if wishes.only_total {
        let mut body = envelope(Vec::new(), None, false, count);
        if let Some(map) = body.as_object_mut() {
            map.insert("total".into(), json!([{}]));
        }
        return body;
    }
    let shown: Vec<Value> = items.into_iter().skip(start).take(wishes.limit).collect();
    let end = start + shown.len();
    let more = end < total && wishes.limit > 0;
    // Sorted lists have no token: clients go on by offset.
    let token = (more && wishes.sort.is_empty()).then(|| seal(&Cursor::Offset(end)));
    envelope(shown, token, more, count)
}

/// Lists objects that an index knows by name. `kind` is the word for errors.
pub fn list_index<K: Copy>(
    query: &Query,
    page: usize,
    kind: &str,
    index: &BTreeMap<String, K>,
    render: impl Fn(K) -> Res<Value>,
) -> Res<Reply> {
    list_shown(query, page, kind, index, |_| true, render)
}

/// Like [`list_index`], for those objects only for which `shown` holds.
pub fn list_shown<K: Copy>(
    query: &Query,
    page: usize,
    kind: &str,
    index: &BTreeMap<String, K>,
    shown: impl Fn(K) -> bool,
    render: impl Fn(K) -> Res<Value>,
) -> Res<Reply> {
    let wishes = wishes(query, page)?;
    if let Some(names) = query.list("names") {
        let mut refusals = Refusals::default();
        let mut items = Vec::new();
        for name in &names {
            let found = match index.get(name).copied().filter(|key| shown(*key)) {
                Some(key) => render(key),
                None => Err(ApiError::absent(kind, name)),
            };
            items.extend(refusals.note(found).filter(|item| wishes.keeps(item)));
        }
        let missing = refusals.into_found();
        if let Some(error) = missing {
            if !query.is_set("allow_errors")? || items.is_empty() {
                return Err(error);
            }
            let mut body = envelope(items, None, false, None);
            if let (Some(map), Some(errors)) = (body.as_object_mut(), error.body().get("errors")) {
                map.insert("errors".into(), errors.clone());
            }
            return Ok(Reply {
                status: 207,
                ..Reply::body(body)
            });
        }
        items.sort_by(|a, b| wishes.order(a, b));
        return Ok(Reply::body(cut(&wishes, items)));
    }
    if let Some(ids) = query.list("ids") {
        let mut items = Vec::new();
        for key in index.values().filter(|key| shown(**key)) {
            let item = render(*key)?;
            let wanted = item
                .get("id")
                .and_then(Value::as_str)
                .is_some_and(|id| ids.iter().any(|wanted| wanted == id));
            if wanted && wishes.keeps(&item) {
                items.push(item);
            }
        }
        if items.len() < ids.len() && wishes.filter.is_none() {
            return Err(ApiError::absent(kind, ids.join(",")));
        }
        return Ok(Reply::body(cut(&wishes, items)));
    }
    let candidates = candidates(&wishes, index);
    let candidates = candidates.filter(|(_, key)| shown(**key));
    if !wishes.sort.is_empty() || wishes.count || wishes.only_total || wishes.limit == 0 {
        let mut items = Vec::new();
        let mut names = Vec::new();
        for (name, key) in candidates {
            let item = render(*key)?;
            if wishes.keeps(&item) {
                items.push(item);
                names.push(name);
            }
        }
        if let Some(Cursor::After(last)) = &wishes.cursor {
            let at = names.partition_point(|name| *name <= last);
            let wishes = Wishes {
                cursor: Some(Cursor::Offset(at)),
                ..wishes
            };
            return Ok(Reply::body(cut(&wishes, items)));
        }
        items.sort_by(|a, b| wishes.order(a, b));
        return Ok(Reply::body(cut(&wishes, items)));
    }
    let (mut skip, after) = match &wishes.cursor {
        Some(Cursor::After(name)) => (0, Some(name.as_str())),
        Some(Cursor::Offset(n)) => (*n, None),
        None => (wishes.offset, None),
    };
    let mut items = Vec::new();
    let mut last = None;
    let mut more = false;
    for (name, key) in candidates {
        if after.is_some_and(|after| name.as_str() <= after) {
            continue;
        }
        if wishes.filter.is_none() && wishes.destroyed.is_none() && skip > 0 {
            skip -= 1;
            continue;
        }
        if items.len() == wishes.limit && wishes.filter.is_none() && wishes.destroyed.is_none() {
            more = true;
            break;
        }
        let item = render(*key)?;
        if !wishes.keeps(&item) {
            continue;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        if items.len() == wishes.limit {
            more = true;
            break;
        }
        items.push(item);
        last = Some(name);
    }
    let token = last
        .filter(|_| more)
        .map(|name| seal(&Cursor::After(name.clone())));
    Ok(Reply::body(envelope(items, token, more, None)))
}

/// The entries worth looking at, in order of their names.
fn candidates<'a, K>(
    wishes: &Wishes,
    index: &'a BTreeMap<String, K>,
) -> Box<dyn Iterator<Item = (&'a String, &'a K)> + 'a> {
    let hints = wishes.filter.as_ref().and_then(Filter::name_hints);
    let start = match &wishes.cursor {
        Some(Cursor::After(name)) => name.clone(),
        _ => String::new(),
    };
    let Some(hints) = hints else {
        return Box::new(index.range(start..));
    };
    let mut found: BTreeMap<&'a String, &'a K> = BTreeMap::new();
    for (text, whole) in hints {
        if whole {
            found.extend(index.get_key_value(&text));
        } else {
            let end = text.clone();
            found.extend(
                index
                    .range(text..)
                    .take_while(move |(name, _)| name.starts_with(&end)),
            );
        }
    }
    Box::new(found.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &str) -> Value {
        let index: BTreeMap<String, u64> = (0..25).map(|n| (format!("v{n:02}"), n)).collect();
        let render = |n: u64| {
            Ok(json!({"name": format!("v{n:02}"), "n": n, "destroyed": n.is_multiple_of(5)}))
        };
        list_index(&Query::parse(query), 10, "Volume", &index, render)
            .map_or_else(|error| error.body(), |reply| reply.body.unwrap())
    }

    fn walk(query: &str) -> Vec<u64> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let page = ask(&format!("{query}&continuation_token={token}"));
            all.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|i| i["n"].as_u64().unwrap()),
            );
            if page["more_items_remaining"] == json!(false) {
                return all;
            }
            page["continuation_token"]
                .as_str()
                .unwrap()
                .clone_into(&mut token);
        }
    }

    #[test]
    fn pages_join_into_the_whole_list() {
        assert_eq!(walk("limit=4"), (0..25).collect::<Vec<_>>());
        assert_eq!(walk("limit=4&destroyed=true"), vec![0, 5, 10, 15, 20]);
        assert_eq!(
            walk("limit=2&filter=n>20&total_item_count=true"),
            vec![21, 22, 23, 24]
        );
    }

    #[test]
    fn sorted_lists_go_on_by_offset() {
        let page = ask("sort=n-&limit=3&offset=3");
        assert_eq!(page["items"][0]["n"], 21);
        assert_eq!(page["more_items_remaining"], true);
        assert_eq!(page["continuation_token"], Value::Null);
    }

    #[test]
    fn a_missing_name_is_an_error_and_names_the_object() {
        let page = ask("names=v01,nope");
        assert_eq!(page["errors"][0]["context"], "nope");
        let page = ask("names=v01,nope&allow_errors=true");
        assert_eq!(page["items"][0]["n"], 1);
        assert_eq!(page["errors"][0]["message"], "Volume does not exist.");
    }
}

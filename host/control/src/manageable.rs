//! What of an array could be taken over: the driver's list, and beside each entry what of the cloud it is already.

use std::collections::BTreeMap;

use springform_model::cloud::{Snapshot, Volume};
use springform_model::contract::{Call, Manageable, ManageablePage, Reference};
use springform_store::Query;
use uuid::Uuid;

use crate::ControlError;
use crate::context::Context;
use crate::engine::{DriverCall, IgnorePending, Operations, PlaceCheck};
use crate::services::Services;
use crate::volumes::name_of;

/// Entries asked of the driver at a time.
const STRIDE: u32 = 1000;
/// Entries that are read at most when they have to be sorted.
const MOST: usize = 100_000;

/// Volumes or snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Volumes.
    Volumes,
    /// Snapshots.
    Snapshots,
}

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// Name on the array.
    Reference,
    /// Size.
    Size,
}

/// Which page of the list.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Last reference of the page before: its name on the array.
    pub marker: Option<String>,
    /// Entries to skip.
    pub offset: usize,
    /// Entries at most.
    pub limit: usize,
    /// Keys, and whether ascending; none: as the array lists them.
    pub sort: Vec<(SortBy, bool)>,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What the driver says.
    pub found: Manageable,
    /// Which volume or snapshot of the cloud it is.
    pub id: Option<String>,
}

impl Entry {
    /// Whether it may be taken over, and why not.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        if self.id.is_some() {
            return Some("already managed");
        }
        let why = self.found.reason_not_safe.as_deref();
        why.or((!self.found.safe_to_manage).then_some("not safe to manage"))
    }
}

/// A page of what could be taken over on `host@backend`. No more of the array's list is kept than the page, unless
/// it has to be sorted.
///
/// # Errors
/// `NotFound` for the host, `Invalid` for a marker that is none, and what the array refuses.
pub(crate) async fn list(
    operations: &Operations,
    host: &str,
    what: What,
    ask: &Ask,
) -> Result<Vec<Entry>, ControlError> {
    let backend = Services::new(operations).get(host).await?.service.backend;
    let mut reader = Reader {
        operations,
        backend: &backend,
        what,
        next: None,
        ended: false,
    };
    let mut window = Window::new(ask);
    if ask.sort.is_empty() {
        while !window.is_full()
            && let Some(page) = reader.page().await?
        {
            page.into_iter().for_each(|found| window.take(found));
        }
    } else {
        let mut all = Vec::new();
        while all.len() < MOST
            && let Some(page) = reader.page().await?
        {
            all.extend(page);
        }
        sort(&mut all, &ask.sort);
        all.into_iter().for_each(|found| window.take(found));
    }
    if let Some(marker) = window.waiting {
        return Err(ControlError::input(format!("marker not found: {marker}")));
    }
    known(operations, &backend, what, window.page).await
}

async fn known(
    context: &Context,
    backend: &str,
    what: What,
    page: Vec<Manageable>,
) -> Result<Vec<Entry>, ControlError> {
    let names = page.iter().filter_map(|found| name_of(&found.reference));
    let query = Query::new()
        .eq("backend", backend)
        .is_in("array_name", names.cloned());
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    match what {
        What::Volumes => {
            for volume in context.store().list::<Volume>(&query).await? {
                let volume = volume.record;
                let placed = volume.placement.map(|placement| placement.array_name);
                if let Some(name) = placed.or(volume.taking_over) {
                    ids.insert(name, volume.id);
                }
            }
        }
        What::Snapshots => {
            for snapshot in context.store().list::<Snapshot>(&query).await? {
                if let Some(name) = snapshot.record.array_name {
                    ids.insert(name, snapshot.record.id);
                }
            }
        }
    }
    let entries = page.into_iter().map(|found| Entry {
        id: name_of(&found.reference).and_then(|name| ids.get(name).cloned()),
        found,
    });
    Ok(entries.collect())
}

/// The part of a list that is asked for.
struct Window {
    waiting: Option<String>,
    skip: usize,
    limit: usize,
    page: Vec<Manageable>,
}

impl Window {
    fn new(ask: &Ask) -> Self {
        Self {
            waiting: ask.marker.clone(),
            skip: ask.offset,
            limit: ask.limit,
            page: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.waiting.is_none() && self.page.len() >= self.limit
    }

    fn take(&mut self, found: Manageable) {
        if self.waiting.is_some() {
            if name_of(&found.reference) == self.waiting.as_ref() {
                self.waiting = None;
            }
        } else if self.skip > 0 {
            self.skip -= 1;
        } else if !self.is_full() {
            self.page.push(found);
        }
    }
}

fn key(reference: &Reference) -> &str {
    name_of(reference).map_or("", String::as_str)
}

fn sort(all: &mut [Manageable], by: &[(SortBy, bool)]) {
    all.sort_by(|a, b| {
        let mut order = std::cmp::Ordering::Equal;
        for (what, ascending) in by {
            let this = match what {
                SortBy::Reference => key(&a.reference).cmp(key(&b.reference)),
                SortBy::Size => a.size.cmp(&b.size),
            };
            order = order.then(if *ascending { this } else { this.reverse() });
        }
        order
    });
}

/// The driver's list, page by page.
struct Reader<'a> {
    operations: &'a Operations,
    backend: &'a str,
    what: What,
    next: Option<String>,
    ended: bool,
}

impl Reader<'_> {
    async fn page(&mut self) -> Result<Option<Vec<Manageable>>, ControlError> {
        if self.ended {
            return Ok(None);
        }
        let (after, limit) = (self.next.take(), STRIDE);
        let call = match self.what {
            What::Volumes => Call::ListManageable { after, limit },
            What::Snapshots => Call::ListManageableSnapshots { after, limit },
        };
        let wanted = DriverCall {
            backend: self.backend.to_owned(),
            operation: Uuid::now_v7().to_string(),
            cursor: Vec::new(),
            deadline: self.operations.config().step_deadline,
            place: PlaceCheck::AtOnce,
            call,
        };
        let reply = self
            .operations
            .call_driver(&wanted, &mut IgnorePending)
            .await?;
        let ManageablePage { items, next } = reply
            .into_manageable()
            .map_err(|error| ControlError::internal(error.to_string()))?;
        // A driver that never ends must not keep the request for ever.
        self.ended = next.is_none() || items.is_empty();
        self.next = next;
        Ok(Some(items))
    }
}

//! Which connections are open, and which one goes when there is no room for the next.
//!
//! Waiting in the queue of the kernel until somebody goes would give the API to whoever opens connections and never reads from
//! them. So the next one is always taken, and the connection that has waited longest for its own client makes room for it. Where
//! the host itself works on every request that is open, the next connection may only ask whether the host is well.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Connections beyond the limit, for questions after the host's health only.
const RESERVE: usize = 64;
/// A client that has been waited for no longer than this is not slow.
const PATIENCE: Duration = Duration::from_millis(250);
/// In place of a time: the connection is not blocked.
const NEVER: u64 = u64::MAX;

/// Whom a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// For its client, who sends the head of a request, or none.
    Head = 0,
    /// For its client, who sends a body.
    Body = 1,
    /// For us.
    Work = 2,
    /// For its client to read the answer.
    Answer = 3,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    address: IpAddr,
    reserved: bool,
    begun: Instant,
    phase: AtomicU8,
    /// Milliseconds from `begun` to the last change of the phase.
    since: AtomicU64,
    /// Milliseconds from `begun` until its client stopped reading; [`NEVER`] while it reads.
    blocked: AtomicU64,
    evicted: CancellationToken,
}

impl Connection {
    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(NEVER)
    }

    /// It waits for somebody else from now on.
    pub(super) fn enter(&self, phase: Phase) {
        self.since.store(self.millis(), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The body has arrived, where one was waited for.
    pub(super) fn body_is_in(&self) {
        if self.phase.load(Ordering::Relaxed) == Phase::Body as u8 {
            self.enter(Phase::Work);
        }
    }

    /// Whether its client takes what we write.
    pub(super) fn reads(&self, reads: bool) {
        match reads {
            true => self.blocked.store(NEVER, Ordering::Relaxed),
            false => self.blocked.store(self.millis(), Ordering::Relaxed),
        }
    }

    /// Ends when this connection has to make room.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// How long its client has been waited for; none: it is not waited for. The first member sorts clients that do not read
    /// their answer before all others.
    fn slow_for(&self, now: Instant) -> Option<(bool, Duration)> {
        let at =
            |millis: u64| now.saturating_duration_since(self.begun + Duration::from_millis(millis));
        let blocked = self.blocked.load(Ordering::Relaxed);
        let slow = if blocked != NEVER {
            (true, at(blocked))
        } else if self.phase.load(Ordering::Relaxed) <= Phase::Body as u8 {
            (false, at(self.since.load(Ordering::Relaxed)))
        } else {
            return None;
        };
        (slow.1 >= PATIENCE).then_some(slow)
    }
}

/// Whether a connection may come in.
#[derive(Debug)]
pub(super) enum Admission {
    /// It may ask anything.
    Welcome(Seat),
    /// It may ask whether the host is well.
    HealthOnly(Seat),
    /// There is no room at all.
    Full,
}

/// A connection's place in the table. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    table: Arc<Table>,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.table.lock().remove(self.id);
    }
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Table {
    limit: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    reserved: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Open {
    fn remove(&mut self, id: u64) {
        // One that was evicted is gone already.
        let Some(gone) = self.connections.remove(&id) else {
            return;
        };
        self.reserved -= usize::from(gone.reserved);
        if let Some(count) = self.by_address.get_mut(&gone.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&gone.address);
            }
        }
    }

    /// Ends the connection whose client has been waited for longest, of those that may go.
    fn evict(&mut self, may_go: impl Fn(&Connection) -> bool) -> bool {
        let now = Instant::now();
        let slowest = self
            .connections
            .iter()
            .filter(|(_, one)| may_go(one))
            .filter_map(|(id, one)| Some((one.slow_for(now)?, Reverse(*id))))
            .max();
        let Some((_, Reverse(id))) = slowest else {
            return false;
        };
        if let Some(one) = self.connections.get(&id) {
            one.evicted.cancel();
        }
        self.remove(id);
        true
    }

    fn has(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or(0)
    }
}

impl Table {
    /// A table for so many connections, of which so many may come from one address.
    pub(super) fn new(limit: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: limit.max(1),
            per_address: per_address.max(1),
            open: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room, where some client can be waited for no longer.
    pub(super) fn make_room(&self) {
        self.lock().evict(|_| true);
    }

    /// Takes a connection in.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Admission {
        let mut open = self.lock();
        if open.has(address) >= self.per_address && !open.evict(|one| one.address == address) {
            return Admission::Full;
        }
        let ordinary = open.connections.len() - open.reserved;
        let reserved = ordinary >= self.limit && !open.evict(|one| !one.reserved);
        if reserved && open.reserved >= RESERVE && !open.evict(|one| one.reserved) {
            return Admission::Full;
        }
        let connection = Arc::new(Connection {
            address,
            reserved,
            begun: Instant::now(),
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU64::new(0),
            blocked: AtomicU64::new(NEVER),
            evicted: CancellationToken::new(),
        });
        let id = open.next;
        open.next += 1;
        open.connections.insert(id, Arc::clone(&connection));
        open.reserved += usize::from(reserved);
        *open.by_address.entry(address).or_default() += 1;
        let table = Arc::clone(self);
        let seat = Seat {
            id,
            table,
            connection,
        };
        match reserved {
            true => Admission::HealthOnly(seat),
            false => Admission::Welcome(seat),
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::advance;

    const ANN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn welcome(table: &Arc<Table>, address: IpAddr) -> Seat {
        match table.admit(address) {
            Admission::Welcome(seat) => seat,
            other => panic!("{other:?}"),
        }
    }

    fn is_gone(seat: &Seat) -> bool {
        seat.connection.evicted.is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_that_does_not_read_goes_first_then_the_one_that_was_silent_longest() {
        let table = Table::new(3, 9);
        let silent = welcome(&table, ANN);
        advance(Duration::from_secs(1)).await;
        let (deaf, busy) = (welcome(&table, ANN), welcome(&table, ANN));
        deaf.connection.enter(Phase::Answer);
        deaf.connection.reads(false);
        busy.connection.enter(Phase::Work);
        advance(Duration::from_secs(1)).await;
        let first = welcome(&table, BOB);
        assert!(is_gone(&deaf) && !is_gone(&silent));
        let second = welcome(&table, BOB);
        assert!(is_gone(&silent) && !is_gone(&busy) && !is_gone(&first) && !is_gone(&second));
    }

    #[tokio::test(start_paused = true)]
    async fn while_we_work_on_everything_only_health_is_asked_for_and_that_has_an_end_too() {
        let table = Table::new(2, 1000);
        let busy = [welcome(&table, ANN), welcome(&table, ANN)];
        busy.iter()
            .for_each(|one| one.connection.enter(Phase::Work));
        advance(Duration::from_secs(9)).await;
        let mut asking = Vec::new();
        for _ in 0..RESERVE {
            let Admission::HealthOnly(seat) = table.admit(BOB) else {
                panic!("no reserve")
            };
            asking.push(seat);
        }
        assert!(matches!(table.admit(BOB), Admission::Full));
        advance(Duration::from_secs(1)).await;
        assert!(matches!(table.admit(BOB), Admission::HealthOnly(_)));
        assert!(is_gone(asking.first().unwrap_or_else(|| panic!("none"))));
        drop(busy);
        assert!(matches!(table.admit(BOB), Admission::Welcome(_)));
        drop(asking);
        assert!(table.lock().connections.is_empty() && table.lock().by_address.is_empty());
        assert_eq!(table.lock().reserved, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_takes_places_from_itself_alone() {
        let table = Table::new(100, 2);
        let bobs = welcome(&table, BOB);
        let first = welcome(&table, ANN);
        let second = welcome(&table, ANN);
        assert!(matches!(table.admit(ANN), Admission::Full), "both are new");
        second.connection.enter(Phase::Body);
        advance(Duration::from_secs(1)).await;
        let third = welcome(&table, ANN);
        assert!(is_gone(&first) && !is_gone(&second) && !is_gone(&bobs));
        third.connection.enter(Phase::Work);
        second.connection.body_is_in();
        advance(Duration::from_secs(1)).await;
        assert!(
            matches!(table.admit(ANN), Admission::Full),
            "we work for both"
        );
    }
}

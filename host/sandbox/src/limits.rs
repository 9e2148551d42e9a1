//! What one call of a driver may use. On by default; a driver that needs more is given more by name in the operator's TOML.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Ceilings for one call. Every one of them has a hostile guest that runs into it in `tests/hostile.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of linear memory, summed over all memories of the instance.
    pub memory_bytes: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Elements, summed over all tables.
    pub table_elements: usize,
    /// Core instances that the component is made of.
    pub core_instances: usize,
    /// Host resources (requests, bodies, streams, header lists) held at one time.
    pub handles: usize,
    /// Bytes of standard output and standard error that reach the host's log; the rest is dropped and counted.
    pub log_bytes: usize,
    /// Bytes of the answer of a call, as text and lists add up.
    pub result_bytes: usize,
    /// Bytes of opaque state, plan token or cursor.
    pub state_bytes: usize,
    /// HTTP requests in flight at one time.
    pub open_requests: usize,
    /// HTTP requests in one call.
    pub requests: usize,
    /// Bytes of the body of one request.
    pub request_body_bytes: usize,
    /// Bytes of the body of one response.
    pub response_body_bytes: usize,
    /// Bytes that the host holds for the call at one time: bodies on their way out, answers that the guest has not dropped.
    pub held_bytes: usize,
    /// Milliseconds that a call may take, whatever its context asks for.
    pub wall_clock_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            memories: 4,
            tables: 16,
            table_elements: 200_000,
            core_instances: 32,
            handles: 1024,
            log_bytes: 64 << 10,
            result_bytes: 4 << 20,
            state_bytes: 64 << 10,
            open_requests: 16,
            requests: 2000,
            request_body_bytes: 4 << 20,
            response_body_bytes: 16 << 20,
            held_bytes: 64 << 20,
            wall_clock_ms: 300_000,
        }
    }
}

impl Limits {
    /// The time a call gets that asks for `asked_ms`.
    #[must_use]
    pub fn time_for(&self, asked_ms: u64) -> Duration {
        Duration::from_millis(asked_ms.min(self.wall_clock_ms))
    }
}

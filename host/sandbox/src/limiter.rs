//! Memory, tables and instances of one call. What is refused traps, and the reason is kept: the trap alone would not say.

use wasmtime::ResourceLimiter;

use crate::limits::Limits;

/// Counts what a store has been given.
pub struct Limiter {
    memory_left: usize,
    elements_left: usize,
    memories: usize,
    tables: usize,
    instances: usize,
    refused: Option<String>,
}

impl Limiter {
    /// A fresh account.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory_left: limits.memory_bytes,
            elements_left: limits.table_elements,
            memories: limits.memories,
            tables: limits.tables,
            instances: limits.core_instances,
            refused: None,
        }
    }

    /// What was refused first, as a sentence.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn refuse(&mut self, sentence: String) -> wasmtime::Error {
        let error = wasmtime::Error::msg(sentence.clone());
        self.refused.get_or_insert(sentence);
        error
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        match self.memory_left.checked_sub(more) {
            Some(left) => {
                self.memory_left = left;
                Ok(true)
            }
            None => Err(self.refuse(format!(
                "the driver asked for {more} bytes of memory and {} are left of its limit (memory_mib in [driver.<name>.limits])",
                self.memory_left
            ))),
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        match self.elements_left.checked_sub(more) {
            Some(left) => {
                self.elements_left = left;
                Ok(true)
            }
            None => Err(self.refuse(format!(
                "the driver asked for {more} table elements and {} are left of its limit (table_elements in [driver.<name>.limits])",
                self.elements_left
            ))),
        }
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

//! Login sessions of one array.

use std::collections::BTreeMap;

/// Tokens that were given out and are still good.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    last_used: BTreeMap<String, u64>,
}

impl Sessions {
    /// Remembers a token.
    pub fn open(&mut self, token: String, now: u64) {
        self.last_used.insert(token, now);
    }

    /// Whether a token is good; using it keeps it alive for `idle` more milliseconds.
    pub fn touch(&mut self, token: &str, now: u64, idle: u64) -> bool {
        match self.last_used.get_mut(token) {
            Some(used) if now.saturating_sub(*used) <= idle => {
                *used = now;
                true
            }
            Some(_) => {
                self.last_used.remove(token);
                false
            }
            None => false,
        }
    }

    /// Forgets a token.
    pub fn close(&mut self, token: &str) {
        self.last_used.remove(token);
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.last_used.clear();
    }

    /// Tokens of the sessions that are open.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.last_used.keys().map(String::as_str)
    }

    /// How many sessions are open.
    pub fn count(&self) -> usize {
        self.last_used.len()
    }
}

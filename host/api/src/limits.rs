//! How much one caller may ask for: a bucket of requests for each token, in a table that cannot grow without end.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::http::Refusal;

/// Tokens remembered at most; the fullest buckets are forgotten first, which costs nobody anything.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// Buckets of requests.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

impl Rates {
    /// Buckets that fill at a rate; 0: no limit.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: f64::from(per_second),
            burst: f64::from(burst.max(1)),
            buckets: Mutex::default(),
        }
    }

    /// Takes one request out of the bucket of the request's token.
    pub fn take(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        headers
            .get("x-auth-token")
            .map(http::HeaderValue::as_bytes)
            .hash(&mut hasher);
        let key = hasher.finish();
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(&key) {
            let (rate, burst) = (self.per_second, self.burst);
            buckets
                .retain(|_, bucket| bucket.left + (now - bucket.at).as_secs_f64() * rate < burst);
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            left: self.burst,
            at: now,
        });
        bucket.left =
            (bucket.left + (now - bucket.at).as_secs_f64() * self.per_second).min(self.burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Refusal {
                retry_after: Some(1),
                ..Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "This was more requests than one token may make in a second.",
                )
            });
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn token(name: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-auth-token", name.parse().unwrap());
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_asks_too_often_is_told_to_wait_and_others_are_not() {
        let rates = Rates::new(2, 2);
        assert!(rates.take(&token("a")).is_ok());
        assert!(rates.take(&token("a")).is_ok());
        let refusal = rates.take(&token("a")).unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), refusal.retry_after),
            (429, Some(1))
        );
        assert!(rates.take(&token("b")).is_ok());
        tokio::time::advance(std::time::Duration::from_millis(500)).await;
        assert!(rates.take(&token("a")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_of_tokens_stays_bounded() {
        let rates = Rates::new(1, 5);
        for n in 0..(REMEMBERED + 50) {
            let _ = rates.take(&token(&n.to_string()));
        }
        assert!(rates.buckets.lock().unwrap().len() <= REMEMBERED);
    }
}

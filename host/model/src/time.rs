//! Points in time.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC. Cinder shows microseconds, so nothing coarser will do.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock, now. Components that tests put on another clock take it as a parameter instead.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// From milliseconds, as the driver contract counts.
    #[must_use]
    pub fn from_millis(ms: u64) -> Self {
        Self(
            i64::try_from(ms)
                .unwrap_or(i64::MAX / 1000)
                .saturating_mul(1000),
        )
    }

    /// In milliseconds; 0 before the epoch.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// Later by so many microseconds.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Whole seconds since `earlier`; 0 where that is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1_000_000).unwrap_or(0)
    }

    /// Reads ISO 8601 with or without a zone; without one it is UTC, as Cinder's clients mean it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let zoned = text.parse::<jiff::Timestamp>().ok();
        // A day alone is its midnight.
        let plain = || {
            let at = text.parse::<jiff::civil::DateTime>().ok()?;
            let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(at.timestamp())
        };
        let point = zoned.or_else(plain)?;
        Some(Self(point.as_microsecond()))
    }

    /// As Cinder writes it: `2026-11-20T23:31:10.989136`, UTC without a zone.
    #[must_use]
    pub fn to_cinder(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map(|t| t.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_as_cinder_writes_it() {
        assert_eq!(
            Timestamp(1_700_000_000_123_456).to_cinder(),
            "2023-11-14T22:13:20.123456"
        );
    }

    #[test]
    fn a_timestamp_is_read_with_and_without_a_zone() {
        let point = Some(Timestamp(1_700_000_000_123_456));
        assert_eq!(Timestamp::parse("2023-11-14T22:13:20.123456"), point);
        assert_eq!(Timestamp::parse("2023-11-14T22:13:20.123456Z"), point);
        assert_eq!(Timestamp::parse("yesterday"), None);
        let midnight = Some(Timestamp(1_699_920_000_000_000));
        assert_eq!(Timestamp::parse("2023-11-14"), midnight);
        assert_eq!(Timestamp::parse("2023-11-14T02:00:00+02:00"), midnight);
    }
}

//! Points in time as Cinder writes them, without a formatting library in the way of long lists.

use serde::{Serialize, Serializer};
use springform_model::time::Timestamp;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A point in time: `2026-11-20T23:31:10.989136`.
#[derive(Debug, Clone, Copy)]
pub struct Time(pub Timestamp);

/// The same, where there may be none.
#[must_use]
pub fn time(point: Option<Timestamp>) -> Option<Time> {
    point.map(Time)
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SECOND: i64 = 1_000_000;
        const DAY: i64 = 86_400 * SECOND;
        let (days, rest) = (self.0.0.div_euclid(DAY), self.0.0.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (seconds, micros) = (rest / SECOND, rest % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}"
        )
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let said = "A point in time, UTC: `2026-11-20T23:31:10.989136`.";
        text.description(Some(said)).into()
    }
}

impl ToSchema for Time {}

/// A point in time as the admin API writes it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Micros(pub Timestamp);

impl PartialSchema for Micros {
    fn schema() -> RefOr<Schema> {
        let whole = ObjectBuilder::new().schema_type(Type::Integer);
        let said = "A point in time: microseconds since 1970-01-01, UTC.";
        whole.description(Some(said)).into()
    }
}

impl ToSchema for Micros {}

/// The same, where there may be none.
#[must_use]
pub fn micros(point: Option<Timestamp>) -> Option<Micros> {
    point.map(Micros)
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar: years begin in March here, so that
/// the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_is_written_as_the_library_writes_it() {
        for day in 0..292_194 {
            let point = Timestamp(day * 86_400_000_000 + 12_345_678_901);
            assert_eq!(Time(point).to_string(), point.to_cinder());
        }
    }
}

//! Microversions: which shape of the API a request asks for.
//!
//! The highest one announced is one whose every change up to it is served; a client that asks for more is told so with
//! 406 and the range, which is what the clients' own negotiation reads.

use http::{HeaderMap, HeaderValue};

use super::ApiError;

/// A microversion of the API, `3.<minor>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16);

impl Version {
    /// What a request without the header gets.
    pub const MIN: Self = Self(0);
    /// The newest one served.
    pub const MAX: Self = Self(71);

    /// Reads `OpenStack-API-Version: volume 3.N`; other services' entries in the same header are left alone.
    ///
    /// # Errors
    /// 406 for a version outside the range, 400 for something that is none.
    pub fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        for value in headers.get_all("openstack-api-version") {
            let text = value.to_str().unwrap_or_default();
            for entry in text.split(',') {
                let mut words = entry.split_whitespace();
                match (words.next(), words.next()) {
                    (Some("volume" | "block-storage"), Some(version)) => {
                        return Self::parse(version);
                    }
                    (Some("volume" | "block-storage"), None) => {
                        return Err(ApiError::malformed_version(entry));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self::MIN)
    }

    fn parse(text: &str) -> Result<Self, ApiError> {
        if text == "latest" {
            return Ok(Self::MAX);
        }
        let malformed = || ApiError::malformed_version(text);
        let (major, minor) = text.split_once('.').ok_or_else(malformed)?;
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(major) || !digits(minor) {
            return Err(malformed());
        }
        match (major, minor.parse::<u16>()) {
            ("3", Ok(minor)) if minor <= Self::MAX.0 => Ok(Self(minor)),
            _ => Err(ApiError::unsupported_version(text)),
        }
    }

    /// Whether a change made in `3.<minor>` applies.
    #[must_use]
    pub fn has(self, minor: u16) -> bool {
        self.0 >= minor
    }

    /// `volume 3.N`, the header of the answer.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        HeaderValue::from_str(&format!("volume 3.{}", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static("volume 3.0"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Result<Version, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert("openstack-api-version", value.parse().unwrap());
        Version::of(&headers)
    }

    #[test]
    fn a_request_without_the_header_gets_the_oldest_shape() {
        assert_eq!(Version::of(&HeaderMap::new()).unwrap(), Version(0));
    }

    #[test]
    fn the_header_is_read_among_those_of_other_services() {
        assert_eq!(asked("compute 2.90, volume 3.44").unwrap(), Version(44));
        assert_eq!(asked("compute 2.90").unwrap(), Version(0));
        assert_eq!(asked("volume latest").unwrap(), Version::MAX);
    }

    #[test]
    fn a_version_out_of_range_is_refused_with_the_range() {
        let refusal = asked("volume 3.99").err().unwrap();
        assert_eq!(refusal.status.as_u16(), 406);
        assert_eq!(
            refusal.message,
            "Version 3.99 is not supported by the API. Minimum is 3.0 and maximum is 3.71."
        );
        assert_eq!(asked("volume 2.0").err().unwrap().status.as_u16(), 406);
        assert_eq!(asked("volume three").err().unwrap().status.as_u16(), 400);
        assert_eq!(asked("volume 3.+1").err().unwrap().status.as_u16(), 400);
    }
}

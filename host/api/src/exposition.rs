//! The two text formats in which Prometheus reads numbers, and which of them a client wants.
//!
//! The numbers are written as OpenMetrics. `promtool check metrics`, agents and people with curl read the older text format
//! 0.0.4, so that is what is given unless OpenMetrics is preferred by name.

use http::{HeaderMap, header};

/// A text format for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// `text/plain; version=0.0.4`.
    Classic,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

impl Exposition {
    /// Its content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Classic => ("text", "plain", "0.0.4"),
            Self::OpenMetrics => ("application", "openmetrics-text", "1.0.0"),
        }
    }

    /// The format that these headers prefer. The classic one where both are as welcome, and where neither is named: a client
    /// that asks for something else altogether is better served with text than with an error.
    #[must_use]
    pub fn wanted(headers: &HeaderMap) -> Self {
        let accepts = headers.get_all(header::ACCEPT);
        let ranges: Vec<Range> = accepts
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(Range::read)
            .collect();
        let quality = |format: Self| {
            let fits = ranges.iter().filter_map(|r| Some((r.fits(format)?, r)));
            // The most exact range speaks for a format, as RFC 9110 has it; of equals the more welcome one.
            fits.max_by_key(|(exact, range)| (*exact, range.permille))
                .map_or(0, |(_, range)| range.permille)
        };
        if quality(Self::OpenMetrics) > quality(Self::Classic) {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// The numbers in this format, from what [`prometheus_client`] writes without its end mark.
    #[must_use]
    pub fn render(self, openmetrics: &str) -> String {
        match self {
            Self::OpenMetrics => format!("{openmetrics}# EOF\n"),
            Self::Classic => classic(openmetrics),
        }
    }
}

/// One media range of an `Accept` header.
#[derive(Debug)]
struct Range {
    kind: String,
    subtype: String,
    version: Option<String>,
    permille: u16,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range = Self {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            version: None,
            permille: 1000,
        };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            if key.trim().eq_ignore_ascii_case("q") {
                range.permille = permille(value)?;
            } else if key.trim().eq_ignore_ascii_case("version") {
                range.version = Some(value.to_owned());
            }
        }
        Some(range)
    }

    /// How exactly it names a format; none where it does not mean it. Parameters other than the version say how to write
    /// what both formats leave open.
    fn fits(&self, format: Exposition) -> Option<u8> {
        let (kind, subtype, version) = format.parts();
        match (
            self.kind.as_str(),
            self.subtype.as_str(),
            self.version.as_deref(),
        ) {
            ("*", "*", _) => Some(0),
            (k, "*", _) if k == kind => Some(1),
            (k, s, None) if k == kind && s == subtype => Some(2),
            (k, s, Some(v)) if k == kind && s == subtype && v == version => Some(3),
            _ => None,
        }
    }
}

/// `0.75` as 750; none where it is no quality.
fn permille(text: &str) -> Option<u16> {
    let quality: f64 = text.parse().ok()?;
    // Between 0 and 1000 there is nothing to lose.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..=1.0)
        .contains(&quality)
        .then(|| (quality * 1000.0).round() as u16)
}

/// OpenMetrics as the text format 0.0.4: a counter's family has the name of its samples there, types that it does not know
/// are told as the nearest one, and there are no units.
fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "stateset" => ("", "gauge"),
                "unknown" => ("", "untyped"),
                known => ("", known),
            };
            if let Some((_, words)) = help.take().filter(|(named, _)| *named == name) {
                text.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            }
            text.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with("# UNIT ") && line != "# EOF" {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(accept: &[&'static str]) -> Exposition {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        Exposition::wanted(&headers)
    }

    #[test]
    fn the_format_is_the_one_with_the_higher_quality() {
        use Exposition::{Classic, OpenMetrics};
        for (accept, format) in [
            (&[][..], Classic),
            (&["*/*"], Classic),
            (&["text/plain"], Classic),
            (&["TEXT/Plain; charset=utf-8"], Classic),
            (&["application/json"], Classic),
            (&["nonsense"], Classic),
            (&["application/openmetrics-text"], OpenMetrics),
            (
                &["application/openmetrics-text; version=\"1.0.0\""],
                OpenMetrics,
            ),
            (&["application/*"], OpenMetrics),
            (&["application/openmetrics-text;version=9.9"], Classic),
            (
                &["text/plain;q=0.5, application/openmetrics-text;q=0.4"],
                Classic,
            ),
            (
                &["text/plain;q=0.4, application/openmetrics-text; q=0.5"],
                OpenMetrics,
            ),
            (
                &["text/plain;q=0.4", "application/openmetrics-text;q=0.5"],
                OpenMetrics,
            ),
            (&["application/openmetrics-text;q=0, */*"], Classic),
            (&["text/plain;q=0, */*;q=0.1"], OpenMetrics),
            (
                &["application/openmetrics-text;q=high, text/plain;q=0.1"],
                Classic,
            ),
            (&["application/openmetrics-text, text/plain"], Classic),
            // Prometheus 2.42, and 3.
            (
                &[
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
            (
                &[
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
        ] {
            assert_eq!(wanted(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format_names_a_counter_as_its_samples_and_knows_no_end() {
        let text = "# HELP a Requests.\n# TYPE a counter\na_total{b=\"# EOF\"} 1\n# HELP c Seconds.\n\
                    # TYPE c gauge\n# UNIT c seconds\nc 2.5\n# HELP d What.\n# TYPE d info\nd_info 1\n# TYPE e unknown\ne 1\n";
        assert_eq!(
            Exposition::Classic.render(text),
            "# HELP a_total Requests.\n# TYPE a_total counter\na_total{b=\"# EOF\"} 1\n# HELP c Seconds.\n\
             # TYPE c gauge\nc 2.5\n# HELP d_info What.\n# TYPE d_info gauge\nd_info 1\n# TYPE e untyped\ne 1\n"
        );
        assert!(
            Exposition::OpenMetrics
                .render(text)
                .ends_with("e 1\n# EOF\n")
        );
    }
}

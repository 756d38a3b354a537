//! Lengths of time, as people write them.

use std::time::Duration;

use pipeline::Fault;
use pipeline::text::shown;
use serde::Deserialize;

/// A length of time: a number and `ms`, `s` or `m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String", extend("pattern" = "^[0-9]+(ms|s|m)$")))]
pub struct Span(pub Duration);

impl Span {
    /// Makes one of so many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Span(Duration::from_secs(seconds))
    }

    /// Returns it in whole seconds; a part of one counts as one.
    pub fn whole_seconds(self) -> i64 {
        i64::try_from(self.0.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
    }
}

impl TryFrom<String> for Span {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
        let span = match (number, unit) {
            (Some(n), "ms") => Some(Duration::from_millis(n.into())),
            (Some(n), "s") => Some(Duration::from_secs(n.into())),
            (Some(n), "m") => Some(Duration::from_secs(u64::from(n) * 60)),
            _ => None,
        };
        span.map(Span).ok_or_else(|| {
            Fault::InvalidInput(format!(
                "{} is not a length of time: expected one like 500ms, 2s or 1m",
                shown(&text)
            ))
        })
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_millis() {
            ms if ms % 1000 != 0 => write!(f, "{ms}ms"),
            ms if ms == 0 || ms % 60_000 != 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{}m", ms / 60_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_its_unit() {
        for (text, millis, shown) in [
            ("500ms", Some(500), "500ms"),
            ("2s", Some(2000), "2s"),
            ("1500ms", Some(1500), "1500ms"),
            ("1m", Some(60_000), "1m"),
            ("120s", Some(120_000), "2m"),
            ("0s", Some(0), "0s"),
            ("2", None, ""),
            ("s", None, ""),
            ("1h", None, ""),
            ("-1s", None, ""),
            ("1.5s", None, ""),
            (" 1s", None, ""),
            ("4294967296s", None, ""),
        ] {
            let span = Span::try_from(text.to_owned()).ok();
            assert_eq!(span.map(|Span(span)| span.as_millis()), millis, "{text}");
            assert_eq!(span.map(|span| span.to_string()).unwrap_or_default(), shown);
        }
        assert_eq!(Span::try_from("1001ms".to_owned()).unwrap().whole_seconds(), 2);
    }
}

//! How long so many of the answers may take.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline::Fault;
use serde::Deserialize;

use crate::span::Span;

/// How long so many percent of the answers may take, in hundredths of a percent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Span>")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Span>"))]
#[cfg_attr(feature = "schema", schemars(extend("propertyNames" = {"pattern": "^p(100|[1-9][0-9]?([.][0-9][0-9]?)?|0[.][0-9]?[1-9])$"})))]
pub struct Percentiles(pub BTreeMap<u32, Span>);

impl Percentiles {
    /// Says which percentile was too slow among the answers of one address, and how slow it was.
    pub fn mistake(&self, took: &[Duration]) -> Option<String> {
        let mut slow = self.0.iter().filter_map(|(rank, limit)| {
            let came = nearest_rank(took, *rank)?;
            let name = name(*rank);
            (came > limit.0).then(|| {
                format!(
                    "expected {name} of {} answers within {limit}, it was {} ms",
                    took.len(),
                    came.as_millis()
                )
            })
        });
        slow.next()
    }
}

/// Returns the smallest of the samples that so many hundredths of a percent of them do not exceed.
pub fn nearest_rank(samples: &[Duration], rank: u32) -> Option<Duration> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let (rank, count) = (usize::try_from(rank).ok()?, sorted.len());
    let place = rank.checked_mul(count)?.div_ceil(10_000).max(1);
    sorted.get(place - 1).copied()
}

fn name(rank: u32) -> String {
    let (whole, rest) = (rank / 100, rank % 100);
    match (rest, rest % 10) {
        (0, _) => format!("p{whole}"),
        (_, 0) => format!("p{whole}.{}", rest / 10),
        _ => format!("p{whole}.{rest:02}"),
    }
}

fn rank(text: &str) -> Option<u32> {
    let (whole, rest) = text.strip_prefix('p')?.split_once('.').unwrap_or((text.strip_prefix('p')?, "0"));
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let plain = digits(whole, 3) && digits(rest, 2);
    let whole: u32 = whole.parse().ok().filter(|_| plain)?;
    let rest: u32 = format!("{rest:0<2}").parse().ok()?;
    Some(whole * 100 + rest).filter(|rank| (1..=10_000).contains(rank))
}

impl TryFrom<BTreeMap<String, Span>> for Percentiles {
    type Error = Fault;
    fn try_from(written: BTreeMap<String, Span>) -> Result<Self, Fault> {
        let ranks = written.into_iter().map(|(text, limit)| match rank(&text) {
            Some(rank) => Ok((rank, limit)),
            None => Err(Fault::InvalidInput(format!(
                "{text:?} is not a percentile: expected one like p95 or p99.9"
            ))),
        });
        ranks.collect::<Result<_, _>>().map(Percentiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(all: &[u64]) -> Vec<Duration> {
        all.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_percentile_is_named_like_p95() {
        for (text, expected) in [
            ("p95", Some(9500)),
            ("p99.9", Some(9990)),
            ("p99.99", Some(9999)),
            ("p0.01", Some(1)),
            ("p1", Some(100)),
            ("p100", Some(10_000)),
            ("p0", None),
            ("p101", None),
            ("95", None),
            ("p", None),
            ("p95.", None),
            ("p95.999", None),
            ("p+5", None),
            ("P95", None),
        ] {
            assert_eq!(rank(text), expected, "{text}");
            if let Some(rank) = expected {
                assert_eq!(name(rank), text);
            }
        }
    }

    #[test]
    fn the_nearest_rank_is_one_of_the_samples() {
        let samples = millis(&[50, 15, 40, 20, 35]);
        for (rank, expected) in
            [(1, 15), (500, 15), (3000, 20), (4000, 20), (5000, 35), (9999, 50), (10_000, 50)]
        {
            assert_eq!(nearest_rank(&samples, rank), Some(Duration::from_millis(expected)), "{rank}");
        }
        assert_eq!(nearest_rank(&[], 5000), None);
    }

    #[test]
    fn the_sentence_names_what_was_too_slow() {
        let limits = [("p50".to_owned(), Span::seconds(1)), ("p99.9".to_owned(), Span::seconds(2))];
        let limits = Percentiles::try_from(BTreeMap::from(limits)).unwrap();
        assert_eq!(limits.mistake(&millis(&[1, 1000, 2000])), None);
        let slow = limits.mistake(&millis(&[1, 1000, 2001]));
        assert_eq!(slow.as_deref(), Some("expected p99.9 of 3 answers within 2s, it was 2001 ms"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn so_many_percent_do_not_exceed_it_and_fewer_do_not_exceed_less(
            samples in prop::collection::vec(0u64..50, 1..100), rank in 1u32..=10_000,
        ) {
            let found = nearest_rank(&millis(&samples), rank).unwrap();
            let enough = |limit: Duration| {
                let within = millis(&samples).into_iter().filter(|one| *one <= limit).count();
                within * 10_000 >= rank as usize * samples.len()
            };
            prop_assert!(enough(found));
            let less = millis(&samples).into_iter().filter(|one| *one < found).max();
            prop_assert!(less.is_none_or(|less| !enough(less)));
        }
    }
}

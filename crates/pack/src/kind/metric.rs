//! A number of CloudWatch, and the range that it must be in.

mod asked;

use std::collections::{BTreeMap, BTreeSet};

pub use asked::{Asked, ValueOf};

use serde::Deserialize;

use crate::mistake::{Mistake, ensure};
use crate::span::Span;
use crate::template::Template;
use crate::texts::{Keyed, Text};

/// The most queries of a metric.
const MOST_QUERIES: usize = 20;

/// A number of CloudWatch, and the range that it must be in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("oneOf" = [{"required": ["metric", "namespace", "stat"]}, {"required": ["queries"]}])))]
pub struct Metric {
    /// Where it is.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub namespace: Option<String>,
    /// What it is called.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub metric: Option<String>,
    /// What it is of.
    #[serde(default)]
    pub dimensions: BTreeMap<String, Template>,
    /// What is made of the values of a period, like `p95` or `Average`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub stat: Option<String>,
    /// How long a period is.
    #[serde(default = "minute")]
    pub period: Span,
    /// Instead of all that: queries, as GetMetricData takes them.
    #[serde(default)]
    pub queries: Vec<Query>,
    /// The least that it may be.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub min: Option<f64>,
    /// The most that it may be.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub max: Option<f64>,
    /// The most that it may be, as a multiple of what it was before the service was touched.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub times_before: Option<f64>,
    /// What a period without a value means.
    #[serde(default)]
    pub no_data: NoData,
}

/// What a period without a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum NoData {
    /// Nothing was measured.
    #[default]
    Unmeasured,
    /// Nothing happened, and that is good.
    Pass,
}

/// A query, as GetMetricData takes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "they are the words of CloudWatch")]
pub struct Query {
    pub id: String,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Template"))]
    pub expression: Option<Template>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "MetricStat"))]
    pub metric_stat: Option<MetricStat>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub period: Option<u32>,
    #[serde(default = "yes")]
    pub return_data: bool,
}

/// What a query reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "they are the words of CloudWatch")]
pub struct MetricStat {
    pub metric: Named,
    pub period: u32,
    pub stat: String,
}

/// The metric that a query reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "they are the words of CloudWatch")]
pub struct Named {
    pub namespace: String,
    pub metric_name: String,
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
}

/// What a metric is of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "they are the words of CloudWatch")]
pub struct Dimension {
    pub name: String,
    pub value: Template,
}

impl Metric {
    pub(crate) fn texts(&self) -> Vec<Keyed<'_>> {
        let queries = self.queries.iter().flat_map(Query::texts).map(|text| ("queries", Text::Plain(text)));
        let dimensions = self.dimensions.values().map(|text| ("dimensions", Text::Plain(text)));
        dimensions.chain(queries).collect()
    }

    pub(crate) fn mistake(&self) -> Result<(), Mistake> {
        let Metric { namespace, metric, dimensions, stat, period, queries, min, max, times_before, .. } =
            self;
        let one = [namespace, metric, stat];
        if queries.is_empty() {
            ensure(one.iter().all(|key| key.is_some()), "metric", || {
                "it is not named: expected `namespace`, `metric` and `stat`, or `queries`".to_owned()
            })?;
        } else {
            ensure(one.iter().all(|key| key.is_none()) && dimensions.is_empty(), "queries", || {
                "they name their metrics themselves: expected no `namespace`, `metric`, `dimensions` or `stat`".to_owned()
            })?;
            ensure(queries.len() <= MOST_QUERIES, "queries", || {
                format!("{} are too many: expected at most {MOST_QUERIES}", queries.len())
            })?;
            let returned = queries.iter().filter(|query| query.return_data).count();
            ensure(returned == 1, "queries", || {
                format!(
                    "{returned} of them return data: expected one, and `\"ReturnData\": false` in the others"
                )
            })?;
            let whole = |query: &Query| query.expression.is_some() != query.metric_stat.is_some();
            ensure(queries.iter().all(whole), "queries", || {
                "each reads or computes: expected `MetricStat` or `Expression`".to_owned()
            })?;
            let periods: BTreeSet<u32> = queries.iter().filter_map(Query::seconds).collect();
            ensure(
                periods.len() <= 1 && periods.iter().all(|seconds| is_period((*seconds).into())),
                "queries",
                || {
                    format!(
                        "they have periods of {periods:?} seconds: expected the same whole minutes for all, like 60"
                    )
                },
            )?;
        }
        ensure(is_period(period.whole_seconds()), "period", || {
            format!("{period} is no period: expected whole minutes, like 1m")
        })?;
        ensure(min.is_some() || max.is_some() || times_before.is_some(), "metric", || {
            "any value would do: expected `min`, `max` or `timesBefore`".to_owned()
        })?;
        ensure(min.zip(*max).is_none_or(|(min, max)| min <= max), "min", || {
            "it is more than `max`: expected less".to_owned()
        })?;
        ensure(times_before.is_none_or(|times| times > 0.0), "timesBefore", || {
            "nothing is less than that: expected more than 0".to_owned()
        })
    }
}

/// Tells whether a period is of whole minutes: what is finer has no value in most metrics.
fn is_period(seconds: i64) -> bool {
    seconds > 0 && seconds % 60 == 0
}

impl Query {
    fn texts(&self) -> impl Iterator<Item = &Template> {
        let read = self.metric_stat.iter().flat_map(|stat| &stat.metric.dimensions);
        read.map(|one| &one.value).chain(&self.expression)
    }
}

fn minute() -> Span {
    Span::seconds(60)
}
fn yes() -> bool {
    true
}

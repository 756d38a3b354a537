//! Metrics, in the embedded format of CloudWatch: one line of a function's log, which CloudWatch turns into metrics.
//!
//! No call is made and nothing is waited for.  A metric costs by the values of its dimensions, so these are few: what
//! names a single release or service is a plain member of the line, for who searches the logs.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::telemetry;

/// Under which all metrics are.
pub const NAMESPACE: &str = "Tidegate";

/// How many values of one metric a line may have.
const MOST_VALUES: usize = 100;

/// The unit of a metric.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "they are the words of CloudWatch")]
pub enum Unit {
    Count,
    Seconds,
}

/// A line in the making.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    members: Map<String, Value>,
    directives: Vec<Value>,
}

impl Metrics {
    /// Adds metrics under dimensions that are members of the line; one without a value is left out.
    #[must_use]
    pub fn under(mut self, dimensions: &[&str], metrics: &[(&str, Unit, Vec<i64>)]) -> Self {
        let known: Vec<_> = metrics.iter().filter(|(.., values)| !values.is_empty()).collect();
        let named: Vec<Value> =
            known.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        for (name, _, values) in known {
            let some: Vec<i64> = values.iter().copied().take(MOST_VALUES).collect();
            let value = if let [one] = some.as_slice() { json!(one) } else { json!(some) };
            self.members.insert((*name).to_owned(), value);
        }
        if !named.is_empty() {
            self.directives
                .push(json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": named}));
        }
        self
    }

    /// Adds a member that is no metric.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.members.insert(name.to_owned(), json!(value));
        self
    }

    /// Returns the line, as of a moment.
    pub fn line(mut self, at: Timestamp) -> Value {
        let directives = json!({"Timestamp": at.millis(), "CloudWatchMetrics": self.directives});
        self.members.insert("_aws".to_owned(), directives);
        Value::Object(self.members)
    }

    /// Writes the line into the log, whatever its level is.
    pub fn tell(self, at: Timestamp) {
        tracing::info!(target: telemetry::METRICS, "{}", self.line(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let line = Metrics::default()
            .with("Environment", "dev")
            .with("release", "r1")
            .under(
                &["Environment"],
                &[("Moves", Unit::Count, vec![2]), ("LeadSeconds", Unit::Seconds, vec![])],
            )
            .under(&["Environment", "Outcome"], &[("RolloutSeconds", Unit::Seconds, (0..200).collect())])
            .line(Timestamp::from_millis(7));
        assert_eq!(
            (&line["Moves"], &line["release"], &line["LeadSeconds"]),
            (&json!(2), &json!("r1"), &Value::Null)
        );
        assert_eq!(line["RolloutSeconds"].as_array().map(Vec::len), Some(100));
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0],
            json!({"Namespace": "Tidegate", "Dimensions": [["Environment"]],
                   "Metrics": [{"Name": "Moves", "Unit": "Count"}]})
        );
        assert_eq!(line["_aws"]["Timestamp"], 7);
    }
}

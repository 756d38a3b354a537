//! What CloudWatch is asked for a metric.  Pure.

use super::{Metric, MetricStat, Named, NoData, Query};
use crate::values::{Unfilled, Values};

/// What the query of a metric is called that is written without queries.
const ONLY: &str = "value";

/// A query with its variables filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name.
    pub id: String,
    /// Whether its value is the one that counts.
    pub returned: bool,
    /// Where the value comes from.
    pub from: ValueOf,
    /// How long a period of it is, in seconds, if it says so itself.
    pub period: Option<u32>,
}

/// Where the value of a query comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueOf {
    /// It is computed from other queries.
    Expression(String),
    /// It is read.
    Metric {
        /// Where it is.
        namespace: String,
        /// What it is called.
        name: String,
        /// What it is of: names and values.
        dimensions: Vec<(String, String)>,
        /// How long a period is, in seconds.
        period: u32,
        /// What is made of the values of a period.
        stat: String,
    },
}

impl Metric {
    /// Returns how many seconds the values of a period may take to arrive; longer where none at all passes, so that one
    /// that comes late is not taken for none.
    pub fn arrives(&self) -> u32 {
        match self.no_data {
            NoData::Pass => 180,
            NoData::Unmeasured => 60,
        }
    }

    /// Returns how many seconds the period is that is judged.
    pub fn seconds(&self) -> i64 {
        let written = self.queries.iter().find_map(Query::seconds);
        written.map_or(self.period.whole_seconds(), i64::from)
    }

    /// Names what is judged.
    pub fn title(&self) -> String {
        match (&self.namespace, &self.metric, &self.stat) {
            (Some(namespace), Some(metric), Some(stat)) => format!("{stat} of {namespace} {metric}"),
            _ => self.queries.iter().find(|query| query.return_data).map_or_else(String::new, Query::title),
        }
    }

    /// Returns what is asked.
    pub fn asked(&self, values: &Values) -> Result<Vec<Asked>, Unfilled> {
        if !self.queries.is_empty() {
            return self.queries.iter().map(|query| query.asked(values)).collect();
        }
        let filled = self.dimensions.iter().map(|(name, value)| Ok((name.clone(), value.fill(values)?)));
        let from = ValueOf::Metric {
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.metric.clone().unwrap_or_default(),
            dimensions: filled.collect::<Result<_, _>>()?,
            period: u32::try_from(self.seconds()).unwrap_or(u32::MAX),
            stat: self.stat.clone().unwrap_or_default(),
        };
        Ok(vec![Asked { id: ONLY.to_owned(), returned: true, from, period: None }])
    }
}

impl Query {
    /// Returns how many seconds its period is, if it says so.
    pub(super) fn seconds(&self) -> Option<u32> {
        self.metric_stat.as_ref().map(|stat| stat.period).or(self.period)
    }

    fn title(&self) -> String {
        match &self.metric_stat {
            Some(MetricStat { metric, stat, .. }) => {
                format!("{stat} of {} {}", metric.namespace, metric.metric_name)
            }
            None => format!("the query {:?}", self.id),
        }
    }

    fn asked(&self, values: &Values) -> Result<Asked, Unfilled> {
        let from = match (&self.metric_stat, &self.expression) {
            (Some(MetricStat { metric, period, stat }), _) => {
                let Named { namespace, metric_name, dimensions } = metric;
                let filled = dimensions.iter().map(|one| Ok((one.name.clone(), one.value.fill(values)?)));
                ValueOf::Metric {
                    namespace: namespace.clone(),
                    name: metric_name.clone(),
                    dimensions: filled.collect::<Result<_, _>>()?,
                    period: *period,
                    stat: stat.clone(),
                }
            }
            (None, expression) => {
                let filled = expression.as_ref().map(|expression| expression.fill(values)).transpose()?;
                ValueOf::Expression(filled.unwrap_or_default())
            }
        };
        Ok(Asked { id: self.id.clone(), returned: self.return_data, from, period: self.period })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Pack};

    fn metric(text: &str) -> Metric {
        let text = format!(r#"{{"checks":[{{"name":"a","metric":{{{text}}}}}]}}"#);
        match Pack::read("pack", &text).unwrap().checks.remove(0).kind {
            Kind::Metric(metric) => metric,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_metric_is_one_query_and_queries_are_asked_as_they_are_written() {
        let values = Values::default().with("target.group", "targetgroup/users/1").with("service", "users");
        let one = metric(
            r#""namespace":"AWS/ApplicationELB","metric":"RequestCount","stat":"Sum","period":"5m",
               "dimensions":{"TargetGroup":"${target.group}"},"max":1"#,
        );
        assert_eq!((one.seconds(), &*one.title()), (300, "Sum of AWS/ApplicationELB RequestCount"));
        let [asked] = &one.asked(&values).unwrap()[..] else { panic!("{one:?}") };
        let ValueOf::Metric { dimensions, period, .. } = &asked.from else { panic!("{asked:?}") };
        let group = ("TargetGroup".to_owned(), "targetgroup/users/1".to_owned());
        assert_eq!((&dimensions[..], *period, asked.returned), (&[group][..], 300, true));
        assert_eq!(one.asked(&Values::default()), Err(Unfilled::Unknown("target.group".to_owned())));

        let share = metric(
            r#""queries":[{"Id":"share","Expression":"errors / all"},
               {"Id":"errors","ReturnData":false,"MetricStat":{"Period":120,"Stat":"Sum","Metric":{"Namespace":"Shop",
                "MetricName":"Errors","Dimensions":[{"Name":"Service","Value":"${service}"}]}}},
               {"Id":"all","ReturnData":false,"MetricStat":{"Period":120,"Stat":"Sum","Metric":
                {"Namespace":"Shop","MetricName":"All"}}}],"max":1"#,
        );
        assert_eq!((share.seconds(), &*share.title()), (120, "the query \"share\""));
        let asked = share.asked(&values).unwrap();
        assert_eq!(asked.iter().map(|one| one.returned).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(asked[0].from, ValueOf::Expression("errors / all".to_owned()));
        let ValueOf::Metric { dimensions, .. } = &asked[1].from else { panic!("{asked:?}") };
        assert_eq!(*dimensions, [("Service".to_owned(), "users".to_owned())]);
    }
}

//! A number of CloudWatch, in the last period that is over.

use pack::kind::metric::{Metric, NoData};
use pack::standing::Outcome;
use pipeline::clock::Timestamp;

use super::{Watch, sentence};
use crate::rollout::Port;

impl<P: Port> Watch<'_, P> {
    /// Judges the last period since the service was touched.
    pub(super) async fn number(&self, metric: &Metric) -> Result<(Outcome, String), String> {
        let (touched, seconds) = (self.touched()?, metric.seconds());
        let queries = metric.asked(&self.values).map_err(|unfilled| unfilled.to_string())?;
        let arrived = self.look.now.plus_seconds(-i64::from(metric.arrives()));
        let Some(begins) = last(arrived, touched, seconds) else {
            return Err(format!("no period of {seconds} s is over since its service was touched"));
        };
        let read = async |begins| self.port.measure(&queries, begins, seconds).await.map_err(sentence);
        let period = format!("in the {seconds} s from {begins}");
        let value = match read(begins).await? {
            Some(value) => value,
            None => return nothing(metric, &period),
        };
        if let Some(mistake) = out_of_range(metric, value) {
            return Ok((Outcome::Failed, format!("{}: {mistake} {period}", metric.title())));
        }
        let passed = format!("{} was {value} {period}, as expected", metric.title());
        let Some(times) = metric.times_before else { return Ok((Outcome::Passed, passed)) };
        let begins = before(touched, seconds);
        match (read(begins).await?, metric.no_data) {
            (Some(old), _) if value <= old * times => Ok((Outcome::Passed, passed)),
            (Some(old), _) => {
                let text = format!(
                    "{}: expected at most {times} times the {old} of the {seconds} s from {begins}, got {value} {period}",
                    metric.title()
                );
                Ok((Outcome::Failed, text))
            }
            (None, NoData::Pass) => {
                Ok((Outcome::Passed, format!("{passed}; it had no value before its service was touched")))
            }
            (None, NoData::Unmeasured) => Err(format!(
                "{} was {value} {period}, and had no value to compare with in the {seconds} s from {begins}",
                metric.title()
            )),
        }
    }
}

/// Says what a period without a value means.
fn nothing(metric: &Metric, period: &str) -> Result<(Outcome, String), String> {
    let text = format!("{} had no value {period}", metric.title());
    match metric.no_data {
        NoData::Pass => Ok((Outcome::Passed, format!("{text}, as it may"))),
        NoData::Unmeasured => Err(text),
    }
}

/// Says in which way a value is not what it may be.
fn out_of_range(metric: &Metric, value: f64) -> Option<String> {
    let low =
        metric.min.filter(|min| value < *min).map(|min| format!("expected at least {min}, got {value}"));
    low.or_else(|| {
        metric.max.filter(|max| value > *max).map(|max| format!("expected at most {max}, got {value}"))
    })
}

/// Returns when the last period begins that was over at a time, and in which the service was not touched.
fn last(until: Timestamp, touched: Timestamp, seconds: i64) -> Option<Timestamp> {
    let begins = begun(until, seconds).plus_seconds(-seconds);
    (begins >= touched).then_some(begins)
}

/// Returns when the last period begins that was over before the service was touched.
fn before(touched: Timestamp, seconds: i64) -> Timestamp {
    begun(touched, seconds).plus_seconds(-seconds)
}

/// Returns when the period begins that a moment is in.
fn begun(at: Timestamp, seconds: i64) -> Timestamp {
    let length = seconds.max(1).saturating_mul(1000);
    Timestamp::from_millis(at.millis().div_euclid(length).saturating_mul(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-24T{text}Z")).unwrap()
    }

    #[test]
    fn a_period_counts_once_it_is_over_and_its_values_have_arrived() {
        for (touched, now, seconds, begins) in [
            ("10:00:00", "10:01:59", 60, None),
            ("10:00:00", "10:02:00", 60, Some("10:00:00")),
            ("10:00:01", "10:02:59", 60, None),
            ("10:00:01", "10:03:00", 60, Some("10:01:00")),
            ("10:00:01", "10:03:59", 60, Some("10:01:00")),
            ("10:00:01", "10:10:59", 300, None),
            ("10:00:01", "10:11:00", 300, Some("10:05:00")),
        ] {
            let until = at(now).plus_seconds(-60);
            assert_eq!(last(until, at(touched), seconds), begins.map(at), "{touched} {now} {seconds}");
        }
    }

    #[test]
    fn it_is_compared_with_the_last_period_before() {
        for (touched, seconds, begins) in [
            ("10:00:00", 60, "09:59:00"),
            ("10:00:59", 60, "09:59:00"),
            ("10:04:59", 300, "09:55:00"),
            ("10:05:00", 300, "10:00:00"),
        ] {
            assert_eq!(before(at(touched), seconds), at(begins), "{touched} {seconds}");
        }
    }
}

//! Reads numbers of CloudWatch.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, StatusCode,
};
use pack::kind::metric::{Asked, ValueOf};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;

use super::{Requests, Route, Span};

/// What the names of the queries begin with.
const OLD: &str = "old";
const NEW: &str = "new";

/// Reads the value of the one period that begins then; none if there is none.
pub(super) async fn measure(
    cloudwatch: &Client,
    queries: &[Asked],
    begins: Timestamp,
    seconds: i64,
) -> Result<Option<f64>, Fault> {
    let all = results(cloudwatch, queries, begins, begins.plus_seconds(seconds)).await?;
    let wanted = queries.iter().find(|query| query.returned).map(|query| query.id.as_str());
    let mut found = all.iter().filter(|result| result.id() == wanted);
    match (found.next(), found.next()) {
        (Some(result), None) => value_of(result, begins),
        (None, _) => Ok(None),
        // A search finds as many as there are.
        (Some(_), Some(_)) => {
            let id = wanted.unwrap_or_default();
            Err(Fault::InvalidInput(format!("the query {id:?} has several values: expected one")))
        }
    }
}

/// Reads how many requests came along some routes in a span, all together.
pub(super) async fn requests(cloudwatch: &Client, routes: &[Route], span: Span) -> Result<Requests, Fault> {
    let sides = routes.iter().enumerate().flat_map(|(n, route)| {
        let of = |side, group: &str| requests_of(format!("{side}{n}"), &route.balancer, group);
        [of(OLD, &route.old), of(NEW, &route.new)]
    });
    let queries: Vec<Asked> = sides.collect();
    let all = results(cloudwatch, &queries, span.from, span.until).await?;
    let mut requests = Requests::default();
    for result in &all {
        is_complete(result)?;
        let sum = result.values().iter().sum::<f64>().round() as u64;
        match result.id().is_some_and(|id| id.starts_with(OLD)) {
            true => requests.old += sum,
            false => requests.new += sum,
        }
    }
    Ok(requests)
}

/// Asks for the requests that a load balancer sends to a target group, minute by minute.
fn requests_of(id: String, balancer: &str, group: &str) -> Asked {
    let group = group.rsplit(':').next().unwrap_or_default();
    let dimensions = [("LoadBalancer", balancer), ("TargetGroup", group)];
    let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let from = ValueOf::Metric {
        namespace: "AWS/ApplicationELB".to_owned(),
        name: "RequestCount".to_owned(),
        dimensions: dimensions.into(),
        period: 60,
        stat: "Sum".to_owned(),
    };
    Asked { id, returned: true, from, period: None }
}

/// Reads the values of some queries, in the periods that begin in a span.
async fn results(
    cloudwatch: &Client,
    queries: &[Asked],
    begins: Timestamp,
    ends: Timestamp,
) -> Result<Vec<MetricDataResult>, Fault> {
    let call =
        cloudwatch.get_metric_data().set_metric_data_queries(Some(queries.iter().map(query_of).collect()));
    let call = call.start_time(DateTime::from_millis(begins.millis()));
    let answer = call.end_time(DateTime::from_millis(ends.millis())).send().await;
    let answer = answer.map_err(|error| fault_of("read a metric", &error))?;
    Ok(answer.metric_data_results.unwrap_or_default())
}

/// Returns the value of the period that begins then.
fn value_of(result: &MetricDataResult, begins: Timestamp) -> Result<Option<f64>, Fault> {
    is_complete(result)?;
    let periods = result.timestamps().iter().zip(result.values());
    let of_ours = periods.filter(|(at, _)| at.to_millis().ok() == Some(begins.millis()));
    Ok(of_ours.map(|(_, value)| *value).next())
}

/// Refuses a result that lacks some of its values.
fn is_complete(result: &MetricDataResult) -> Result<(), Fault> {
    match result.status_code() {
        None | Some(StatusCode::Complete) => Ok(()),
        Some(status) => {
            let said = result.messages().first().and_then(|message| message.value());
            let said = said.map_or_else(String::new, |said| format!(": {said}"));
            Err(Fault::Unavailable(format!("CloudWatch answers {status}{said}")))
        }
    }
}

fn query_of(asked: &Asked) -> MetricDataQuery {
    let Asked { id, returned, from, period } = asked;
    let query = MetricDataQuery::builder().id(id).return_data(*returned).set_period(period.map(number));
    match from {
        ValueOf::Expression(expression) => query.expression(expression).build(),
        ValueOf::Metric { namespace, name, dimensions, period, stat } => {
            let dimensions =
                dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
            let metric = Metric::builder().namespace(namespace).metric_name(name);
            let metric = metric.set_dimensions(Some(dimensions.collect())).build();
            let read = MetricStat::builder().metric(metric).period(number(*period)).stat(stat).build();
            query.metric_stat(read).build()
        }
    }
}

fn number(period: u32) -> i32 {
    i32::try_from(period).unwrap_or(i32::MAX)
}

//! Load balancers: the targets in their groups, and how many requests reach each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ecs::{Ecs, Service};
use super::expression::wrong;
use super::{ACCOUNT, Answer, REGION, unknown};

/// The two target groups of a service, as their names end.
const SIDES: [&str; 2] = ["blue", "green"];

/// What a load balancer counts: the namespace of the metric, its name, and the statistic.
const COUNTED: [&str; 3] = ["AWS/ApplicationELB", "RequestCount", "Sum"];

/// Returns how a service names its load balancer, its target groups and its rule.
pub(super) fn of(service: &str) -> Value {
    let arn = |resource: String| format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{resource}");
    let [blue, green] = SIDES.map(|side| arn(format!("targetgroup/{}", group(service, side))));
    let rule = arn(format!("listener-rule/{}/2/3", balancer(service)));
    json!([{"targetGroupArn": blue, "containerName": "app", "containerPort": 8080,
            "advancedConfiguration": {"alternateTargetGroupArn": green, "productionListenerRule": rule}}])
}

fn balancer(service: &str) -> String {
    format!("app/{}/1", service.replace('/', "-"))
}

fn group(service: &str, side: &str) -> String {
    format!("{}-{side}/1", service.replace('/', "-"))
}

/// Answers what is asked about target groups.
pub(super) fn answer(ecs: &mut Ecs, name: &str, input: &Value, now: i64) -> Answer {
    if name != "DescribeTargetHealth" {
        return Err(unknown(name));
    }
    let asked = input["TargetGroupArn"].as_str().and_then(|arn| arn.split_once(":targetgroup/"));
    let found = asked.and_then(|(_, group)| named(ecs, group, now));
    let (_, service, is_green) = found.ok_or_else(|| wrong("there is no such target group"))?;
    Ok(json!({"targets": service.targets(is_green)}))
}

/// Answers how many requests reached some target groups, minute by minute, the newest first.
pub(super) fn counted(ecs: &mut Ecs, input: &Value, now: i64) -> Answer {
    let millis = |key: &str| input[key].as_f64().map(|seconds| (seconds * 1000.0).round() as i64);
    let (Some(from), Some(until)) = (millis("StartTime"), millis("EndTime")) else {
        return Err(wrong("no span is asked for"));
    };
    let mut results = Vec::new();
    for query in input["MetricDataQueries"].as_array().into_iter().flatten() {
        let (read, metric) = (&query["MetricStat"], &query["MetricStat"]["Metric"]);
        let asked = [&metric["Namespace"], &metric["MetricName"], &read["Stat"]];
        if asked != COUNTED || read["Period"] != 60 {
            return Err(wrong("a load balancer counts its requests, and those of a minute"));
        }
        let mut dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        let mut dimension = |name: &str| {
            let found = dimensions.find(|one| one["Name"] == name).and_then(|one| one["Value"].as_str());
            found.unwrap_or_default().to_owned()
        };
        let (before, group) = (dimension("LoadBalancer"), dimension("TargetGroup"));
        let found = named(ecs, group.trim_start_matches("targetgroup/"), now);
        let found = found.filter(|(name, ..)| before == balancer(name));
        let (_, service, is_green) = found.ok_or_else(|| wrong("there is no such group behind it"))?;
        let minutes = (from..until).step_by(60_000).map(|at| (at, service.requests(is_green, at)));
        let mut minutes: Vec<(i64, u64)> = minutes.filter(|(_, requests)| *requests > 0).collect();
        minutes.reverse();
        let (at, values): (Vec<f64>, Vec<f64>) =
            minutes.into_iter().map(|(at, requests)| (at as f64 / 1000.0, requests as f64)).unzip();
        results
            .push(json!({"Id": query["Id"], "StatusCode": "Complete", "Timestamps": at, "Values": values}));
    }
    Ok(json!({"MetricDataResults": results}))
}

/// Finds a service by a target group, and which of its two groups that is.
fn named<'a>(ecs: &'a mut Ecs, wanted: &str, now: i64) -> Option<(String, &'a Service, bool)> {
    let mut names = ecs.services.keys();
    let name = names.find(|name| SIDES.iter().any(|side| group(name, side) == wanted))?.clone();
    let is_green = wanted == group(&name, SIDES[1]);
    Some((name.clone(), ecs.at(&name, now)?, is_green))
}

/// Reads a form.
pub(super) fn read(body: &[u8]) -> Value {
    url::form_urlencoded::parse(body).into_owned().collect::<BTreeMap<String, String>>().into_iter().collect()
}

/// Writes in XML which targets a group has.
pub(super) fn write(answer: &Value) -> Vec<u8> {
    let targets = answer["targets"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let target = |address: &str| {
        format!(
            "<member><Target><Id>{address}</Id><Port>8080</Port></Target>\
             <TargetHealth><State>healthy</State></TargetHealth></member>"
        )
    };
    let targets: String = targets.map(target).collect();
    format!(
        "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>{targets}\
         </TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
    )
    .into_bytes()
}

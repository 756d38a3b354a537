//! The alarms that watch the pipeline itself: what each looks at, and what is in their way to the topic.

use super::*;

/// What one alarm looks at, at most; each costs the same, wherever it stands.
const MOST_METRICS: usize = 10;

/// What all alarms look at together: docs/ALERTS.md says what that costs.
const METRICS: usize = 18;

#[test]
fn every_queue_has_an_alarm_and_every_alarm_reaches_somebody() {
    let template = Template::read();
    let mut watched = BTreeSet::new();
    for (id, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        assert_eq!(properties["AlarmActions"], json!([{"Ref": "Alerts"}]), "{id}");
        // It says which pipeline this is, what happened, and, after that, what to do.
        let says = text(&properties["AlarmDescription"]);
        assert!(says.contains("Tidegate") && says.contains(". ") && says.len() < 1024, "{id}: {says}");
        for metric in metrics(alarm) {
            for dimension in list(&metric["Dimensions"]) {
                watched.extend(dimension["Value"]["Fn::GetAtt"].as_str().map(str::to_owned));
            }
        }
    }
    for (id, _) in template.of_type("AWS::SQS::Queue") {
        assert!(watched.contains(&format!("{id}.QueueName")), "nobody looks at {id}");
    }
}

#[test]
fn an_alarm_is_quiet_while_nothing_happens_and_sums_what_it_looks_at() {
    // AWS tells nothing of what does not happen: where a value is missing, there is nothing to tell.
    for (id, alarm) in Template::read().of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        assert_eq!(properties["TreatMissingData"], json!("notBreaching"), "{id}");
        let condition = (&properties["ComparisonOperator"], &properties["Threshold"]);
        assert_eq!(condition, (&json!("GreaterThanThreshold"), &json!(0)), "{id}");
        let several = list(&properties["Metrics"]);
        let Some((sum, summed)) = several.split_first() else { continue };
        assert_eq!(
            (&sum["Expression"], &sum["ReturnData"]),
            (&json!("SUM(FILL(METRICS(), 0))"), &json!(true))
        );
        for one in summed {
            let statistic = (&one["MetricStat"]["Stat"], &one["MetricStat"]["Period"], &one["ReturnData"]);
            assert_eq!(statistic, (&json!("Sum"), &json!(60), &json!(false)), "{id}: {}", one["Id"]);
        }
        assert!(summed.len() <= MOST_METRICS, "{id} looks at more than AWS lets it");
    }
}

#[test]
fn an_alarm_looks_at_every_function_that_people_wait_for_unseen() {
    let template = Template::read();
    let alarm = &template.resources()["FunctionsThrottledAlarm"];
    let watched: BTreeSet<String> =
        metrics(alarm).iter().map(|metric| text(&metric["Dimensions"][0]["Value"]["Ref"])).collect();
    // Who looks at the dashboard sees by himself that it is not drawn.
    let unseen = template.functions().filter(|(id, _)| !id.starts_with("Dashboard"));
    assert_eq!(watched, unseen.map(|(id, _)| id.to_owned()).collect());
}

#[test]
fn what_the_alarms_cost_is_what_is_written() {
    let template = Template::read();
    let all: usize = template.of_type("AWS::CloudWatch::Alarm").map(|(_, alarm)| metrics(alarm).len()).sum();
    assert_eq!(all, METRICS);
    let documented = std::fs::read_to_string(root().join("docs/ALERTS.md")).expect("the documentation");
    let dollars = format!("${}.{}0 a month", METRICS / 10, METRICS % 10);
    assert!(documented.contains(&format!("{METRICS} metrics")) && documented.contains(&dollars), "{dollars}");
}

/// The metrics that an alarm looks at: its one, or those that it computes with.
fn metrics(alarm: &Value) -> Vec<&Value> {
    let properties = &alarm["Properties"];
    match list(&properties["Metrics"]).as_slice() {
        [] => vec![properties],
        several => several
            .iter()
            .map(|one| &one["MetricStat"]["Metric"])
            .filter(|metric| !metric.is_null())
            .collect(),
    }
}

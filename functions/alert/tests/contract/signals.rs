//! What is told of what happens outside of releases: stories in virtual time, and the events that they begin with.

mod alarms;
mod judged;
mod sources;
mod storms;
mod told;

use std::io::Write;

use aws_smithy_types::base64;
use flate2::Compression;
use flate2::write::GzEncoder;
use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const PROD: &str =
    r#"{"cluster": "prod", "tag": "prod", "alarms": {"users": ["users-5xx"], "*": ["prod-5xx"]}}"#;

/// The topic alone, and one environment.
pub fn prod() -> Fixture {
    let environments = vec![("/tidegate/environments/prod".to_owned(), PROD.to_owned())];
    Fixture { environments, ..Fixture::default() }
}

fn with(document: &Value) -> Fixture {
    Fixture { settings: Some(document.to_string()), ..prod() }
}

fn alarm(name: &str, state: &str, time: &str) -> Value {
    json!({
        "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "region": "eu-west-1",
        "detail": {"alarmName": name, "state": {
            "value": state, "reason": "Threshold Crossed: 1 datapoint [9.0] was greater than the threshold (1.0)",
            "timestamp": format!("2026-11-23T{time}.000+0000")}}
    })
}

/// The alarm that `prod` names, at a moment.
pub fn alarm_at(state: &str, time: Timestamp) -> Value {
    let mut event = alarm("users-5xx", state, "00:00:00");
    event["detail"]["state"]["timestamp"] = time.to_string().into();
    event
}

fn task_died(service: &str, time: &str) -> Value {
    json!({
        "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": format!("2026-11-23T{time}Z"),
        "detail": {
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "group": format!("service:{service}"),
            "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited", "containers": [{"name": "app", "exitCode": 1}]
        }
    })
}

fn steady(service: &str, time: &str) -> Value {
    json!({
        "detail-type": "ECS Service Action", "source": "aws.ecs", "time": format!("2026-11-23T{time}Z"),
        "resources": [format!("arn:aws:ecs:eu-west-1:123456789012:service/prod/{service}")],
        "detail": {"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE"}
    })
}

/// A batch of lines, as a subscription hands it over.
fn lines(from: usize, messages: &[&str]) -> Value {
    let events: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(n, text)| json!({"id": format!("{from}-{n}"), "timestamp": 0, "message": text}))
        .collect();
    let batch = json!({
        "messageType": "DATA_MESSAGE", "logGroup": "/ecs/prod/users", "logStream": "app/users/0123456789abcdef",
        "logEvents": events
    });
    packed(&batch)
}

fn packed(batch: &Value) -> Value {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(batch.to_string().as_bytes()).unwrap();
    json!({"awslogs": {"data": base64::encode(zip.finish().unwrap())}})
}

pub fn panics() -> Value {
    json!({"logs": [{
        "name": "panic", "group": "/ecs/prod/*", "match": "*panicked at*", "not": "*probe*", "environment": "prod",
        "service": "{container}", "quietMinutes": 15
    }]})
}

//! What reaches the function that hears what is of no release.

use std::fs;

use super::*;

/// The rules, and the samples of `events/alert` that each of them has to let through.
const HEARD: [(&str, &[&str]); 3] = [
    ("AlarmChanged", &["alarm-is-ok", "alarm-is-red", "alarm-of-nobody"]),
    (
        "ServiceTroubled",
        &["ecs-deployment-failed", "ecs-service-steady", "ecs-service-troubled", "ecs-task-died"],
    ),
    ("SettingsChanged", &["settings-changed"]),
];

#[test]
fn each_rule_lets_its_own_events_through_and_no_other() {
    let template = Template::read();
    for (rule, heard) in HEARD {
        let pattern = &template.resources()[rule]["Properties"]["EventPattern"];
        let mut through = Vec::new();
        for entry in fs::read_dir(root().join("events/alert")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some(name) = name.strip_suffix(".json").filter(|name| !name.ends_with(".out")) else {
                continue;
            };
            let event: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            if matches(pattern, &event) {
                through.push(name.to_owned());
            }
        }
        through.sort();
        assert_eq!(through, heard, "{rule}");
    }
}

#[test]
fn what_says_nothing_and_what_is_the_stacks_own_is_left_out() {
    let template = Template::read();
    let sample = |name: &str| -> Value {
        let path = root().join(format!("events/alert/{name}.json"));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    for (rule, name, place, value) in [
        ("AlarmChanged", "alarm-is-red", "/detail/state/value", json!("INSUFFICIENT_DATA")),
        ("AlarmChanged", "alarm-is-red", "/detail/alarmName", json!({"Ref": "UndeliveredAlarm"})),
        ("ServiceTroubled", "ecs-task-died", "/detail/group", json!("family:batch")),
        ("ServiceTroubled", "ecs-task-died", "/detail/lastStatus", json!("DEPROVISIONING")),
        ("ServiceTroubled", "ecs-task-died", "/detail/stopCode", json!("ServiceSchedulerInitiated")),
        (
            "ServiceTroubled",
            "ecs-deployment-failed",
            "/detail/eventName",
            json!("SERVICE_DEPLOYMENT_COMPLETED"),
        ),
        ("ServiceTroubled", "ecs-service-steady", "/detail/eventName", json!("SERVICE_TASK_CONFIGURATION")),
        ("SettingsChanged", "settings-changed", "/detail/name", json!("/other/parameter")),
        ("SettingsChanged", "settings-changed", "/detail/operation", json!("LabelParameterVersion")),
    ] {
        let mut event = sample(name);
        *event.pointer_mut(place).unwrap() = value;
        let pattern = &template.resources()[rule]["Properties"]["EventPattern"];
        assert!(!matches(pattern, &event), "{rule} {name} {place}");
    }
}

#[test]
fn no_alarm_of_the_stack_is_heard_by_the_stack() {
    let template = Template::read();
    let own: BTreeSet<String> =
        template.of_type("AWS::CloudWatch::Alarm").map(|(id, _)| id.to_owned()).collect();
    let pattern = &template.resources()["AlarmChanged"]["Properties"]["EventPattern"];
    let left_out = list(&pattern["detail"]["alarmName"][0]["anything-but"]);
    assert_eq!(left_out.into_iter().map(|one| text(&one["Ref"])).collect::<BTreeSet<_>>(), own);
}

#[test]
fn whoever_is_called_by_them_is_called_by_the_rules_and_by_logs_of_this_account_alone() {
    let template = Template::read();
    for (permission, principal, source) in [
        ("EventsMaySignal", "events.amazonaws.com", ":rule/${AWS::StackName}-signal-*"),
        ("LogsMaySignal", "logs.amazonaws.com", ":log-group:*"),
    ] {
        let permission = &template.resources()[permission]["Properties"];
        assert_eq!(permission["FunctionName"], json!({"Ref": "SignalFunction"}));
        assert_eq!(permission["Principal"], json!(principal));
        // EventBridge names no account when it calls: the ARN of its rule holds it.
        let account = (principal == "logs.amazonaws.com").then(|| json!({"Ref": "AWS::AccountId"}));
        assert_eq!(permission.get("SourceAccount"), account.as_ref());
        assert!(text(&permission["SourceArn"]["Fn::Sub"]).ends_with(source));
    }
    for (rule, _) in HEARD {
        let rule = &template.resources()[rule]["Properties"];
        assert!(text(&rule["Name"]["Fn::Sub"]).starts_with("${AWS::StackName}-signal-"));
        assert_eq!(rule["Targets"][0]["Arn"], json!({"Fn::GetAtt": "SignalFunction.Arn"}));
    }
    let address = &template.resources()["SignalAddress"]["Properties"];
    assert_eq!(address["Value"], json!({"Fn::GetAtt": "SignalFunction.Arn"}));
}

/// Tells whether EventBridge would let an event through, by the few words that the patterns here use.
fn matches(pattern: &Value, event: &Value) -> bool {
    pattern.as_object().into_iter().flatten().all(|(key, wanted)| match (key.as_str(), wanted) {
        ("$or", any) => list(any).into_iter().any(|pattern| matches(pattern, event)),
        (_, Value::Object(_)) => event.get(key).is_some_and(|event| matches(wanted, event)),
        (_, any) => event.get(key).is_some_and(|found| list(any).into_iter().any(|one| is(one, found))),
    })
}

fn is(wanted: &Value, found: &Value) -> bool {
    if let Some(prefix) = wanted.get("prefix") {
        return found.as_str().is_some_and(|found| found.starts_with(&text(prefix)));
    }
    match wanted.get("anything-but") {
        Some(but) => !list(but).contains(&found),
        None => wanted == found,
    }
}

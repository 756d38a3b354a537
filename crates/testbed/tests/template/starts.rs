//! What starts the machine, and what hears of an end that it could not tell.

use super::*;

#[test]
fn a_push_starts_the_machine_unless_its_tag_is_our_own() {
    let template = Template::read();
    let event = &template.resources()["ReleaseMachine"]["Properties"]["Events"]["ImagePushed"]["Properties"];
    let detail = &event["Pattern"]["detail"];
    assert_eq!(detail["action-type"], json!(["PUSH"]));
    assert_eq!(detail["result"], json!(["SUCCESS"]));
    assert_eq!(detail["image-tag"], json!([{"anything-but": {"prefix": "tidegate."}}]));
    assert!(event["RetryPolicy"]["MaximumRetryAttempts"].as_u64().is_some_and(|attempts| attempts > 0));
    assert_eq!(event["DeadLetterConfig"], json!({"Arn": {"Fn::GetAtt": "PushDeadLetters.Arn"}}));
}

#[test]
fn an_alarm_starts_the_machine_unless_it_is_one_of_the_stack() {
    let template = Template::read();
    let events = &template.resources()["ReleaseMachine"]["Properties"]["Events"];
    let (rule, push) = (&events["AlarmInGuard"]["Properties"], &events["ImagePushed"]["Properties"]);
    let prefix =
        "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${GuardAlarmPrefix}";
    // Each by its name: the alarms of a team may begin like the stack.
    let own = template.of_type("AWS::CloudWatch::Alarm").map(|(id, _)| json!({"Ref": id}));
    let mut own: Vec<Value> = own.collect();
    let mut left_out = rule["Pattern"]["detail"]["alarmName"][0]["anything-but"].clone();
    let left_out = left_out.as_array_mut().expect("the names that it leaves out");
    for names in [&mut own, left_out] {
        names.sort_by_key(Value::to_string);
    }
    assert_eq!(*left_out, own);
    let expected = json!({
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        // Two values of one field are alternatives; two fields have to hold both.
        "resources": [{"prefix": {"Fn::Sub": prefix}}],
        "detail": {
            "alarmName": rule["Pattern"]["detail"]["alarmName"],
            "state": {"value": ["ALARM"]},
            "previousState": {"value": ["OK", "INSUFFICIENT_DATA"]}
        }
    });
    assert_eq!(rule["Pattern"], expected);
    // It takes the raw event, and what cannot be handed over is kept where that of a push is; ten minutes later it is
    // too late to act.
    assert!(["Input", "InputPath", "InputTransformer"].iter().all(|key| rule.get(key).is_none()));
    assert_eq!(rule["DeadLetterConfig"], push["DeadLetterConfig"]);
    assert_eq!(rule["RetryPolicy"]["MaximumEventAgeInSeconds"], json!(600));
    let kept = &template.resources()["PushDeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"][0];
    let kept = &kept["Condition"]["ArnEquals"]["aws:SourceArn"];
    for (event, source) in [(push, 0), (rule, 1)] {
        let name = text(&event["RuleName"]["Fn::Sub"]);
        assert!(text(&kept[source]["Fn::Sub"]).ends_with(&format!(":rule/{name}")), "{kept}");
    }
}

#[test]
fn a_sweep_starts_the_machine_regularly_unless_it_is_switched_off() {
    let template = Template::read();
    let minutes = &template.document["Parameters"]["SweepMinutes"];
    assert_eq!(minutes["Default"], json!(15));
    // `rate(1 minutes)` would be refused, and so would a rate of none.
    let allowed = list(&minutes["AllowedValues"]);
    assert!(allowed.contains(&&json!(0)) && !allowed.contains(&&json!(1)), "{allowed:?}");
    let off = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "SweepMinutes"}, "0"]}]});
    assert_eq!(template.document["Conditions"]["Sweeps"], off);
    for id in ["Sweep", "SweepRole"] {
        assert_eq!(template.resources()[id]["Condition"], json!("Sweeps"), "{id}");
    }
    let rule = &template.resources()["Sweep"]["Properties"];
    assert_eq!(rule["ScheduleExpression"], json!({"Fn::Sub": "rate(${SweepMinutes} minutes)"}));
    let [target] = list(&rule["Targets"])[..] else { panic!("it has another number of targets") };
    assert_eq!(target["Arn"], json!({"Ref": "ReleaseMachine"}));
    let input: Value = serde_json::from_str(&text(&target["Input"])).expect("JSON");
    assert_eq!(input, json!({"mode": "reconcile"}));
    let allowed: Vec<_> = template.statements().into_iter().filter(|(owner, _)| owner == "Sweep").collect();
    let [(_, statement)] = allowed.as_slice() else { panic!("{allowed:?}") };
    assert_eq!(statement["Action"], json!("states:StartExecution"));
    assert_eq!(statement["Resource"], json!({"Ref": "ReleaseMachine"}));
}

#[test]
fn an_end_that_the_machine_could_not_tell_reaches_the_alert_function() {
    let template = Template::read();
    let rule = &template.resources()["ReleaseDied"]["Properties"];
    let of_this_machine = json!({
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        // The whole ARN, never a prefix: items of its Maps bear a label behind it.
        "detail": {
            "stateMachineArn": [{"Ref": "ReleaseMachine"}],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"]
        }
    });
    assert_eq!(rule["EventPattern"], of_this_machine);
    let [target] = list(&rule["Targets"])[..] else { panic!("it has another number of targets") };
    assert_eq!(target["Arn"], json!({"Fn::GetAtt": "AlertFunction.Arn"}));
    // It takes the raw event.
    assert!(["Input", "InputPath", "InputTransformer"].iter().all(|key| target.get(key).is_none()));
    assert!(target["RetryPolicy"]["MaximumRetryAttempts"].as_u64().is_some_and(|attempts| attempts > 0));

    let permission = &template.resources()["ReleaseDiedMayAlert"]["Properties"];
    assert_eq!(permission["FunctionName"], json!({"Ref": "AlertFunction"}));
    assert_eq!(permission["SourceArn"], json!({"Fn::GetAtt": "ReleaseDied.Arn"}));

    // What cannot be handed to the function, and what the function gives up, is kept.
    let queue = json!({"Fn::GetAtt": "Undelivered.Arn"});
    assert_eq!(target["DeadLetterConfig"], json!({"Arn": queue}));
    let policy = &template.resources()["UndeliveredPolicy"]["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!(policy["Resource"], queue);
    let rules: BTreeSet<String> = list(&policy["Condition"]["ArnEquals"]["aws:SourceArn"])
        .into_iter()
        .map(|arn| text(&arn["Fn::GetAtt"]))
        .collect();
    let kept = |rule: &&Value| rule["Properties"]["Targets"][0]["DeadLetterConfig"]["Arn"] == queue;
    let of_template = template.of_type("AWS::Events::Rule").filter(|(_, rule)| kept(rule));
    assert_eq!(rules, of_template.map(|(id, _)| format!("{id}.Arn")).collect());
    let asynchronous = &template.resources()["AlertFunction"]["Properties"]["EventInvokeConfig"];
    assert_eq!(asynchronous["DestinationConfig"]["OnFailure"], json!({"Type": "SQS", "Destination": queue}));
}

//! What the role of each function may do, and what none may.

use super::*;

#[test]
fn every_function_has_a_role_of_its_own() {
    let template = Template::read();
    let shared = template.document["Globals"]["Function"].get("Role");
    assert_eq!(shared, None);
    for (id, function) in template.functions() {
        // Without a role SAM makes one, `<id>Role`; a role written out bears that name too.
        let role = function["Properties"].get("Role");
        assert!(
            role.is_none_or(|role| *role == json!({"Fn::GetAtt": format!("{id}Role.Arn")})),
            "{id}: {role:?}"
        );
    }
}

#[test]
fn no_permission_is_wider_than_it_must_be() {
    for (owner, statement) in Template::read().statements() {
        let actions = strings(&statement["Action"]);
        assert!(!actions.is_empty() && statement.get("NotAction").is_none(), "{owner}: {statement}");
        for action in actions {
            assert!(!action.contains('*'), "{owner} may do {action}");
            for resource in list(&statement["Resource"]) {
                let all = *resource == json!("*");
                assert!(
                    !all || WITHOUT_RESOURCES.contains(&action.as_str()),
                    "{owner} may do {action} to everything"
                );
            }
            assert!(statement.get("NotResource").is_none(), "{owner}: {statement}");
        }
    }
}

#[test]
fn only_logging_tracing_and_the_vpc_come_from_managed_policies() {
    let template = Template::read();
    let written_out =
        template.resources().values().flat_map(|resource| list(&resource["Properties"]["ManagedPolicyArns"]));
    let by_sam = template.resources().values().flat_map(|resource| list(&resource["Properties"]["Policies"]));
    let known =
        ["AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess", "AWSLambdaVPCAccessExecutionRole"];
    for policy in written_out.map(chosen) {
        assert!(known.iter().any(|name| policy.to_string().contains(name)), "{policy}");
    }
    let shared: Vec<Value> =
        template.of_type("AWS::IAM::ManagedPolicy").map(|(id, _)| json!({"Ref": id})).collect();
    for policy in by_sam {
        let written_here = policy.get("Statement").is_some() || policy.get("PolicyDocument").is_some();
        assert!(written_here || shared.contains(policy), "{policy}");
    }
}

#[test]
fn whatever_changes_things_is_allowed_to_those_who_are_named_and_to_nobody_else() {
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (owner, statement) in Template::read().statements() {
        for action in strings(&statement["Action"]) {
            let operation = action.split_once(':').expect("service:operation").1;
            if !READS.iter().any(|read| operation.starts_with(read)) {
                allowed.entry(action).or_default().insert(owner.clone());
            }
        }
    }
    let named = EXCLUSIVE
        .map(|(action, owners)| (action.to_owned(), owners.iter().map(|&owner| owner.to_owned()).collect()));
    assert_eq!(allowed, BTreeMap::from(named));
}

#[test]
fn what_is_written_is_the_ledger_or_what_is_named() {
    for (owner, statement) in Template::read().statements() {
        let actions = strings(&statement["Action"]);
        for (service, resource) in [
            ("dynamodb:", json!({"Fn::GetAtt": "Ledger.Arn"})),
            ("sns:", json!({"Ref": "Alerts"})),
            ("sqs:", json!({"Fn::GetAtt": "Undelivered.Arn"})),
        ] {
            if actions.iter().any(|action| action.starts_with(service)) {
                assert_eq!(statement["Resource"], resource, "{owner}: {actions:?}");
            }
        }
        if actions.contains(&"ecs:TagResource".to_owned()) {
            let created = &statement["Condition"]["StringEquals"]["ecs:CreateAction"];
            assert!(
                [json!("RegisterTaskDefinition"), json!("RunTask")].contains(created),
                "{owner}: {created}"
            );
        }
    }
}

#[test]
fn those_who_tell_people_alone_read_the_alert_channels_and_no_other_secret() {
    for (owner, statement) in Template::read().statements() {
        // What Systems Manager knows of instances is in no parameter.
        if strings(&statement["Action"]) == ["ssm:DescribeInstanceInformation"] {
            assert_eq!(owner, "HealthTestFunction");
            continue;
        }
        if strings(&statement["Action"]).iter().any(|action| action.starts_with("ssm:")) {
            for resource in list(&statement["Resource"]) {
                // What the stack names as secrets of live tests.
                if *resource == json!({"Ref": "TestParameterArns"}) {
                    assert_eq!(owner, "HealthTestFunction");
                    continue;
                }
                let parameter =
                    text(&resource["Fn::Sub"]).rsplit_once(":parameter").expect("a parameter").1.to_owned();
                let channels =
                    ["${AlertsParameter}", "/tidegate/secrets/*", "/aws/reference/secretsmanager/tidegate/*"]
                        .contains(&parameter.as_str());
                if parameter == "/aws/reference/secretsmanager/*" {
                    assert_eq!(owner, "HealthTestFunction");
                    continue;
                }
                if parameter.starts_with(environment::TESTS_PATH) {
                    assert_eq!(owner, "ReleaseFunction");
                    continue;
                }
                assert!(channels || parameter.starts_with(environment::PATH), "{owner} reads {parameter}");
                let tells = ["AlertFunction", "SignalFunction"].contains(&owner.as_str());
                // Whoever hears alarms has to know of which environment they are.
                let knows = owner == "SignalFunction" && parameter.starts_with(environment::PATH);
                assert!(channels == tells || knows, "{owner} reads {parameter}");
            }
        }
    }
}

#[test]
fn deploy_calls_no_function_but_those_that_the_stack_names() {
    for (owner, statement) in Template::read().statements() {
        if strings(&statement["Action"]).iter().any(|action| action == "lambda:InvokeFunction") {
            let named = statement["Resource"] == json!({"Ref": "TestFunctionArns"});
            assert_eq!(named, owner == "DeployFunction", "{owner}: {}", statement["Resource"]);
        }
    }
}

#[test]
fn nobody_may_take_an_image_a_service_or_a_revision_away() {
    for (owner, statement) in Template::read().statements() {
        for action in strings(&statement["Action"]) {
            let takes = ["Delete", "Deregister", "Remove", "Stop"].iter().any(|word| action.contains(word));
            let of_people = action.starts_with("ecr:") || action.starts_with("ecs:");
            let ours = statement["Condition"]["StringLike"]["aws:ResourceTag/tidegate:release"] == json!("*");
            // It has ECS return to the old tasks, which still run.
            let gives_back = action == "ecs:StopServiceDeployment";
            let own = action == "ecs:StopTask" && ours;
            assert!(!(of_people && takes) || own || gives_back, "{owner} may do {action}");
        }
    }
}

#[test]
fn task_roles_are_handed_to_ecs_tasks_alone_and_only_those_named() {
    for (owner, statement) in Template::read().statements() {
        if strings(&statement["Action"]).contains(&"iam:PassRole".to_owned()) {
            assert_eq!(statement["Resource"], json!({"Ref": "TaskRoleArns"}), "{owner}");
            let condition = json!({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}});
            assert_eq!(statement["Condition"], condition, "{owner}");
        }
    }
}

#[test]
fn ecs_is_reached_in_the_named_clusters_alone() {
    let conditional = [
        "ecs:ContinueServiceDeployment",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServices",
        "ecs:DescribeTasks",
        "ecs:ListServiceDeployments",
        "ecs:ListServices",
        "ecs:ListTasks",
        "ecs:StopServiceDeployment",
        "ecs:UpdateService",
    ];
    for (owner, statement) in Template::read().statements() {
        if strings(&statement["Action"]).iter().any(|action| conditional.contains(&action.as_str())) {
            let clusters = &statement["Condition"]["ArnLike"]["ecs:cluster"];
            assert!(clusters.to_string().contains(r#"{"Ref":"Clusters"}"#), "{owner}: {statement}");
        }
    }
}

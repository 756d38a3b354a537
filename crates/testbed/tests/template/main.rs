//! What the template must hold beyond what its linters look at: permissions, time-outs, names.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "this is how a test fails")]

mod alarms;
mod dashboard;
mod document;
mod roles;
mod signals;
mod starts;

use std::collections::{BTreeMap, BTreeSet};

use pipeline::aws::OPERATION_TIMEOUT;
use pipeline::environment::{self, Environments};
use serde_json::{Value, json};

use document::*;

/// The functions in the order in which a release meets them.
const FUNCTIONS: [&str; 7] = ["release", "retag", "deploy", "health-test", "rollback", "alert", "dashboard"];

/// The functions that are built from the folder of another one.
const BESIDE: [(&str, &str); 2] = [
    // What is of no release comes in storms: the same binary hears it in a function of its own.
    ("SignalFunction", "alert"),
    // Who may call it acts, and who may call the other one only looks.
    ("DashboardActsFunction", "dashboard-acts"),
];

/// The actions that know no resource, or, as the two lists of ECS, only conditions.
const WITHOUT_RESOURCES: [&str; 20] = [
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ecs:DescribeTaskDefinition",
    "ecs:ListServices",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "inspector2:ListCoverage",
    "inspector2:ListFindings",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "ssm:DescribeInstanceInformation",
    "states:SendTaskSuccess",
];

/// What an action begins with that changes nothing.
const READS: [&str; 7] = ["BatchGet", "ConditionCheck", "Describe", "Filter", "Get", "List", "Query"];

/// Who alone may do what, for everything that is no read.  Whatever is not named here nobody may do.
const EXCLUSIVE: [(&str, &[&str]); 25] = [
    ("dynamodb:DeleteItem", &["ReleaseFunction"]),
    (
        "dynamodb:PutItem",
        &[
            "AlertFunction",
            "DeployFunction",
            "HealthTestFunction",
            "ReleaseFunction",
            "RetagFunction",
            "SignalFunction",
        ],
    ),
    (
        "dynamodb:UpdateItem",
        &[
            "DeployFunction",
            "HealthTestFunction",
            "ReleaseFunction",
            "ReleaseMachine",
            "RetagFunction",
            "RollbackFunction",
            "SignalFunction",
        ],
    ),
    ("ecr:PutImage", &["RetagFunction"]),
    ("ecs:ContinueServiceDeployment", &["DeployFunction", "RollbackFunction"]),
    ("ecs:RegisterTaskDefinition", &["DeployFunction", "RollbackFunction"]),
    ("ecs:RunTask", &["DeployFunction"]),
    ("ecs:StopServiceDeployment", &["RollbackFunction"]),
    ("ecs:StopTask", &["DeployFunction"]),
    ("ecs:TagResource", &["DeployFunction", "RollbackFunction"]),
    ("ecs:UpdateService", &["DeployFunction", "RollbackFunction"]),
    ("iam:PassRole", &["DeployFunction", "RollbackFunction"]),
    ("kms:Decrypt", &["AlertFunction", "HealthTestFunction", "SignalFunction"]),
    ("lambda:InvokeFunction", &["DeployFunction", "FollowUpMachine", "ReleaseMachine"]),
    ("logs:CreateLogDelivery", &["FollowUpMachine", "ReleaseMachine"]),
    ("logs:DeleteLogDelivery", &["FollowUpMachine", "ReleaseMachine"]),
    ("logs:PutResourcePolicy", &["FollowUpMachine", "ReleaseMachine"]),
    ("logs:UpdateLogDelivery", &["FollowUpMachine", "ReleaseMachine"]),
    ("sms-voice:SendVoiceMessage", &["AlertFunction", "SignalFunction"]),
    ("sns:Publish", &["AlertFunction", "SignalFunction"]),
    ("sqs:SendMessage", &["FollowUpMachine", "ReleaseMachine", "SignalFunction"]),
    ("states:RedriveExecution", &["ReleaseMachine"]),
    ("states:SendTaskSuccess", &["ReleaseFunction"]),
    (
        "states:StartExecution",
        &[
            "AlertFunction",
            "DashboardActsFunction",
            "ReleaseFunction",
            "ReleaseMachine",
            "SignalFunction",
            "Sweep",
        ],
    ),
    ("states:StopExecution", &["ReleaseMachine"]),
];

#[test]
fn every_function_has_its_folder_its_samples_and_its_place() {
    let template = Template::read();
    let own = FUNCTIONS.iter().map(|binary| (logical_id(binary), *binary));
    let beside = BESIDE.map(|(id, binary)| (id.to_owned(), binary));
    let expected: BTreeMap<_, _> = own.chain(beside).collect();
    let binaries: BTreeMap<_, _> = template
        .functions()
        .map(|(id, f)| (id.to_owned(), text(&f["Metadata"]["BuildProperties"]["Binary"])))
        .collect();
    assert_eq!(binaries, expected.into_iter().map(|(id, binary)| (id, binary.to_owned())).collect());

    let mut names: BTreeSet<_> = FUNCTIONS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(folders("functions"), names);
    names.extend(BESIDE.map(|(_, binary)| binary.to_owned()));
    assert_eq!(folders("events"), names);

    let places = FUNCTIONS
        .map(|binary| template.text.find(&format!("\n  {}:\n", logical_id(binary))).expect("a place"));
    assert!(places.is_sorted(), "the functions are not in pipeline order");
}

#[test]
fn a_function_outlasts_its_calls_and_a_state_outlasts_its_function() {
    let template = Template::read();
    let limit = |id: &str| {
        let own = &template.resources()[id]["Properties"]["Timeout"];
        own.as_u64().or(template.document["Globals"]["Function"]["Timeout"].as_u64()).expect("a time-out")
    };
    for (id, _) in template.functions() {
        assert!(limit(id) > OPERATION_TIMEOUT.as_secs() + 3, "{id} ends while a call may still be under way");
    }
    let mut tasks = Vec::new();
    collect_tasks(&machine(), &mut tasks);
    assert!(tasks.len() > FUNCTIONS.len(), "{tasks:?}");
    for (state, function, timeout) in tasks {
        assert!(
            timeout > limit(&function) + 5,
            "{state} ends, and is tried again, while {function} may still write"
        );
    }
}

#[test]
fn nothing_that_the_machine_needs_names_the_machine() {
    let template = Template::read();
    // Its name in a `Ref`, a `GetAtt` or a `Sub`; what only begins like it is something else.
    let named = [r#""ReleaseMachine""#, "ReleaseMachine.", "${ReleaseMachine}"];
    let circles = |resource: &Value| named.iter().any(|name| resource.to_string().contains(name));
    // Nothing of the machine needs the dashboard.
    for (id, function) in template.functions().filter(|(id, _)| !id.starts_with("Dashboard")) {
        assert!(!circles(function), "{id} and the machine need one another");
    }
    assert!(!circles(&template.resources()["ReleaseMachine"]), "the machine needs itself");
}

#[test]
fn the_machine_gets_exactly_what_its_definition_asks_for() {
    let definition = machine().to_string();
    let asked: BTreeSet<_> =
        definition.split("${").skip(1).filter_map(|rest| rest.split('}').next()).collect();
    let template = Template::read();
    let given = &template.resources()["ReleaseMachine"]["Properties"]["DefinitionSubstitutions"];
    let given: BTreeSet<_> = given.as_object().expect("substitutions").keys().map(String::as_str).collect();
    assert_eq!(given, asked);
}

#[test]
fn no_arn_names_a_partition_of_aws() {
    let template = Template::read();
    for (file, text) in [("the template", template.text.as_str()), ("the definition", &machine().to_string())]
    {
        let named: Vec<&str> =
            text.match_indices("arn:aws").map(|(at, _)| &text[at..(at + 40).min(text.len())]).collect();
        assert!(named.is_empty(), "{file} works in one partition alone: {named:?}");
    }
    let given = &template.resources()["ReleaseMachine"]["Properties"]["DefinitionSubstitutions"];
    assert_eq!(given["Partition"], json!({"Ref": "AWS::Partition"}));
}

#[test]
fn a_run_that_was_stopped_within_a_map_can_be_redriven() {
    // Step Functions redrives the items with the machine's role, and their ARNs bear the label of their map.
    let redrives: Vec<_> = Template::read()
        .statements()
        .into_iter()
        .filter(|(_, statement)| {
            strings(&statement["Action"]).contains(&"states:RedriveExecution".to_owned())
        })
        .collect();
    let [(owner, statement)] = redrives.as_slice() else { panic!("{redrives:?}") };
    let items =
        "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${ReleaseMachine.Name}/*";
    assert_eq!((owner.as_str(), &statement["Resource"]), ("ReleaseMachine", &json!({"Fn::Sub": items})));
}

#[test]
fn the_machine_may_do_what_its_definition_does() {
    // The local AWS does not look at the machine's role: nothing else would notice.
    let mut resources = BTreeSet::new();
    collect_resources(&machine(), &mut resources);
    let done: BTreeSet<_> = resources.iter().map(|resource| action_of(resource)).collect();
    let mut allowed = BTreeSet::new();
    for (owner, statement) in Template::read().statements() {
        if owner == "ReleaseMachine" {
            allowed.extend(strings(&statement["Action"]).into_iter().filter(|action| {
                // What it may do for its logs and its items is in no state.
                !action.starts_with("logs:") && !action.starts_with("states:")
            }));
        }
    }
    assert_eq!(allowed, done);
}

#[test]
fn each_machine_logs_what_fails_without_its_data_and_is_traced() {
    let template = Template::read();
    for (id, machine) in template.of_type("AWS::Serverless::StateMachine") {
        let logging = &machine["Properties"]["Logging"];
        assert_eq!(
            (&logging["Level"], &logging["IncludeExecutionData"]),
            (&json!("ERROR"), &json!(false)),
            "{id}"
        );
        let group = format!("{id}Logs");
        let arn = &logging["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"];
        assert_eq!(*arn, json!({"Fn::GetAtt": format!("{group}.Arn")}), "{id}");
        // Under another prefix each group would lengthen a policy of the account, whose length has a limit.
        let name = text(&template.resources()[&group]["Properties"]["LogGroupName"]["Fn::Sub"]);
        assert!(name.starts_with("/aws/vendedlogs/states/${AWS::StackName}"), "{name}");
        assert_eq!(machine["Properties"]["Tracing"], json!({"Enabled": true}), "{id}");
    }
}

#[test]
fn nothing_deployed_may_call_its_own_machine() {
    // The local AWS allows it, since its tasks live on loopback addresses.
    assert!(!Template::read().text.contains("TIDEGATE_PROBE_LOOPBACK"));
}

#[test]
fn only_the_health_test_may_be_in_a_vpc() {
    let template = Template::read();
    let inside: Vec<_> =
        template.functions().filter(|(_, f)| f["Properties"].get("VpcConfig").is_some()).collect();
    assert_eq!(inside.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["HealthTestFunction"]);
    assert_eq!(template.document["Globals"]["Function"].get("VpcConfig"), None);
}

#[test]
fn the_ledger_forgets_what_may_expire_and_nothing_else() {
    let template = Template::read();
    let ledger = &template.resources()["Ledger"];
    // A stack that could not be created leaves no table behind, which would be in the way of the next attempt.
    assert_eq!(
        (&ledger["DeletionPolicy"], &ledger["UpdateReplacePolicy"]),
        (&json!("RetainExceptOnCreate"), &json!("Retain"))
    );
    let properties = &ledger["Properties"];
    assert_eq!(properties["BillingMode"], json!("PAY_PER_REQUEST"));
    assert_eq!(properties["TimeToLiveSpecification"], json!({"AttributeName": "expires", "Enabled": true}));
    assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], json!(true));
}

#[test]
fn the_sample_environments_are_environments() {
    let template = Template::read();
    let samples = template.of_type("AWS::SSM::Parameter").filter(|(id, _)| *id != "SignalAddress");
    let samples: Vec<_> = samples.collect();
    assert_eq!(samples.len(), 2);
    for (id, sample) in samples {
        let name = text(&sample["Properties"]["Name"]);
        assert!(name.starts_with(&format!("{}/", environment::PATH)), "{id} is where nobody looks: {name}");
        let read = Environments::read([(name.as_str(), text(&sample["Properties"]["Value"]).as_str())]);
        assert_eq!(read.broken().map(|(_, fault)| fault.to_string()).collect::<Vec<_>>(), [""; 0], "{id}");
        assert_eq!(sample["Condition"], json!("HasSampleEnvironments"), "{id}");
    }
}

//! What a sweep costs.

use fleet::cluster;
use serde_json::json;

use super::super::harness::Story;

/// Sweeps so many services twice; returns the calls of the second sweep, and how the sweeps ended.
async fn calls(services: usize) -> (Vec<String>, String) {
    let names: Vec<(String, String)> =
        (0..services).map(|n| (format!("dev/s{n:04}"), format!("shop/s{n:04}"))).collect();
    let placed: Vec<(&str, &str)> = names.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let mut story = Story::of(&placed, json!({"dev": {"concurrency": 200}}));
    cluster::configure(&story.machine.fake, "staging", &json!({"cluster": "none", "tag": "none"}));
    story.machine.oracle = None;
    // What was pushed within the second of the first sweep counts as pushed after it.
    story.machine.fake.open().now += 5_000;
    let ends: Vec<String> = {
        let mut ends = Vec::new();
        for run in ["s1", "s2"] {
            story.machine.fake.open().calls.clear();
            let run = story.machine.run(run, &json!({"mode": "reconcile"})).await;
            ends.push(run.end);
            story.machine.fake.open().now += 900_000;
        }
        ends
    };
    let calls = story.machine.fake.open().calls.clone();
    assert_eq!(story.machine.fake.open().strange, Vec::<String>::new());
    (calls.into_iter().map(|(name, count)| format!("{name} {count}")).collect(), ends.join(" "))
}

#[tokio::test(start_paused = true)]
async fn a_sweep_makes_few_calls_for_ten_services_and_one_for_a_repository() {
    let (calls, ends) = calls(40).await;
    assert_eq!(ends, "Answered Answered");
    // A page and a description for ten services, and one list of images for each repository; the rows of two
    // environments, each a few times.
    let expected = [
        "dynamodb.BatchGetItem 3",
        "dynamodb.PutItem 3",
        "dynamodb.Query 17",
        "ecr.DescribeImages 40",
        "ecs.DescribeServices 4",
        "ecs.ListServices 2",
        "ssm.GetParametersByPath 1",
    ];
    assert_eq!(calls, expected);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_of_a_thousand_services_goes_on_in_several_calls_and_stays_bounded() {
    let (calls, ends) = calls(1_000).await;
    assert_eq!(ends, "Answered Answered");
    let count = |name: &str| {
        let found = calls.iter().find_map(|call| call.strip_prefix(name)?.trim().parse::<u64>().ok());
        found.unwrap_or_default()
    };
    assert_eq!((count("ecr.DescribeImages"), count("ecr.BatchGetImage")), (200, 0), "{calls:?}");
    assert_eq!((count("ecs.ListServices"), count("ecs.DescribeServices")), (11, 100), "{calls:?}");
    // Calls that follow each other at once read the environments once.
    assert_eq!((count("ecs.DescribeTaskDefinition"), count("ssm.GetParametersByPath")), (0, 2), "{calls:?}");
    let rows = calls.iter().filter(|call| call.starts_with("dynamodb."));
    let rows: u64 = rows.filter_map(|call| call.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    assert!(rows <= 40, "{calls:?}");
}

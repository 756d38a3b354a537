//! Services that cannot be read: each stays as it is, and stops no other.

use std::collections::BTreeMap;

use fleet::cluster::{self, NAME, Placed};
use fleet::fake::Fake;
use fleet::machine::Machine;
use pipeline::Fault;
use serde_json::{Value, json};

const SERVICES: [&str; 5] = ["users", "foreign", "lost", "garbled", "blank"];

/// Makes a cluster in which all services but `users` are odd in a way of their own.
fn machine() -> Result<Machine, Fault> {
    let fake = Fake::default();
    let placed = SERVICES.map(|name| Placed { service: name.to_owned(), repository: format!("shop/{name}") });
    cluster::build(&fake, &placed, &cluster::policy(&[], 10));
    let mut account = fake.open();
    if let Some(service) = account.ecs.services.get_mut("fleet/foreign") {
        service.external = true;
    }
    let lost = account.ecs.arn("lost", 1);
    account.ecs.denied.push(("DescribeTaskDefinition", lost));
    for (service, keys) in [("garbled", json!({"json": {"S": "{"}})), ("blank", json!({"other": {"S": "x"}}))]
    {
        let mut item =
            json!({"pk": {"S": format!("revision#{}", account.ecs.arn(service, 1))}, "sk": {"S": "json"}});
        item.as_object_mut()
            .into_iter()
            .for_each(|item| item.extend(keys.as_object().cloned().unwrap_or_default()));
        let put = account.answer("dynamodb.PutItem", &json!({"TableName": "ledger", "Item": item}));
        assert!(put.is_ok(), "{put:?}");
    }
    for service in SERVICES {
        account.ecr.push(&format!("shop/{service}"), "the second image", Some("main-1"));
    }
    drop(account);
    Machine::new(fake)
}

async fn run(services: &[&str], more: Value) -> Result<(String, String), Fault> {
    let mut machine = machine()?;
    let images: BTreeMap<String, &str> =
        services.iter().map(|service| (format!("shop/{service}"), "main-1")).collect();
    let mut input = json!({"environment": NAME, "images": images});
    input
        .as_object_mut()
        .into_iter()
        .for_each(|input| input.extend(more.as_object().cloned().unwrap_or_default()));
    let run = machine.run("r1", &input).await;
    let account = machine.fake.open();
    assert!(account.strange.is_empty(), "{:?}", account.strange);
    Ok((run.end, run.because))
}

#[tokio::test(start_paused = true)]
async fn the_others_are_released() -> Result<(), Fault> {
    for services in [&["users"][..], &["users", "lost"], &["blank"], &SERVICES] {
        let (end, because) = run(services, json!({})).await?;
        assert_eq!(end, "Deployed", "{services:?}: {because}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_names_one_or_means_nothing_else_is_refused() -> Result<(), Fault> {
    for (service, why) in [("foreign", "full ARN"), ("lost", "not authorized"), ("garbled", "unreadable")] {
        let (end, because) = run(&[service], json!({})).await?;
        assert!(end == "Refused" && because.contains("cannot be read"), "{service}: {end}: {because}");
        let (end, because) = run(&["users", service], json!({"services": ["users", service]})).await?;
        assert_eq!(end, "Refused", "{service}");
        assert!(
            because.starts_with(&format!("{service} cannot be read: ")) && because.contains(why),
            "{because}"
        );
    }
    Ok(())
}

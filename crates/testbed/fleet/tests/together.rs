//! Executions side by side: one clock, calls that interleave, and a seed that repeats everything.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::collections::BTreeSet;

use fleet::cluster::{self, NAME, Placed};
use fleet::fake::Fake;
use fleet::machine::mishap::{Mishap, problem};
use fleet::machine::{Action, Machine};
use pipeline::Fault;
use serde_json::{Value, json};

const START: i64 = 1_795_000_000_000;

/// Makes a cluster of four services, of which each has a new image.
fn machine(seed: u64, more: Value) -> Machine {
    let fake = Fake::default();
    fake.open().now = START;
    let services = ["a", "b", "c", "d"];
    let placed = services.map(|name| Placed { service: name.to_owned(), repository: format!("shop/{name}") });
    let mut policy = cluster::policy(&[vec!["*".to_owned()]], 10);
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster::build(&fake, &placed, &policy);
    for Placed { repository, .. } in &placed {
        fake.open().ecr.push(repository, "the second image", Some("main-1"));
    }
    let mut machine = Machine::new(fake.clone()).unwrap();
    machine.seed(seed);
    machine.history = Some(Vec::new());
    machine
}

fn request(services: &[&str]) -> Value {
    let images: Value = services.iter().map(|name| (format!("shop/{name}"), json!("main-1"))).collect();
    json!({"environment": NAME, "images": images})
}

fn start(release: &str, services: &[&str]) -> Action {
    Action::Start(release.to_owned(), request(services))
}

/// Returns the calls of functions for a state, in the order in which they began.
fn calls_for(history: &[String], state: &str) -> Vec<String> {
    let begun = history.iter().filter(|line| line.ends_with(&format!(" for {state}")));
    begun.map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect()
}

/// Returns the calls of functions that ask AWS, request by request.
fn asking(history: &[String]) -> Vec<&str> {
    history
        .iter()
        .filter(|line| line.contains(" asks "))
        .map(|line| line.split(' ').nth(2).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_everything_and_no_other_one_does() {
    async fn played(seed: u64) -> (Vec<String>, Vec<String>) {
        let mut machine = machine(seed, json!({}));
        machine.mishaps.plan(
            "b",
            "Register",
            Mishap::FailsAfter(problem(&Fault::Unavailable("lost".to_owned()))),
        );
        machine.mishaps.plan("", "Judge", Mishap::Unheard(problem(&Fault::Unavailable("lost".to_owned()))));
        machine.plan(START, start("r1", &["a", "b"]));
        machine.plan(START, start("r2", &["c"]));
        machine.plan(START + 5_000, start("r3", &["b", "d"]));
        machine.plan(START + 20_000, Action::Stop("r2".to_owned()));
        machine.plan(START + 50_000, Action::Redrive("r2".to_owned()));
        machine.play().await;
        assert_eq!(machine.fake.open().strange, Vec::<String>::new());
        let ends = ["r1", "r2", "r3"].map(|release| machine.ended(release).unwrap().end);
        (machine.history.take().unwrap(), ends.to_vec())
    }
    let (first, ends) = played(7).await;
    assert_eq!(ends, ["Deployed", "Deployed", "Deployed"]);
    let (second, _) = played(7).await;
    let differs = first.iter().zip(&second).find(|(first, second)| first != second);
    assert_eq!((differs, first.len()), (None, second.len()));
    assert_ne!(first, played(8).await.0);
}

#[tokio::test(start_paused = true)]
async fn functions_take_turns_at_every_call_to_aws() {
    let mut machine = machine(3, json!({}));
    machine.plan(START, start("r1", &["a"]));
    machine.plan(START, start("r2", &["b"]));
    machine.play().await;
    let history = machine.history.take().unwrap();
    let opens: BTreeSet<String> = calls_for(&history, "OpenRelease").into_iter().collect();
    let turns: Vec<&str> = asking(&history).into_iter().filter(|call| opens.contains(*call)).collect();
    let changes = turns.windows(2).filter(|pair| pair.first() != pair.last()).count();
    assert!(opens.len() == 2 && changes > 3, "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_works_on_beside_the_next_attempt() {
    let mut machine = machine(1, json!({}));
    machine.fake.open().slow.insert("dynamodb.TransactWriteItems".to_owned(), 9_000);
    machine.mishaps.plan(
        "",
        "TakeLeases",
        Mishap::Unheard(problem(&Fault::Unavailable("the connection was lost".to_owned()))),
    );
    let run = machine.run("r1", &request(&["a"])).await;
    assert_eq!(run.end, "Deployed", "{}", run.because);
    let history = machine.history.take().unwrap();
    let calls = calls_for(&history, "TakeLeases");
    let place = |line: String| history.iter().position(|other| other.ends_with(&line)).unwrap();
    let [first, second, ..] = calls.as_slice() else { unreachable!("{calls:?}") };
    assert!(place(format!("call {second} is release for TakeLeases")) < place(format!("call {first} ends")));
    assert_eq!(machine.fake.open().strange, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn lambda_ends_a_function_and_what_it_has_asked_for_happens() {
    let mut machine = machine(1, json!({}));
    machine.fake.open().slow.insert("ecs.UpdateService".to_owned(), 31_000);
    let run = machine.run("r1", &request(&["a"])).await;
    let history = machine.history.take().unwrap();
    assert!(history.iter().any(|line| line.ends_with("is ended by Lambda")));
    let faults = machine.meter.faults.keys().filter(|(state, _)| state == "Register");
    assert_eq!(faults.map(|(_, error)| error.as_str()).collect::<Vec<_>>(), ["Sandbox.Timedout"]);
    // The next attempt finds the deployment that nobody had heard of.
    assert_eq!((run.end.as_str(), calls_for(&history, "Register").len()), ("Deployed", 2), "{}", run.because);
    assert_eq!(machine.fake.open().ecs.services["fleet/a"].pointed.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_person_approves_by_a_request_of_their_own() {
    for (mode, end) in [("approve", "Deployed"), ("reject", "Rejected")] {
        let mut machine = machine(1, json!({"approval": "required"}));
        let answer = json!({"environment": NAME, "mode": mode, "release": "r1", "reason": "checked by hand"});
        machine.plan(START, start("r1", &["a"]));
        machine.plan(START + 3_600_000, Action::Start("r2".to_owned(), answer));
        machine.play().await;
        let (asked, answered) = (machine.ended("r1").unwrap(), machine.ended("r2").unwrap());
        assert_eq!((asked.end.as_str(), answered.end.as_str()), (end, "Answered"), "{}", answered.because);
        assert!(asked.took > 3_600_000);
        let told: Vec<String> = machine.fake.open().published.iter().map(|one| one.outcome.clone()).collect();
        assert_eq!(told.first().map(String::as_str), Some("WaitingForApproval"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_release_goes_on_where_it_was() {
    let mut machine = machine(1, json!({}));
    machine.plan(START, start("r1", &["a", "b"]));
    machine.plan(START + 12_000, Action::Stop("r1".to_owned()));
    machine.plan(START + 200_000, Action::Redrive("r1".to_owned()));
    machine.play().await;
    let run = machine.ended("r1").unwrap();
    assert_eq!(run.end, "Deployed", "{}", run.because);
    assert!(run.took > 200_000);
    assert_eq!(calls_for(&machine.history.take().unwrap(), "OpenRelease").len(), 1);
}

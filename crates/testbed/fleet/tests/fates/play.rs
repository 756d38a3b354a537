//! Plays one scenario.

use fleet::cluster::{self, NAME, Placed};
use fleet::fake::{End, Fake};
use fleet::machine::mishap::{Mishap, Mishaps, problem};
use fleet::machine::{Machine, Run};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, EnvironmentName, Repository, ServiceName, TaskDefinitionArn};
use pipeline::ledger::{Key, Ledger};
use pipeline::rows::{ServiceRow, VerifiedImage};
use serde_json::{Value, json};

use crate::scenario::{Asked, Move, Scenario, Trouble};

/// The release.
pub const RELEASE: &str = "r1";

/// What is left when a release has ended.
pub struct Ended {
    /// The account.
    pub fake: Fake,
    /// The execution.
    pub run: Run,
    /// The digest that each service is to run, and the one that it has run, in the order of the scenario.
    pub digests: Vec<(String, String)>,
}

/// Runs a release to its end.
pub async fn play(asked: Asked, scenario: &Scenario) -> Ended {
    let fake = Fake::default();
    fake.open().now = 1_795_000_000_000;
    let placed: Vec<Placed> = scenario.moves.iter().map(Move::placed).collect();
    cluster::build(&fake, &placed, &policy(scenario));
    let digests: Vec<(String, String)> = placed
        .iter()
        .map(|Placed { repository, .. }| {
            let ecr = &mut fake.open().ecr;
            let to = ecr.push(repository, "the other image", Some("main-1"));
            (to, ecr.tagged(repository, "main-0").unwrap().to_owned())
        })
        .collect();
    let mishaps = troubles(&fake, scenario, &digests);
    let config = fake.config();
    let mut input = json!({"environment": NAME});
    match asked {
        Asked::Images => {
            let images = placed.iter().map(|one| (one.repository.clone(), "main-1".into()));
            input["images"] = Value::Object(images.collect());
        }
        Asked::Previous => {
            input["mode"] = "rollback".into();
            verify(&Ledger::of(&config, "ledger"), &fake, &placed, &digests).await;
        }
    }
    let mut machine = Machine::new(fake.clone()).unwrap();
    machine.seed(scenario.seed);
    machine.mishaps = mishaps;
    let run = machine.run(RELEASE, &input).await;
    Ended { fake, run, digests }
}

fn policy(scenario: &Scenario) -> Value {
    let of_wave =
        |wave| scenario.moves.iter().filter(move |one| one.wave == wave).map(|one| one.placed().service);
    let waves: Vec<Vec<String>> = (0..4).map(|wave| of_wave(wave).collect()).collect();
    let waves: Vec<Vec<String>> = waves.into_iter().filter(|wave| !wave.is_empty()).collect();
    let forward_only = scenario.moves.iter().filter(|one| one.forward_only).map(|one| one.placed().service);
    let mut policy = cluster::policy(&waves, scenario.concurrency);
    policy["forwardOnly"] = forward_only.collect();
    policy["onFailure"] = scenario.on_failure.into();
    policy["healthTimeoutSeconds"] = 90.into();
    policy
}

/// Writes down that all services run what was verified, and that something else was before.
async fn verify(ledger: &Ledger, fake: &Fake, placed: &[Placed], digests: &[(String, String)]) {
    for (Placed { service, repository }, (to, from)) in placed.iter().zip(digests) {
        let known = |digest: &str, number: u32| VerifiedImage {
            repository: Repository::parse(repository).unwrap(),
            digest: Digest::parse(digest).unwrap(),
            commit: None,
            task_definition: TaskDefinitionArn::parse(fake.open().ecs.arn(service, number)).unwrap(),
            since: Timestamp::from_millis(0),
            release: None,
            how: None,
            pack: None,
        };
        let row = ServiceRow {
            verified: Some(known(from, 1)),
            previous: Some(known(to, 1)),
            ..ServiceRow::default()
        };
        let environment = EnvironmentName::parse(NAME).unwrap();
        ledger.put(&Key::service(&environment, &ServiceName::parse(service).unwrap()), &row).await.unwrap();
    }
}

/// Plans what goes wrong.
fn troubles(fake: &Fake, scenario: &Scenario, digests: &[(String, String)]) -> Mishaps {
    let mut mishaps = Mishaps::default();
    if let Some((state, after)) = scenario.twice {
        let fault = problem(&Fault::Unavailable("no answer came".to_owned()));
        mishaps.plan(
            "",
            state,
            if after > 0 { Mishap::Late(fault, after) } else { Mishap::FailsAfter(fault) },
        );
    }
    for (one, (to, from)) in scenario.moves.iter().zip(digests) {
        for (trouble, digest) in [(one.forward, to), (one.back, from)] {
            plan(fake, &mut mishaps, one.placed(), trouble, digest);
        }
    }
    mishaps
}

fn plan(fake: &Fake, mishaps: &mut Mishaps, placed: Placed, trouble: Trouble, digest: &str) {
    let service = placed.service.clone();
    let ends = |end| {
        let ecs = &mut fake.open().ecs;
        ecs.services.get_mut(&format!("fleet/{service}")).unwrap().ends.insert(digest.to_owned(), end);
    };
    match trouble {
        Trouble::None => {}
        Trouble::GivenUp => ends(End::GivenUp),
        Trouble::SentBack => ends(End::SentBack),
        Trouble::Never => ends(End::Never),
        Trouble::OtherImage => ends(End::OtherImage),
        Trouble::Unseen => ends(End::Unseen),
        Trouble::Denied(operation) => fake.open().ecs.denied.push((operation, service)),
        Trouble::Fails(state) => {
            mishaps.plan(
                &service,
                state,
                Mishap::Fails(problem(&Fault::Denied("it is not allowed".to_owned()))),
            );
        }
        Trouble::Lost(state) => {
            mishaps.plan(
                &service,
                state,
                Mishap::FailsAfter(problem(&Fault::Unavailable("no answer came".to_owned()))),
            );
        }
        Trouble::Dies(state) => mishaps.plan(&service, state, Mishap::Dies),
        Trouble::DiesAfter(state) => mishaps.plan(&service, state, Mishap::DiesAfter),
        Trouble::Overtaken(state) => mishaps.plan(&service, state, Mishap::Overtaken(placed)),
    }
}

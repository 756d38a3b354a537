//! A history, step by step, and what the account says when it has come to rest.

use fleet::cluster;
use fleet::fake::{End, Fake, RunEnd, State};
use fleet::machine::{Action, Hand, Machine, Pushed};
use fleet::simulation::oracle::Oracle;
use serde_json::{Value, json};

/// The moment at which every history begins.
pub const START: i64 = 1_795_000_000_000;

/// A history.
pub struct Story {
    pub machine: Machine,
    last: i64,
}

impl Story {
    /// Begins one with services, each named with its environment, and the repository of its image; `documents` says
    /// of an environment what its document has beside its cluster and its tag.
    pub fn of(services: &[(&str, &str)], documents: Value) -> Self {
        let fake = Fake::default();
        fake.open().now = START;
        for (service, repository) in services {
            let (environment, service) = service.split_once('/').unwrap();
            cluster::place(&fake, environment, service, &[repository]);
        }
        for (environment, from) in [("dev", None), ("staging", Some("dev"))] {
            let mut document = json!({"cluster": environment, "tag": environment, "bakeSeconds": 0});
            let more = match from {
                None => json!({"deployOn": ["main-*"]}),
                Some(from) => json!({"from": from}),
            };
            for fields in [&more, &documents[environment]] {
                document.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap_or_default());
            }
            cluster::configure(&fake, environment, &document);
        }
        let mut machine = Machine::new(fake).unwrap();
        (machine.echoes, machine.oracle) = (true, Some(Oracle::default()));
        machine.until = Some(START + 24 * 3_600_000);
        Story { machine, last: START }
    }

    /// Has somebody act so many seconds after the beginning.
    pub fn at(self, seconds: i64, action: Action) -> Self {
        self.at_ms(seconds * 1000, action)
    }

    /// Has somebody act so many milliseconds after the beginning.
    pub fn at_ms(mut self, milliseconds: i64, action: Action) -> Self {
        self.last = START + milliseconds;
        self.machine.plan(self.last, action);
        self
    }

    /// Has an image there that nobody was told of.
    pub fn image(self, name: &str, repository: &str, end: End) -> Self {
        {
            let mut account = self.machine.fake.open();
            let digest = account.ecr.push(repository, name, Some(&format!("main-{name}")));
            for service in account.ecs.services.values_mut() {
                service.ends.insert(digest.clone(), end);
            }
        }
        self
    }

    /// Plays it to its rest, and holds it to all that is promised.
    pub async fn play(mut self) -> Self {
        self.machine.play().await;
        let executions = self.machine.statuses();
        let mut oracle = self.machine.oracle.take().unwrap();
        oracle.at_rest(&mut self.machine.fake.open(), &executions, self.last, false);
        assert_eq!(oracle.broken, Vec::<String>::new(), "{:?}", oracle.told);
        self
    }

    /// Plays it to its rest where not all that is promised can hold: something was lost.
    pub async fn play_with_a_loss(mut self) -> Self {
        self.machine.oracle = None;
        self.machine.play().await;
        assert_eq!(self.machine.fake.open().strange, Vec::<String>::new());
        self
    }

    /// Returns the executions whose names begin so, with their last states.
    pub fn named(&self, prefix: &str) -> Vec<(String, String)> {
        let all = self.machine.statuses().into_iter().filter(|(name, _)| name.starts_with(prefix));
        all.map(|(name, (_, last))| (name, last)).collect()
    }

    /// Returns what a run has told, each line of it.
    pub fn told(&self, run: &str) -> Vec<String> {
        let account = self.machine.fake.open();
        let told = account.published.iter().filter(|one| one.release == run);
        let texts = told.map(|one| serde_json::from_str::<Value>(&one.text).unwrap_or_default());
        texts
            .flat_map(|text| text["email"].as_str().map(str::to_owned))
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// Returns the last state of a release.
    pub fn end(&self, release: &str) -> String {
        self.machine.statuses()[release].1.clone()
    }

    /// Tells whether a service runs an image, and the ledger says so.
    pub fn runs(&self, service: &str, image: &str) -> bool {
        let mut account = self.machine.fake.open();
        let (environment, name) = service.split_once('/').unwrap();
        let row = account.table.row(&format!("env#{environment}"), &format!("service#{name}")).unwrap();
        let (now, fact) = (account.now, &row["verified"]);
        let digest = digest(&account, fact["repository"].as_str().unwrap(), image);
        fact["digest"] == digest.as_str() && account.ecs.at(service, now).unwrap().runs_only(&digest)
    }

    /// Tells whether a tag of a repository names an image.
    pub fn is_tagged(&self, repository: &str, tag: &str, image: &str) -> bool {
        let account = self.machine.fake.open();
        account.ecr.tagged(repository, tag) == Some(&digest(&account, repository, image))
    }

    /// Returns how many seconds after the beginning a service was pointed at something, each time.
    pub fn pointed(&self, service: &str) -> Vec<i64> {
        let account = self.machine.fake.open();
        account.ecs.services[service].pointed.iter().map(|one| (one.at - START) / 1000).collect()
    }

    /// Returns the revision that a service is on.
    pub fn revision(&self, service: &str) -> String {
        let mut account = self.machine.fake.open();
        let now = account.now;
        account.ecs.at(service, now).unwrap().primary().2.to_owned()
    }

    /// Returns a row of the ledger.
    pub fn row(&self, pk: &str, sk: &str) -> Value {
        self.machine.fake.open().table.row(pk, sk).unwrap_or_default()
    }
}

impl Story {
    /// Returns what an environment knows of an image.
    pub fn evidence(&self, repository: &str, image: &str, environment: &str) -> Value {
        let digest = digest(&self.machine.fake.open(), repository, image);
        self.row(&format!("digest#{repository}@{digest}"), &format!("env#{environment}"))
    }
}

/// Returns the digest of the image that was pushed under a name.
fn digest(account: &State, repository: &str, name: &str) -> String {
    account.ecr.tagged(repository, &format!("main-{name}")).unwrap_or_default().to_owned()
}

/// Pushes an image that starts a release of the same name.
pub fn push(name: &str, repository: &str, end: End) -> Action {
    let (name, repository) = (name.to_owned(), repository.to_owned());
    Action::Push(Pushed { name, repository, end, run: RunEnd::Passes, twice: false, late: 0 })
}

/// Pushes an image whose rollout completes, and whose runs end so.
pub fn push_tested(name: &str, repository: &str, run: RunEnd) -> Action {
    let (name, repository) = (name.to_owned(), repository.to_owned());
    Action::Push(Pushed { name, repository, end: End::Completes, run, twice: false, late: 0 })
}

/// Pushes an image whose event comes so many seconds late.
pub fn push_late(name: &str, repository: &str, seconds: i64) -> Action {
    let (name, repository) = (name.to_owned(), repository.to_owned());
    Action::Push(Pushed {
        name,
        repository,
        end: End::Completes,
        run: RunEnd::Passes,
        twice: false,
        late: seconds * 1000,
    })
}

/// Sends a request to an environment.
pub fn ask(name: &str, environment: &str, mut request: Value) -> Action {
    request["environment"] = environment.into();
    request["reason"] = "as it is written".into();
    Action::Start(name.to_owned(), request)
}

pub fn stop(release: &str) -> Action {
    Action::Stop(release.to_owned())
}

pub fn redrive(release: &str) -> Action {
    Action::Redrive(release.to_owned())
}

/// Looks for what no event has told.
pub fn sweep(name: &str) -> Action {
    Action::Start(name.to_owned(), json!({"mode": "reconcile"}))
}

/// Does something past the pipeline.
pub fn hand(hand: Hand) -> Action {
    Action::Hand(hand)
}

//! A cluster in the account in memory, before its first release.

use serde_json::{Value, json};

use crate::fake::{ACCOUNT, Fake, REGION, State};

/// The environment, its cluster and its tag all have this name.
pub const NAME: &str = "fleet";

/// One service that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its name.
    pub service: String,
    /// The repository of its image.
    pub repository: String,
}

/// Returns the URI of a repository.
pub fn uri(repository: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}")
}

/// Makes services that run, stable, an image that a tag names; each has a family of task definitions of its own.
pub fn build(fake: &Fake, services: &[Placed], policy: &Value) {
    for Placed { service, repository } in services {
        place(fake, NAME, service, &[repository]);
    }
    configure(fake, NAME, policy);
}

/// Makes a service of a cluster that runs, stable, an image of each of some repositories.
pub fn place(fake: &Fake, cluster: &str, service: &str, repositories: &[impl AsRef<str>]) {
    let mut account = fake.open();
    let account = &mut *account;
    let repositories = repositories.iter().map(AsRef::as_ref);
    let images = repositories.map(|repository| {
        account.ecr.push(repository, "the first image", Some("main-0"));
        format!("{}:main-0", uri(repository))
    });
    let images: Vec<String> = images.collect();
    let revision = account.ecs.register(service, &images);
    account.ecs.create(&format!("{cluster}/{service}"), &revision, &account.ecr);
}

/// Writes the document of an environment.
pub fn configure(fake: &Fake, environment: &str, policy: &Value) {
    let name = format!("/tidegate/environments/{environment}");
    fake.open().parameters.insert(name, policy.to_string());
}

/// The document of the alerts.
const ALERTS: &str = "/tidegate/alerts";

/// Has the topic hear how far releases are, too.
pub fn ask_for_progress(fake: &Fake) {
    let document = json!({"routes": [{"severity": "info", "to": ["sns"]}]});
    fake.open().parameters.insert(ALERTS.to_owned(), document.to_string());
}

/// Tells whether it does.
pub fn asks_for_progress(account: &State) -> bool {
    account.parameters.contains_key(ALERTS)
}

/// Points a service at an image of its own, as somebody would who does not know of the pipeline.
pub fn overtake(fake: &Fake, placed: &Placed) {
    let mut account = fake.open();
    let account = &mut *account;
    let digest = account.ecr.push(&placed.repository, &format!("theirs, of {}", placed.service), None);
    let revision = account.ecs.register(&placed.service, &[format!("{}@{digest}", uri(&placed.repository))]);
    let name = format!("{NAME}/{}", placed.service);
    let pointed = account.ecs.point(&name, &revision, &account.ecr, account.now);
    account.strange.extend(pointed.err().map(|refusal| refusal.message));
}

/// Returns the policy of an environment with these waves.
pub fn policy(waves: &[Vec<String>], concurrency: usize) -> Value {
    json!({"cluster": NAME, "tag": NAME, "waves": waves, "concurrency": concurrency, "bakeSeconds": 0})
}

//! Where histories take place: three environments, what runs in them, and their documents.

use serde_json::{Value, json};
use states::Random;

use super::draw::{below, one_of, some};
use crate::cluster;
use crate::fake::{Fake, Shifting, State};
use crate::web;

/// The environments, in the order of promotion; their clusters and tags have their names.
pub const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// The repositories.
pub const REPOSITORIES: [&str; 3] = ["shop/a", "shop/b", "shop/c"];

/// The services of each environment, and the repositories of what their containers run.
pub const SERVICES: [(&str, &[&str]); 5] = [
    ("a", &["shop/a"]),
    ("b", &["shop/b"]),
    ("c", &["shop/c"]),
    ("d", &["shop/c"]),
    ("e", &["shop/a", "shop/b"]),
];

/// The alarm that watches a service of its own in every environment.
pub const ALARM: &str = "a-5xx";

/// The family of the team's suite.
const SUITE: &str = "suite";

/// Makes the world of a history.
pub fn build(fake: &Fake, random: &mut Random) {
    for environment in ENVIRONMENTS {
        for (service, repositories) in SERVICES {
            cluster::place(fake, environment, service, repositories);
        }
        cluster::configure(fake, environment, &document(environment, random));
    }
    cluster::ask_for_progress(fake);
    let account = &mut *fake.open();
    let now = account.now;
    shift(account, random);
    account.ecr.push("shop/suite", "the suite", Some("main-0"));
    account.ecs.register(SUITE, &[format!("{}:main-0", cluster::uri("shop/suite"))]);
    account.alarms.set(ALARM, false, now);
    for environment in ENVIRONMENTS {
        for service in ["b", "e"] {
            let name = format!("/tidegate/environments/{environment}/services/{service}/tests");
            account.parameters.insert(name, web::pack(environment, service));
        }
        for (service, pack) in [("c", run_alone()), ("d", suite())] {
            let name = format!("/tidegate/environments/{environment}/services/{service}/tests");
            account.parameters.insert(name, pack.to_string());
        }
    }
}

/// Returns live tests that run the image alone before its service is touched.
pub fn run_alone() -> Value {
    json!({"checks": [{"name": "self test", "task": {"command": ["check"], "timeout": "1m"}}]})
}

/// Returns live tests that run a suite of the team beside the service.
fn suite() -> Value {
    json!({"checks": [{"name": "suite", "suite": {"task": SUITE, "command": ["all"], "timeout": "1m"}}]})
}

/// Draws the document of an environment.
pub fn document(environment: &str, random: &mut Random) -> Value {
    let place = ENVIRONMENTS.iter().position(|one| *one == environment).unwrap_or_default();
    let from = place.checked_sub(1).and_then(|before| ENVIRONMENTS.get(before));
    let waves = one_of(random, &[json!([]), json!([["a"]]), json!([["a"], ["b"]]), json!([["?"], ["e"]])]);
    let mut document = json!({
        "cluster": environment, "tag": environment, "waves": waves, "concurrency": 2, "maxWaitMinutes": 30,
        "bakeSeconds": one_of(random, &[0, 30, 30, 90, 90, 1_800]), "alarms": {"a": [ALARM]}, "approvalMinutes": 60,
        "onFailure": one_of(random, &["undo-all", "undo-all", "undo-failed", "freeze"]),
        "promote": one_of(random, &["none", "auto"]), "healthTimeoutSeconds": 300, "guardMinutes": 15,
    });
    match from {
        None => document["deployOn"] = json!(["main-*"]),
        Some(from) => {
            document["from"] = json!(from);
            document["soakMinutes"] = json!(one_of(random, &[0, 0, 5]));
        }
    }
    if some(random, 8) {
        document["forwardOnly"] = json!(["d"]);
    }
    if place > 0 && some(random, if place == 1 { 4 } else { 2 }) {
        document["approval"] = json!("required");
    }
    // What takes traffic as one is undone as one.
    if document["onFailure"] != "undo-failed" && some(random, 3) {
        document["shift"] = json!("together");
    }
    document
}

/// Draws which services shift their traffic, and how.
fn shift(account: &mut State, random: &mut Random) {
    const MINUTE: i64 = 60_000;
    for environment in ENVIRONMENTS {
        for service in ["a", "c", "e"] {
            if !some(random, 3) {
                continue;
            }
            let (after, action) = (below(random, 60_000), one_of(random, &["CONTINUE", "ROLLBACK"]));
            let how = Shifting {
                gate: one_of(random, &[MINUTE, 30 * MINUTE, 60 * MINUTE, 60 * MINUTE]),
                bake: one_of(random, &[1_000, MINUTE, 10 * MINUTE]),
                somebody: some(random, 5).then_some((after, action)),
                drain: None,
            };
            if let Some(service) = account.ecs.services.get_mut(&format!("{environment}/{service}")) {
                service.shifting = Some(how);
            }
        }
    }
}

//! A shop with as many services as one likes, in three environments: each as good as any.

use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use super::rows::Rows;

/// When all began.
pub const BEGAN: &str = "2026-11-23T09:00:00Z";

pub fn digest(n: usize) -> String {
    format!("sha256:{n:064x}")
}

fn fact(service: &str, n: usize, since: &str, release: &str) -> Value {
    json!({"repository": format!("shop/{service}"), "digest": digest(n), "commit": format!("{n:07x}"),
           "taskDefinition": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{service}:{n}"),
           "since": since, "release": release, "how": "released"})
}

pub fn service(verified: Value, before: Option<Value>) -> Value {
    let history: Vec<&Value> = [Some(&verified), before.as_ref()].into_iter().flatten().collect();
    json!({"verified": verified, "previous": before, "history": history})
}

/// A name that has its place by its number.
pub fn name(n: usize) -> String {
    format!("service-{n:04}")
}

/// The environments, and as many services: all verified in dev, half of them in staging, none but the first ones in
/// prod.
pub fn shop(services: usize) -> Rows {
    let mut rows = Rows::default()
        .with("prod", &json!({"cluster": "prod", "tag": "prod", "from": "staging", "approval": "required"}))
        .with("staging", &json!({"cluster": "staging", "tag": "staging", "from": "dev"}))
        .with("dev", &json!({"cluster": "dev", "tag": "dev", "deployOn": ["main-*"]}));
    for n in 0..services {
        let name = name(n);
        let (new, old) = (fact(&name, 2, BEGAN, "r-2"), fact(&name, 1, "2026-11-20T09:00:00Z", "r-1"));
        let runs = |is_new: bool| {
            service(if is_new { new.clone() } else { old.clone() }, is_new.then(|| old.clone()))
        };
        for (environment, is_new) in [("dev", true), ("staging", n.is_multiple_of(2)), ("prod", n == 0)] {
            rows.add(&format!("env#{environment}"), &format!("service#{name}"), runs(is_new));
        }
    }
    rows
}

/// Adds a release of dev that has moved so many services, of which one was bad.
pub fn release(rows: &mut Rows, id: &str, services: usize, bad: Option<usize>) {
    let at = |seconds: i64| Timestamp::parse(BEGAN).unwrap().plus_seconds(seconds);
    let outcome = if bad.is_some() { "RolledBack" } else { "Deployed" };
    let names: Vec<String> = (0..services).map(name).collect();
    let pk = format!("release#{id}");
    rows.add(&pk, "head", json!({
        "environment": "dev", "policy": {"cluster": "dev", "tag": "dev"}, "request": {"environment": "dev"},
        "order": "001795600500000#", "opened": at(0), "plan": "0123456789abcdef", "services": names,
        "undo": bad.map(|_| "all"), "outcome": outcome,
        "fates": if bad.is_some() { json!({"undone": services}) } else { json!({"deployed": services}) }
    }));
    let listed = json!({"mode": "push", "release": id, "by": id, "reason": "the push of main-2", "request": {},
                        "outcome": outcome, "because": "what came of it", "ended": at(600)});
    rows.add("runs#dev", &format!("{}#{id}", BEGAN.replace('Z', ".000Z")), listed);
    for (n, name) in names.iter().enumerate() {
        let wave = i64::from(n >= 10);
        let undone = bad.map(|_| json!("ecs-svc/3"));
        let is_bad = bad == Some(n);
        rows.add(&pk, &format!("move#{wave}#{n}"), json!({
            "environment": "dev", "tag": "dev", "cluster": "dev", "service": name, "registry": "123456789012",
            "repository": format!("shop/{name}"), "digest": digest(2), "containers": ["app"], "commit": "0000002",
            "running": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{name}:1"), "replaces": "ecs-svc/1",
            "restore": {"digest": digest(1), "release": "r-1",
                        "taskDefinition": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{name}:1")},
            "healthTimeoutSeconds": 900, "leased": at(1), "started": at(5 + 100 * wave), "touched": at(10 + 100 * wave),
            "deployment": "ecs-svc/2", "verdict": if is_bad { "Unhealthy" } else { "Healthy" }, "decided": at(90 + 100 * wave),
            "reason": if is_bad { "live test health failed 3 of 3" } else { "it is stable; its live test passed (2 asked)" },
            "undo": undone, "undoStarted": bad.map(|_| at(300)), "undoVerdict": bad.map(|_| "Healthy"),
            "undoReason": bad.map(|_| "it is stable")
        }));
        let round = json!({"phase": "live", "at": at(80), "outcome": if is_bad { "failed" } else { "passed" },
                           "text": "GET /health: expected 200"});
        rows.add(&pk, &format!("tests#{wave}#{n}#after"), json!({"transcript": {"health": {"last": round}}}));
    }
    let told = json!({"outcome": outcome, "plan": null, "time": at(601), "status": "sent"});
    rows.add(&pk, "alert#topic", told.clone());
    let mut failed = told;
    failed["status"] = "failed".into();
    failed["error"] = "channel_not_found".into();
    rows.add(&pk, "alert#slack ops", failed);
}
